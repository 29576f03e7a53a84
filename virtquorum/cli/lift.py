"""``virtquorum lift``: the quorum domain behind a lowered one."""

from __future__ import annotations

from typing import Annotated

import typer

from virtquorum.cli.inputs import MaxDepth, MaxSize
from virtquorum.cli.stock import Diff, Write, put_out, whole_domain
from virtquorum.cli.streams import Streams
from virtquorum.host.noted import noted, without_note
from virtquorum.stock.lift import is_lowered
from virtquorum.stock.lift import lift as lifted
from virtquorum.xml.document import DEFAULT_LIMITS, Limits
from virtquorum.xml.troubles import troubles

__all__ = ["command"]


def command(
    context: typer.Context,
    path: Annotated[
        str | None,
        typer.Argument(
            metavar="[PATH|-]", help="A file, or - for standard input.", show_default=False
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Believe the record, and drop what was changed by hand against it."
        ),
    ] = False,
    write: Annotated[bool, Write] = False,
    diff: Annotated[bool, Diff] = False,
    max_depth: Annotated[int, MaxDepth] = DEFAULT_LIMITS.depth,
    max_size: Annotated[int, MaxSize] = DEFAULT_LIMITS.size,
) -> int:
    """Give the quorum domain back from a lowered one, or from what libvirt dumps of it.

    The addresses that libvirt filled in come along, and what was changed of
    the placeholders' devices: a boot order, a serial. Whoever has changed by
    hand what belongs to the lowering is told the rule that explains it. The
    note of a change that is not finished is left out. A domain that is not
    lowered comes out as it is.

    \b
      virsh dumpxml web | virtquorum lift -
      virtquorum lift --write domain.xml
      virtquorum lift --force domain.xml

    Exit codes: 0 clean, 1 a domain that was changed by hand, or differences
    (--diff), 2 usage, 3 input that cannot be read or is no <domain>.
    """
    streams: Streams = context.obj
    limits = Limits(depth=max_depth, size=max_size)
    domain = whole_domain(path, streams, limits, write=write, diff=diff)
    if not is_lowered(domain):
        streams.note("it is not lowered, so there is nothing to lift")
    if (note := noted(domain)) is not None:
        streams.note(f"left out: the note of {note.title}, which is a running guest's alone")
    new = lifted(without_note(domain), force=force)
    for trouble in troubles(domain.document.root):
        place = f"{domain.name}:{trouble.element.line}:{trouble.element.column}"
        streams.note(f"{place}: dropped, since the record says otherwise: {trouble.message}")
    return put_out(domain, new, streams, "lifted", write=write, diff=diff)
