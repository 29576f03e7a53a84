"""``virtquorum define``: a quorum domain becomes one of libvirt's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from virtquorum.cli.connection import (
    Connect,
    DryRun,
    NoChecks,
    agreed,
    carried_out,
    given_secrets,
    looking,
    refusing,
    show_findings,
    show_results,
    tell_unfinished,
)
from virtquorum.cli.inputs import MaxDepth, MaxSize, one_domain
from virtquorum.cli.secrets import SecretOptions
from virtquorum.cli.streams import Exit, Streams
from virtquorum.errors import HostError
from virtquorum.host import connect as connected
from virtquorum.xml.document import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from virtquorum.host.define import Definition

__all__ = ["command"]


def command(
    context: typer.Context,
    path: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE|-]", help="A file, or - for standard input.", show_default=False
        ),
    ] = None,
    connect: Connect = None,
    dry_run: DryRun = False,
    yes: Annotated[
        bool,
        typer.Option("--yes", "-y", help="Do not ask where something is lost or unwise."),
    ] = False,
    placeholder_dir: Annotated[
        str | None,
        typer.Option(
            "--placeholder-dir",
            metavar="DIR",
            help="Where new placeholders go, on libvirt's machine.",
            show_default=False,
        ),
    ] = None,
    no_checks: NoChecks = False,
    secret: SecretOptions.Secret = None,
    secrets_dir: SecretOptions.Directory = None,
    tls_dir: SecretOptions.Tls = None,
    tls_secret: SecretOptions.TlsSecret = None,
    max_depth: Annotated[int, MaxDepth] = DEFAULT_LIMITS.depth,
    max_size: Annotated[int, MaxSize] = DEFAULT_LIMITS.size,
) -> int:
    """Define a domain with quorum disks on a libvirt that knows none.

    The domain is validated and lowered, the placeholders are made, and
    libvirt's definition is read back. If anything fails, all is as it was. A
    domain without quorum disks is handed on. A domain that runs goes on as it
    is until its next start.

    You are asked first where the old definition has quorum disks that the new
    one lacks, and where a quorum gets members, backing images or overlays that
    it had not, there or not: nothing copies the disk's data to them.
    'virtquorum patch DOMAIN member' does.

    \b
      virtquorum define domain.xml
      virtquorum define --dry-run domain.xml
      virtquorum define --connect qemu:///session domain.xml

    Exit codes: 0 defined, 1 errors in it, refused or not agreed to, 2 usage,
    3 input that cannot be read, or no connection to libvirt.
    """
    streams: Streams = context.obj
    if placeholder_dir is not None and not placeholder_dir.startswith("/"):
        raise typer.BadParameter("--placeholder-dir is an absolute path, on libvirt's machine")
    domain = one_domain(path, streams, Limits(depth=max_depth, size=max_size), "definition")
    with connected(connect) as host, refusing(host, streams):
        given = given_secrets(host, secret, secrets_dir, tls_dir, tls_secret)
        from virtquorum.host.define import InvalidError, check_definition, plan_definition

        try:
            definition = plan_definition(host, domain, provided=given, directory=placeholder_dir)
        except InvalidError as error:
            show_findings(error.findings, streams)
            raise HostError(str(error)) from None
        if definition.existing is not None:
            tell_unfinished(definition.existing, streams)
        show_findings(definition.findings, streams)
        if not no_checks:
            with looking(streams):
                results = check_definition(definition)
            show_results(results, streams, refusing=False)
        for note in definition.notes:
            streams.note(note)
        if not agreed(definition.lost, streams, yes=yes, dry_run=dry_run):
            return Exit.FINDINGS
        code = carried_out(definition.plan, streams, dry_run=dry_run)
        if not dry_run:
            _tell(definition, streams)
    return code


def _tell(definition: Definition, streams: Streams) -> None:
    from virtquorum.host.definition import RemovePlaceholder
    from virtquorum.printable import printable

    for step in definition.plan.steps:
        if isinstance(step, RemovePlaceholder) and step.stayed is not None:
            streams.note(step.stayed)
    name = printable(definition.plan.domain)
    disks = ", ".join(f"'{printable(one.disk.name or '')}'" for one in definition.lowerings)
    what = f" with the quorum disk{'s' if len(definition.lowerings) > 1 else ''} {disks}"
    streams.out.write(f"domain '{name}' defined{what if disks else ''}\n")
