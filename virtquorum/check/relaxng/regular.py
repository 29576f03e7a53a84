"""The regular expressions of XML Schema, matched in linear time.

An expression is read into a tree of sets of characters, sequences, choices
and repetitions.  Where Python's ``re`` cannot be led into long searching, the
tree is spelled for it; otherwise, and for long texts, an automaton of our own
walks over the text once, whatever is in it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from virtquorum.check.relaxng import characters
from virtquorum.check.relaxng.characters import NAME_FIRST, NAME_REST, Set

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LONGEST", "NAME_FIRST", "NAME_REST", "Regular", "RegularError"]

#: Longer texts (in characters) match nothing.
LONGEST: Final = 65_536
#: What ``re`` is given; of longer texts the automaton takes care.
_SHORT: Final = 2_048
#: How many states an automaton may have.
_STATES: Final = 20_000
#: How many sets of states are kept.
_KEPT: Final = 2_000
_DEPTH: Final = 100
#: Repetitions of at most so many times are no search.
_FEW: Final = 8

_SINGLE: Final = {"n": "\n", "r": "\r", "t": "\t", **{one: one for one in "\\|.?*+(){}-[]^"}}
_QUANTIFIER: Final = re.compile(r"\{([0-9]{1,9})(?:(,)([0-9]{1,9})?)?\}")


class RegularError(ValueError):
    """A text that is no regular expression of XML Schema."""


class _One(NamedTuple):
    """A character of a set."""

    set: Set


class _All(NamedTuple):
    """Parts one after the other."""

    parts: list[_Tree]


class _Any(NamedTuple):
    """One of some parts."""

    parts: list[_Tree]


class _Times(NamedTuple):
    """A part from ``least`` to ``most`` times, or without end."""

    part: _Tree
    least: int
    most: int | None


_Tree: TypeAlias = _One | _All | _Any | _Times


class Regular:
    """One regular expression; compiled when it is first used."""

    __slots__ = ("_automaton", "_match", "_tree", "written")

    def __init__(self, written: str) -> None:
        """Read an expression; raises RegularError."""
        self.written = written
        self._tree: _Tree = _Reader(written).read()
        self._match: Callable[[str], object] | None = None
        self._automaton: _Automaton | None = None

    def matches(self, text: str) -> bool:
        """Whether the expression takes a whole text of at most LONGEST characters."""
        if len(text) > LONGEST:
            return False
        if self._match is None:
            self._match = (
                re.compile(_spelled(self._tree)).fullmatch if _quick(self._tree) else self._walk
            )
        if len(text) > _SHORT:
            return self._walk(text)
        return bool(self._match(text))

    def _walk(self, text: str) -> bool:
        if self._automaton is None:
            self._automaton = _Automaton(self._tree)
        return self._automaton.matches(text)


class _Reader:
    """Reads an expression from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0
        self.size = 0

    def read(self) -> _Tree:
        tree = self.branches()
        if self.at < len(self.text):
            raise RegularError(f"'{self.text[self.at]}' at character {self.at + 1} closes nothing")
        return tree

    def branches(self) -> _Tree:
        found = [self.branch()]
        while self.peek() == "|":
            self.at += 1
            found.append(self.branch())
        return found[0] if len(found) == 1 else _Any(found)

    def branch(self) -> _Tree:
        parts: list[_Tree] = []
        while self.peek() not in {"", "|", ")"}:
            parts.append(self.quantified(self.atom()))
        return parts[0] if len(parts) == 1 else _All(parts)

    def quantified(self, part: _Tree) -> _Tree:
        sign = self.peek()
        if sign in {"?", "*", "+"}:
            self.at += 1
            return _Times(part, int(sign == "+"), 1 if sign == "?" else None)
        if sign != "{":
            return part
        found = _QUANTIFIER.match(self.text, self.at)
        if found is None:
            raise RegularError(f"'{{' at character {self.at + 1} begins no number of times")
        self.at = found.end()
        least = int(found[1])
        most = (int(found[3]) if found[3] else None) if found[2] else least
        if most is not None and most < least:
            raise RegularError(f"'{found[0]}' has its larger number first")
        return _Times(part, least, most)

    def atom(self) -> _Tree:
        sign = self.take()
        if sign == "(":
            self.depth += 1
            if self.depth > _DEPTH:
                raise RegularError(f"more than {_DEPTH} levels of brackets")
            inner = self.branches()
            if self.peek() != ")":
                raise RegularError("a '(' is not closed")
            self.at += 1
            self.depth -= 1
            return inner
        if sign == "[":
            return _One(self.set())
        if sign == ".":
            return _One(characters.DOT)
        if sign == "\\":
            return _One(self.escape())
        if sign in "?*+{}])":
            raise RegularError(f"'{sign}' at character {self.at} stands where a character should")
        return _One(characters.single(sign))

    def escape(self) -> Set:
        sign = self.take()
        if sign in _SINGLE:
            return characters.single(_SINGLE[sign])
        if sign in {"p", "P"}:
            found = re.compile(r"\{([A-Za-z0-9-]+)\}").match(self.text, self.at)
            named = characters.named(found[1]) if found else None
            if found is None or named is None:
                raise RegularError(f"'\\{sign}' at character {self.at - 1} names no set")
            self.at = found.end()
            return named if sign == "p" else characters.without(characters.ALL, named)
        several = characters.escape(sign)
        if several is None:
            raise RegularError(f"'\\{sign}' is no escape")
        return several

    def set(self) -> Set:
        """What stands in square brackets; the first has been taken."""
        negative = self.peek() == "^"
        self.at += negative
        found: Set = ()
        first = True
        while True:
            sign = self.take()
            if sign == "]" and not first:
                break
            if sign == "-" and self.peek() == "[" and not first:
                self.at += 1
                self.depth += 1
                if self.depth > _DEPTH:
                    raise RegularError(f"more than {_DEPTH} levels of brackets")
                found = characters.without(characters.ALL, found) if negative else found
                found = characters.without(found, self.set())
                self.depth -= 1
                if self.take() != "]":
                    raise RegularError("behind what is subtracted a ']' is expected")
                return found
            found = characters.joined(found, self.range(sign))
            first = False
        return characters.without(characters.ALL, found) if negative else found

    def range(self, sign: str) -> Set:
        if sign in "[]":
            raise RegularError(f"'{sign}' at character {self.at} must be written '\\{sign}'")
        low = self.escape() if sign == "\\" else characters.single(sign)
        ahead = self.text[self.at : self.at + 2]
        if not ahead.startswith("-") or ahead in {"-]", "-["} or len(low) != 1:
            return low
        if sign != "\\" and sign == "-":
            return low
        if low[0][0] != low[0][1]:
            return low
        self.at += 1
        sign = self.take()
        if sign in "[]":
            raise RegularError(f"'{sign}' at character {self.at} must be written '\\{sign}'")
        high = self.escape() if sign == "\\" else characters.single(sign)
        if len(high) != 1 or high[0][0] != high[0][1] or high[0][0] < low[0][0]:
            raise RegularError(f"the range that ends at character {self.at} has no such end")
        return ((low[0][0], high[0][0]),)

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def take(self) -> str:
        if self.at >= len(self.text):
            raise RegularError("it ends too early")
        self.at += 1
        return self.text[self.at - 1]


