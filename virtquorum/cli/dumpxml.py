"""``virtquorum dumpxml``: a domain's XML, with its quorum disks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from virtquorum.cli.connection import Connect, DomainName, tell_unfinished
from virtquorum.cli.streams import Exit, Streams
from virtquorum.errors import LoweredError
from virtquorum.host import connect as connected

if TYPE_CHECKING:
    from virtquorum.host.domain import HostDomain
    from virtquorum.xml.domain import Domain

__all__ = ["command"]


def command(
    context: typer.Context,
    name: DomainName,
    connect: Connect = None,
    inactive: Annotated[
        bool, typer.Option("--inactive", help="What its next start takes, if it runs.")
    ] = False,
    security_info: Annotated[bool, typer.Option("--security-info", help="With passwords.")] = False,
    migratable: Annotated[
        bool, typer.Option("--migratable", help="As another libvirt takes it in a migration.")
    ] = False,
    lowered: Annotated[
        bool, typer.Option("--lowered", help="As libvirt has it, placeholders and all.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Believe the record where somebody has changed libvirt's XML by hand."
        ),
    ] = False,
) -> int:
    """Print a domain's XML with the quorum disks in it, as libvirt would write it.

    \b
      virtquorum dumpxml web
      virtquorum dumpxml --inactive --security-info web > web.xml
      virtquorum dumpxml --lowered web

    Exit codes: 0 printed, 1 a lowered domain was changed by hand, 2 usage,
    3 no such domain, or no connection to libvirt.
    """
    streams: Streams = context.obj
    if lowered and force:
        raise typer.BadParameter("--lowered prints what there is; --force is for the other way")
    with connected(connect) as host:
        domain = host.domain(name)
        text = domain.text(inactive=inactive, secure=security_info, migratable=migratable)
        tell_unfinished(domain, streams, None if inactive else text)
        found = text if lowered else _lifted(domain, text, force, streams)
    data = found.to_bytes() if lowered else found.format()
    streams.write_bytes(data if data.endswith(b"\n") else data + b"\n")
    return Exit.CLEAN


def _lifted(domain: HostDomain, text: Domain, force: bool, streams: Streams) -> Domain:
    from virtquorum.host.noted import without_note
    from virtquorum.stock.lift import lift
    from virtquorum.xml.troubles import troubles

    text = without_note(text)
    if force or domain.host.driver != "QEMU":
        for trouble in troubles(text.document.root):
            streams.note(f"{trouble.message}; the record is believed")
        return lift(text, force=True)
    try:
        return lift(text)
    except LoweredError as error:
        error.remedy = (
            f"{error.remedy}; --lowered prints it as it is, --force believes the record"
            if error.remedy
            else "--lowered prints it as it is"
        )
        raise
