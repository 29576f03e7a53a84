"""The patterns that there are: each is made once, in its simplest form.

Equal patterns are one object, so that they can be compared and looked up by
identity.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.check.relaxng.pattern import (
    EMPTY,
    NOT_ALLOWED,
    Choice,
    Group,
    Interleave,
    OneOrMore,
    Pattern,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Exhausted", "Patterns"]

_SPACE: Final = " \t\r\n"


class Exhausted(Exception):  # noqa: N818 - it ends one document's check, and is no error
    """A document has taken more new patterns than one may."""


class Patterns:
    """The patterns that there are; makes each once, in its simplest form.

    ``spent`` counts the members of all patterns that were made or looked up;
    where it comes to ``allowance``, Exhausted is raised.
    """

    def __init__(self) -> None:
        self._choices: dict[frozenset[Pattern], Pattern] = {}
        self._groups: dict[tuple[Pattern, ...], Pattern] = {}
        self._interleaves: dict[tuple[Pattern, ...], Pattern] = {}
        self._repeated: dict[Pattern, Pattern] = {}
        self.spent = 0
        self.allowance = 0
        #: The members of all patterns that are kept.
        self.size = 0

    def choice(self, members: Iterable[Pattern]) -> Pattern:
        """One of some patterns."""
        flat: dict[Pattern, None] = {}
        for one in members:
            if one.__class__ is Choice:
                flat.update(dict.fromkeys(one.members))
            elif one is not NOT_ALLOWED:
                flat[one] = None
        if EMPTY in flat and any(one.nullable for one in flat if one is not EMPTY):
            del flat[EMPTY]
        if len(flat) < 2:
            return next(iter(flat), NOT_ALLOWED)
        self._spend(len(flat))
        key = frozenset(flat)
        found = self._choices.get(key)
        if found is None:
            found = self._choices[key] = Choice(tuple(flat))
            self.size += len(flat)
        return found

    def group(self, members: Iterable[Pattern]) -> Pattern:
        """Some patterns one after the other."""
        return self._all(members, Group, self._groups)

    def interleave(self, members: Iterable[Pattern]) -> Pattern:
        """Some patterns among each other."""
        return self._all(members, Interleave, self._interleaves)

    def one_or_more(self, content: Pattern) -> Pattern:
        """A pattern once or more often."""
        if content is EMPTY or content is NOT_ALLOWED or content.__class__ is OneOrMore:
            return content
        found = self._repeated.get(content)
        if found is None:
            found = self._repeated[content] = OneOrMore(content)
            self.size += 1
        return found

    def matches(self, pattern: Pattern, text: str, scope: Mapping[str, str]) -> bool:
        """Whether a pattern takes the whole text of an attribute or an element."""
        if pattern.text(text, scope, self).nullable:
            return True
        return pattern.nullable and not text.strip(_SPACE)

    def _all(
        self,
        members: Iterable[Pattern],
        kind: type[Group | Interleave],
        known: dict[tuple[Pattern, ...], Pattern],
    ) -> Pattern:
        flat: list[Pattern] = []
        for one in members:
            if one is NOT_ALLOWED:
                return NOT_ALLOWED
            if one.__class__ is kind:
                flat.extend(one.members)
            elif one is not EMPTY:
                flat.append(one)
        if len(flat) < 2:
            return flat[0] if flat else EMPTY
        self._spend(len(flat))
        key = tuple(flat)
        found = known.get(key)
        if found is None:
            found = known[key] = kind(key)
            self.size += len(key)
        return found

    def _spend(self, amount: int) -> None:
        self.spent += amount
        if self.spent > self.allowance > 0:
            raise Exhausted
