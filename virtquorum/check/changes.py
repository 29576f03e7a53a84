"""The changes that fixes are made of; they need a document whose places are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.check.rule import Change

if TYPE_CHECKING:
    from virtquorum.xml.document import Element

__all__ = [
    "attribute_added",
    "attribute_changed",
    "attribute_removed",
    "attribute_renamed",
    "element_removed",
]


def attribute_added(element: Element, name: str, value: int, *, after: str) -> Change:
    """Write an attribute behind another one, in the same quotes."""
    _, quoted, stop = element.attribute_spans()[after]
    quote = chr(element.document.data[quoted])
    return Change(stop, stop, f" {name}={quote}{value}{quote}")


def attribute_changed(element: Element, name: str, value: int) -> Change:
    """Give an attribute another value."""
    _, quoted, stop = element.attribute_spans()[name]
    return Change(quoted + 1, stop - 1, str(value))


def attribute_removed(element: Element, name: str) -> Change:
    """Take an attribute out, with the white space before it."""
    start, _, stop = element.attribute_spans()[name]
    data = element.document.data
    while data[start - 1] in b" \t\r\n":
        start -= 1
    return Change(start, stop, "")


def attribute_renamed(element: Element, old: str, new: str) -> Change:
    """Give an attribute another name, and leave its value."""
    start = element.attribute_spans()[old][0]
    return Change(start, start + len(old.encode()), new)


def element_removed(element: Element) -> Change:
    """Take an element out; where it has its lines to itself, the lines."""
    data = element.document.data
    start, stop = element.start, element.stop
    begin = start
    while begin and data[begin - 1] in b" \t":
        begin -= 1
    end = stop
    while end < len(data) and data[end] in b" \t\r":
        end += 1
    if begin and data[begin - 1] == 0x0A and end < len(data) and data[end] == 0x0A:
        return Change(begin, end + 1, "")
    return Change(start, stop, "")
