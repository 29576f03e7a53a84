"""``virtquorum patch DOMAIN attach`` and ``detach``: quorum disks come and go."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Annotated

import typer

from virtquorum.cli.connection import DryRun, NoChecks
from virtquorum.cli.inputs import one_domain
from virtquorum.cli.patch_options import (
    Asked,
    Config,
    ConnectHere,
    Current,
    Json_,
    Live,
    Said,
    Yes,
    made,
)
from virtquorum.cli.secrets import SecretOptions
from virtquorum.images.size import parse_size
from virtquorum.xml.document import DEFAULT_LIMITS

if TYPE_CHECKING:
    from virtquorum.host.domain import HostDomain
    from virtquorum.host.patch import Options, Patch

__all__ = ["attach", "detach"]


def attach(
    context: typer.Context,
    path: Annotated[
        str | None,
        typer.Argument(
            metavar="[DISK.xml|-]", help="A <disk>, or - for standard input.", show_default=False
        ),
    ] = None,
    connect: ConnectHere = None,
    live: Live = False,
    config: Config = False,
    current: Current = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json_ = False,
    placeholder_dir: Annotated[
        str | None,
        typer.Option(
            "--placeholder-dir",
            metavar="DIR",
            help="Where its placeholder goes, on libvirt's machine.",
            show_default=False,
        ),
    ] = None,
    create: Annotated[
        bool, typer.Option("--create", help="Make the images that are missing, blank.")
    ] = False,
    size: Annotated[
        str | None,
        typer.Option(
            "--size",
            metavar="SIZE",
            help="With --create: their virtual size, 10G say.",
            show_default=False,
        ),
    ] = None,
    no_checks: NoChecks = False,
    secret: SecretOptions.Secret = None,
    secrets_dir: SecretOptions.Directory = None,
    tls_dir: SecretOptions.Tls = None,
    tls_secret: SecretOptions.TlsSecret = None,
) -> int:
    """Plug a quorum disk in.

    The images must be there, or --create makes them. A disk that is no quorum
    is virsh attach-device's.

    \b
      virtquorum patch web attach disk.xml
      virtquorum patch web attach disk.xml --create --size 10G
      virtquorum patch web attach disk.xml --live --config

    Exit codes: 0 attached, 1 refused or failed, 2 usage, 3 input that cannot
    be read, no such domain, or no connection to libvirt.
    """  # fmt: skip
    asked: Asked = context.obj
    if placeholder_dir is not None and not placeholder_dir.startswith("/"):
        raise typer.BadParameter("--placeholder-dir is an absolute path, on libvirt's machine")
    if size is not None and not create:
        raise typer.BadParameter("--size goes with --create")
    document = one_domain(path, asked.streams, DEFAULT_LIMITS, "disk")
    if document.document.root.name != "disk":
        raise typer.BadParameter(
            f"{document.name}: the root element is <{document.document.root.name}>, and what is "
            "attached is a <disk>; give that alone"
        )
    said = Said(
        live=live, config=config, current=current, dry_run=dry_run, yes=yes,
        no_checks=no_checks, as_json=as_json, connect=connect, secret=secret or (),
        secrets_dir=secrets_dir, tls_dir=tls_dir, tls_secret=tls_secret,
    )  # fmt: skip

    def plan(domain: HostDomain, options: Options) -> Patch:
        from virtquorum.host.patch import attach

        return attach(domain, document.disks[0], **options)

    from virtquorum.host.patch.given import Given

    return made(
        asked, said, plan, directory=placeholder_dir, create=create,
        size=parse_size(size) if size is not None else None,
        given=Given(document.name, document.document.root),
    )  # fmt: skip


def detach(
    context: typer.Context,
    target: Annotated[
        str,
        typer.Argument(metavar="TARGET", help="The disk's target: vdb, say.", show_default=False),
    ],
    connect: ConnectHere = None,
    live: Live = False,
    config: Config = False,
    current: Current = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json_ = False,
    timeout: Annotated[
        float,
        typer.Option(
            "--timeout", metavar="SECONDS", min=0, help="How long a guest may take to let go of it."
        ),
    ] = 30,
) -> int:
    """Take a quorum disk out; its images stay.

    A guest is asked for a virtio disk, as it is for any PCI device: one that
    does not answer keeps it, and nothing is changed. Disks on SCSI and USB go
    at once, and SATA disks only when the guest is off.

    \b
      virtquorum patch web detach vdb
      virtquorum patch web detach vdb --live --config --timeout 60

    Exit codes: 0 detached, 1 refused or failed, 2 usage, 3 no such domain, or
    no connection to libvirt.
    """  # fmt: skip
    said = Said(
        live=live, config=config, current=current, dry_run=dry_run, yes=yes,
        no_checks=False, as_json=as_json, connect=connect,
    )  # fmt: skip

    def plan(domain: HostDomain, options: Options) -> Patch:
        from virtquorum.host.patch import detach

        return detach(domain, target, **options)

    if isnan(timeout):
        raise typer.BadParameter("--timeout is a number of seconds")
    return made(context.obj, said, plan, seconds=timeout)
