"""A disk's source tree, drawn for a person.

A quorum's members hang below it as branches.  A backing chain stays in its
column, one image a line, each behind an 'on': a chain of twenty images needs
no more width than one of two::

    vda  virtio  quorum 2 of 3  cache=none
    ├── [0] qcow2  file   /srv/rack-a/web/root.qcow2
    │    on raw    file   /srv/rack-a/golden/base.raw
    └── [1] raw    block  /dev/vg_rack_b/web-root

Format and type are aligned among the images that stand below each other.
What is said of an image beyond its location goes to a line of its own where
the width is not enough; a location is never broken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from virtquorum.model.image import Image, Quorum, Terminator
from virtquorum.model.node import Malformed
from virtquorum.model.source import ForeignSource
from virtquorum.printable import printable
from virtquorum.report.location import other_hosts, where

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from virtquorum.model.disk import Disk
    from virtquorum.model.image import AnyImage
    from virtquorum.model.parts import Encryption

__all__ = ["Paint", "Role", "draw_disks", "quorum_words"]

#: What a piece of text is, for its colour.
Role = Literal["target", "quorum", "format", "line", "odd", "place", "word"]
#: Colours a text, or leaves it.
Paint = "Callable[[str, Role], str]"

_UNICODE = ("├── ", "└── ", "│   ")
_ASCII = ("|-- ", "`-- ", "|   ")
_EMPTY = "    "
#: A format or type longer than this (there is none) does not widen its column.
_WIDEST = 12


class _Piece(NamedTuple):
    """A text and what it is; made by ``_piece`` where the text is a document's."""

    text: str
    role: Role


def _piece(text: str, role: Role) -> _Piece:
    """A text without what would steer a terminal: it has the width that it will have there."""
    return _Piece(printable(text), role)


class _Entry(NamedTuple):
    """What one image's line says.

    ``columns`` are format and type, to be aligned, empty for a quorum;
    ``rest`` is said in order behind them, the first being the location.
    """

    columns: tuple[_Piece, ...]
    rest: list[_Piece]


class _Line(NamedTuple):
    """A line to be drawn: what stands before the entry, and what its second line begins with."""

    lead: list[_Piece]
    entry: _Entry
    widths: Sequence[int]
    guide: str


def draw_disks(
    disks: Sequence[Disk],
    paint: Callable[[str, Role], str],
    *,
    ascii_only: bool = False,
    width: int = 80,
    nodes: Mapping[int, str] | None = None,
) -> Iterator[str]:
    """The disks' trees, line by line, each with its end.

    ``nodes`` are the images' node names, by the images' identity, if they are to be said.

    Disks of one line stand below each other as a table; an empty line sets
    apart a disk with a quorum below it.
    """
    heads = [_head(disk) for disk in disks]
    chains = [_chain(disk.image) for disk in disks]
    entries = [
        [_describe(image, disk if image is disk.image else None, nodes=nodes) for image in chain]
        for disk, chain in zip(disks, chains, strict=True)
    ]
    widths = _widths(entry for some in entries for entry in some)
    first = max((len(head[0].text) for head in heads), default=0)
    second = max((len(head[1].text) for head in heads), default=0)
    column = first + 2 + (second + 2 if second else 0)
    glyphs = _ASCII if ascii_only else _UNICODE
    apart = False
    for number, (head, chain, some) in enumerate(zip(heads, chains, entries, strict=True)):
        below = any(isinstance(image, Image) and _members(image) for image in chain)
        if number and (apart or below):
            yield "\n"
        apart = below
        lead = [_padded(head[0], first + 2)]
        if second:
            lead.append(_padded(head[1], second + 2))
        for image, entry in zip(chain, some, strict=True):
            guide = glyphs[2] if _members(image) else ""
            yield from _drawn(_Line(lead, entry, widths, guide), column, paint, width)
            lead = [_Piece("on ".rjust(column), "line")]
            yield from _draw_members(image, paint, glyphs, width, nodes)


def _head(disk: Disk) -> tuple[_Piece, _Piece]:
    """What stands before a disk's image: its target, its bus and device."""
    name = _piece(disk.name, "target") if disk.name else _Piece("(no target)", "odd")
    bus = disk.target.bus if disk.target is not None else None
    device = disk.device if disk.device != "disk" else None
    return name, _piece(" ".join(one for one in (bus, device) if one), "word")


