"""A RELAX NG grammar, ready to check documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.check.relaxng.automaton import Automaton
from virtquorum.check.relaxng.mistake import MOST, Mistake, TooMany
from virtquorum.check.relaxng.patterns import Exhausted
from virtquorum.check.relaxng.restrictions import check_restrictions
from virtquorum.check.relaxng.simplify import simplify
from virtquorum.check.relaxng.walk import Walk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from virtquorum.check.relaxng.node import Node
    from virtquorum.xml.document import Element

__all__ = ["Grammar", "read_grammar"]

#: What one document may take: members of patterns that are made or looked up.
_ALLOWANCE: Final = 2_000_000
#: What is kept from document to document, in members of patterns and tables.
_KEPT: Final = 1_000_000


class Grammar:
    """A grammar; it remembers what it has worked out, and is quicker with each document."""

    def __init__(self, start: Node) -> None:
        self._start = start
        self._automaton: Automaton | None = None

    def check(self, root: Element) -> list[Mistake]:
        """The mistakes in an element and all that is in it, in document order."""
        if self._automaton is None or self._automaton.patterns.size > _KEPT:
            self._automaton = Automaton(self._start)
        patterns = self._automaton.patterns
        patterns.spent, patterns.allowance = 0, _ALLOWANCE
        walk = Walk(self._automaton, self._start)
        try:
            walk.run(root)
            walk.explainer.finish()
        except (Exhausted, TooMany) as reason:
            element = walk.at or root
            why = f"it is mistake number {MOST:,}"
            if isinstance(reason, Exhausted):
                self._automaton = None
                why = "the document has too many different combinations of elements and attributes"
            walk.mistakes.found.append(_gave_up(element, why))
        return walk.mistakes.in_order()


def _gave_up(element: Element, why: str) -> Mistake:
    return Mistake(
        element,
        None,
        False,
        "gave-up",
        f"checking has ended at <{element.name}>: {why}",
        "the mistakes before it to be mended first; what is behind it has not been checked",
        (),
    )


def read_grammar(path: str, *, texts: Mapping[str, bytes] | None = None) -> Grammar:
    """Read a grammar and all that it includes.

    ``texts`` maps absolute paths to bytes that are read in the place of
    those files.  Raises GrammarError, with the place and what to do.
    """
    start = simplify(path, texts)
    check_restrictions(start)
    return Grammar(start)
