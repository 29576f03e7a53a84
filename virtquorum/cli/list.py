"""``virtquorum list``: the domains with quorum disks, and where their members are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from virtquorum.cli.connection import Connect, domain_names
from virtquorum.cli.streams import Exit, Streams
from virtquorum.errors import LibvirtError
from virtquorum.host import connect as connected
from virtquorum.report.domain_list import Listed, list_json, list_text
from virtquorum.stock.lift import lift
from virtquorum.xml.record import Record
from virtquorum.xml.troubles import troubles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from virtquorum.host.domain import HostDomain
    from virtquorum.model.disk import Disk

__all__ = ["command"]

#: libvirt's VIR_ERR_NO_DOMAIN.
_NO_DOMAIN = 42


def command(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DOMAIN…]",
            help="Only these, by name, UUID or id, whether they run or not.",
            show_default=False,
            autocompletion=domain_names,
        ),
    ] = None,
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

    Of a domain that runs these are the disks that it runs with. A star behind
    its state says that a change of its disks is not finished.

    \b
      virtquorum list --all
      virtquorum list --inactive
      virtquorum list web db
      virtquorum list --json --all

    Exit codes: 0 listed, 2 usage, 3 no such domain, or no connection to
    libvirt.
    """
    streams: Streams = context.obj
    if every and inactive:
        raise typer.BadParameter("--all and --inactive exclude each other")
    if names and (every or inactive):
        raise typer.BadParameter("--all and --inactive choose domains, and DOMAIN names them")
    with connected(connect) as host:
        if names:
            chosen = list({one.uuid: one for one in map(host.domain, names)}.values())
        else:
            chosen = host.domains(active=not inactive, inactive=every or inactive)
        others: list[Listed] = []
        found: list[Listed] = []
        for one in _every(chosen):
            (found if one.disks or one.troubles or one.change else others).append(one)
        uri = host.uri
    if as_json:
        streams.write_json(list_json(uri, found), indent=2)
        return Exit.CLEAN
    if not found and not names and streams.out.isatty():
        return _nothing(streams, every=every, inactive=inactive)
    text = list_text(found)
    if not streams.can_write(text):
        text = text.encode("ascii", "backslashreplace").decode()
    streams.out.write(text)
    for domain in found:
        for trouble in domain.troubles:
            streams.note(f"domain '{domain.name}': {trouble}")
        if domain.change is not None:
            streams.note(f"domain '{domain.name}': {domain.change}")
    if names:
        for domain in others:
            streams.note(f"domain '{domain.name}' has no quorum disk")
    elif others:
        domains = "1 domain has" if len(others) == 1 else f"{len(others)} domains have"
        streams.note(f"{domains} no quorum disk")
    return Exit.CLEAN


def _nothing(streams: Streams, *, every: bool, inactive: bool) -> int:
    """Say to a person that there is nothing to be shown."""
    match every, inactive:
        case True, _:
            streams.note("no domain with quorum disks")
        case _, True:
            streams.note("no domain with quorum disks that does not run")
        case _:
            streams.note("no domain with quorum disks runs; --all lists those that do not as well")
    return Exit.CLEAN


def _every(domains: Iterable[HostDomain]) -> Iterator[Listed]:
    for domain in domains:
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
        change=domain.noted_in(text),
    )
