"""GitLab's code quality report against the constraints that GitLab documents."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from tests.report.runs import CLEAN, EMPTY, ODD, RUNS, SAMPLE
from virtquorum.check.finding import Finding, Severity
from virtquorum.report.gitlab import report
from virtquorum.report.report import FileResult, Run

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
SCHEMA: dict[str, Any] = json.loads((HERE / "gitlab-codequality.schema.json").read_text("utf-8"))
FINDING = SAMPLE.files[0].findings[0]


def errors(value: object) -> list[str]:
    return [
        f"{error.json_path}: {error.message}"
        for error in Draft202012Validator(SCHEMA).iter_errors(value)
    ]


def reported(run: Run) -> list[dict[str, Any]]:
    value: list[dict[str, Any]] = json.loads(report(run))
    # A message is never empty but for the tests' own hostile ones.
    assert [one for one in errors(value) if "'' should be non-empty" not in one] == []
    return value


def marks(*findings: Finding) -> list[str]:
    run = Run(files=(FileResult(path="web.xml", valid=False, findings=findings),))
    return [one["fingerprint"] for one in reported(run)]


def test_the_sample(golden: Callable[[Path, str], None]) -> None:
    golden(HERE / "reports" / "sample.gitlab.json", report(SAMPLE))
    assert errors(json.loads(report(SAMPLE))) == []


@pytest.mark.parametrize("run", [CLEAN, EMPTY])
def test_no_findings_are_an_empty_array(run: Run) -> None:
    assert report(run) == "[]\n"


@settings(max_examples=40)
@given(RUNS)
def test_any_run_is_as_documented_and_no_fingerprint_is_there_twice(run: Run) -> None:
    found = reported(run)
    assert len({one["fingerprint"] for one in found}) == len(found)
    assert len(found) == sum(len(file.findings) for file in run.files)
    assert report(run, ascii_only=True).isascii()


def test_hostile_text_is_kept() -> None:
    found = reported(ODD)
    for one, file in zip(found, ODD.files, strict=True):
        assert one["description"].startswith(file.findings[0].message)


def test_a_fingerprint_stays_when_lines_move() -> None:
    moved = replace(FINDING, line=90, end_line=90, column=3, end_column=4, excerpt=None)
    assert marks(FINDING) == marks(moved)
    said = replace(FINDING, message="the input ends inside <disk>, open since line 12")
    later = replace(FINDING, message="the input ends inside <disk>, open since line 31")
    assert marks(said) == marks(later)
    assert marks(replace(FINDING, file="./web.xml")) == marks(FINDING)


@pytest.mark.parametrize(
    "other",
    [{"file": "mail.xml"}, {"rule": "VQ106"}, {"path": "devices.disk[1]"}, {"message": "other"}],
)
def test_a_fingerprint_differs_where_the_finding_does(other: dict[str, Any]) -> None:
    assert marks(FINDING) != marks(replace(FINDING, **other))


def test_equal_findings_are_numbered() -> None:
    first, second, third = marks(FINDING, FINDING, FINDING)
    assert len({first, second, third}) == 3
    assert marks(FINDING, FINDING) == [first, second]


@pytest.mark.parametrize(
    ("severity", "checked", "said"),
    [
        (Severity.ERROR, True, "critical"),
        (Severity.WARNING, True, "minor"),
        (Severity.NOTE, True, "info"),
        (Severity.ERROR, False, "blocker"),
    ],
)
def test_severities(severity: Severity, checked: bool, said: str) -> None:
    findings = (replace(FINDING, severity=severity),)
    run = Run(files=(FileResult(path="x", valid=False, findings=findings, checked=checked),))
    assert [one["severity"] for one in reported(run)] == [said]


@pytest.mark.parametrize(
    ("end", "lines"),
    [
        ((4, 9), {"begin": 4, "end": 4}),
        ((6, 9), {"begin": 4, "end": 6}),
        ((6, 1), {"begin": 4, "end": 5}),
    ],
)
def test_lines(end: tuple[int, int], lines: dict[str, int]) -> None:
    finding = replace(FINDING, end_line=end[0], end_column=end[1])
    run = Run(files=(FileResult(path="x", valid=False, findings=(finding,)),))
    assert reported(run)[0]["location"] == {"path": "web.xml", "lines": lines}


def test_the_constraints_refuse_what_gitlab_does() -> None:
    (good, _) = reported(SAMPLE)
    for key in good:
        assert errors([{name: value for name, value in good.items() if name != key}]), key
    assert errors([{**good, "severity": "error"}])
    assert errors([{**good, "location": {"path": "./x", "lines": {"begin": 1}}}])
