"""The JSON report is what its published schema says, for any run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from tests.report.runs import CLEAN, DOCUMENT, EMPTY, ODD, RUNS, SAMPLE
from virtquorum.report.json_report import VERSION, report
from virtquorum.schema_files import schema_directory, schema_names

if TYPE_CHECKING:
    from collections.abc import Callable

    from virtquorum.report.report import Run

REPORTS = Path(__file__).with_name("reports")
SCHEMA: dict[str, Any] = json.loads(
    (Path(schema_directory()) / "findings.schema.json").read_text("utf-8")
)


def errors(value: object) -> list[str]:
    return [
        f"{error.json_path}: {error.message}"
        for error in Draft202012Validator(SCHEMA).iter_errors(value)
    ]


def reported(run: Run) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(report(run))
    assert errors(value) == []
    return value


def test_the_schema_says_what_everything_is() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert "findings.schema.json" in schema_names()
    rest: list[tuple[str, Any]] = [("$", SCHEMA), *SCHEMA["$defs"].items()]
    while rest:
        name, one = rest.pop()
        assert one.get("description"), f"{name} has no description"
        if "properties" in one:
            assert one["additionalProperties"] is False
            assert set(one["required"]) == set(one["properties"])
            rest += [(f"{name}.{key}", below) for key, below in one["properties"].items()]


def test_the_sample(golden: Callable[[Path, str], None]) -> None:
    golden(REPORTS / "sample.json", report(SAMPLE))
    reported(SAMPLE)


@pytest.mark.parametrize("run", [CLEAN, EMPTY, ODD])
def test_extreme_runs_are_as_the_schema_says(run: Run) -> None:
    reported(run)


@settings(max_examples=40)
@given(RUNS)
def test_any_run_is_as_the_schema_says_and_nothing_is_lost(run: Run) -> None:
    value = reported(run)
    assert [one["path"] for one in value["files"]] == [one.path for one in run.files]
    for file, result in zip(value["files"], run.files, strict=True):
        assert (file["valid"], file["checked"]) == (result.valid, result.checked)
        for entry, finding in zip(file["findings"], result.findings, strict=True):
            for key in ("rule", "line", "column", "end_line", "end_column", "path", "message"):
                assert entry[key] == getattr(finding, key)
            assert entry["severity"] == finding.severity.value
            assert entry["expected"] == finding.expected
            if finding.fix is None:
                assert entry["fix"] is None
            else:
                assert entry["fix"]["description"] == finding.fix.description
                texts = [edit.text for edit in finding.fix.edits]
                assert [edit["text"] for edit in entry["fix"]["edits"]] == texts
    summary = value["summary"]
    assert summary["files"] == sum(summary[key] for key in ("valid", "invalid", "unreadable"))
    assert sum(summary["findings"].values()) == sum(len(one.findings) for one in run.files)
    assert (summary["hidden"], summary["remarks"]) == (run.hidden, list(run.remarks))
    text = report(run, ascii_only=True)
    assert text.isascii()
    assert json.loads(text) == value


def test_an_edit_is_done_by_its_lines_and_columns() -> None:
    (edit,) = reported(SAMPLE)["files"][0]["findings"][1]["fix"]["edits"]
    lines = DOCUMENT.splitlines()
    assert edit["line"] == edit["end_line"]
    line = lines[edit["line"] - 1]
    done = line[: edit["column"] - 1] + edit["text"] + line[edit["end_column"] - 1 :]
    assert done == "      <driver type='quorum' read_pattern='fifo'/>"


@pytest.mark.parametrize(
    "change",
    [{"version": 2}, {"more": 1}, {"files": [{"path": "x"}]}, {"files": None}, {"summary": {}}],
)
def test_the_schema_refuses_what_is_not_reported(change: dict[str, object]) -> None:
    assert errors({**reported(EMPTY), **change})
    assert reported(EMPTY)["version"] == VERSION


def test_the_schema_refuses_places_and_severities_that_are_none() -> None:
    for key, value in [("line", 0), ("column", 0), ("severity", "fatal"), ("fix", "x")]:
        run = reported(SAMPLE)
        run["files"][0]["findings"][0][key] = value
        assert errors(run), key
