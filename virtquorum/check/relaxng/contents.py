"""What patterns allow and need, to say it where a document has something else."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Final

from virtquorum.check.relaxng.pattern import (
    EMPTY,
    NOT_ALLOWED,
    Attribute,
    Choice,
    Data,
    Element,
    Group,
    Interleave,
    List,
    OneOrMore,
    Pattern,
    Text,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from virtquorum.check.relaxng.patterns import Patterns

__all__ = [
    "ANY",
    "TEXT_CONTENT",
    "attribute_names",
    "element_names",
    "leaves",
    "loosened",
    "required",
    "skipping",
    "takes_any_element",
]

#: Stands for a name that the grammar leaves open, and for a text that is needed.
ANY: Final = "*"
TEXT_CONTENT: Final = "#text"
#: How many alternatives are kept of what is needed.
_ALTERNATIVES: Final = 24


def _parts(patterns: Iterable[Pattern], *, first: bool = False) -> Iterator[Pattern]:
    """The patterns that others are made of; with ``first`` those that may come next."""
    rest = list(patterns)[::-1]
    seen = set()
    while rest:
        one = rest.pop()
        if one in seen:
            continue
        seen.add(one)
        if not one.members:
            yield one
        elif first and isinstance(one, Group):
            ahead = []
            for member in one.members:
                ahead.append(member)
                if not member.nullable:
                    break
            rest += ahead[::-1]
        else:
            rest += one.members[::-1]


def element_names(patterns: Iterable[Pattern]) -> list[str]:
    """The names that may come next, in the grammar's order; open name classes have none."""
    found = [one for one in _parts(patterns, first=True) if isinstance(one, Element)]
    found.sort(key=lambda one: one.order)
    names: dict[str, None] = {}
    for one in found:
        fresh = [name for name in one.name_class.names() if name not in names]
        if fresh and one.content is not NOT_ALLOWED:
            names.update(dict.fromkeys(fresh))
    return list(names)


def takes_any_element(patterns: Iterable[Pattern]) -> bool:
    """Whether an element may come next whose name the grammar leaves open."""
    return any(
        isinstance(one, Element) and one.name_class.open for one in _parts(patterns, first=True)
    )


def attribute_names(patterns: Iterable[Pattern]) -> list[str]:
    """The names of the attributes that may come, in the grammar's order."""
    names: dict[str, None] = {}
    for one in _parts(patterns):
        if isinstance(one, Attribute):
            names.update(dict.fromkeys(one.name_class.names()))
    return list(names)


def leaves(patterns: Iterable[Pattern]) -> list[Pattern]:
    """The data, values, lists and texts that patterns are made of."""
    return [one for one in _parts(patterns) if isinstance(one, Data | Value | List | Text)]


def required(pattern: Pattern, kind: type[Attribute | Element]) -> list[frozenset[str]]:
    """The smallest sets of names without which a pattern cannot end: alternatives of each other.

    An empty set among them says that nothing is needed.
    """
    if isinstance(pattern, Attribute | Element):
        if not isinstance(pattern, kind):
            return [frozenset()]
        if isinstance(pattern, Element) and pattern.content is NOT_ALLOWED:
            return []
        return [frozenset({name}) for name in pattern.name_class.names()] or [frozenset({ANY})]
    if pattern is NOT_ALLOWED:
        return []
    if kind is Element:
        if pattern.nullable:
            return [frozenset()]
        if not pattern.members:
            return [frozenset({TEXT_CONTENT})]
    elif not pattern.attributed:
        return [frozenset()]
    if isinstance(pattern, Choice):
        return _smallest(one for member in pattern.members for one in required(member, kind))
    found: list[frozenset[str]] = [frozenset()]
    for member in pattern.members:
        needed = required(member, kind)
        found = _smallest(one | other for one, other in product(found, needed))
    return found


def _smallest(given: Iterable[frozenset[str]]) -> list[frozenset[str]]:
    kept: list[frozenset[str]] = []
    for one in sorted(dict.fromkeys(given), key=len):
        if len(kept) < _ALTERNATIVES and not any(other <= one for other in kept):
            kept.append(one)
    return kept


def loosened(pattern: Pattern, patterns: Patterns) -> Pattern:
    """A pattern as if any attributes had been there: with every alternative that they choose."""
    if isinstance(pattern, Attribute):
        return EMPTY
    if not pattern.attributed:
        return pattern
    members = [loosened(one, patterns) for one in pattern.members]
    if isinstance(pattern, Choice):
        return patterns.choice(members)
    if isinstance(pattern, OneOrMore):
        return patterns.one_or_more(members[0])
    return patterns.group(members) if isinstance(pattern, Group) else patterns.interleave(members)


def skipping(pattern: Pattern, name: str, patterns: Patterns) -> dict[Element, Pattern]:
    """What ``Pattern.elements`` gives where elements that should come before have been left out."""
    if isinstance(pattern, Element):
        return pattern.elements(name, patterns)
    members = pattern.members
    found: dict[Element, Pattern] = {}
    for number, member in enumerate(members):
        for one, rest in skipping(member, name, patterns).items():
            if isinstance(pattern, Group):
                left = patterns.group((rest, *members[number + 1 :]))
            elif isinstance(pattern, Interleave):
                left = patterns.interleave((*members[:number], rest, *members[number + 1 :]))
            elif isinstance(pattern, OneOrMore):
                left = patterns.group((rest, patterns.choice((pattern, EMPTY))))
            else:
                left = rest
            found[one] = patterns.choice((found[one], left)) if one in found else left
    return found
