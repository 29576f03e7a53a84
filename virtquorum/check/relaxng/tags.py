"""What to say of a start tag whose attributes do not fit, and how to go on behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from virtquorum.check.relaxng import contents, words
from virtquorum.check.relaxng.contents import ANY
from virtquorum.check.relaxng.mistake import MOST, Mistake, Mistakes
from virtquorum.check.relaxng.pattern import NOT_ALLOWED, Attribute
from virtquorum.check.relaxng.scope import attribute_name, declares
from virtquorum.xml.document import Document

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from virtquorum.check.relaxng.automaton import Automaton, Opening, State, Step
    from virtquorum.xml.document import Element

__all__ = ["TagExplainer"]

#: How many attributes of a parent, and values of each, are tried for what they choose; how many
#: values are worth naming.
_KEYS: Final = 8
_VALUES: Final = 20
_PARENT_VALUES: Final = 2


class _Stray(NamedTuple):
    """An attribute that is not allowed, and the names of those that are."""

    written: str
    free: tuple[str, ...]


class TagExplainer:
    """Finds the mistakes of start tags."""

    def __init__(self, automaton: Automaton, mistakes: Mistakes) -> None:
        self.automaton = automaton
        self.mistakes = mistakes

    def start_tag(
        self, child: Element, name: str, opening: Opening, outer: State, scope: Mapping[str, str]
    ) -> tuple[State, State | None]:
        """The state behind a start tag that does not fit, and that behind its end tag.

        ``outer`` is the state before the parent's attributes.  The second
        state is None where it follows from the content.
        """
        number = len(self.mistakes.found)
        state, strays = self._attributes(child, opening.child, scope)
        if strays:
            # Maybe the parent's attributes have chosen the wrong alternative.
            other = self._elsewhere(child, name, outer, scope)
            if other is not None:
                del self.mistakes.found[number:]
                self._not_allowed_here(child, name, strays[0], outer, scope)
                return other, opening.after(opening.child.alive)
        state = self._closed(child, state, strays, scope)
        for stray in strays:
            names = [words.shown(one, scope) for one in stray.free]
            self._stray(child, stray.written, names, None)
        return state, None

    def _attributes(
        self, child: Element, state: State, scope: Mapping[str, str]
    ) -> tuple[State, list[_Stray]]:
        """The state behind all attributes, and those that are not allowed."""
        automaton = self.automaton
        strays: list[_Stray] = []
        names = list(_names(child, scope))
        there = {key for _, key in names}
        free: dict[State, tuple[str, ...]] = {}
        for number, (written, key) in enumerate(names):
            value = child.attributes[written]
            step = automaton.step(state, key)
            if step is not None:
                after = step.after(value, scope)
                if after is None:
                    self._value(child, written, step)
                    after = automaton.either(step.joined(), state)
                state = after
                continue
            if state not in free:
                allowed = contents.attribute_names(state.patterns)
                free[state] = tuple(one for one in allowed if one not in there)
            meant = next(iter(words.nearest(key, free[state])), None)
            step = automaton.step(state, meant) if meant is not None else None
            if meant is not None and step is not None:
                after = step.after(value, scope) or step.joined()
                rest = names[number + 1 :]
                if self._follows(child, after, rest, scope) or not self._follows(
                    child, state, rest, scope
                ):
                    self._misspelled(child, written, free[state], meant, scope)
                    state = after
                    continue
            if len(strays) < MOST:
                strays.append(_Stray(written, free[state]))
        return state, strays

    def _follows(
        self,
        child: Element,
        state: State,
        names: Sequence[tuple[str, str]],
        scope: Mapping[str, str],
    ) -> State | None:
        """The state behind a start tag with some more attributes; None where they do not fit."""
        after = self._after(child, state, names, scope)
        closed = self.automaton.closed(after) if after is not None else None
        return closed if closed is not None and closed.alive else None

    def _after(
        self,
        child: Element,
        state: State,
        names: Sequence[tuple[str, str]],
        scope: Mapping[str, str],
    ) -> State | None:
        """The state behind some attributes; None where they do not fit."""
        for written, key in names:
            step = self.automaton.step(state, key)
            after = step.after(child.attributes[written], scope) if step is not None else None
            if after is None:
                return None
            state = after
        return state

    def _closed(
        self, child: Element, state: State, strays: list[_Stray], scope: Mapping[str, str]
    ) -> State:
        """The state behind the start tag, as if the attributes were there that are missing.

        Strays that stand in the place of missing ones are reported, and taken out.
        """
        automaton = self.automaton
        while True:
            closed = automaton.closed(state)
            if closed.alive:
                return closed
            needed = [
                one
                for pattern in state.patterns
                if pattern is not NOT_ALLOWED
                for one in contents.required(pattern, Attribute)
            ]
            needed = [one for one in needed if one]
            if not needed:
                return automaton.loosened(state)
            needed.sort(key=lambda one: (len(one), sorted(one)))
            common = frozenset.intersection(*needed)
            missing = sorted(common or needed[0])
            if strays and len(missing) <= len(strays):
                for one in missing:
                    self._instead(child, strays.pop(0), one, scope)
            elif common:
                for one in missing:
                    self._missing(child, [one], scope)
            else:
                names = sorted({name for one in needed for name in one})
                self._missing(child, names, scope)
            before = state
            for one in missing:
                step = automaton.step(state, one)
                state = step.joined() if step is not None else state
            if state is before:
                return automaton.loosened(state)

    def _elsewhere(
        self, child: Element, name: str, outer: State, scope: Mapping[str, str]
    ) -> State | None:
        """The state behind the start tag where some other alternative takes all of it."""
        automaton = self.automaton
        opening = automaton.opening(automaton.loosened(outer), name)
        if opening is None:
            return None
        return self._follows(child, opening.child, list(_names(child, scope)), scope)

    # Words.

    def _value(self, child: Element, written: str, step: Step) -> None:
        value = child.attributes[written]
        expected, choices = words.value_words(step.contents, value)
        self.mistakes.add(
            Mistake(
                child,
                written,
                False,
                "attribute-value",
                f"the value {words.quoted(value)} of attribute '{written}' is not allowed",
                expected,
                choices,
            )
        )

    def _misspelled(
        self,
        child: Element,
        written: str,
        free: Sequence[str],
        meant: str,
        scope: Mapping[str, str],
    ) -> None:
        names = [words.shown(one, scope) for one in free]
        near = words.shown(meant, scope)
        names = [near, *(one for one in names if one != near)]
        self._stray(child, written, names, near)

    def _not_allowed_here(
        self, child: Element, name: str, stray: _Stray, outer: State, scope: Mapping[str, str]
    ) -> None:
        """An attribute that belongs to another alternative than the parent's attributes chose."""
        names = [words.shown(one, scope) for one in stray.free]
        hint = self._choosing(child, name, outer, scope)
        expected = words.choice_of([f"'{one}'" for one in names]) if names else "none"
        if hint is not None:
            expected += f" here, or {hint}"
        self._stray(child, stray.written, names, None, expected, " here")

    def _choosing(
        self, child: Element, name: str, outer: State, scope: Mapping[str, str]
    ) -> str | None:
        """What on the parent would choose the alternative that an element fits."""
        parent = child.parent
        if parent is child.document:
            return None
        assert not isinstance(parent, Document)
        written = list(_names(parent, scope))
        keys = dict.fromkeys(
            (*(key for _, key in written), *contents.attribute_names(outer.patterns))
        )
        found: dict[str, list[str]] = {}
        for key in list(keys)[:_KEYS]:
            state = self._after(parent, outer, [one for one in written if one[1] != key], scope)
            step = self.automaton.step(state, key) if state is not None else None
            if step is None:
                continue
            for value in words.values_of(step.contents)[:_VALUES]:
                after = step.after(value, scope)
                opening = after and self.automaton.opening(self.automaton.closed(after), name)
                if opening and self._follows(
                    child, opening.child, list(_names(child, scope)), scope
                ):
                    found.setdefault(words.shown(key, scope), []).append(value)
        if len(found) != 1:
            return None
        ((key, values),) = found.items()
        choice = " or ".join(f"{key}='{one}'" for one in values[:_PARENT_VALUES])
        return f"{choice} on <{parent.name}>" if len(values) <= _PARENT_VALUES else None

    def _instead(
        self, child: Element, stray: _Stray, missing: str, scope: Mapping[str, str]
    ) -> None:
        names = [words.shown(one, scope) for one in stray.free]
        if missing == ANY:
            self._stray(child, stray.written, names, None, "an attribute")
            return
        name = words.shown(missing, scope)
        names = [name, *(one for one in names if one != name)]
        self._stray(child, stray.written, names, None, f"'{name}', which <{child.name}> lacks")

    def _stray(
        self,
        child: Element,
        written: str,
        names: Sequence[str],
        near: str | None,
        expected: str | None = None,
        here: str = "",
    ) -> None:
        if not names and expected is None:
            expected = f"no more attributes on <{child.name}>"
        if expected is None:
            expected = words.choice_of(
                [f"'{one}'" for one in names], near=None if near is None else f"'{near}'"
            )
        self.mistakes.add(
            Mistake(
                child,
                written,
                False,
                "attribute-not-allowed",
                f"attribute '{written}' is not allowed on <{child.name}>{here}",
                expected,
                tuple(names),
            )
        )

    def _missing(self, child: Element, names: Sequence[str], scope: Mapping[str, str]) -> None:
        shown = [words.shown(one, scope) if one != ANY else "any" for one in names]
        quoted = [f"'{one}'" for one in shown]
        lacks = f"attribute {quoted[0]}" if len(names) == 1 else words.choice_of(quoted)
        self.mistakes.add(
            Mistake(
                child,
                None,
                False,
                "attribute-missing",
                f"element <{child.name}> lacks {lacks}",
                f"{lacks} on <{child.name}>",
                tuple(shown),
            )
        )


def _names(child: Element, scope: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The attributes of an element: how each is written, and its name."""
    for written in child.attributes:
        if not declares(written):
            yield written, attribute_name(written, scope)
