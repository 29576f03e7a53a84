"""Findings as SARIF 2.1.0, the OASIS format that code scanning services and editors read."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from virtquorum import __version__
from virtquorum.check.rules import RULES, rule
from virtquorum.json_text import json_text
from virtquorum.report.fingerprint import fingerprints, relative

if TYPE_CHECKING:
    from collections.abc import Mapping

    from virtquorum.check.finding import Finding, Fix
    from virtquorum.json_text import Json
    from virtquorum.report.report import FileResult, Run

__all__ = ["report"]

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


def report(run: Run, *, ascii_only: bool = False) -> str:
    """The whole run as one SARIF log with one run."""
    found = [one for file in run.files for one in file.findings]
    codes = {code: number for number, code in enumerate(sorted({one.rule for one in found}))}
    artifacts = {path: number for number, path in enumerate({one.path: None for one in run.files})}
    log: Json = {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "virtquorum",
                        "version": __version__,
                        "rules": [_descriptor(code) for code in codes],
                    }
                },
                "invocations": [_invocation(run)],
                "columnKind": "unicodeCodePoints",
                "newlineSequences": ["\r\n", "\n", "\r"],
                "artifacts": [{"location": {"uri": _uri(path)}} for path in artifacts],
                "results": [
                    _result(one, mark, codes[one.rule], artifacts)
                    for one, mark in fingerprints(found)
                ],
            }
        ],
    }
    return json_text(log, indent=2, ascii_only=ascii_only) + "\n"


def _descriptor(code: str) -> dict[str, Json]:
    """What a rule is; only its code where the table does not have it."""
    if code not in RULES:
        return {"id": code}
    found = rule(code)
    text = found.documentation.strip()
    first = " ".join(text.split("\n\n")[0].split())
    return {
        "id": code,
        "name": found.name,
        "shortDescription": {"text": found.title},
        "fullDescription": {"text": first or found.title},
        "help": {"text": text or found.title, "markdown": text or found.title},
        "defaultConfiguration": {"level": found.severity.value},
    }


def _invocation(run: Run) -> dict[str, Json]:
    """How the run went: files that could not be read, and the remarks."""
    said: list[Json] = [_unreadable(file) for file in run.files if not file.checked]
    said += [{"level": "note", "message": {"text": remark}} for remark in run.remarks]
    return {
        "executionSuccessful": all(file.checked for file in run.files),
        "toolExecutionNotifications": said,
    }


def _unreadable(file: FileResult) -> dict[str, Json]:
    message = file.findings[0].message if file.findings else "the file could not be checked"
    return {
        "level": "error",
        "message": {"text": message},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": _uri(file.path)}}}],
    }


def _result(
    finding: Finding, mark: str, number: int, artifacts: Mapping[str, int]
) -> dict[str, Json]:
    text = finding.message
    if finding.expected is not None:
        text += f"; expected: {finding.expected}"
    artifact: dict[str, Json] = {"uri": _uri(finding.file)}
    if finding.file in artifacts:
        artifact["index"] = artifacts[finding.file]
    location: dict[str, Json] = {
        "physicalLocation": {"artifactLocation": artifact, "region": _region(finding)}
    }
    if finding.path:
        location["logicalLocations"] = [{"fullyQualifiedName": finding.path, "kind": "element"}]
    result: dict[str, Json] = {
        "ruleId": finding.rule,
        "ruleIndex": number,
        "level": finding.severity.value,
        "message": {"text": text},
        "locations": [location],
        "partialFingerprints": {"virtquorum/v1": mark},
    }
    if finding.fix is not None and finding.fix.edits:
        result["fixes"] = [_fix(finding.fix, finding.file)]
    return result


def _region(finding: Finding) -> dict[str, Json]:
    return {
        "startLine": finding.line,
        "startColumn": finding.column,
        "endLine": finding.end_line,
        "endColumn": finding.end_column,
    }


def _fix(fix: Fix, file: str) -> dict[str, Json]:
    replacements: list[Json] = [
        {
            "deletedRegion": {
                "startLine": edit.line,
                "startColumn": edit.column,
                "endLine": edit.end_line,
                "endColumn": edit.end_column,
            },
            "insertedContent": {"text": edit.text},
        }
        for edit in fix.edits
    ]
    return {
        "description": {"text": fix.description},
        "artifactChanges": [
            {"artifactLocation": {"uri": _uri(file)}, "replacements": replacements}
        ],
    }


def _uri(path: str) -> str:
    """A path as a URI reference: relative as it was given, or with the scheme 'file'."""
    quoted = quote(relative(path), safe="/", errors="surrogateescape")
    return f"file://{quoted}" if quoted.startswith("/") else quoted
