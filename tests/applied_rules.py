"""Rules applied to a text by themselves, without grammar; and their fixes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.check.fixes import apply
from virtquorum.check.place import Placer
from virtquorum.check.rule import positions
from virtquorum.check.rules import RULES, rule
from virtquorum.model.image import Quorum
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from virtquorum.check.finding import Finding
    from virtquorum.check.rule import Problem


def found(text: str, codes: Iterable[str]) -> list[Finding]:
    """What the rules of these codes find, in order of place."""
    domain = Domain.from_text(text)
    placer = Placer(domain.document)
    return sorted(
        placer.finding(code, problem.severity or rule(code).severity, problem)
        for code in codes
        for problem in _problems(domain, code)
    )


def _problems(domain: Domain, code: str) -> Iterator[Problem]:
    subject = RULES[code][1]
    check = rule(code).check
    assert check is not None
    if subject in ("document", "lowered"):
        if rule(code).hint in domain.document.data:
            yield from check(domain.document.root)  # type: ignore[arg-type]
    elif subject == "disks":
        yield from check(domain.disks)  # type: ignore[arg-type]
    else:
        for disk in domain.disks:
            if subject == "disk":
                yield from check(disk)  # type: ignore[arg-type]
                continue
            for position in positions(disk):
                if subject == "image" or isinstance(position.image.source, Quorum):
                    yield from check(position)  # type: ignore[arg-type]


def codes_found(text: str, codes: Iterable[str]) -> list[str]:
    """The codes of what the rules find, in order of place."""
    return [one.rule for one in found(text, codes)]


def underlined(text: str, finding: Finding) -> str:
    """The text that a finding on one line points at."""
    assert finding.line == finding.end_line
    line = text.split("\n")[finding.line - 1]
    return line[finding.column - 1 : finding.end_column - 1]


def fixed(text: str, findings: Iterable[Finding]) -> str:
    """The text with the fixes of findings in it, each of which must have one."""
    chosen = list(findings)
    new, mended = apply(text.encode(), chosen)
    assert mended == chosen
    return new.decode()
