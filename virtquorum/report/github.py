"""Findings as GitHub's workflow commands, which become annotations of a pull request.

GitHub shows the first ten annotations of each type in a step; all lines stay
in the log, and a notice at the top says so where there are more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.check.finding import Severity
from virtquorum.check.rules import RULES
from virtquorum.printable import printable
from virtquorum.report.counts import Counts
from virtquorum.report.fingerprint import relative

if TYPE_CHECKING:
    from virtquorum.check.finding import Finding
    from virtquorum.report.report import Run

__all__ = ["SHOWN", "report"]

#: How many annotations of a type GitHub shows for a step.
SHOWN = 10

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def report(run: Run, *, ascii_only: bool = False) -> str:
    """The whole run, a command on each line."""
    lines = [
        _command("notice", {"title": "virtquorum"}, f"{what}; GitHub shows {SHOWN} of a step")
        for severity, number in Counts.from_run(run).findings.items()
        if number > SHOWN and (what := f"the log has {number} {severity.value}s")
    ]
    lines += [_finding(one) for file in run.files for one in file.findings]
    lines += [_command("notice", {"title": "virtquorum"}, remark) for remark in run.remarks]
    text = "".join(f"{line}\n" for line in lines)
    return text.encode("ascii", "backslashreplace").decode() if ascii_only else text


def _finding(finding: Finding) -> str:
    name = RULES.get(finding.rule, ("", ""))[0]
    # An end at the beginning of a line takes nothing of that line.
    end_line = finding.end_line - (finding.end_column == 1 and finding.end_line > finding.line)
    properties = {
        "file": relative(finding.file),
        "line": str(finding.line),
        "endLine": str(end_line),
    }
    if finding.line == finding.end_line:
        # GitHub takes columns only within a line.
        properties["col"] = str(finding.column)
        properties["endColumn"] = str(max(finding.column, finding.end_column))
    properties["title"] = f"{finding.rule} {name}".rstrip()
    text = finding.message
    if finding.expected is not None:
        text += f"\nexpected: {finding.expected}"
    if finding.fix is not None:
        text += f"\nfix: {finding.fix.description}"
    return _command(_COMMANDS[finding.severity], properties, text)


def _command(name: str, properties: dict[str, str], text: str) -> str:
    said = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{name} {said}::{_data(text)}"


def _data(text: str) -> str:
    text = printable(text, keep="\r\n")
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
