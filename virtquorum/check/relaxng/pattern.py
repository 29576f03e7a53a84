"""Patterns of a simplified grammar, interned, and their derivatives.

The derivatives are James Clark's ("An algorithm for RELAX NG validation"),
with one difference: where Clark's derivative by a start tag holds the content
of the new element and the rest of its parent in one *after* pattern, here
``elements`` gives for each element pattern that the tag may be the rest of
its parent.  So a mistake in an element cannot reach its parent, and the depth
of a document is in no pattern.

Choices, groups and interleaves have any number of members.  ``Patterns``
makes them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from virtquorum.check.relaxng.datatypes import Datatype
    from virtquorum.check.relaxng.name_class import NameClass
    from virtquorum.check.relaxng.patterns import Patterns

__all__ = [
    "EMPTY",
    "NOT_ALLOWED",
    "TEXT",
    "Attribute",
    "Choice",
    "Data",
    "Element",
    "Empty",
    "Group",
    "Interleave",
    "List",
    "NotAllowed",
    "OneOrMore",
    "Pattern",
    "Text",
    "Value",
]

#: What white space by XML's definition parts; str.split knows more of it.
_WORD: Final = re.compile("[^ \\t\\r\\n]+")


class Pattern:
    """A pattern; ``nullable`` says that it takes no content at all.

    ``attributed`` says that there are attribute patterns in it, ``valued``
    that there is data, a value or a list.
    """

    __slots__ = ()
    nullable: bool = False
    attributed: bool = False
    valued: bool = False

    @property
    def members(self) -> tuple[Pattern, ...]:
        """The patterns that it is made of, not going into elements and attributes."""
        return ()

    def elements(self, name: str, patterns: Patterns) -> dict[Element, Pattern]:
        """The element patterns that may begin here with a name, and what is left behind each."""
        return {}

    def attributes(self, name: str, patterns: Patterns) -> dict[Attribute, Pattern]:
        """The attribute patterns that take a name, and what is left without each."""
        return {}

    def closed(self, patterns: Patterns) -> Pattern:
        """What is left where no more attributes come."""
        return self

    def text(self, text: str | None, scope: Mapping[str, str], patterns: Patterns) -> Pattern:
        """What is left behind a text; ``text`` is None for one that stands beside elements."""
        return NOT_ALLOWED


class Empty(Pattern):
    """No content."""

    __slots__ = ()
    nullable = True


class NotAllowed(Pattern):
    """Nothing at all."""

    __slots__ = ()


class Text(Pattern):
    """Any text."""

    __slots__ = ()
    nullable = True

    def text(self, text: str | None, scope: Mapping[str, str], patterns: Patterns) -> Pattern:
        """See Pattern, likewise below."""
        return self


EMPTY: Final = Empty()
NOT_ALLOWED: Final = NotAllowed()
TEXT: Final = Text()


class Data(Pattern):
    """A text of a datatype, but none that ``but`` takes."""

    __slots__ = ("but", "datatype")
    valued = True

    def __init__(self, datatype: Datatype, but: Pattern | None) -> None:
        self.datatype = datatype
        self.but = but

    def text(self, text: str | None, scope: Mapping[str, str], patterns: Patterns) -> Pattern:
        """See Pattern."""
        if text is None or not self.datatype.allows(text, scope):
            return NOT_ALLOWED
        if self.but is not None and patterns.matches(self.but, text, scope):
            return NOT_ALLOWED
        return EMPTY


class Value(Pattern):
    """One value of a datatype; ``written`` is how the grammar writes it, ``value`` what it is."""

    __slots__ = ("datatype", "order", "value", "written")
    valued = True

    def __init__(self, datatype: Datatype, written: str, value: object, order: int) -> None:
        self.datatype = datatype
        self.written = written
        self.value = value
        self.order = order

    def text(self, text: str | None, scope: Mapping[str, str], patterns: Patterns) -> Pattern:
        """See Pattern."""
        if text is None or not self.datatype.equal(self.value, text, scope):
            return NOT_ALLOWED
        return EMPTY


class List(Pattern):
    """Words between white space."""

    __slots__ = ("content",)
    valued = True

    def __init__(self, content: Pattern) -> None:
        self.content = content

    def text(self, text: str | None, scope: Mapping[str, str], patterns: Patterns) -> Pattern:
        """See Pattern."""
        if text is None:
            return NOT_ALLOWED
        rest = self.content
        for word in _WORD.findall(text):
            rest = rest.text(word, scope, patterns)
            if rest is NOT_ALLOWED:
                return NOT_ALLOWED
        return EMPTY if rest.nullable else NOT_ALLOWED


class Attribute(Pattern):
    """An attribute."""

    __slots__ = ("content", "name_class")
    attributed = True

    def __init__(self, name_class: NameClass, content: Pattern) -> None:
        self.name_class = name_class
        self.content = content

    def attributes(self, name: str, patterns: Patterns) -> dict[Attribute, Pattern]:
        """See Pattern."""
        return {self: EMPTY} if self.name_class.contains(name) else {}

    def closed(self, patterns: Patterns) -> Pattern:
        """See Pattern."""
        return NOT_ALLOWED


class Element(Pattern):
    """An element; its content is made when it is first asked for."""

    __slots__ = ("_content", "_make", "name_class", "order")

    def __init__(self, name_class: NameClass, make: Callable[[], Pattern], order: int) -> None:
        self.name_class = name_class
        self.order = order
        self._make = make
        self._content: Pattern | None = None

    @property
    def content(self) -> Pattern:
        """Attributes and content."""
        if self._content is None:
            self._content = self._make()
        return self._content

    def elements(self, name: str, patterns: Patterns) -> dict[Element, Pattern]:
        """See Pattern."""
        return {self: EMPTY} if self.name_class.contains(name) else {}


class OneOrMore(Pattern):
    """A pattern once or more often."""

    __slots__ = ("attributed", "content", "nullable", "valued")

    def __init__(self, content: Pattern) -> None:
        self.content = content
        self.nullable = content.nullable
        self.attributed = content.attributed
        self.valued = content.valued

    @property
    def members(self) -> tuple[Pattern, ...]:
        """See Pattern."""
        return (self.content,)

    def elements(self, name: str, patterns: Patterns) -> dict[Element, Pattern]:
        """See Pattern."""
        found = self.content.elements(name, patterns)
        return {one: self._then(rest, patterns) for one, rest in found.items()}

    def attributes(self, name: str, patterns: Patterns) -> dict[Attribute, Pattern]:
        """See Pattern."""
        found = self.content.attributes(name, patterns)
        return {one: self._then(rest, patterns) for one, rest in found.items()}

    def closed(self, patterns: Patterns) -> Pattern:
        """See Pattern."""
        return patterns.one_or_more(self.content.closed(patterns)) if self.attributed else self

    def text(self, text: str | None, scope: Mapping[str, str], patterns: Patterns) -> Pattern:
        """See Pattern."""
        return self._then(self.content.text(text, scope, patterns), patterns)

    def _then(self, rest: Pattern, patterns: Patterns) -> Pattern:
        return patterns.group((rest, patterns.choice((self, EMPTY))))


class _Several(Pattern):
    """A pattern of two or more members."""

    __slots__ = ("_members", "attributed", "nullable", "valued")

    def __init__(self, members: tuple[Pattern, ...]) -> None:
        self._members = members
        self.attributed = any(one.attributed for one in members)
        self.valued = any(one.valued for one in members)

    @property
    def members(self) -> tuple[Pattern, ...]:
        """See Pattern."""
        return self._members


class Choice(_Several):
    """One of some patterns."""

    __slots__ = ()

    def __init__(self, members: tuple[Pattern, ...]) -> None:
        super().__init__(members)
        self.nullable = any(one.nullable for one in members)

    def elements(self, name: str, patterns: Patterns) -> dict[Element, Pattern]:
        """See Pattern."""
        found: dict[Element, Pattern] = {}
        for member in self._members:
            for one, rest in member.elements(name, patterns).items():
                found[one] = patterns.choice((found[one], rest)) if one in found else rest
        return found

    def attributes(self, name: str, patterns: Patterns) -> dict[Attribute, Pattern]:
        """See Pattern."""
        found: dict[Attribute, Pattern] = {}
        for member in self._members:
            if member.attributed:
                for one, rest in member.attributes(name, patterns).items():
                    found[one] = patterns.choice((found[one], rest)) if one in found else rest
        return found

    def closed(self, patterns: Patterns) -> Pattern:
        """See Pattern."""
        if not self.attributed:
            return self
        return patterns.choice(one.closed(patterns) for one in self._members)

    def text(self, text: str | None, scope: Mapping[str, str], patterns: Patterns) -> Pattern:
        """See Pattern."""
        return patterns.choice(one.text(text, scope, patterns) for one in self._members)


class _All(_Several):
    """A pattern that is complete when all members are."""

    __slots__ = ()

    def __init__(self, members: tuple[Pattern, ...]) -> None:
        super().__init__(members)
        self.nullable = all(one.nullable for one in members)

    def _join(self, patterns: Patterns, members: Iterable[Pattern]) -> Pattern:
        raise NotImplementedError

    def attributes(self, name: str, patterns: Patterns) -> dict[Attribute, Pattern]:
        """See Pattern.  Attributes have no order, so that a group is an interleave to them."""
        found: dict[Attribute, Pattern] = {}
        members = self._members
        for number, member in enumerate(members):
            if not member.attributed:
                continue
            for one, rest in member.attributes(name, patterns).items():
                left = self._join(patterns, (*members[:number], rest, *members[number + 1 :]))
                found[one] = patterns.choice((found[one], left)) if one in found else left
        return found

    def closed(self, patterns: Patterns) -> Pattern:
        """See Pattern."""
        if not self.attributed:
            return self
        return self._join(patterns, (one.closed(patterns) for one in self._members))


class Group(_All):
    """Some patterns one after the other."""

    __slots__ = ()

    def _join(self, patterns: Patterns, members: Iterable[Pattern]) -> Pattern:
        return patterns.group(members)

    def elements(self, name: str, patterns: Patterns) -> dict[Element, Pattern]:
        """See Pattern."""
        found: dict[Element, Pattern] = {}
        for number, member in enumerate(self._members):
            for one, rest in member.elements(name, patterns).items():
                left = patterns.group((rest, *self._members[number + 1 :]))
                found[one] = patterns.choice((found[one], left)) if one in found else left
            if not member.nullable:
                break
        return found

    def text(self, text: str | None, scope: Mapping[str, str], patterns: Patterns) -> Pattern:
        """See Pattern."""
        found: list[Pattern] = []
        for number, member in enumerate(self._members):
            rest = member.text(text, scope, patterns)
            if rest is not NOT_ALLOWED:
                found.append(patterns.group((rest, *self._members[number + 1 :])))
            if not member.nullable:
                break
        return patterns.choice(found)


class Interleave(_All):
    """Some patterns among each other."""

    __slots__ = ()

    def _join(self, patterns: Patterns, members: Iterable[Pattern]) -> Pattern:
        return patterns.interleave(members)

    def elements(self, name: str, patterns: Patterns) -> dict[Element, Pattern]:
        """See Pattern."""
        found: dict[Element, Pattern] = {}
        members = self._members
        for number, member in enumerate(members):
            for one, rest in member.elements(name, patterns).items():
                left = patterns.interleave((*members[:number], rest, *members[number + 1 :]))
                found[one] = patterns.choice((found[one], left)) if one in found else left
        return found

    def text(self, text: str | None, scope: Mapping[str, str], patterns: Patterns) -> Pattern:
        """See Pattern."""
        members = self._members
        found: list[Pattern] = []
        for number, member in enumerate(members):
            rest = member.text(text, scope, patterns)
            if rest is not NOT_ALLOWED:
                found.append(patterns.interleave((*members[:number], rest, *members[number + 1 :])))
        return patterns.choice(found)
