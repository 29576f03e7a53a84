"""What to say where a document leaves the grammar, and how to go on.

Each method is called by the walk where there is no next state.  It keeps one
mistake, and gives the state in which the walk goes on as if the mistake were
not there: a stray element as if it were away, a misspelled one as the one
that was meant, a wrong value as any right one, what is missing as if it were
there.  So one mistake gives one finding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.check.relaxng import contents, words
from virtquorum.check.relaxng.contents import ANY, TEXT_CONTENT
from virtquorum.check.relaxng.mistake import Mistake, Mistakes
from virtquorum.check.relaxng.name_class import split_name
from virtquorum.check.relaxng.pattern import NOT_ALLOWED
from virtquorum.check.relaxng.pattern import Element as ElementPattern
from virtquorum.check.relaxng.places import parents
from virtquorum.check.relaxng.row import Row
from virtquorum.check.relaxng.scope import attribute_name, declares, element_name
from virtquorum.check.relaxng.tags import TagExplainer
from virtquorum.xml.document import SPACE, Element

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
#: How many near names are compared by what they may hold.
_CANDIDATES = 4


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
        #: The element at which the walk first had no way on.
        self.first: Element | None = None
        self._notes: dict[int, _Notes] = {}
        self._rows: dict[int, Row] = {}
        self._parents: dict[str, set[str]] | None = None
        self._tags = TagExplainer(automaton, self.mistakes)

    def _keep(
        self,
        element: Element,
        kind: Kind,
        message: str,
        expected: str | None = None,
        choices: Sequence[str] = (),
        *,
        text: bool = False,
    ) -> int:
        return self.mistakes.add(
            Mistake(element, None, text, kind, message, expected, tuple(choices))
        )

    def finish(self) -> None:
        """Make sure that a document that does not fit has a mistake."""
        if self.first is not None and not self.mistakes.found:
            self._keep(
                self.first,
                "element-not-allowed",
                f"element <{self.first.name}> does not fit the grammar",
            )

    def _row(self, parent: Element, scope: Mapping[str, str]) -> Row:
        """The child elements of an element."""
        row = self._rows.get(id(parent))
        if row is None:
            row = self._rows[id(parent)] = Row(parent, scope)
        return row

    def _noted(self, element: Element | None) -> _Notes:
        return self._notes.setdefault(id(element), _Notes())

    # Elements that are not allowed.

    def unexpected(
        self,
        child: Element,
        name: str,
        state: State,
        before: State,
        first: State,
        parent: Element | None,
        scope: Mapping[str, str],
    ) -> tuple[Opening | None, State | None, State]:
        """An element that may not begin in a state.

        ``before`` and ``first`` are the states before and behind the start
        tag of the parent.  It gives what to follow in the element (None: pass
        over it), the state behind it (None: what follows from its content),
        and the parent's state before it.
        """
        self.first = self.first or child
        automaton = self.automaton
        if parent is not None:
            known = automaton.opening(first, name)
            if known is not None and name in self._noted(parent).excused:
                self._noted(parent).excused.discard(name)
                return known, state, state
            row = self._row(parent, scope)
            again = known is not None and row.before(child, name) > 0
            skipped = None if again else automaton.skipping(state, name)
            if skipped is not None:
                self._skipped(child, name, state, row, parent, scope)
                return skipped, None, state
            if known is not None:
                self._misplaced(child, name, state, row, parent, known, scope)
                return known, state, state
        meant = self._meant(child, name, state, parent, scope)
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
        number = self._keep(child, *self._stray(child, parent, allowed, scope, None, name, state))
        self._noted(parent).strays.append(number)
        return None, None, state

    def _meant(
        self,
        child: Element,
        name: str,
        state: State,
        parent: Element | None,
        scope: Mapping[str, str],
    ) -> str | None:
        """The name that was meant by one that is not allowed."""
        automaton = self.automaton
        allowed = contents.element_names(state.patterns)
        local = split_name(name)[1]
        same = [one for one in allowed if split_name(one)[1] == local]
        if same:
            return same[0]
        locals_ = {split_name(one)[1]: one for one in reversed(allowed)}
        known = name in self._known()
        found: list[tuple[int, int, str]] = []
        cutoff = _NEAR_KNOWN if known else _NEAR
        for number, near in enumerate(words.nearest(local, locals_, cutoff=cutoff)[:_CANDIDATES]):
            one = locals_[near]
            opening = automaton.opening(state, one)
            assert opening is not None
            again = automaton.opening(opening.after(opening.child.alive), one)
            if again is not None or not parent or not self._row(parent, scope).beside(child, one):
                found.append((self._unfit(child, opening, scope), number, one))
        return min(found)[2] if found else None

    def _unfit(self, child: Element, opening: Opening, scope: Mapping[str, str]) -> int:
        """How many attributes and names of elements a start tag would not take."""
        automaton = self.automaton
        loose = automaton.loosened(opening.child)
        attributes = [one for one in child.attributes if not declares(one)]
        names = {element_name(one.name, scope) for one in child.elements()}
        return sum(
            automaton.step(opening.child, attribute_name(one, scope)) is None for one in attributes
        ) + sum(automaton.skipping(loose, one) is None for one in names)

    def _stray(
        self,
        child: Element,
        parent: Element | None,
        allowed: Sequence[str],
        scope: Mapping[str, str],
        meant: str | None,
        name: str = "",
        state: State | None = None,
    ) -> tuple[Kind, str, str | None, tuple[str, ...]]:
        tags = [words.tag(one, scope) for one in allowed]
        near = words.tag(meant, scope) if meant is not None else None
        if near is not None:
            tags = [near, *(one for one in tags if one != near)]
        where = f"is not allowed in <{parent.name}>" if parent is not None else "is not the root"
        expected = words.choice_of(tags, near=near) if tags else None
        if expected is None and parent is not None:
            expected = f"no more elements in <{parent.name}>"
            if state is not None and contents.leaves(state.patterns):
                expected = f"text only in <{parent.name}>"
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
        self,
        child: Element,
        name: str,
        state: State,
        row: Row,
        parent: Element,
        known: Opening,
        scope: Mapping[str, str],
    ) -> None:
        """An element that the parent may hold, but not any more."""
        label = f"<{child.name}>"
        choices = self._choices(state, scope)
        times = 1 + row.before(child, name)
        if times > 1:
            self._keep(
                child,
                "element-not-allowed",
                f"{label} is here {'twice' if times == 2 else f'{times} times'}",
                f"one {label} in <{parent.name}>",
                choices,
            )
            return
        behind = known.after(known.child.alive)
        for one in row.earlier(child):
            if self.automaton.opening(behind, one) is not None:
                self._keep(
                    child,
                    "element-not-allowed",
                    f"{label} is too late in <{parent.name}>",
                    f"it before {words.tag(one, scope)}",
                    choices,
                )
                return
        allowed = contents.element_names(state.patterns)
        self._keep(child, *self._stray(child, parent, allowed, scope, None))

    def _skipped(
        self,
        child: Element,
        name: str,
        state: State,
        row: Row,
        parent: Element,
        scope: Mapping[str, str],
    ) -> None:
        """An element before which others must stand that do not."""
        needed = _needed(state)
        missing = sorted((needed[0] if needed else frozenset()) - {name, ANY, TEXT_CONTENT})
        late = [one for one in missing if row.behind(child, one)]
        if late:
            self._noted(parent).excused.update(late)
            self._keep(
                child,
                "element-not-allowed",
                f"<{child.name}> is too early in <{parent.name}>",
                f"{words.tag(late[0], scope)} before it",
                tuple(words.shown(one, scope) for one in late),
            )
        elif not missing:
            # What it needs before it is itself optional: it is the element that is wrong.
            allowed = contents.element_names(state.patterns)
            self._keep(child, *self._stray(child, parent, allowed, scope, None))
        elif not self._stand_in(parent, missing, scope):
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
        self.first = self.first or parent
        self._lacking(parent, state, scope)
        return state.alive

    def _lacking(self, parent: Element, state: State, scope: Mapping[str, str]) -> None:
        needed = _needed(state)
        if any(TEXT_CONTENT in one for one in needed) and self._noted(parent).strays:
            return
        if not needed or self._stand_in(parent, sorted(needed[0]), scope):
            return
        missing = frozenset.intersection(*needed)
        if missing:
            self._missing(parent, sorted(missing), scope)
        else:
            self._one_missing(parent, needed, scope)

    def _stand_in(self, parent: Element, missing: Sequence[str], scope: Mapping[str, str]) -> bool:
        """Whether what is missing has strays in its place: they are told what belongs there."""
        strays = self._noted(parent).strays
        if not missing or len(missing) > len(strays):
            return False
        for number, name in zip(strays, missing, strict=False):
            stray = self.mistakes.found[number]
            label = words.tag(name, scope)
            choices = (words.shown(name, scope), *stray.choices)
            self.mistakes.found[number] = stray._replace(
                expected=f"{label}, which <{parent.name}> lacks",
                choices=tuple(dict.fromkeys(choices)),
            )
        del strays[: len(missing)]
        return True

    def _missing(
        self, parent: Element, missing: Sequence[str], scope: Mapping[str, str], where: str = ""
    ) -> None:
        for name in missing:
            if name == TEXT_CONTENT:
                self._keep(parent, "text-value", f"element <{parent.name}> is empty", "a text")
                continue
            label = "an element" if name == ANY else words.tag(name, scope)
            self._keep(
                parent,
                "element-missing",
                f"element <{parent.name}> lacks {label}{where}",
                f"{label} in <{parent.name}>",
                (words.shown(name, scope),),
            )

    def _one_missing(
        self, parent: Element, needed: Sequence[frozenset[str]], scope: Mapping[str, str]
    ) -> None:
        """One of some things is missing."""
        sets = [sorted(one) for one in needed]
        named = {
            one: "text" if one == TEXT_CONTENT else words.tag(one, scope)
            for names in sets
            for one in names
        }
        choices = list(dict.fromkeys(" and ".join(named[one] for one in names) for names in sets))
        self._keep(
            parent,
            "element-missing",
            f"element <{parent.name}> is not complete",
            words.choice_of(sorted(choices)),
            tuple(dict.fromkeys(words.shown(one, scope) for names in sets for one in names)),
        )

    def text_between(self, parent: Element, state: State, scope: Mapping[str, str]) -> None:
        """A text beside elements where there may be none."""
        self.first = self.first or parent
        notes = self._noted(parent)
        if not notes.text and not _value_before_elements(parent, state):
            notes.text = True
            text = next(
                one.strip(SPACE)
                for one in parent.children
                if isinstance(one, str) and one.strip(SPACE)
            )
            self._text(parent, text, state, scope)

    def _text(self, element: Element, text: str, state: State, scope: Mapping[str, str]) -> None:
        choices = self._choices(state, scope)
        expected = f"no text in <{element.name}>"
        if choices:
            expected = f"elements only: {words.choice_of([f'<{one}>' for one in choices])}"
        self._keep(
            element,
            "text-not-allowed",
            f"text {words.quoted(text)} is not allowed in <{element.name}>",
            expected,
            choices,
            text=True,
        )

    def leaf(self, child: Element, state: State, scope: Mapping[str, str]) -> int:
        """An element without elements that does not fit; all that is still possible does then."""
        self.first = self.first or child
        text = child.text
        values = contents.leaves(state.patterns)
        if text.strip(SPACE) and not values:
            self._text(child, text.strip(SPACE), state, scope)
        elif values and (text.strip(SPACE) or not contents.element_names(state.patterns)):
            expected, choices = words.value_words(
                [one for one in state.patterns if one is not NOT_ALLOWED], text
            )
            if text.strip(SPACE):
                message = (
                    f"the text {words.quoted(text.strip(SPACE))} of <{child.name}> is not allowed"
                )
            else:
                message = f"element <{child.name}> is empty"
            self._keep(
                child, "text-value", message, expected, choices, text=bool(text.strip(SPACE))
            )
        else:
            self._lacking(child, state, scope)
        return state.alive

    def start_tag(
        self, child: Element, name: str, opening: Opening, outer: State, scope: Mapping[str, str]
    ) -> tuple[State, State | None]:
        """A start tag with attributes that do not fit; see TagExplainer."""
        self.first = self.first or child
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


def _value_before_elements(parent: Element, state: State) -> bool:
    """Whether a text may be the value that is expected, and an element behind it is too much."""
    if not state.valued or contents.element_names(state.patterns):
        return False
    if contents.takes_any_element(state.patterns):
        return False
    kinds = [one.__class__ for one in parent.children]
    return str in kinds and Element in kinds[kinds.index(str) :]
