"""Elements put into a domain and taken out of it, so that taking out leaves no trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.xml.layout import Splice, indentation, line_end
from virtquorum.xml.parse import INDENT

if TYPE_CHECKING:
    from virtquorum.xml.document import Element

__all__ = ["INDENT", "behind", "into", "pad_in", "without"]

_BLANKS: Final = b" \t"


def pad_in(parent: Element) -> str:
    """How far a child of an element is indented."""
    return indentation(parent.document, parent.start) + INDENT


def into(parent: Element, text: str) -> Splice:
    """A child more for an element, as its last one; ``text`` begins without indentation."""
    document = parent.document
    ending = line_end(document)
    pad = pad_in(parent)
    text = text.replace("\n", ending)
    if parent.close == parent.start:
        tag = document.data[parent.start : parent.stop].decode("utf-8")
        opened = tag.removesuffix("/>").rstrip()
        outer = pad.removesuffix(INDENT)
        whole = f"{opened}>{ending}{pad}{text}{ending}{outer}</{parent.name}>"
        return parent.start, parent.stop, whole
    children = parent.elements()
    at = children[-1].stop if children else parent.content
    return at, at, f"{ending}{pad}{text}"


def behind(element: Element, text: str) -> Splice:
    """An element more, behind another one and as far indented."""
    document = element.document
    ending = line_end(document)
    pad = indentation(document, element.start)
    return element.stop, element.stop, f"{ending}{pad}{text}".replace("\n", ending)


def without(element: Element, *, until: Element | None = None) -> Splice:
    """Take an element out, or all up to another one, with the line end and blanks before it."""
    data = element.document.data
    start = element.start
    while start > 0 and data[start - 1] in _BLANKS:
        start -= 1
    for ending in (b"\r\n", b"\n", b"\r"):
        if data.endswith(ending, 0, start):
            start -= len(ending)
            break
    else:
        start = element.start
    return start, (until or element).stop, ""
