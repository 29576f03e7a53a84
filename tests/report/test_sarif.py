"""The SARIF report against the published schema of OASIS."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given, settings
from jsonschema import Draft7Validator

from tests.report.runs import CLEAN, DOCUMENT, EMPTY, ODD, RUNS, SAMPLE
from virtquorum.check.finding import Finding, Severity
from virtquorum.check.rule import Rule
from virtquorum.check.rules import RULES, rule
from virtquorum.report import sarif
from virtquorum.report.report import FileResult, Run

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
SCHEMA: dict[str, Any] = json.loads(
    (HERE / "published" / "sarif-schema-2.1.0.json").read_text("utf-8")
)
VALIDATOR = Draft7Validator(SCHEMA)
WRITTEN = [
    code
    for code, (name, _) in RULES.items()
    if find_spec(f"virtquorum.check.rules.{name.replace('-', '_')}")
]


def made_up(code: str) -> Rule:
    """A rule whose words do not change when somebody improves the real one's."""
    return Rule(
        code=code,
        name=RULES[code][0],
        severity=Severity.ERROR,
        title="what is wrong, in a line",
        documentation="\nWhat happens,\nand in which program.\n\nWhat to do.\n",
        failing="",
        passing="",
        subject="quorum",
    )


def reported(run: Run) -> dict[str, Any]:
    """The only run of the log, after it was found valid."""
    log = json.loads(sarif.report(run))
    assert [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(log)] == []
    (one,) = log["runs"]
    return one  # type: ignore[no-any-return]


def found(code: str, **fields: Any) -> Finding:
    values = {
        "file": "x.xml", "line": 1, "column": 1, "end_line": 1, "end_column": 2,
        "message": "wrong",
    }  # fmt: skip
    return Finding(rule=code, **{**values, **fields})


def only(*findings: Finding, path: str = "x.xml") -> Run:
    return Run(files=(FileResult(path=path, valid=False, findings=findings),))


@pytest.fixture
def _made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif, "rule", made_up)


@pytest.mark.usefixtures("_made_up")
def test_the_sample(golden: Callable[[Path, str], None]) -> None:
    golden(HERE / "reports" / "sample.sarif", sarif.report(SAMPLE))
    reported(SAMPLE)


def test_the_schema_refuses_what_is_no_report() -> None:
    log = json.loads(sarif.report(EMPTY))
    for key, value in [("version", "3"), ("runs", [{}]), ("more", 1)]:
        assert list(VALIDATOR.iter_errors({**log, key: value})), key


@pytest.mark.parametrize("run", [CLEAN, EMPTY, ODD])
def test_extreme_runs_are_valid(run: Run) -> None:
    reported(run)


@settings(max_examples=30, deadline=None)
@given(RUNS)
def test_any_run_is_valid(run: Run) -> None:
    one = reported(run)
    codes = [each["id"] for each in one["tool"]["driver"]["rules"]]
    assert codes == sorted(set(codes))
    findings = [finding for file in run.files for finding in file.findings]
    marks = set()
    for result, finding in zip(one["results"], findings, strict=True):
        assert codes[result["ruleIndex"]] == result["ruleId"] == finding.rule
        marks.add(result["partialFingerprints"]["virtquorum/v1"])
        region = result["locations"][0]["physicalLocation"]["region"]
        assert (region["startLine"], region["startColumn"]) == (finding.line, finding.column)
        assert (region["endLine"], region["endColumn"]) == (finding.end_line, finding.end_column)
    assert len(marks) == len(findings)
    assert one["invocations"][0]["executionSuccessful"] is all(one.checked for one in run.files)
    assert sarif.report(run, ascii_only=True).isascii()


@pytest.mark.parametrize("code", WRITTEN)
def test_a_rule_s_page_is_in_the_report(code: str) -> None:
    (descriptor,) = reported(only(found(code)))["tool"]["driver"]["rules"]
    page = rule(code)
    assert descriptor["id"] == code
    assert descriptor["name"] == page.name
    assert descriptor["shortDescription"]["text"] == page.title
    assert descriptor["help"]["markdown"] == page.documentation.strip()
    assert "\n" not in descriptor["fullDescription"]["text"]
    assert descriptor["defaultConfiguration"]["level"] == page.severity.value


def test_only_rules_that_occur_are_listed() -> None:
    assert reported(CLEAN)["tool"]["driver"]["rules"] == []
    run = only(found("VQ999"), found("VQ101"), found("VQ101"))
    listed = reported(run)["tool"]["driver"]["rules"]
    assert [one["id"] for one in listed] == ["VQ101", "VQ999"]
    assert listed[1] == {"id": "VQ999"}


def test_columns_are_characters() -> None:
    one = reported(CLEAN)
    assert one["columnKind"] == "unicodeCodePoints"
    assert one["newlineSequences"] == ["\r\n", "\n", "\r"]


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("a/b.xml", "a/b.xml"),
        ("./a.xml", "a.xml"),
        (".//./a.xml", "a.xml"),
        ("../a.xml", "../a.xml"),
        ("a b%#?.xml", "a%20b%25%23%3F.xml"),
        ("c:x.xml", "c%3Ax.xml"),
        ("ü.xml", "%C3%BC.xml"),
        ("\udcff.xml", "%FF.xml"),
        ("/srv/a b.xml", "file:///srv/a%20b.xml"),
        ("<stdin>", "%3Cstdin%3E"),
    ],
)
def test_a_path_is_a_uri(path: str, uri: str) -> None:
    one = reported(only(found("VQ999", file=path), path=path))
    location = one["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert location == {"uri": uri, "index": 0}
    assert one["artifacts"] == [{"location": {"uri": uri}}]
    back = unquote(urlsplit(uri).path, errors="surrogateescape")
    assert Path(back) == Path(path)


@pytest.mark.usefixtures("_made_up")
def test_a_fix_replaces_its_region() -> None:
    (fix,) = reported(SAMPLE)["results"][1]["fixes"]
    (change,) = fix["artifactChanges"]
    (replacement,) = change["replacements"]
    region = replacement["deletedRegion"]
    line = DOCUMENT.splitlines()[region["startLine"] - 1]
    assert line[region["startColumn"] - 1 : region["endColumn"] - 1] == " rewrite_corrupted='on'"
    assert replacement["insertedContent"] == {"text": ""}


def test_the_element_is_a_logical_location() -> None:
    one = reported(only(found("VQ999", path="devices.disk[0]"), found("VQ999")))
    assert one["results"][0]["locations"][0]["logicalLocations"] == [
        {"fullyQualifiedName": "devices.disk[0]", "kind": "element"}
    ]
    assert "logicalLocations" not in one["results"][1]["locations"][0]


def test_files_that_cannot_be_read_and_remarks_are_notifications() -> None:
    run = Run(
        files=(
            FileResult(path="x", valid=False, findings=(found("VQ999"),), checked=False),
            FileResult(path="y", valid=False, checked=False),
        ),
        remarks=("libvirt's grammar is not installed",),
    )
    (invocation,) = reported(run)["invocations"]
    assert invocation["executionSuccessful"] is False
    said = invocation["toolExecutionNotifications"]
    assert [one["level"] for one in said] == ["error", "error", "note"]
    assert said[0]["message"]["text"] == "wrong"
    assert said[2]["message"]["text"] == "libvirt's grammar is not installed"
