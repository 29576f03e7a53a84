"""A RELAX NG grammar, ready to check documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.check.relaxng.automaton import Automaton
from virtquorum.check.relaxng.mistake import MOST, Mistake, TooMany
from virtquorum.check.relaxng.patterns import Exhausted
from virtquorum.check.relaxng.regular import RegularError
from virtquorum.check.relaxng.restrictions import check_restrictions
from virtquorum.check.relaxng.simplify import simplify
from virtquorum.check.relaxng.walk import Walk
from virtquorum.xml.document import Element

if TYPE_CHECKING:
    from collections.abc import Mapping

    from virtquorum.check.relaxng.node import Node

__all__ = ["Grammar", "read_grammar"]

#: What one document may take: members of patterns that are made or looked up.
_ALLOWANCE: Final = 2_000_000
#: What is kept from document to document, in members of patterns and tables.
_KEPT: Final = 1_000_000
#: No name in a grammar is longer than this.
_LONGEST: Final = 100


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
        except (Exhausted, TooMany, RegularError) as reason:
            element = walk.at or root
            why = f"it is mistake number {MOST:,}"
            if isinstance(reason, Exhausted):
                self._automaton = None
                why = "the document has too many different combinations of elements and attributes"
            elif isinstance(reason, RegularError):
                why = f"a pattern of the grammar cannot be followed: {reason}"
            walk.mistakes.found.append(_gave_up(element, why))
        return _without_guesses(walk.mistakes.in_order())


def _without_guesses(mistakes: list[Mistake]) -> list[Mistake]:
    """Without what is wrong with a childless element that is not allowed at all.

    It was checked as an element that it may have been meant for; without
    children, and unless the names are all but the same, that is a guess.
    """
    guessed = {
        id(one.element)
        for one in mistakes
        if one.kind == "element-not-allowed"
        and not any(child.__class__ is Element for child in one.element.children)
    }
    if not guessed:
        return mistakes
    others = {id(one.element) for one in mistakes if one.kind != "element-not-allowed"}
    doubtful = {
        id(one.element)
        for one in mistakes
        if one.kind == "element-not-allowed"
        and id(one.element) in guessed & others
        and not _is_certain(one)
    }
    return [
        one
        for one in mistakes
        if one.kind == "element-not-allowed" or id(one.element) not in doubtful
    ]


def _is_certain(mistake: Mistake) -> bool:
    """Whether an element's name is all but the same as that of the one it was checked as."""
    from difflib import SequenceMatcher

    if not mistake.choices or len(mistake.element.name) > _LONGEST:
        return False
    meant = mistake.choices[0].strip("<>")
    if mistake.element.name == meant:
        return False  # one too many, and nobody knows which
    return SequenceMatcher(None, mistake.element.name, meant).ratio() >= 0.9


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
