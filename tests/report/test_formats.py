"""The table of report formats, and that the documentation shows what they write."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.report.runs import CLEAN, DOCUMENT, EMPTY, ODD, SAMPLE
from virtquorum.check.rule import positions
from virtquorum.check.rules import rule
from virtquorum.json_text import json_text
from virtquorum.report import github, gitlab, json_report, junit, sarif
from virtquorum.report.formats import FORMATS, report
from virtquorum.report.human import human
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from virtquorum.check.rule import Position, Problem
    from virtquorum.report.human import Role
    from virtquorum.report.report import Reporter, Run

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "reports.md"
MACHINE: dict[str, Reporter] = {
    "json": json_report.report,
    "junit": junit.report,
    "sarif": sarif.report,
    "github": github.report,
    "gitlab": gitlab.report,
}


def test_the_names() -> None:
    assert FORMATS == ("human", "json", "junit", "sarif", "github", "gitlab")
    assert {"human", *MACHINE} == set(FORMATS)


@pytest.mark.parametrize("name", MACHINE)
def test_a_name_leads_to_its_format(name: str) -> None:
    assert report(name, ODD) == MACHINE[name](ODD)
    assert report(name, ODD) == report(name, ODD, width=40)


def test_the_human_form_takes_width_and_colour() -> None:
    def paint(text: str, role: Role) -> str:
        return f"{role}({text})"

    expected = human(SAMPLE, paint=paint, width=50, ascii_only=True)
    assert report("human", SAMPLE, paint=paint, width=50, ascii_only=True) == expected
    assert report("human", SAMPLE) == human(SAMPLE)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("run", [CLEAN, EMPTY, ODD], ids=["clean", "empty", "odd"])
def test_every_report_is_whole_lines_and_can_be_ascii(name: str, run: Run) -> None:
    text = report(name, run)
    assert text.endswith("\n") or text == ""
    assert text.replace("\n", "").isprintable()
    assert report(name, run, ascii_only=True).isascii()


def test_another_name_is_refused() -> None:
    with pytest.raises(KeyError):
        report("yaml", EMPTY)


def test_a_format_is_imported_when_it_is_asked_for() -> None:
    program = (
        "import sys\n"
        "from virtquorum.report.formats import report\n"
        "from virtquorum.report.report import Run\n"
        "room = 'virtquorum.report.'\n"
        "rooms = lambda: {one[len(room):] for one in sys.modules if one.startswith(room)}\n"
        "print(sorted(rooms()))\n"
        "report('human', Run(files=()))\n"
        "print(sorted(rooms()), 'unicodedata' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == (
        "['formats', 'report']\n['counts', 'formats', 'human', 'report'] False\n"
    )


def shown(name: str) -> str:
    """What the documentation shows of a format: the report of the sample, or a result of it."""
    text = report(name, SAMPLE)
    if name != "sarif":
        return text
    return json_text(json.loads(text)["runs"][0]["results"][0], indent=2) + "\n"


@pytest.mark.parametrize("name", FORMATS)
def test_the_documentation_shows_what_is_written(
    name: str, golden: Callable[[Path, str], None]
) -> None:
    page = PAGE.read_text("utf-8")
    start = page.index("\n", page.index("```", page.index(f"\n## {name}\n"))) + 1
    stop = page.index("```\n", start)
    golden(PAGE, page[:start] + shown(name) + page[stop:])


def test_the_sample_is_what_the_rules_say() -> None:
    found = []
    for finding in SAMPLE.files[0].findings:
        page = rule(finding.rule)
        (disk,) = Domain.from_text(DOCUMENT).disks
        check: Callable[[Position], Iterable[Problem]] = page.check  # type: ignore[assignment]
        (problem,) = check(positions(disk)[0])
        assert (problem.message, problem.expected) == (finding.message, finding.expected)
        assert (problem.severity or page.severity) is finding.severity
        line, column = problem.element.line, finding.column
        assert line == finding.line
        assert problem.attribute is not None
        assert DOCUMENT.splitlines()[line - 1][column - 1 :].startswith(problem.attribute)
        repair = problem.fix() if problem.fix is not None else None
        assert (repair is None) is (finding.fix is None)
        if repair is not None and finding.fix is not None:
            found.append(repair.description)
            assert repair.description == finding.fix.description
            edits = [(one.start, one.stop, one.text) for one in finding.fix.edits]
            assert list(repair.changes) == edits
    assert len(found) == 1
