"""``virtquorum convert``: a quorum is made of a stock disk, or a stock disk of a quorum."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Final

import typer

from virtquorum.cli.connection import Connect, DomainName, DryRun, NoChecks
from virtquorum.cli.new_member import new_member
from virtquorum.cli.patch_options import (
    Asked,
    Config,
    Current,
    Json_,
    Live,
    NoCopy,
    Said,
    Yes,
    made,
)
from virtquorum.cli.secrets import SecretOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from virtquorum.cli.streams import Streams
    from virtquorum.host.domain import HostDomain
    from virtquorum.host.patch import Options, Patch
    from virtquorum.model.image import Image

__all__ = ["command"]


def command(
    context: typer.Context,
    name: DomainName,
    target: Annotated[
        str, typer.Argument(metavar="TARGET", help="The disk: vda.", show_default=False)
    ],
    images: Annotated[
        list[str] | None, typer.Argument(metavar="[IMAGE]...", hidden=True, show_default=False)
    ] = None,
    members: Annotated[
        list[str] | None,
        typer.Option(
            "--members",
            metavar="IMAGE...",
            help="The new members, files or block devices, behind the disk's own image.",
            show_default=False,
        ),
    ] = None,
    format: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="The format of --members: once for all of them, or once for each.",
            show_default=False,
        ),
    ] = None,
    member: Annotated[
        list[str] | None,
        typer.Option(
            "--member",
            metavar="MEMBER.xml",
            help="A new member as a <backingStore>; may be repeated.",
            show_default=False,
        ),
    ] = None,
    threshold: Annotated[
        int | None,
        typer.Option(
            "--threshold",
            min=1,
            metavar="N",
            help="How many members must agree; the majority without.",
            show_default=False,
        ),
    ] = None,
    create: Annotated[
        bool, typer.Option("--create", help="Make the images that are missing.")
    ] = False,
    no_copy: NoCopy = False,
    back: Annotated[
        bool, typer.Option("--back", help="Make a stock disk of the quorum's first member.")
    ] = False,
    keep: Annotated[
        str | None,
        typer.Option(
            "--keep",
            metavar="MEMBER",
            help="With --back: of this one, by its number, node name or path.",
            show_default=False,
        ),
    ] = None,
    no_compare: Annotated[
        bool,
        typer.Option("--no-compare", help="With --back: do not look whether the member agrees."),
    ] = False,
    connect: Connect = None,
    live: Live = False,
    config: Config = False,
    current: Current = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json_ = False,
    no_checks: NoChecks = False,
    secret: SecretOptions.Secret = None,
    secrets_dir: SecretOptions.Directory = None,
    tls_dir: SecretOptions.Tls = None,
    tls_secret: SecretOptions.TlsSecret = None,
) -> int:
    """Make a quorum of a stock disk, or a stock disk of a quorum's member.

    The disk's image becomes the member 0. What it holds is copied to the new
    members before they vote: while the guest runs on, or by qemu-img if it is
    off. The images must be there and as large, or --create makes them.

    \b
      virtquorum convert web vda --members /b/web.raw /c/web.raw --format raw
      virtquorum convert web vda --members /b/web.raw --format raw --live --config
      virtquorum convert web vda --back
      virtquorum convert web vda --back --keep 1 --live --config

    The running domain is converted with --live, its definition with --config,
    and with both both, or neither. Without either it is the running domain, or
    the definition of one that is off.

    Exit codes: 0 converted, 1 refused or failed, 2 usage, 3 input that cannot
    be read, no such domain, or no connection to libvirt.
    """  # fmt: skip
    streams: Streams = context.obj
    paths = [*(members or ()), *(images or ())]
    if back or keep is not None or no_compare:
        _check_back(back, [*paths, *(member or ()), *(format or ())], threshold, create or no_copy)
        new: list[Image] = []
    else:
        new = _new_members(paths, format or (), member or (), streams)
    said = Said(
        live=live, config=config, current=current, dry_run=dry_run, yes=yes,
        no_checks=no_checks, as_json=as_json, secret=secret or (), secrets_dir=secrets_dir,
        tls_dir=tls_dir, tls_secret=tls_secret,
    )  # fmt: skip

    def plan(domain: HostDomain, options: Options) -> Patch:
        from virtquorum.host.convert import convert, convert_back

        more = dict(options)
        if back:
            return convert_back(domain, target, keep or "0", compare=not no_compare, **more)  # type: ignore[arg-type]
        return convert(domain, target, new, threshold=threshold, create=create, **more)  # type: ignore[arg-type]

    if back:
        _hear_events()
    return made(Asked(name=name, connect=connect, streams=streams), said, plan, fill=not no_copy)


def _check_back(back: bool, new: Sequence[str], threshold: int | None, made: bool) -> None:
    """Refuse words of the one way with words of the other."""
    if not back:
        raise typer.BadParameter("--keep and --no-compare go with --back")
    if new or threshold is not None or made:
        raise typer.BadParameter(
            "--back takes no new members: leave --members, --member, --format, --threshold, "
            "--create and --no-copy out; --keep names the member that stays"
        )


def _new_members(
    paths: Sequence[str], formats: Sequence[str], files: Sequence[str], streams: Streams
) -> list[Image]:
    """The new members, those by path first."""
    if not paths and not files:
        raise typer.BadParameter(
            "name the new members: --members IMAGE... --format FORMAT, or --member MEMBER.xml; or "
            "--back to make a stock disk of a quorum"
        )
    for path in paths:
        if path in _FORMATS:
            raise typer.BadParameter(
                f"'{path}' is a format, and stands where an image does; --format is said once for "
                f"each image: --format raw --format qcow2; an image of that name is './{path}'"
            )
    if len(formats) not in (0, 1, len(paths)) or (formats and not paths):
        raise typer.BadParameter(
            f"--format is given {len(formats)} times for {len(paths)} images; give one for all, or "
            "one for each"
        )
    spread = list(formats) * len(paths) if len(formats) == 1 else list(formats)
    found = []
    for at, path in enumerate(paths):
        file, block = (None, path) if _is_device(path) else (path, None)
        format = spread[at] if spread else None
        found.append(new_member(None, file, block, format, streams).image)
    return found + [new_member(one, None, None, None, streams).image for one in files]


#: Words that are meant for --format.
_FORMATS: Final = ("raw", "qcow2", "qcow", "qed", "vdi", "vhdx", "vmdk", "vpc", "parallels", "luks")


def _is_device(path: str) -> bool:
    """Whether a path is a block device's, as far as it is to be seen here."""
    with suppress(OSError):
        return stat.S_ISBLK(os.stat(path).st_mode)
    return os.path.abspath(path).startswith("/dev/")


def _hear_events() -> None:
    """Have libvirt's events come: what is read of a running guest's disk is told by them."""
    from virtquorum.host.connection import asking
    from virtquorum.host.events import run_events

    with asking("the connection to libvirt"):
        run_events()