def _quick(tree: _Tree) -> bool:
    """Whether ``re`` cannot search long: no repetition without end in another."""
    return _unbounded(tree) <= 2 and not _nested(tree, within=False)


def _unbounded(tree: _Tree) -> int:
    """How many repetitions without end a text can run through."""
    match tree:
        case _Times(part, _, most):
            return _unbounded(part) + (most is None)
        case _All(parts):
            return sum(map(_unbounded, parts))
        case _Any(parts):
            return max(map(_unbounded, parts))
    return 0


def _nested(tree: _Tree, *, within: bool) -> bool:
    match tree:
        case _Times(part, least, most):
            many = most is None or most > _FEW
            return (within and (many or most != least)) or _nested(part, within=within or many)
        case _All(parts) | _Any(parts):
            return any(_nested(one, within=within) for one in parts)
    return False


def _spelled(tree: _Tree) -> str:
    match tree:
        case _One(given):
            return characters.spelled(given)
        case _All(parts):
            return "".join(map(_spelled, parts))
        case _Any(parts):
            return f"(?:{'|'.join(map(_spelled, parts))})"
        case _Times(part, least, most):
            return f"(?:{_spelled(part)}){{{least},{'' if most is None else most}}}"


class _Automaton:
    """A tree as states that are taken all at once.

    A state is a number; ``_steps[n]`` is a set of characters and the state
    behind it, ``_free[n]`` the states that are reached without a character.
    """

    def __init__(self, tree: _Tree) -> None:
        self._steps: list[tuple[Set, int] | None] = []
        self._free: list[list[int]] = []
        self._end = self._state()
        self._known: dict[tuple[frozenset[int], str], frozenset[int]] = {}
        self._begin = self._closed({self._build(tree, self._end)})

    def matches(self, text: str) -> bool:
        """Whether the whole text is taken."""
        at = self._begin
        known = self._known
        for sign in text:
            after = known.get((at, sign))
            if after is None:
                after = self._after(at, sign)
                if len(known) < _KEPT:
                    known[at, sign] = after
            if not after:
                return False
            at = after
        return self._end in at

    def _after(self, at: frozenset[int], sign: str) -> frozenset[int]:
        found = set()
        for state in at:
            step = self._steps[state]
            if step is not None and characters.contains(step[0], ord(sign)):
                found.add(step[1])
        return self._closed(found)

    def _closed(self, states: set[int]) -> frozenset[int]:
        rest = list(states)
        while rest:
            for one in self._free[rest.pop()]:
                if one not in states:
                    states.add(one)
                    rest.append(one)
        return frozenset(states)

    def _state(self, step: tuple[Set, int] | None = None, free: list[int] | None = None) -> int:
        if len(self._free) >= _STATES:
            raise RegularError(f"it takes more than {_STATES:,} states")
        self._steps.append(step)
        self._free.append(free or [])
        return len(self._free) - 1

    def _build(self, tree: _Tree, then: int) -> int:
        match tree:
            case _One(given):
                return self._state(step=(given, then))
            case _All(parts):
                for part in reversed(parts):
                    then = self._build(part, then)
                return then
            case _Any(parts):
                return self._state(free=[self._build(one, then) for one in parts])
            case _Times(part, least, most):
                return self._times(part, least, most, then)

    def _times(self, part: _Tree, least: int, most: int | None, then: int) -> int:
        end = then
        if most is None:
            again = self._state(free=[end])
            self._free[again].append(self._build(part, again))
            then = again
        else:
            for _ in range(most - least):
                then = self._state(free=[self._build(part, then), end])
        for _ in range(least):
            then = self._build(part, then)
        return then
