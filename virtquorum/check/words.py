"""The words of a quorum where they say nothing: misplaced, or misspelled.

Such a word is kept and nothing reads it, so what it should do is not done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from virtquorum.model.image import Quorum
from virtquorum.model.quorum_words import word_meant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.check.rule import Position
    from virtquorum.xml.document import Element

__all__ = ["Stray", "stray_words"]


class Stray(NamedTuple):
    """An attribute that says nothing.

    ``word`` is what it was meant for.  ``certain`` says that it is written
    on the element where that word belongs, and can mean nothing else.
    """

    element: Element
    name: str
    word: str
    certain: bool


def stray_words(position: Position) -> Iterator[Stray]:
    """The attributes of an image that are, or are nearly, a quorum's and are not read as such.

    Near ones are looked for in disks that have a quorum.
    """
    if not _has_more(position):
        return
    near = bool(position.disk.quorums)
    own = position.element
    for element in (own, *own.elements()):
        if element is not own and element.name == "backingStore":
            continue
        meant = [
            (name, word)
            for name in element.attributes
            if (word := word_meant(name, near=near)) is not None
        ]
        words = [word for _, word in meant]
        for name, word in meant:
            belongs = _belongs(position, element, word)
            if name != word or not belongs:
                yield Stray(element, name, word, belongs and words.count(word) == 1)


def _has_more(position: Position) -> bool:
    """Whether an image has anything that the model has no field for."""
    image, disk = position.image, position.disk
    if image.unmodelled or image.source.unmodelled:
        return True
    return position.role == "disk" and bool(disk.unmodelled or disk.driver.unmodelled)


def _belongs(position: Position, element: Element, word: str) -> bool:
    """Whether this is the element of the image that such a word is read from."""
    if word == "nodename":
        return element is position.element and position.role != "disk"
    if not isinstance(position.image.source, Quorum):
        return False
    if word == "threshold":
        return element is position.element
    return element is position.format_element
