"""The states that a grammar goes through, each worked out once and kept.

A state is a tuple of patterns: where a start tag may begin one of several
element patterns, all of them are followed side by side, each in its place in
the tuple, until the end tag shows which of them fit (a bit each: a mask).
What leads from a state to the next is kept with the state, so that a
document like those before it takes a few look-ups for each tag.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.check.relaxng.contents import loosened, skipping
from virtquorum.check.relaxng.pattern import (
    EMPTY,
    NOT_ALLOWED,
    TEXT,
    Attribute,
    Data,
    Element,
    List,
    Pattern,
    Value,
)
from virtquorum.check.relaxng.patterns import Patterns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from virtquorum.check.relaxng.name_class import NameClass
    from virtquorum.check.relaxng.node import Definition, Node

__all__ = ["Automaton", "Opening", "State", "Step"]

_SPACE: Final = " \t\r\n"
#: How long a value is kept, in characters, and how many of one attribute are.
_VALUE_LENGTH: Final = 80
_VALUES: Final = 256
#: How many names of elements, and of attributes, are kept with a state.
_NAMES: Final = 2_000
#: A tuple of patterns counts for this in the measure of what is kept.
_STATE_SIZE: Final = 4


class State:
    """Some patterns that are followed side by side.

    ``accepts`` are those that may end here, ``alive`` those that are still
    possible, ``valued`` says that a text must be compared, and ``takes_text``
    which may end behind any text where it need not be.
    """

    __slots__ = (
        "accepts",
        "after_text",
        "alive",
        "closed",
        "leaves",
        "opens",
        "patterns",
        "steps",
        "takes_text",
        "valued",
    )

    def __init__(self, patterns: tuple[Pattern, ...]) -> None:
        self.patterns = patterns
        self.accepts = _mask(one.nullable for one in patterns)
        self.alive = _mask(one is not NOT_ALLOWED for one in patterns)
        self.valued = any(one.valued for one in patterns)
        self.opens: dict[str, Opening | None] = {}
        self.steps: dict[str, Step | None] = {}
        self.leaves: dict[str, int] = {}
        self.closed: State | None = None if any(one.attributed for one in patterns) else self
        #: The state behind a text between elements; False until it is known.
        self.after_text: State | bool | None = False
        self.takes_text = -1


class Opening:
    """A start tag: the content to follow, and the state behind the end tag."""

    __slots__ = ("_automaton", "_joined", "_rests", "child")

    def __init__(
        self, automaton: Automaton, child: State, rests: tuple[tuple[Pattern, ...], ...]
    ) -> None:
        self._automaton = automaton
        self.child = child
        self._rests = rests
        self._joined: dict[int, State] = {}

    def after(self, mask: int) -> State:
        """The state behind the end tag, where the contents of a mask have fitted."""
        found = self._joined.get(mask)
        if found is None:
            found = self._joined[mask] = self._automaton.united(self._rests, mask)
        return found


class Step:
    """An attribute: the contents that it may have, and the state behind each."""

    __slots__ = ("_automaton", "_joined", "_kept", "_rests", "contents", "known")

    def __init__(
        self,
        automaton: Automaton,
        contents: tuple[Pattern, ...],
        rests: tuple[tuple[Pattern, ...], ...],
    ) -> None:
        self._automaton = automaton
        self.contents = contents
        self._rests = rests
        self._joined: dict[int, State] = {}
        self._kept = not any(map(_contextual, contents))
        #: The states behind values that have been seen; None for a value that is wrong.
        self.known: dict[str, State | None] = {}

    def after(self, value: str, scope: Mapping[str, str]) -> State | None:
        """The state behind the attribute with a value; None where the value is wrong."""
        matches = self._automaton.patterns.matches
        mask = _mask(matches(one, value, scope) for one in self.contents)
        state = self.joined(mask) if mask else None
        if self._kept and len(value) <= _VALUE_LENGTH and len(self.known) < _VALUES:
            self.known[value] = state
            self._automaton.patterns.size += 1
        return state

    def joined(self, mask: int = -1) -> State:
        """The state behind the attribute, where the contents of a mask have fitted."""
        found = self._joined.get(mask)
        if found is None:
            found = self._joined[mask] = self._automaton.united(self._rests, mask)
        return found


class Automaton:
    """The states of one grammar."""

    def __init__(self, start: Node) -> None:
        self.patterns = Patterns()
        self._definitions: dict[Definition, Pattern] = {}
        self._states: dict[tuple[Pattern, ...], State] = {}
        self._loosened: dict[State, State] = {}
        self.start = self.state((self.compiled(start),))

    # From nodes to patterns.

    def compiled(self, node: Node) -> Pattern:
        """The pattern of a node; the content of elements is left for later."""
        patterns = self.patterns
        match node.kind:
            case "ref":
                return self._defined(node.definition)
            case "choice":
                return patterns.choice([self.compiled(one) for one in node.children])
            case "group":
                return patterns.group([self.compiled(one) for one in node.children])
            case "interleave":
                return patterns.interleave([self.compiled(one) for one in node.children])
            case "oneOrMore":
                return patterns.one_or_more(self.compiled(node.children[0]))
            case "element":
                assert node.name_class is not None
                return Element(
                    node.name_class, lambda: self.compiled(node.children[0]), node.number
                )
            case "attribute":
                return self._attribute(node.name_class, self.compiled(node.children[0]))
            case "empty":
                return EMPTY
            case "text":
                return TEXT
            case "notAllowed":
                return NOT_ALLOWED
        return self._data(node)

    def _attribute(self, name_class: NameClass | None, content: Pattern) -> Pattern:
        assert name_class is not None
        return NOT_ALLOWED if content is NOT_ALLOWED else Attribute(name_class, content)

    def _data(self, node: Node) -> Pattern:
        if node.kind == "list":
            content = self.compiled(node.children[0])
            return NOT_ALLOWED if content is NOT_ALLOWED else List(content)
        assert node.datatype is not None
        if node.kind == "value":
            return Value(node.datatype, node.text, node.value, node.number)
        but = self.patterns.choice([self.compiled(one) for one in node.children])
        return Data(node.datatype, None if but is NOT_ALLOWED else but)

    def _defined(self, definition: Definition | None) -> Pattern:
        assert definition is not None
        found = self._definitions.get(definition)
        if found is None:
            assert definition.node is not None
            found = self._definitions[definition] = self.compiled(definition.node)
        return found

    # From state to state.

    def state(self, patterns: tuple[Pattern, ...]) -> State:
        """The state of some patterns."""
        found = self._states.get(patterns)
        if found is None:
            found = self._states[patterns] = State(patterns)
            self.patterns.size += _STATE_SIZE + len(patterns)
        return found

    def united(self, rests: tuple[tuple[Pattern, ...], ...], mask: int) -> State:
        """The state in which each place has a choice of what it has in the rests of a mask."""
        kept = [rest for number, rest in enumerate(rests) if mask >> number & 1]
        if len(kept) == 1:
            return self.state(kept[0])
        choice = self.patterns.choice
        return self.state(tuple(choice(column) for column in zip(*kept, strict=True)))

    def either(self, one: State, other: State) -> State:
        """The state in which either of two may be."""
        pairs = zip(one.patterns, other.patterns, strict=True)
        return self.state(tuple(self.patterns.choice(pair) for pair in pairs))

    def opening(self, state: State, name: str) -> Opening | None:
        """The start tag of an element in a state; None where it is not allowed."""
        if name in state.opens:
            return state.opens[name]
        patterns = self.patterns
        found = self._opened(state, [one.elements(name, patterns) for one in state.patterns])
        if len(state.opens) < _NAMES:
            state.opens[name] = found
            patterns.size += _STATE_SIZE
        return found

    def skipping(self, state: State, name: str) -> Opening | None:
        """The start tag of an element before which others have been left out."""
        patterns = self.patterns
        return self._opened(state, [skipping(one, name, patterns) for one in state.patterns])

    def loosened(self, state: State) -> State:
        """The state behind a start tag as if any attributes had been there."""
        found = self._loosened.get(state)
        if found is None:
            patterns = self.patterns
            found = self.state(tuple(loosened(one, patterns) for one in state.patterns))
            self._loosened[state] = found
        return found

    def _opened(self, state: State, found: list[dict[Element, Pattern]]) -> Opening | None:
        patterns = self.patterns
        rests: dict[Pattern, list[Pattern]] = {}
        for number, elements in enumerate(found):
            for element, rest in elements.items():
                content = element.content
                if content is NOT_ALLOWED:
                    continue
                row = rests.setdefault(content, [NOT_ALLOWED] * len(state.patterns))
                row[number] = patterns.choice((row[number], rest))
        if not rests:
            return None
        rows = tuple(tuple(row) for row in rests.values())
        return Opening(self, self.state(tuple(rests)), rows)

    def step(self, state: State, name: str) -> Step | None:
        """An attribute in a state; None where it is not allowed."""
        if name in state.steps:
            return state.steps[name]
        patterns = self.patterns
        rests: dict[Pattern, list[Pattern]] = {}
        for number, pattern in enumerate(state.patterns):
            if not pattern.attributed:
                continue
            for attribute, rest in pattern.attributes(name, patterns).items():
                row = rests.setdefault(attribute.content, [NOT_ALLOWED] * len(state.patterns))
                row[number] = patterns.choice((row[number], rest))
        found = None
        if rests:
            found = Step(self, tuple(rests), tuple(tuple(row) for row in rests.values()))
        if len(state.steps) < _NAMES:
            state.steps[name] = found
            patterns.size += _STATE_SIZE
        return found

    def closed(self, state: State) -> State:
        """The state behind a start tag; it has ``alive`` 0 where attributes are missing."""
        if state.closed is None:
            patterns = self.patterns
            state.closed = self.state(tuple(one.closed(patterns) for one in state.patterns))
        return state.closed

    def after_text(self, state: State) -> State | None:
        """The state behind a text between elements; None where it is not allowed."""
        if state.after_text is False:
            patterns = self.patterns
            after = self.state(tuple(one.text(None, {}, patterns) for one in state.patterns))
            state.after_text = after if after.alive else None
        assert not isinstance(state.after_text, bool)
        return state.after_text

    def leaf(self, state: State, text: str, scope: Mapping[str, str]) -> int:
        """Which contents an element fits that has a text and no elements (a mask)."""
        if not state.valued:
            if not text.strip(_SPACE):
                return state.accepts
            if state.takes_text < 0:
                after = self.after_text(state)
                state.takes_text = after.accepts if after else 0
            return state.takes_text
        mask = state.leaves.get(text)
        if mask is None:
            matches = self.patterns.matches
            mask = _mask(matches(one, text, scope) for one in state.patterns)
            if (
                len(text) <= _VALUE_LENGTH
                and len(state.leaves) < _VALUES
                and not any(map(_contextual, state.patterns))
            ):
                state.leaves[text] = mask
                self.patterns.size += 1
        return mask


def _mask(bits: Iterable[bool]) -> int:
    mask = 0
    for number, bit in enumerate(bits):
        if bit:
            mask |= 1 << number
    return mask


def _contextual(pattern: Pattern) -> bool:
    """Whether the namespaces around a text matter."""
    rest = [pattern]
    while rest:
        one = rest.pop()
        if isinstance(one, Data | Value) and one.datatype.contextual:
            return True
        if isinstance(one, Data) and one.but is not None:
            rest.append(one.but)
        elif isinstance(one, List):
            rest.append(one.content)
        rest += one.members
    return False
