"""The JUnit report against the published schema of Jenkins and Surefire."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings

from tests.report.runs import CLEAN, EMPTY, HOSTILE, ODD, RUNS, SAMPLE
from virtquorum.check.finding import Severity
from virtquorum.report.human import human_finding
from virtquorum.report.junit import report
from virtquorum.report.report import FileResult, Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from lxml import etree

HERE = Path(__file__).parent


@cache
def schema() -> etree.XMLSchema:
    from lxml import etree

    return etree.XMLSchema(etree.parse(HERE / "published" / "junit-10.xsd"))


def parsed(run: Run) -> ElementTree.Element:
    """The report as an XML parser has it, after it was found valid."""
    from lxml import etree

    text = report(run)
    assert text.isascii()
    schema().assertValid(etree.fromstring(text.encode(), etree.XMLParser(huge_tree=True)))
    return ElementTree.fromstring(text)  # noqa: S314


def test_the_sample(golden: Callable[[Path, str], None]) -> None:
    golden(HERE / "reports" / "sample.junit.xml", report(SAMPLE))
    parsed(SAMPLE)


def test_the_schema_refuses_what_is_no_report() -> None:
    from lxml import etree

    text = report(SAMPLE).replace("<testcase ", "<testcase colour='red' ")
    assert not schema().validate(etree.fromstring(text.encode()))


@pytest.mark.parametrize("run", [CLEAN, EMPTY, ODD])
def test_extreme_runs_are_valid(run: Run) -> None:
    parsed(run)


@settings(max_examples=40)
@given(RUNS)
def test_any_run_is_valid_and_its_counts_are_right(run: Run) -> None:
    root = parsed(run)
    (suite,) = root
    for one in (root, suite):
        assert one.get("tests") == str(len(run.files))
        assert one.get("failures") == str(len(root.findall(".//failure")))
        assert one.get("errors") == str(len(root.findall(".//error")))
    assert len(root.findall(".//testcase")) == len(run.files)


def test_a_file_that_cannot_be_read_is_an_error() -> None:
    found = SAMPLE.files[0].findings[:1]
    run = Run(files=(FileResult(path="x", valid=False, findings=found, checked=False),))
    root = parsed(run)
    assert root.find(".//failure") is None
    error = root.find(".//error")
    assert error is not None
    assert error.get("type") == "VQ105"
    assert error.text == human_finding(found[0]).rstrip("\n")


def test_warnings_and_notes_are_output_and_no_failure() -> None:
    case = parsed(SAMPLE).findall(".//testcase")[0]
    assert [one.tag for one in case] == ["failure", "system-out"]
    assert case[1].text == human_finding(SAMPLE.files[0].findings[1]).rstrip("\n")
    warning = SAMPLE.files[0].findings[1]
    root = parsed(Run(files=(FileResult(path="x", valid=True, findings=(warning,)),)))
    assert warning.severity is Severity.WARNING
    assert (root.get("failures"), root.find(".//failure")) == ("0", None)


def test_several_errors_are_one_failure_that_says_how_many() -> None:
    found = SAMPLE.files[0].findings[:1] * 3
    failures = parsed(Run(files=(FileResult(path="x", valid=False, findings=found),))).findall(
        ".//failure"
    )
    assert [one.get("message") for one in failures] == [
        "4:25: the threshold is 5, but there are 3 members (and 2 more)"
    ]
    assert (failures[0].text or "").count("error[VQ105]") == 3


def test_remarks_and_time_are_the_suite_s() -> None:
    suite = parsed(Run(files=(), remarks=("one & two", *HOSTILE), seconds=1234.5))[0]
    assert suite.get("time") == "1234.500"
    said = suite.findtext("system-out") or ""
    assert said.startswith("one & two\n]]> -->")


def test_what_xml_has_no_characters_for_is_an_escape() -> None:
    root = parsed(Run(files=(FileResult(path="\x1b\x00<&>'\"\ufffe日", valid=True),)))
    case = root.find(".//testcase")
    assert case is not None
    assert case.get("name") == "\\x1b\\x00<&>'\"\\ufffe日"
