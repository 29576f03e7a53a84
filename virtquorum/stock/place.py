"""Elements put into a domain and taken out of it, so that taking out leaves no trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.xml.layout import Splice, indentation, line_end
from virtquorum.xml.parse import INDENT

if TYPE_CHECKING:
    from virtquorum.xml.document import Element

__all__ = ["INDENT", "behind", "closed", "into", "is_closed", "pad_in", "without"]

_BLANKS: Final = b" \t"


def pad_in(parent: Element) -> str:
    """How far a child of an element is indented."""
    return indentation(parent.document, parent.start) + INDENT


def is_closed(element: Element) -> bool:
    """Whether an element is a single tag, ``<x/>``."""
    return element.close == element.start


def into(parent: Element, text: str) -> Splice:
    """A child more for an element, as its last one.

    ``text`` begins without indentation, and its lines end as the document's do.
    """
    document = parent.document
    ending = line_end(document)
    pad = pad_in(parent)
    if is_closed(parent):
        # White space in the tag stays, so that closed() gives the same bytes again.
        opened = document.data[parent.start : parent.stop].decode("utf-8").removesuffix("/>")
        outer = pad.removesuffix(INDENT)
        whole = f"{opened}>{ending}{pad}{text}{ending}{outer}</{parent.name}>"
        return parent.start, parent.stop, whole
    children = parent.elements()
    at = children[-1].stop if children else parent.content
    return at, at, f"{ending}{pad}{text}"


def closed(element: Element) -> Splice:
    """Make a single tag of an element, with all that is in it gone."""
    return element.content - 1, element.stop, "/>"


def behind(element: Element, text: str) -> Splice:
    """An element more, behind another one and as far indented; ``text`` is as for ``into``."""
    document = element.document
    ending = line_end(document)
    pad = indentation(document, element.start)
    return element.stop, element.stop, f"{ending}{pad}{text}"


def without(element: Element) -> Splice:
    """Take an element out, with the line end and the blanks before it."""
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
    return start, element.stop, ""
