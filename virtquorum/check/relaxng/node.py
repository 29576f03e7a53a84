"""A grammar as it was read: nodes, each with its place, and the definitions of each scope."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from virtquorum.check.relaxng.datatypes import Datatype
    from virtquorum.check.relaxng.name_class import NameClass
    from virtquorum.xml.document import Element

__all__ = ["AND", "EMPTY_NODE_KINDS", "Definition", "Node", "Scope"]

#: The kinds whose members must all be there.
AND: Final = frozenset({"group", "interleave"})
EMPTY_NODE_KINDS: Final = frozenset({"empty", "text", "notAllowed"})


class Node:
    """One pattern of a grammar.

    ``kind`` is element, attribute, group, interleave, choice, oneOrMore,
    list, empty, text, notAllowed, data, value or ref; all other elements of
    RELAX NG are spelled with these.  ``children`` are its patterns (of data:
    what it excepts).  ``number`` counts nodes in the order of reading.
    """

    __slots__ = (
        "children",
        "datatype",
        "definition",
        "kind",
        "name_class",
        "number",
        "place",
        "text",
        "value",
    )

    def __init__(
        self, kind: str, place: Element, number: int, children: Sequence[Node] = ()
    ) -> None:
        self.kind = kind
        self.place = place
        self.number = number
        self.children = tuple(children)
        self.name_class: NameClass | None = None
        self.datatype: Datatype | None = None
        self.text = ""
        self.value: object = None
        self.definition: Definition | None = None


class Definition:
    """What a name stands for: all ``<define>``s of it, or all ``<start>``s."""

    __slots__ = ("combine", "name", "node", "nodes", "places", "plain")

    def __init__(self, name: str) -> None:
        self.name = name
        #: One node for each ``<define>``, and the element that it stands in.
        self.nodes: list[Node] = []
        self.places: list[Element] = []
        #: 'choice', 'interleave', or None where none says it.
        self.combine: str | None = None
        #: How many have no ``combine``.
        self.plain = 0
        #: All of them combined; set when everything has been read.
        self.node: Node | None = None


class Scope:
    """The definitions of one ``<grammar>``; ``start`` is the one without a name."""

    __slots__ = ("definitions", "parent", "place")

    def __init__(self, parent: Scope | None, place: Element) -> None:
        self.parent = parent
        self.place = place
        self.definitions: dict[str, Definition] = {}

    def definition(self, name: str) -> Definition:
        """The definition of a name ('' for the start), made when it is first asked for."""
        found = self.definitions.get(name)
        if found is None:
            found = self.definitions[name] = Definition(name)
        return found
