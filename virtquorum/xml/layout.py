"""Where things stand on their lines, so that an edit leaves a document laid out as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from virtquorum.xml.document import Document, Element

__all__ = ["Splice", "fitted", "indentation", "joined", "line_end", "lines_of", "own_line"]

#: Other text for the bytes between two offsets.
Splice: TypeAlias = "tuple[int, int, str | bytes]"


def line_end(document: Document) -> str:
    """How the document's lines end."""
    return "\r\n" if b"\r\n" in document.data else "\n"


def own_line(document: Document, offset: int) -> bool:
    """Whether a line, other than the first, has nothing before an offset."""
    start = blank_before(document, offset)
    return document.data[start - 1 : start] in (b"\n", b"\r")


def indentation(document: Document, offset: int) -> str:
    """The white space before an offset on its line, '' if anything else is there."""
    start = blank_before(document, offset)
    alone = start == 0 or own_line(document, offset)
    return document.data[start:offset].decode("ascii") if alone else ""


def blank_before(document: Document, offset: int) -> int:
    """Where the blanks before an offset begin; the line itself may be the whole document."""
    data = document.data
    while offset > 0 and data[offset - 1] in b" \t":
        offset -= 1
    return offset


def lines_of(element: Element) -> tuple[int, int]:
    """The span of an element, with its line or lines if it has them to itself."""
    document = element.document
    data = document.data
    start, stop = element.start, element.stop
    if own_line(document, start):
        end = stop
        while end < len(data) and data[end : end + 1] in (b" ", b"\t"):
            end += 1
        for ending in (b"\r\n", b"\n", b"\r"):
            if data.startswith(ending, end):
                return start - len(indentation(document, start)), end + len(ending)
    return start, stop


def fitted(text: str, pad: str, ending: str) -> str:
    """A formatted element as it goes into a line that begins with ``pad``."""
    text = text.removeprefix(pad).removesuffix("\n")
    return text.replace("\n", ending) if ending != "\n" else text


def joined(data: bytes, splices: Sequence[Splice]) -> bytes:
    """A text with other bytes in some places, which do not overlap."""
    parts: list[bytes] = []
    at = 0
    for start, stop, new in sorted(splices, key=lambda splice: splice[:2]):
        parts += [data[at:start], new.encode() if isinstance(new, str) else new]
        at = stop
    parts.append(data[at:])
    return b"".join(parts)
