"""``virtquorum format``: domain XML as libvirt writes it."""

from __future__ import annotations

from typing import Annotated

import typer

from virtquorum.cli.difference import show_difference
from virtquorum.cli.inputs import MaxDepth, MaxSize, Paths, domains
from virtquorum.cli.replace import replace
from virtquorum.cli.streams import Exit, Streams
from virtquorum.errors import EditError, InputError, UnreadableError
from virtquorum.printable import printable
from virtquorum.xml.document import DEFAULT_LIMITS, Limits

__all__ = ["command"]


def command(
    context: typer.Context,
    paths: Annotated[list[str] | None, Paths] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; list what would change, exit 1 if any.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Show what would change, exit 1 if anything.")
    ] = False,
    write: Annotated[
        bool, typer.Option("--write", "-w", help="Change the files, each at once or not at all.")
    ] = False,
    disks_only: Annotated[
        bool, typer.Option("--disks-only", help="Format the disks, leave all else as it is.")
    ] = False,
    max_depth: Annotated[int, MaxDepth] = DEFAULT_LIMITS.depth,
    max_size: Annotated[int, MaxSize] = DEFAULT_LIMITS.size,
) -> int:
    """Write domain XML as libvirt writes it: quotes, two spaces, the order in disks.

    Inside disks, elements and attributes get libvirt's order; comments and
    unknown elements stay. The output of virsh dumpxml comes out as it went
    in. Several documents are written one after the other.

    \b
      virtquorum format domain.xml
      virsh dumpxml web | virtquorum format -
      virtquorum format --check --diff domains
      virtquorum format --write --disks-only domain.xml

    Exit codes: 0 clean, 1 differences (--check, --diff), 2 usage,
    3 input that cannot be read or is no domain XML.
    """
    streams: Streams = context.obj
    if write and (check or diff):
        raise typer.BadParameter("--write changes the files; --check and --diff only look")
    if write and "-" in (paths or ["-"]):
        raise typer.BadParameter("--write needs files; standard input has none to write to")
    code = Exit.CLEAN
    read = changed = 0
    limits = Limits(depth=max_depth, size=max_size)
    for domain in domains(paths or [], streams, limits, progress=check or diff or write):
        if isinstance(domain, InputError):
            streams.say(str(domain))
            code = Exit.UNREADABLE
            continue
        read += 1
        try:
            if write or diff:  # what takes the place of a file is read again first
                new = domain.formatted(disks_only=disks_only)
                formatted = new.to_bytes()
            else:
                formatted = domain.format(disks_only=disks_only)
        except EditError as error:
            streams.say(str(error))
            code = max(code, Exit.FINDINGS)
            continue
        differs = formatted != domain.to_bytes()
        changed += differs
        if write:
            if differs:
                try:
                    replace(domain.name, formatted, domain.name)
                except UnreadableError as error:
                    streams.say(str(error))
                    code = Exit.UNREADABLE
                    changed -= 1
                else:
                    streams.say(f"reformatted {domain.name}")
        elif check or diff:
            if differs:
                code = max(code, Exit.FINDINGS)
                streams.progress("")
                if diff:
                    show_difference(streams, domain.name, domain.text, new.text, "formatted")
                if check:
                    streams.out.write(f"would be reformatted: {printable(domain.name)}\n")
        else:
            streams.write_bytes(formatted)
    if (check or write) and read > 1:
        streams.say(
            f"{changed} of {read} files {'reformatted' if write else 'would be reformatted'}"
        )
    return code