def _draw_members(
    top: AnyImage,
    paint: Callable[[str, Role], str],
    glyphs: tuple[str, str, str],
    width: int,
    nodes: Mapping[int, str] | None,
) -> Iterator[str]:
    """The members of a quorum, and theirs, with their chains."""
    branch, last_branch, through = glyphs
    rest: list[_Line | tuple[AnyImage, str]] = [(top, "")]
    while rest:
        one = rest.pop()
        if isinstance(one, _Line):
            yield from _drawn(one, sum(len(piece.text) for piece in one.lead), paint, width)
            continue
        image, indent = one
        members = _members(image)
        chains = [_chain(member) for member in members]
        entries = [
            [
                _describe(link, None, member=not number, nodes=nodes)
                for number, link in enumerate(chain)
            ]
            for chain in chains
        ]
        widths = _widths(entry for some in entries for entry in some)
        digits = len(str(len(members) - 1))
        todo: list[_Line | tuple[AnyImage, str]] = []
        for number, (chain, some) in enumerate(zip(chains, entries, strict=True)):
            last = number == len(members) - 1
            inner = indent + (_EMPTY if last else through)
            lead = [
                _Piece(indent + (last_branch if last else branch), "line"),
                _Piece(f"[{number:{digits}}] ", "line"),
            ]
            for link, entry in zip(chain, some, strict=True):
                below = bool(_members(link))
                todo.append(_Line(lead, entry, widths, inner + (through if below else "")))
                if below:
                    todo.append((link, inner))
                lead = [_Piece(inner, "line"), _Piece("on ".rjust(digits + 3), "line")]
        rest.extend(reversed(todo))


def _members(image: AnyImage) -> tuple[AnyImage, ...]:
    if isinstance(image, Image) and isinstance(image.source, Quorum):
        return image.source.members
    return ()


def _chain(image: AnyImage) -> list[AnyImage]:
    """An image and its backing images."""
    chain = [image]
    while isinstance(image, Image) and image.backing is not None:
        image = image.backing
        chain.append(image)
    return chain


def _widths(entries: Iterable[_Entry]) -> list[int]:
    """How wide the columns are, so that the locations stand below each other."""
    widths: list[int] = []
    for entry in entries:
        for number, piece in enumerate(entry.columns):
            if number == len(widths):
                widths.append(0)
            if len(piece.text) <= _WIDEST:
                widths[number] = max(widths[number], len(piece.text))
    return widths


def _padded(piece: _Piece, width: int) -> _Piece:
    return _Piece(piece.text.ljust(width), piece.role)


def _drawn(
    line: _Line, column: int, paint: Callable[[str, Role], str], width: int
) -> Iterator[str]:
    """A line, and what does not fit on it on further ones."""
    pieces = list(line.lead)
    for piece, wide in zip(line.entry.columns, line.widths, strict=False):
        pieces.append(_padded(piece, wide + 2))
    used = sum(len(piece.text) for piece in pieces)
    first = True
    for piece in line.entry.rest:
        gap = "" if first else "  "
        if not first and used + len(gap) + len(piece.text) > width:
            yield _painted(pieces, paint)
            guide = line.guide.ljust(column + 2)
            pieces, used, gap = [_Piece(guide, "line")], len(guide), ""
        pieces += [_Piece(gap, "line"), piece]
        used += len(gap) + len(piece.text)
        first = False
    yield _painted(pieces, paint)


def _painted(pieces: list[_Piece], paint: Callable[[str, Role], str]) -> str:
    """The pieces, with white space outside the colours and none at the end."""
    out = []
    gap = ""
    for text, role in pieces:
        kept = text.rstrip(" ")
        if kept:
            bare = kept.lstrip(" ")
            out += [gap, kept[: len(kept) - len(bare)], paint(bare, role)]
            gap = ""
        gap += text[len(kept) :]
    return "".join(out) + "\n"


