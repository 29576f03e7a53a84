"""Findings as GitLab's code quality report, which its merge requests show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.check.finding import Severity
from virtquorum.json_text import json_text
from virtquorum.report.fingerprint import fingerprints, relative

if TYPE_CHECKING:
    from virtquorum.check.finding import Finding
    from virtquorum.json_text import Json
    from virtquorum.report.report import Run

__all__ = ["report"]

_SEVERITIES = {Severity.ERROR: "critical", Severity.WARNING: "minor", Severity.NOTE: "info"}
#: A file that could not be checked at all.
_UNREADABLE = "blocker"


def report(run: Run, *, ascii_only: bool = False) -> str:
    """The whole run as one JSON array; it is empty if there are no findings.

    Remarks have no place in this format.
    """
    every = [(one, file.checked) for file in run.files for one in file.findings]
    marks = [mark for _, mark in fingerprints(one for one, _ in every)]
    issues: list[Json] = [
        _issue(one, mark, _SEVERITIES[one.severity] if checked else _UNREADABLE)
        for (one, checked), mark in zip(every, marks, strict=True)
    ]
    return json_text(issues, indent=2, ascii_only=ascii_only) + "\n"


def _issue(finding: Finding, mark: str, severity: str) -> dict[str, Json]:
    expected = "" if finding.expected is None else f" (expected: {finding.expected})"
    # An end at the beginning of a line takes nothing of that line.
    end = finding.end_line - (finding.end_column == 1 and finding.end_line > finding.line)
    return {
        "description": finding.message + expected,
        "check_name": finding.rule,
        "fingerprint": mark,
        "severity": severity,
        "location": {
            "path": relative(finding.file),
            "lines": {"begin": finding.line, "end": end},
        },
    }
