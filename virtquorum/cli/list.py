"""``virtquorum list``: the domains with quorum disks, and where their members are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from virtquorum.cli.connection import Connect
from virtquorum.cli.streams import Exit, Streams
from virtquorum.errors import LibvirtError
from virtquorum.host import connect as connected
from virtquorum.report.domain_list import Listed, list_json, list_text
from virtquorum.stock.lift import lift
from virtquorum.xml.record import Record
from virtquorum.xml.troubles import troubles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.host.domain import HostDomain
    from virtquorum.host.session import Host
    from virtquorum.model.disk import Disk

__all__ = ["command"]

#: libvirt's VIR_ERR_NO_DOMAIN.
_NO_DOMAIN = 42


def command(
    context: typer.Context,
    connect: Connect = None,
    every: Annotated[bool, typer.Option("--all", help="Those that do not run as well.")] = False,
    inactive: Annotated[
        bool, typer.Option("--inactive", help="Only those that do not run.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="For programs; see 'virtquorum schema'.")
    ] = False,
) -> int:
    """List the domains that have quorum disks, with the members of each.

    Of a domain that runs these are the disks that it runs with.

    \b
      virtquorum list --all
      virtquorum list --inactive
      virtquorum list --json --all

    Exit codes: 0 listed, 2 usage, 3 no connection to libvirt.
    """
    streams: Streams = context.obj
    if every and inactive:
        raise typer.BadParameter("--all and --inactive exclude each other")
    with connected(connect) as host:
        others = 0
        found = []
        for one in _every(host, active=not inactive, inactive=every or inactive):
            if one.disks or one.troubles:
                found.append(one)
            else:
                others += 1
        uri = host.uri
    if as_json:
        streams.write_json(list_json(uri, found), indent=2)
        return Exit.CLEAN
    text = list_text(found)
    if not streams.can_write(text):
        text = text.encode("ascii", "backslashreplace").decode()
    streams.out.write(text)
    for domain in found:
        for trouble in domain.troubles:
            streams.note(f"domain '{domain.name}': {trouble}")
    if others:
        domains = "1 domain has" if others == 1 else f"{others} domains have"
        streams.note(f"{domains} no quorum disk")
    return Exit.CLEAN


def _every(host: Host, *, active: bool, inactive: bool) -> Iterator[Listed]:
    for domain in host.domains(active=active, inactive=inactive):
        try:
            yield _listed(domain)
        except LibvirtError as error:  # it may have ended meanwhile
            if error.code != _NO_DOMAIN:
                raise


def _listed(domain: HostDomain) -> Listed:
    """A domain as it runs, or as its next start takes it; a record that reads is believed."""
    text = domain.text()
    root = text.document.root
    record = Record.of(root)
    wrong = list(troubles(root))
    disks: list[Disk] = []
    if record is not None and not any(one.kind in ("newer", "record") for one in wrong):
        disks = [one for one in lift(text, force=True).machine_disks if one.quorums]
    by_target = {one.target: one for one in record.disks} if record is not None else {}
    lowered = [by_target.get(one.name or "") for one in disks]
    return Listed(
        name=domain.name,
        uuid=domain.uuid,
        id=domain.id,
        state=domain.state,
        persistent=domain.is_persistent,
        disks=tuple(disks),
        nodes=tuple(one.drive if one is not None else None for one in lowered),
        placeholders=tuple(one.file if one is not None else None for one in lowered),
        troubles=tuple(one.message for one in wrong),
    )
