"""``virtquorum show``: what the disks are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from virtquorum.cli.inputs import MaxDepth, MaxSize, Paths, domains
from virtquorum.cli.streams import Exit, Streams
from virtquorum.errors import InputError, LoweredError, TranslationError
from virtquorum.printable import printable
from virtquorum.report.tree import draw_disks
from virtquorum.xml.document import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from virtquorum.json_text import Json
    from virtquorum.report.tree import Role
    from virtquorum.xml.domain import Domain

__all__ = ["command"]

_COLOURS: dict[Role, dict[str, object]] = {
    "target": {"bold": True},
    "quorum": {"fg": "cyan", "bold": True},
    "format": {"fg": "green"},
    "line": {"dim": True},
    "odd": {"fg": "yellow"},
}
#: Lines longer than a screen is wide are wrapped by the terminal, which breaks the drawing.
_NARROWEST, _USUAL = 40, 80
#: What a lowered domain has in its metadata.
_RECORD: Final = b"urn:virtquorum:domain:"


def command(
    context: typer.Context,
    paths: Annotated[list[str] | None, Paths] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="For programs; see 'virtquorum schema'.")
    ] = False,
    nodes: Annotated[
        bool, typer.Option("--nodes", help="With the images' node names in QEMU.")
    ] = False,
    max_depth: Annotated[int, MaxDepth] = DEFAULT_LIMITS.depth,
    max_size: Annotated[int, MaxSize] = DEFAULT_LIMITS.size,
) -> int:
    """Draw every disk's source tree: quorums and their members, backing chains, formats, places.

    \b
      virtquorum show domain.xml
      virsh dumpxml web | virtquorum show -
      virtquorum show --json /etc/libvirt/qemu
      virtquorum show --nodes domain.xml     which member is vq-vda-1a2b3c4d?

    Exit codes: 0 clean, 2 usage, 3 input that cannot be read or is no domain
    XML.
    """
    streams: Streams = context.obj
    code = Exit.CLEAN
    files: list[Json] = []
    errors: list[Json] = []
    shown = 0
    limits = Limits(depth=max_depth, size=max_size)
    for read in domains(paths or [], streams, limits, progress=as_json, named=True):
        if isinstance(read, InputError):
            streams.say(str(read))
            errors.append(
                {
                    "path": read.file,
                    "line": read.line,
                    "column": read.column,
                    "message": read.message,
                    "remedy": read.remedy,
                }
            )
            code = Exit.UNREADABLE
            continue
        domain = _lifted(read, streams)
        if as_json:
            from virtquorum.report.disks_json import file_json

            files.append(file_json(domain, _nodes(domain, streams) if nodes else None))
            continue
        streams.out.write(("\n" if shown else "") + _drawn(domain, streams, nodes))
        shown += 1
    if as_json:
        from virtquorum.report.disks_json import VERSION

        streams.write_json({"version": VERSION, "files": files, "errors": errors}, indent=2)
    return code


def _lifted(domain: Domain, streams: Streams) -> Domain:
    """The quorum domain behind a lowered one, whose disks are those that a person has."""
    if _RECORD not in domain.document.data:
        return domain
    from virtquorum.stock.lift import is_lowered, lift

    if not is_lowered(domain):
        return domain
    try:
        lifted = lift(domain)
    except LoweredError as error:
        streams.note(f"{error}; its placeholders are shown")
        return domain
    streams.note(f"{domain.name}: a lowered domain; shown are the quorum disks behind it")
    return lifted


def _nodes(domain: Domain, streams: Streams) -> dict[int, str]:
    """The name of every image's node, as ``args`` gives it; what can be none is said."""
    from virtquorum.qemu.build import has_node
    from virtquorum.qemu.names import domain_names

    found = {}
    disks = domain.machine_disks
    for disk, names in zip(disks, domain_names(disks), strict=True):
        if not has_node(disk):
            continue
        for image in disk.image.walk():
            try:
                found[id(image)] = names.of(image)
            except TranslationError as error:
                streams.note(str(error))
    return found


def _drawn(domain: Domain, streams: Streams, nodes: bool) -> str:
    count = len(domain.disks)
    what = (
        f"domain '{domain.domain_name}'" if domain.domain_name else f"<{domain.document.root.name}>"
    )
    disks = "no disks" if not count else "1 disk" if count == 1 else f"{count} disks"
    head = printable(f"{domain.name}: {what}, {disks}") + "\n"
    drawn = draw_disks(
        domain.disks,
        _painter(streams.colour),
        ascii_only=not streams.can_write("├└│─"),
        width=max(streams.width or _USUAL, _NARROWEST),
        nodes=_nodes(domain, streams) if nodes else None,
    )
    text = head + ("\n" if count else "") + "".join(drawn)
    return text if streams.can_write(text) else text.encode("ascii", "backslashreplace").decode()


def _painter(colour: bool) -> Callable[[str, Role], str]:
    if not colour:
        return lambda text, role: text

    def paint(text: str, role: Role) -> str:
        style = _COLOURS.get(role)
        return text if style is None else typer.style(text, **style)  # type: ignore[arg-type]

    return paint
