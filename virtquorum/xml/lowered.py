"""How one disk of a record is written, and how it is known to be as it was written.

The record's disk is what virtquorum believes and shows, and QEMU's arguments
are what the guest gets: a hand that changes the one leaves the other as it is.
So ``<lowered>`` has a digest of its disk in the attribute ``disk``.  It is one
of what XML says: of elements, attributes and text, each in its namespace.
Quotes, prefixes, indentation, comments and the order of attributes, which
libvirt and other programs change, are no part of it.  It leans on no knowledge
of what disks can say, so that a later virtquorum comes to the same.

A record without digests is believed: earlier versions wrote none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.xml.document import Document, Element
from virtquorum.xml.format import escape
from virtquorum.xml.record import NAMESPACE, digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["disk_digest", "is_as_written", "lowered_tag"]


def lowered_tag(words: Mapping[str, str], digest: str) -> str:
    """The start tag of ``<lowered>``: its attributes, and the digest of its disk."""
    said = {**words, "disk": digest}
    spelled = "".join(f" {name}='{escape(value)}'" for name, value in said.items())
    return f"<lowered{spelled}>"


def is_as_written(lowered: Element, disk: Element) -> bool:
    """Whether the disk in a ``<lowered>`` is the one that was written there, as far as it says."""
    said = lowered.attributes.get("disk")
    return said is None or said == disk_digest(disk)


def disk_digest(disk: Element | str) -> str:
    """What a record says of a ``<disk>`` by which it is known: 16 hexadecimal digits.

    ``disk`` is the element, or its text where that needs no declaration from
    elsewhere.
    """
    element = Document.from_text(disk, "a disk").root if isinstance(disk, str) else disk
    return digest("\0".join(_words(element)))  # a character that XML cannot have


def _words(top: Element) -> Iterator[str]:
    """What an element says, word by word: its start, its text and children, its end."""
    rest: list[Element | str] = [top]
    while rest:
        one = rest.pop()
        if isinstance(one, str):
            yield one
            continue
        yield f"<{_name(one, top)}"
        yield from sorted(_attributes(one, top))
        rest.append(">")
        rest += reversed(_children(one))


def _children(element: Element) -> list[Element | str]:
    """Elements, and text with nothing but comments in it in one piece."""
    found: list[Element | str] = []
    for one in element.children:
        if isinstance(one, Element):
            found.append(one)
        elif isinstance(one, str):
            last = found[-1] if found else None
            if isinstance(last, str):
                found[-1] = last + one
            else:
                found.append(f"={one}")
    return found


def _attributes(element: Element, top: Element) -> Iterator[str]:
    for name, value in element.attributes.items():
        if name != "xmlns" and not name.startswith("xmlns:"):
            prefix, _, local = name.rpartition(":")
            space = _space(element, prefix, top) if prefix else ""
            yield f"@{space} {local or name}={value}"


def _name(element: Element, top: Element) -> str:
    prefix, _, name = element.name.rpartition(":")
    space = _space(element, prefix, top)
    return f"{'' if space == NAMESPACE else space} {name}"


def _space(element: Element, prefix: str, top: Element) -> str:
    """The namespace that a prefix stands for, or the prefix itself if nobody says.

    What has no prefix is in the record's namespace there, and in none where
    the disk was written, unless the disk itself says something else.
    """
    declaration = f"xmlns:{prefix}" if prefix else "xmlns"
    one: object = element
    while isinstance(one, Element):
        if declaration in one.attributes:
            return one.attributes[declaration]
        if one is top and not prefix:
            return ""
        one = one.parent
    return prefix
