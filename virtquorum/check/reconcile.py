"""Rules and grammar speak of one mistake once: who says it better.

A rule knows what follows from a mistake, so its words take the place of the
grammar's about the same thing.  Where something is missing because it is
misspelled, the grammar has seen the misspelling, and takes the rule's place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Rule
from virtquorum.check.rules import rule
from virtquorum.xml.document import Element

if TYPE_CHECKING:
    from collections.abc import Sequence

    from virtquorum.check.relaxng import Mistake

__all__ = ["reconciled"]

#: Rules about something that is missing, and what it is called: an element or attribute that is
#: not allowed near by, where one of these may be, is it.
_ABSENT: Final = {
    "VQ101": {"threshold"},
    "VQ203": {"type"},
    "VQ204": {"format", "type"},
    "VQ208": {"source", "file", "dev"},
    "VQ302": {"target", "dev"},
}
#: Rules that follow where an image's type is wrong, or is not the quorum that was meant.
_OF_NO_QUORUM: Final = frozenset({"VQ112", "VQ202"})
#: The attributes whose values can contradict each other; which of them is blamed is chance.
_POLICIES: Final = ("read_pattern", "rewrite_corrupted", "blkverify")
_NOT_ALLOWED: Final = ("element-not-allowed", "attribute-not-allowed")

_Found = list[tuple[Rule, Problem]]


def reconciled(problems: Sequence[tuple[Rule, Problem]], mistakes: Sequence[Mistake]) -> _Found:
    """The rules' problems and the explainer's mistakes, each thing once."""
    if not mistakes:
        return _without_followers(problems, set())
    near: dict[int, set[str]] = {}  # by element, what may be where something is not allowed
    untyped: set[int] = set()
    for mistake in mistakes:
        if mistake.kind in _NOT_ALLOWED and mistake.choices:
            names = {name.strip("<>") for name in mistake.choices}
            for element in _around(mistake):
                near.setdefault(id(element), set()).update(names)
        if mistake.kind == "attribute-value" and mistake.attribute == "type":
            untyped.add(id(mistake.element))
    kept = [
        (one, problem)
        for one, problem in problems
        if not (one.code in _ABSENT and _ABSENT[one.code] & near.get(id(problem.element), set()))
    ]
    kept = _without_followers(kept, untyped)
    return kept + _of_grammar(mistakes, problems)


def _around(mistake: Mistake) -> list[Element]:
    """The elements in which, or on which, a thing is not allowed."""
    element = mistake.element
    if mistake.attribute is not None:
        # <target dv='vda'>: the <disk> lacks a target with a dev; <driver type='qcow2'>, a format.
        return [element, *_parent(element)]
    return _parent(element)


def _parent(element: Element) -> list[Element]:
    return [element.parent] if isinstance(element.parent, Element) else []


def _without_followers(problems: Sequence[tuple[Rule, Problem]], untyped: set[int]) -> _Found:
    """Without what only follows from a wrong type, or from a quorum that is not called one."""
    meant = {
        id(problem.element)
        for one, problem in problems
        if one.code == "VQ112" and problem.attribute == "threshold"
    }
    kept = []
    for one, problem in problems:
        if one.code in _OF_NO_QUORUM:
            own = {id(problem.element), *map(id, _parent(problem.element))}
            if own & untyped:
                continue
            if own & meant and not (one.code == "VQ112" and problem.attribute == "threshold"):
                continue
        kept.append((one, problem))
    return kept


def _of_grammar(mistakes: Sequence[Mistake], problems: Sequence[tuple[Rule, Problem]]) -> _Found:
    """The explainer's mistakes as problems, without those that a rule puts better."""
    page = rule("VQ010")
    said: dict[tuple[int, str | None], list[str]] = {}
    lacking: dict[int, list[str]] = {}
    thresholds: set[int] = set()  # elements on or in which a rule speaks of a threshold
    dropped: set[int] = set()  # those of whose backing stores libvirt keeps only one
    for one, problem in problems:
        if (problem.severity or one.severity) is not Severity.ERROR:
            continue  # the document would pass
        if one.code in _ABSENT and one.code != "VQ101":
            # Of what is there these say nothing.
            lacking.setdefault(id(problem.element), []).append(problem.message)
            continue
        said.setdefault((id(problem.element), problem.attribute), []).append(problem.message)
        if one.code in ("VQ101", "VQ112", "VQ113") and "threshold" in str(problem.expected):
            thresholds |= {id(problem.element), *map(id, _parent(problem.element))}
        if one.code in _OF_NO_QUORUM:
            dropped |= {id(problem.element), *map(id, _parent(problem.element))}
    found = []
    for mistake in mistakes:
        element = mistake.element
        names = {name.strip("<>") for name in mistake.choices}
        if mistake.kind.endswith("missing") and "threshold" in names and id(element) in thresholds:
            continue
        if (
            mistake.kind == "element-not-allowed"
            and element.name == "backingStore"
            and dropped.intersection(map(id, _parent(element)))
        ):
            continue
        messages = said.get((id(element), mistake.attribute), [])
        if mistake.kind.startswith("text"):
            messages = []
        if mistake.kind.endswith("missing"):
            messages = [*messages, *lacking.get(id(element), [])]
        if mistake.attribute in _POLICIES:
            messages = [word for name in _POLICIES for word in said.get((id(element), name), [])]
        if messages and _is_said(mistake, messages):
            continue
        found.append(
            (
                page,
                Problem(
                    element,
                    mistake.message,
                    mistake.attribute,
                    text=mistake.text,
                    expected=mistake.expected,
                ),
            )
        )
    return found


def _is_said(mistake: Mistake, messages: Sequence[str]) -> bool:
    """Whether one of a rule's messages about the same place is about the same thing."""
    if mistake.kind in ("attribute-missing", "element-missing"):
        return any(name.strip("<>") in word for name in mistake.choices for word in messages)
    return mistake.kind != "gave-up"
