"""The child elements of an element: which names stand where."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from virtquorum.check.relaxng.scope import element_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from virtquorum.xml.document import Element

__all__ = ["Row"]


class Row:
    """The child elements of an element: which names stand where."""

    __slots__ = ("_numbers", "_places")

    def __init__(self, parent: Element, scope: Mapping[str, str]) -> None:
        self._numbers: dict[int, int] = {}
        self._places: dict[str, list[int]] = {}
        for number, one in enumerate(parent.elements()):
            self._numbers[id(one)] = number
            self._places.setdefault(element_name(one.name, scope), []).append(number)

    def before(self, child: Element, name: str) -> int:
        """How many of a name stand before a child."""
        return bisect_left(self._places.get(name, ()), self._numbers[id(child)])

    def behind(self, child: Element, name: str) -> bool:
        """Whether one of a name stands behind a child."""
        places = self._places.get(name, [])
        return bool(places) and places[-1] > self._numbers[id(child)]

    def earlier(self, child: Element) -> list[str]:
        """The names that stand before a child."""
        number = self._numbers[id(child)]
        return [name for name, places in self._places.items() if places[0] < number]

    def beside(self, child: Element, name: str) -> bool:
        """Whether another child has a name."""
        places = self._places.get(name, [])
        return bool(places) and places != [self._numbers[id(child)]]
