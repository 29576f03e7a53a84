"""Findings as JSON, for programs; the schema is ``schemas/findings.schema.json``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.json_text import json_text
from virtquorum.report.counts import Counts

if TYPE_CHECKING:
    from virtquorum.check.finding import Finding, Fix
    from virtquorum.json_text import Json
    from virtquorum.report.report import FileResult, Run

__all__ = ["VERSION", "report", "run_json"]

#: The version of the schema; it changes when a program that reads it must.
VERSION = 1


def report(run: Run, *, ascii_only: bool = False) -> str:
    """The whole run as one JSON text."""
    return json_text(run_json(run), indent=2, ascii_only=ascii_only) + "\n"


def run_json(run: Run) -> dict[str, Json]:
    """A run as the schema says."""
    counts = Counts.from_run(run)
    return {
        "version": VERSION,
        "files": [_file(one) for one in run.files],
        "summary": {
            "files": len(run.files),
            "valid": counts.valid,
            "invalid": counts.invalid,
            "unreadable": counts.unreadable,
            "findings": {severity.value: number for severity, number in counts.findings.items()},
            "fixable": counts.fixable,
            "hidden": run.hidden,
            "remarks": list(run.remarks),
        },
    }


def _file(result: FileResult) -> dict[str, Json]:
    return {
        "path": result.path,
        "valid": result.valid,
        "checked": result.checked,
        "findings": [_finding(one) for one in result.findings],
    }


def _finding(finding: Finding) -> dict[str, Json]:
    return {
        "rule": finding.rule,
        "severity": finding.severity.value,
        "line": finding.line,
        "column": finding.column,
        "end_line": finding.end_line,
        "end_column": finding.end_column,
        "path": finding.path,
        "message": finding.message,
        "expected": finding.expected,
        "fix": _fix(finding.fix) if finding.fix is not None else None,
    }


def _fix(fix: Fix) -> dict[str, Json]:
    return {
        "description": fix.description,
        "edits": [
            {
                "line": edit.line,
                "column": edit.column,
                "end_line": edit.end_line,
                "end_column": edit.end_column,
                "text": edit.text,
            }
            for edit in fix.edits
        ],
    }
