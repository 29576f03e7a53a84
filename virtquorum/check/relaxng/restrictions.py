"""Grammars that may not be: section 7.1 of the specification, and references in circles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.check.relaxng.grammar_error import wrong

if TYPE_CHECKING:
    from virtquorum.check.relaxng.node import Definition, Node

__all__ = ["check_restrictions"]

#: What must not stand in what, at any depth up to the next element.
_WITHIN: Final[dict[str, frozenset[str]]] = {
    "attribute": frozenset({"attribute", "element"}),
    "list": frozenset({"list", "attribute", "element", "text", "interleave"}),
    "data": frozenset(
        {"attribute", "element", "list", "text", "group", "interleave", "oneOrMore", "empty"}
    ),
    "start": frozenset(
        {"attribute", "data", "value", "list", "text", "group", "interleave", "oneOrMore", "empty"}
    ),
}
#: How deep patterns may stand in each other between two elements.
_DEPTH: Final = 200


def check_restrictions(start: Node) -> None:
    """Check all that can be reached from the start; raises GrammarError."""
    checker = _Checker()
    checker.rest.append((start, frozenset({"start"})))
    while checker.rest:
        node, around = checker.rest.pop()
        checker.check(node, around, 0)


class _Checker:
    def __init__(self) -> None:
        #: The contents of elements are checked one by one, each as a beginning.
        self.rest: list[tuple[Node, frozenset[str]]] = []
        self.begun: set[int] = set()
        self.done: set[tuple[Definition, frozenset[str]]] = set()
        self.open: list[Definition] = []

    def check(self, node: Node, around: frozenset[str], depth: int) -> None:
        kind = node.kind
        for outer in around:
            if kind in _WITHIN[outer]:
                where = "for the root" if outer == "start" else f"in <{outer}>"
                raise wrong(
                    node.place,
                    f"<{node.place.name}> is not allowed {where}",
                    "section 7.1 of the RELAX NG specification says what is",
                )
        if depth > _DEPTH:
            raise wrong(
                node.place,
                f"patterns stand in each other more than {_DEPTH} deep",
                "put some into an element",
            )
        if kind == "element":
            if node.number not in self.begun:
                self.begun.add(node.number)
                self.rest.append((node.children[0], frozenset()))
        elif kind == "ref":
            self.reference(node, around, depth)
        else:
            if kind in _WITHIN:
                around |= {kind}
            for child in node.children:
                self.check(child, around, depth + 1)

    def reference(self, node: Node, around: frozenset[str], depth: int) -> None:
        definition = node.definition
        assert definition is not None
        assert definition.node is not None
        if definition in self.open:
            raise wrong(
                node.place,
                f"the definition of '{definition.name}' stands for itself",
                "put an <element> between them",
            )
        if (definition, around) in self.done:
            return
        self.open.append(definition)
        self.check(definition.node, around, depth + 1)
        self.open.pop()
        self.done.add((definition, around))
