"""``virtquorum diff``: a domain of libvirt's beside a file."""

from __future__ import annotations

from typing import Annotated

import typer

from virtquorum.cli.connection import Connect, DomainName, tell_unfinished
from virtquorum.cli.difference import show_difference
from virtquorum.cli.filled_in import side_by_side
from virtquorum.cli.inputs import MaxDepth, MaxSize, one_domain
from virtquorum.cli.streams import Exit, Streams
from virtquorum.errors import EditError
from virtquorum.host import connect as connected
from virtquorum.host.noted import without_note
from virtquorum.stock.lift import lift
from virtquorum.xml.document import DEFAULT_LIMITS, Limits
from virtquorum.xml.format import format_disk

__all__ = ["command"]


def command(
    context: typer.Context,
    name: DomainName,
    path: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE|-]", help="A file, or - for standard input.", show_default=False
        ),
    ] = None,
    connect: Connect = None,
    live: Annotated[
        bool, typer.Option("--live", help="The domain as it runs, not as its next start takes it.")
    ] = False,
    disks_only: Annotated[
        bool, typer.Option("--disks-only", help="Only the disks, without what libvirt fills in.")
    ] = False,
    max_depth: Annotated[int, MaxDepth] = DEFAULT_LIMITS.depth,
    max_size: Annotated[int, MaxSize] = DEFAULT_LIMITS.size,
) -> int:
    """Show how a file differs from a domain that libvirt has.

    Both are lifted and formatted before, so only what they say counts.
    libvirt fills in what a file leaves out, and keeps disks by their buses;
    with --disks-only that is no difference.

    \b
      virtquorum diff web web.xml
      virtquorum diff --disks-only web web.xml

    Exit codes: 0 they say the same, 1 differences, 2 usage, 3 input that
    cannot be read, no such domain, or no connection to libvirt.
    """
    streams: Streams = context.obj
    other = one_domain(path, streams, Limits(depth=max_depth, size=max_size), "differences")
    if other.document.root.name != "domain":
        raise EditError(
            f"{other.name}: its root element is <{other.document.root.name}>, and a <domain> is "
            "compared with a <domain>"
        )
    with connected(connect) as host:
        domain = host.domain(name)
        tell_unfinished(domain, streams)
        have = domain.lifted(inactive=not live)
    new = lift(without_note(other))
    if disks_only:
        old_text, new_text = (
            "".join(format_disk(one, "") for one in disks)
            for disks in side_by_side(have.machine_disks, new.machine_disks)
        )
    else:
        old_text, new_text = have.formatted().text, new.formatted().text
    if old_text.strip() == new_text.strip():
        return Exit.CLEAN
    show_difference(streams, name, old_text, new_text, other.name)
    return Exit.FINDINGS
