"""Findings as JUnit XML: a test case for each file, as Jenkins, GitLab and others read it.

The text is ASCII, with references for all other characters, so that it is
right in whatever encoding it is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.check.finding import Severity
from virtquorum.printable import printable
from virtquorum.report.human import human_finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from virtquorum.check.finding import Finding
    from virtquorum.report.report import FileResult, Run

__all__ = ["report"]

_NAME = "virtquorum validate"
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"})


def report(run: Run, *, ascii_only: bool = True) -> str:
    """The whole run as one XML document; it is ASCII in any case."""
    errors = sum(not file.checked for file in run.files)
    failures = sum(file.checked and not file.valid for file in run.files)
    counts = (
        f'tests="{len(run.files)}" failures="{failures}" errors="{errors}" time="{run.seconds:.3f}"'
    )
    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    lines.append(f'<testsuites name="{_NAME}" {counts}>')
    lines.append(f'  <testsuite name="{_NAME}" {counts} skipped="0">')
    for file in run.files:
        lines += _case(file)
    if run.remarks:
        said = "".join(f"{one}\n" for one in run.remarks)
        lines.append(f"    <system-out>{_text(said)}</system-out>")
    lines += ["  </testsuite>", "</testsuites>", ""]
    return "\n".join(lines).encode("ascii", "xmlcharrefreplace").decode()


def _case(file: FileResult) -> Iterator[str]:
    """A file: its errors are one failure, since readers show only the first of several."""
    errors = [one for one in file.findings if one.severity is Severity.ERROR]
    others = [one for one in file.findings if one.severity is not Severity.ERROR]
    start = f'    <testcase classname="{_NAME}" name={_attribute(file.path)}'
    if not file.findings and file.valid and file.checked:
        yield f"{start}/>"
        return
    yield f"{start}>"
    if not (file.valid and file.checked):
        name = "failure" if file.checked else "error"
        yield f"      <{name}{_about(errors)}>{_bodies(errors)}</{name}>"
    if others:
        yield f"      <system-out>{_bodies(others)}</system-out>"
    yield "    </testcase>"


def _about(errors: Sequence[Finding]) -> str:
    """The attributes of a failure: the first error, and how many follow."""
    if not errors:
        return ""
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    message = f"{errors[0].line}:{errors[0].column}: {errors[0].message}{more}"
    return f" type={_attribute(errors[0].rule)} message={_attribute(message)}"


def _bodies(findings: Sequence[Finding]) -> str:
    """The findings as people read them."""
    return _text("\n".join(human_finding(one) for one in findings).rstrip("\n"))


def _attribute(text: str) -> str:
    return f'"{printable(text).translate(_ESCAPES)}"'


def _text(text: str) -> str:
    # All that XML has no characters for is not printable, so it is shown as an escape.
    return printable(text, keep="\n").translate(_ESCAPES)
