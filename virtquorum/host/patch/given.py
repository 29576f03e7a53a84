"""The places of findings: in what a person gave, since the XML as it would become is nowhere."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from virtquorum.check.place import Placer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from virtquorum.check.finding import Finding
    from virtquorum.xml.document import Element

__all__ = ["Given", "at_given"]

#: Lines of XML that nobody has.
_LINE: Final = re.compile(r",? in line \d+")
_STEP: Final = re.compile(r"([^\[\].]+)(?:\[(\d+)\])?")
_ATTRIBUTE: Final = re.compile(r"[^\s=<>'\"]+(?=\s*=)")


class Given(NamedTuple):
    """What a change was given with: an element of a file, or an option, whose words ``name`` is."""

    name: str
    element: Element | None = None


def at_given(finding: Finding, new: Mapping[str, Given], otherwise: str) -> Finding:
    """A finding of a document as it would become, with a place that a person can look at.

    ``new`` tells by what the elements were given that a change brings in or
    sets, by their paths.  A finding without a place in XML, as those are that
    are about the domain as a whole (``otherwise`` says which), has the line 0.
    """
    message = _LINE.sub("", finding.message)
    for path, given in new.items():
        if finding.path != path and not finding.path.startswith(f"{path}."):
            continue
        if given.element is None:
            return _without_place(finding, message, given.name)
        return _in_xml(finding, message, given.element, finding.path[len(path) + 1 :])
    return _without_place(finding, message, otherwise)


def _without_place(finding: Finding, message: str, name: str) -> Finding:
    return replace(
        finding, file=name, line=0, column=0, end_line=0, end_column=0, message=message, path="",
        fix=None, excerpt=None,
    )  # fmt: skip


def _in_xml(finding: Finding, message: str, root: Element, way: str) -> Finding:
    """The finding at the element that the way leads to from the root, as it was given."""
    found, is_there = root, True
    for name, number in _STEP.findall(way):
        below = found.elements(name)
        is_there = int(number or 0) < len(below)
        if not is_there:
            break
        found = below[int(number or 0)]
    start, stop = found.start, found.content
    spans = found.attribute_spans()
    if is_there and (name := _attribute(finding)) in spans:
        start, _, stop = spans[name]
    return Placer(found.document).between(
        finding.rule, finding.severity, message, start, stop, finding.expected, path=found.path
    )


def _attribute(finding: Finding) -> str:
    """The name of the attribute that a finding is at, '' for none."""
    if finding.excerpt is None:
        return ""
    text = finding.excerpt.text[finding.column - finding.excerpt.first :]
    match = _ATTRIBUTE.match(text)
    return match[0] if match is not None else ""
