"""What to say where a document leaves the grammar, and how to go on.

Each method is called by the walk where there is no next state.  It keeps one
mistake, and gives the state in which the walk goes on as if the mistake were
not there: a stray element as if it were away, a misspelled one as the one
that was meant, a wrong value as any right one, what is missing as if it were
there.  So one mistake gives one finding.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from virtquorum.check.relaxng import contents, words
from virtquorum.check.relaxng.contents import ANY, TEXT_CONTENT
from virtquorum.check.relaxng.mistake import Mistake, Mistakes
from virtquorum.check.relaxng.name_class import split_name
from virtquorum.check.relaxng.pattern import NOT_ALLOWED
from virtquorum.check.relaxng.pattern import Element as ElementPattern
from virtquorum.check.relaxng.places import parents
from virtquorum.check.relaxng.scope import element_name
from virtquorum.check.relaxng.tags import TagExplainer
from virtquorum.xml.document import Element

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from virtquorum.check.relaxng.automaton import Automaton, Opening, State
    from virtquorum.check.relaxng.mistake import Kind
    from virtquorum.check.relaxng.node import Node

__all__ = ["Explainer"]

#: How near a name must be that the grammar knows in other places.
_NEAR_KNOWN = 0.8
_NEAR = 0.6
_PARENTS = 3


class _Notes:
    """What is remembered of an element until its end."""

    __slots__ = ("excused", "strays", "text")

    def __init__(self) -> None:
        #: Numbers of the mistakes that may be what is missing in the end.
        self.strays: list[int] = []
        #: Names that come too late, which has been said.
        self.excused: set[str] = set()
        #: Whether a text has been found that is not allowed.
        self.text = False


class Explainer:
    """The mistakes of one document."""

    def __init__(self, automaton: Automaton, start: Node) -> None:
        self.automaton = automaton
        self.start = start
        self.mistakes = Mistakes()
        self._notes: dict[int, _Notes] = {}
        self._rows: dict[int, _Row] = {}
        self._parents: dict[str, set[str]] | None = None
        self._tags = TagExplainer(automaton, self.mistakes)

    def _keep(
        self, element: Element, kind: Kind, message: str, expected: str | None = None,
        choices: Sequence[str] = (), *, text: bool = False,
    ) -> int:  # fmt: skip
        return self.mistakes.add(
            Mistake(element, None, text, kind, message, expected, tuple(choices))
        )

    def _row(self, child: Element, scope: Mapping[str, str]) -> _Row | None:
        """The child elements beside one; None for the root."""
        parent = child.parent
        if not isinstance(parent, Element):
            return None
        row = self._rows.get(id(parent))
        if row is None:
            row = self._rows[id(parent)] = _Row(parent, scope)
        return row

    def _noted(self, element: Element | None) -> _Notes:
        return self._notes.setdefault(id(element), _Notes())

    # Elements that are not allowed.

    def unexpected(
        self, child: Element, name: str, state: State, before: State, first: State,
        parent: Element | None, scope: Mapping[str, str],
    ) -> tuple[Opening | None, State | None, State]:  # fmt: skip
        """An element that may not begin in a state.

        ``before`` and ``first`` are the states before and behind the start
        tag of the parent.  It gives what to follow in the element (None: pass
        over it), the state behind it (None: what follows from its content),
        and the parent's state before it.
        """
        automaton = self.automaton
        if parent is not None:
            notes = self._noted(parent)
            known = automaton.opening(first, name)
            if known is not None:
                if name in notes.excused:
                    notes.excused.discard(name)
                    return known, state, state
                return self._misplaced(child, name, state, first, parent, known, scope)
        meant = self._meant(child, name, state, scope)
        allowed = contents.element_names(state.patterns)
        if meant is not None:
            opening = automaton.opening(state, meant)
            self._keep(child, *self._stray(child, parent, allowed, scope, meant))
            return opening, None, state
        if parent is not None:
            loose = automaton.opening(automaton.loosened(before), name)
            if loose is not None:
                self._keep(child, *self._stray(child, parent, allowed, scope, None))
                return loose, state, state
        number = self._keep(child, *self._stray(child, parent, allowed, scope, None, name))
        self._noted(parent).strays.append(number)
        return None, None, state

    def _meant(
        self, child: Element, name: str, state: State, scope: Mapping[str, str]
    ) -> str | None:
        """The name that was meant by one that is not allowed."""
        automaton = self.automaton
        allowed = contents.element_names(state.patterns)
        local = split_name(name)[1]
        same = [one for one in allowed if split_name(one)[1] == local]
        if same:
            return same[0]
        row = self._row(child, scope)
        locals_ = {split_name(one)[1]: one for one in reversed(allowed)}
        known = name in self._known()
        for near in words.nearest(local, locals_, cutoff=_NEAR_KNOWN if known else _NEAR):
            one = locals_[near]
            opening = automaton.opening(state, one)
            assert opening is not None
            again = automaton.opening(opening.after(opening.child.alive), one)
            if again is not None or row is None or not row.beside(child, one):
                return one
        return None

    def _stray(
        self, child: Element, parent: Element | None, allowed: Sequence[str],
        scope: Mapping[str, str], meant: str | None, name: str = "",
    ) -> tuple[Kind, str, str | None, tuple[str, ...]]:  # fmt: skip
        tags = [words.tag(one, scope) for one in allowed]
        near = words.tag(meant, scope) if meant is not None else None
        if near is not None:
            tags = [near, *(one for one in tags if one != near)]
        where = f"is not allowed in <{parent.name}>" if parent is not None else "is not the root"
        expected = words.choice_of(tags, near=near) if tags else None
        if expected is None and parent is not None:
            expected = f"no more elements in <{parent.name}>"
        if name:
            homes = sorted(self._known().get(name, ()))
            if 0 < len(homes) <= _PARENTS and homes != [""]:
                belongs = " or ".join(words.tag(one, scope) for one in homes if one)
                expected = f"it in {belongs}, where it belongs"
        choices = tuple(words.shown(one, scope) for one in allowed)
        if meant is not None:
            first = words.shown(meant, scope)
            choices = (first, *(one for one in choices if one != first))
        return "element-not-allowed", f"element <{child.name}> {where}", expected, choices

    def _misplaced(
        self, child: Element, name: str, state: State, first: State, parent: Element,
        known: Opening, scope: Mapping[str, str],
    ) -> tuple[Opening | None, State | None, State]:  # fmt: skip
        """An element that the parent may hold, but not any more, or not yet."""
        automaton = self.automaton
        row = self._row(child, scope)
        assert row is not None
        label = f"<{child.name}>"
        times = 1 + row.before(child, name)
        if times > 1:
            self._keep(child, "element-not-allowed",
                       f"{label} is here {'twice' if times == 2 else f'{times} times'}",
                       f"one {label} in <{parent.name}>", self._choices(state, scope))  # fmt: skip
            return known, state, state
        skipped = automaton.skipping(state, name)
        if skipped is not None:
            self._skipped(child, name, state, row, parent, scope)
            return skipped, None, state
        behind = known.after(known.child.alive)
        for one in row.earlier(child):
            if automaton.opening(behind, one) is not None:
                self._keep(child, "element-not-allowed",
                           f"{label} is too late in <{parent.name}>",
                           f"it before {words.tag(one, scope)}",
                           self._choices(state, scope))  # fmt: skip
                return known, state, state
        allowed = contents.element_names(state.patterns)
        self._keep(child, *self._stray(child, parent, allowed, scope, None))
        return known, state, state

    def _skipped(
        self, child: Element, name: str, state: State, row: _Row, parent: Element,
        scope: Mapping[str, str],
    ) -> None:  # fmt: skip
        """An element before which others must stand that do not."""
        needed = _needed(state)
        missing = sorted((needed[0] if needed else frozenset()) - {name, ANY, TEXT_CONTENT})
        late = [one for one in missing if row.behind(child, one)]
        if late:
            self._noted(parent).excused.update(late)
            self._keep(child, "element-not-allowed", f"<{child.name}> is too early in <{parent.name}>",
                       f"{words.tag(late[0], scope)} before it",
                       tuple(words.shown(one, scope) for one in late))  # fmt: skip
        else:
            self._missing(parent, missing, scope, f" before <{child.name}>")

    def _choices(self, state: State, scope: Mapping[str, str]) -> tuple[str, ...]:
        return tuple(words.shown(one, scope) for one in contents.element_names(state.patterns))

    def _known(self) -> dict[str, set[str]]:
        if self._parents is None:
            self._parents = parents(self.start)
        return self._parents

    # What is missing, and texts.

    def end(self, parent: Element, state: State, scope: Mapping[str, str]) -> int:
        """The end tag of an element that lacks something; all that is still possible fits."""
        self._lacking(parent, state, scope)
        return state.alive

    def _lacking(self, parent: Element, state: State, scope: Mapping[str, str]) -> None:
        notes = self._noted(parent)
        needed = _needed(state)
        if not needed:
            return
        missing = set.intersection(*map(set, needed)) or set()
        if notes.strays and len(needed[0]) <= len(notes.strays):
            # What is there in its place has been said to be wrong: now also what belongs there.
            wanted = sorted(needed[0])
            for number, name in zip(notes.strays, wanted, strict=False):
                stray = self.mistakes.found[number]
                label = words.tag(name, scope)
                self.mistakes.found[number] = stray._replace(
                    expected=f"{label}, which <{parent.name}> lacks",
                    choices=(words.shown(name, scope), *stray.choices),
                )
            return
        if missing:
            self._missing(parent, sorted(missing), scope)
        else:
            self._one_missing(parent, needed, scope)

    def _missing(
        self, parent: Element, missing: Sequence[str], scope: Mapping[str, str], where: str = ""
    ) -> None:
        for name in missing:
            if name == TEXT_CONTENT:
                self._keep(parent, "text-value", f"element <{parent.name}> is empty", "a text")
                continue
            label = "an element" if name == ANY else words.tag(name, scope)
            self._keep(parent, "element-missing", f"element <{parent.name}> lacks {label}{where}",
                       f"{label} in <{parent.name}>", (words.shown(name, scope),))  # fmt: skip

    def _one_missing(
        self, parent: Element, needed: Sequence[frozenset[str]], scope: Mapping[str, str]
    ) -> None:
        """One of some things is missing."""
        sets = [sorted(one) for one in needed]
        named = {one: "text" if one == TEXT_CONTENT else words.tag(one, scope)
                 for names in sets for one in names}  # fmt: skip
        choices = list(dict.fromkeys(" and ".join(named[one] for one in names) for names in sets))
        self._keep(
            parent, "element-missing", f"element <{parent.name}> is not complete",
            words.choice_of(sorted(choices)),
            tuple(dict.fromkeys(words.shown(one, scope) for names in sets for one in names)),
        )  # fmt: skip

    def text_between(self, parent: Element, state: State, scope: Mapping[str, str]) -> None:
        """A text beside elements where there may be none."""
        notes = self._noted(parent)
        if not notes.text:
            notes.text = True
            text = next(
                one.strip() for one in parent.children if isinstance(one, str) and one.strip()
            )
            self._text(parent, text, state, scope)

    def _text(self, element: Element, text: str, state: State, scope: Mapping[str, str]) -> None:
        choices = self._choices(state, scope)
        expected = f"no text in <{element.name}>"
        if choices:
            expected = f"elements only: {words.choice_of([f'<{one}>' for one in choices])}"
        self._keep(element, "text-not-allowed",
                   f"text {words.quoted(text)} is not allowed in <{element.name}>",
                   expected, choices, text=True)  # fmt: skip

    def leaf(self, child: Element, state: State, scope: Mapping[str, str]) -> int:
        """An element without elements that does not fit; all that is still possible does then."""
        text = child.text
        values = contents.leaves(state.patterns)
        if text.strip() and not values:
            self._text(child, text.strip(), state, scope)
        elif values and (text.strip() or not contents.element_names(state.patterns)):
            expected, choices = words.value_words(
                [one for one in state.patterns if one is not NOT_ALLOWED], text
            )
            if text.strip():
                message = f"the text {words.quoted(text.strip())} of <{child.name}> is not allowed"
            else:
                message = f"element <{child.name}> is empty"
            self._keep(child, "text-value", message, expected, choices, text=bool(text.strip()))
        else:
            self._lacking(child, state, scope)
        return state.alive

    def start_tag(
        self, child: Element, name: str, opening: Opening, outer: State, scope: Mapping[str, str]
    ) -> tuple[State, State | None]:
        """A start tag with attributes that do not fit; see TagExplainer."""
        return self._tags.start_tag(child, name, opening, outer, scope)


def _needed(state: State) -> list[frozenset[str]]:
    """What must still come: sets of names, alternatives of each other, the smallest first."""
    found = [
        one
        for pattern in state.patterns
        if pattern is not NOT_ALLOWED
        for one in contents.required(pattern, ElementPattern)
    ]
    return [
        one for one in sorted(dict.fromkeys(found), key=lambda one: (len(one), sorted(one))) if one
    ]


class _Row:
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