def _describe(
    image: AnyImage,
    disk: Disk | None,
    *,
    member: bool = False,
    nodes: Mapping[int, str] | None = None,
) -> _Entry:
    """Format, type and location of an image, and what else is said of it."""
    if isinstance(image, Terminator):
        if member:
            return _Entry((), [_piece("empty", "odd")])
        return _Entry((), [_piece("nothing: the chain ends here", "line")])
    source = image.source
    columns: tuple[_Piece, ...] = ()
    rest: list[_Piece] = []
    if isinstance(source, Quorum):
        said, odd = quorum_words(source)
        if image.format not in (None, "quorum"):
            said = f"{image.format} above {said}"
        rest.append(_piece(said, "quorum"))
        rest += [_piece(one, "odd") for one in odd]
        rest += _policy(source)
    else:
        format = image.format or ("raw" if disk is not None else None)  # raw: libvirt's default
        kind = "odd" if isinstance(source, ForeignSource) else "word"
        columns = (
            _piece(format, "format") if format else _piece("no format", "odd"),
            _piece(source.type, kind),  # type: ignore[arg-type]
        )
        place = where(source)
        if place is not None:
            rest.append(_piece(place, "place"))
        elif disk is not None and disk.device in ("cdrom", "floppy"):
            rest.append(_piece("no medium", "line"))
        else:
            rest.append(_piece("no source", "odd"))
        rest += [_piece(f"or {host}", "word") for host in other_hosts(source)]
        rest += _about(image, disk)
    if nodes is not None and (node := nodes.get(id(image))) is not None:
        rest.append(_said("node", node))
    elif image.nodename is not None:
        rest.append(_said("nodename", image.nodename))
    if disk is not None:
        rest += _flags(disk)
    return _Entry(columns, rest)


def quorum_words(quorum: Quorum) -> tuple[str, list[str]]:
    """'quorum 2 of 3', and what is odd about it."""
    threshold = quorum.vote_threshold
    members = len(quorum.members)
    odd = []
    if threshold is None:
        said = "?"
        odd.append("no threshold")
    elif isinstance(threshold, Malformed):
        said = f"'{threshold}'"
        odd.append("the threshold is no number")
    else:
        said = str(threshold)
        if threshold < 1:
            odd.append("a threshold is 1 or more")
        elif threshold > members > 0:
            odd.append("more than there are")
    if not members:
        odd.append("no members")
    if quorum.threshold is None and quorum.threshold_element is not None:
        odd.append("by a <threshold> element")
    return f"quorum {said} of {members}", odd


def _said(name: str, value: object) -> _Piece:
    """``name=value``, as the document has it."""
    text = ("on" if value else "off") if isinstance(value, bool) else str(value)
    plain = text and all(one.isalnum() or one in "._-+/:@%" for one in text)
    return _piece(
        f"{name}={text}" if plain else f"{name}='{text}'",
        "odd" if isinstance(value, Malformed) else "word",
    )


def _policy(quorum: Quorum) -> list[_Piece]:
    return [
        _said(name, value)
        for name in ("read_pattern", "rewrite_corrupted", "blkverify")
        if (value := getattr(quorum, name)) not in (None, False)
    ]


def _about(image: Image, disk: Disk | None) -> list[_Piece]:
    """What a person asks of an image beyond where it is: secrets, parts, locks."""
    source = image.source
    words = []
    if snapshot := getattr(source, "snapshot", None):
        words.append(_said("snapshot", snapshot))
    for one in getattr(source, "slices", ()):
        words.append(_piece(f"slice of {one.size} bytes at {one.offset}", "word"))
    encryption: Encryption | None = getattr(source, "encryption", None)
    if encryption is None and disk is not None:
        encryption = disk.encryption
    if encryption is not None:
        words.append(_piece(encryption.format or "encrypted", "word"))
    auth = getattr(source, "auth", None)
    if auth is None and disk is not None:
        auth = disk.auth
    if auth is not None:
        words.append(_said("auth", auth.username or "?"))
    if getattr(source, "tls", None) is True:
        words.append(_piece("tls", "word"))
    if getattr(source, "reservations", None) is not None:
        words.append(_piece("reservations", "word"))
    return words


def _flags(disk: Disk) -> list[_Piece]:
    words = []
    if disk.driver.cache is not None:
        words.append(_said("cache", disk.driver.cache))
    for name in ("readonly", "shareable"):
        if getattr(disk, name):
            words.append(_piece(name, "word"))
    if disk.transient is not None:
        words.append(_piece("transient", "word"))
    return words
