"""Where the elements of a grammar belong."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from virtquorum.check.relaxng.node import Definition, Node

__all__ = ["parents"]


def parents(start: Node) -> dict[str, set[str]]:
    """For each name of an element: the names of the elements that may hold it ('' for the root)."""
    found: dict[str, set[str]] = {}
    inner: dict[Definition, list[Node]] = {}
    begun: set[int] = set()
    rest: list[tuple[str, Node]] = [("", start)]
    while rest:
        parent, node = rest.pop()
        for element in _elements(node, inner):
            assert element.name_class is not None
            for name in element.name_class.names():
                found.setdefault(name, set()).add(parent)
                if element.number not in begun and element.children[0].kind != "notAllowed":
                    rest.append((name, element.children[0]))
            begun.add(element.number)
    return found


def _elements(node: Node, inner: dict[Definition, list[Node]]) -> list[Node]:
    """The element nodes of a pattern, not going into elements."""
    found: list[Node] = []
    rest = [node]
    while rest:
        one = rest.pop()
        if one.kind == "element":
            found.append(one)
        elif one.kind == "ref":
            definition = one.definition
            assert definition is not None
            if definition not in inner:
                inner[definition] = []  # a cycle ends here; it has been refused before
                assert definition.node is not None
                inner[definition] = _elements(definition.node, inner)
            found += inner[definition]
        elif one.kind not in {"attribute", "list", "data", "value"}:
            rest += one.children
    return found
