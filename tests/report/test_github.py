"""GitHub's workflow commands, read back as GitHub's runner reads them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import given, settings

from tests.report.runs import CLEAN, EMPTY, HOSTILE, ODD, RUNS, SAMPLE
from virtquorum.check.finding import Finding, Severity
from virtquorum.printable import printable
from virtquorum.report.github import SHOWN, report
from virtquorum.report.report import FileResult, Run

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
COMMAND = re.compile(r"::(error|warning|notice) ((?:[A-Za-z]+=[^,:]*,?)+)::(.*)")


class Command(NamedTuple):
    """A workflow command, unescaped."""

    name: str
    properties: dict[str, str]
    text: str


def unescaped(text: str, signs: str) -> str:
    """The runner's own reading: each escape on its own, the per cent sign last."""
    for sign in signs:
        text = text.replace(f"%{ord(sign):02X}", sign)
    return text.replace("%25", "%")


def commands(run: Run) -> list[Command]:
    found = []
    for line in report(run).splitlines():
        matched = COMMAND.fullmatch(line)
        assert matched, line
        name, properties, text = matched.groups()
        pairs = [one.partition("=") for one in properties.split(",")]
        found.append(
            Command(
                name,
                {key: unescaped(value, "\r\n:,") for key, _, value in pairs},
                unescaped(text, "\r\n"),
            )
        )
    return found


def only(*findings: Finding) -> Run:
    return Run(files=(FileResult(path="x", valid=False, findings=findings),))


def found(**fields: object) -> Finding:
    values: dict[str, object] = {
        "file": "x.xml", "line": 3, "column": 5, "end_line": 3, "end_column": 9,
        "rule": "VQ105", "message": "wrong",
    }  # fmt: skip
    return Finding(**{**values, **fields})  # type: ignore[arg-type]


def test_the_sample(golden: Callable[[Path, str], None]) -> None:
    golden(HERE / "reports" / "sample.github.out", report(SAMPLE))
    first, second = commands(SAMPLE)
    assert first == (
        "error",
        {
            "file": "web.xml", "line": "4", "endLine": "4", "col": "25", "endColumn": "38",
            "title": "VQ105 threshold-above-members",
        },
        "the threshold is 5, but there are 3 members\n"
        "expected: a threshold of at most 3, or more members",
    )  # fmt: skip
    assert second.name == "warning"
    assert second.text.endswith("\nfix: remove rewrite_corrupted, which has no effect")


def test_nothing_is_nothing() -> None:
    assert report(CLEAN) == report(EMPTY) == ""


@settings(max_examples=40)
@given(RUNS)
def test_each_finding_is_one_command_and_nothing_steers_the_log(run: Run) -> None:
    every = [one for file in run.files for one in file.findings]
    read = commands(run)
    assert len(read) == len(every) + len(run.remarks)
    for command, finding in zip(read, every, strict=False):
        assert command.properties["line"] == str(finding.line)
        said = printable(finding.message, keep="\r\n")
        assert command.text == said or command.text.startswith(f"{said}\n")
    assert report(run).replace("\n", "").isprintable()
    assert report(run, ascii_only=True).isascii()


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_comes_back_as_it_was(text: str) -> None:
    (command,) = commands(only(found(message=text, file=f"f{text}")))
    assert command.text == printable(text, keep="\r\n")
    assert command.properties["file"] == "f" + printable(text, keep="\r\n")
    assert commands(ODD)


@pytest.mark.parametrize(
    ("severity", "name"),
    [(Severity.ERROR, "error"), (Severity.WARNING, "warning"), (Severity.NOTE, "notice")],
)
def test_a_severity_is_a_type_of_annotation(severity: Severity, name: str) -> None:
    assert commands(only(found(severity=severity)))[0].name == name


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ((3, 5, 3, 9), {"line": "3", "endLine": "3", "col": "5", "endColumn": "9"}),
        ((3, 5, 3, 5), {"line": "3", "endLine": "3", "col": "5", "endColumn": "5"}),
        ((3, 5, 4, 2), {"line": "3", "endLine": "4"}),
        ((3, 5, 4, 1), {"line": "3", "endLine": "3"}),
    ],
)
def test_columns_are_given_within_a_line_only(
    place: tuple[int, int, int, int], said: dict[str, str]
) -> None:
    line, column, end_line, end_column = place
    finding = found(line=line, column=column, end_line=end_line, end_column=end_column)
    properties = commands(only(finding))[0].properties
    assert {
        key: properties[key] for key in ("line", "endLine", "col", "endColumn") if key in properties
    } == said


def test_a_path_is_the_repository_s() -> None:
    assert commands(only(found(file="./a/b.xml")))[0].properties["file"] == "a/b.xml"


def test_a_rule_that_is_not_in_the_table_is_named_by_its_code() -> None:
    assert commands(only(found(rule="VQ999")))[0].properties["title"] == "VQ999"


def test_more_than_github_shows_is_said_first() -> None:
    first, *rest = commands(only(*[found(line=1 + number) for number in range(SHOWN + 1)]))
    assert (first.name, first.text) == (
        "notice",
        "the log has 11 errors; GitHub shows 10 of a step",
    )
    assert [one.name for one in rest] == ["error"] * (SHOWN + 1)
    assert len(commands(only(*[found()] * SHOWN))) == SHOWN


def test_remarks_are_notices_without_a_file() -> None:
    assert commands(Run(files=(), remarks=("so it is",))) == [
        ("notice", {"title": "virtquorum"}, "so it is")
    ]
