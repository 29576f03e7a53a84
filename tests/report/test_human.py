"""Findings for people: goldens, and the laws of carets, widths, colours and streams."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.report.runs import CLEAN, EMPTY, HOSTILE, ODD, RUNS, SAMPLE
from virtquorum.check.finding import Excerpt, Finding, Fix, Severity
from virtquorum.report.human import human, human_file, human_finding, human_summary
from virtquorum.report.report import FileResult, Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from virtquorum.report.human import Role

REPORTS = Path(__file__).with_name("reports")
MARK = re.compile("\x01[a-z]+\x02|\x03")


def painted(text: str, role: Role) -> str:
    """A colour that can be seen and taken away again."""
    return f"\x01{role}\x02{text}\x03"


def columns(text: str) -> int:
    """The width of a text in a terminal, worked out apart from the report."""
    return sum(
        0
        if unicodedata.category(one) in {"Mn", "Me"}
        else 1 + (unicodedata.east_asian_width(one) in {"W", "F"})
        for one in text
    )


def one(
    text: str,
    column: int,
    end_column: int,
    *,
    first: int = 1,
    before: bool = False,
    behind: bool = False,
    end_line: int = 7,
) -> Finding:
    return Finding(
        file="x.xml",
        line=7,
        column=column,
        end_line=end_line,
        end_column=end_column,
        rule="VQ105",
        message="wrong",
        excerpt=Excerpt(text=text, first=first, cut_before=before, cut_behind=behind),
    )


def source(finding: Finding, *, width: int = 80, ascii_only: bool = False) -> tuple[str, str]:
    """The source line and the line of carets, without what stands beside them."""
    lines = human_finding(finding, width=width, ascii_only=ascii_only).splitlines()
    assert (lines[1], lines[2][:4], lines[3][:4]) == ("   |", " 7 |", "   |")
    return lines[2][5:], lines[3][5:]


def marked(finding: Finding, *, width: int = 80, ascii_only: bool = False) -> tuple[int, int]:
    """The columns where the carets begin and end."""
    carets = source(finding, width=width, ascii_only=ascii_only)[1]
    assert set(carets.lstrip(" ")) == {"^"}
    return len(carets) - len(carets.lstrip(" ")), len(carets)


def test_the_sample_reads_well(golden: Callable[[Path, str], None]) -> None:
    golden(REPORTS / "sample.human.out", human(SAMPLE))
    golden(REPORTS / "sample.narrow.out", human(SAMPLE, width=44))
    golden(
        REPORTS / "sample.painted.out", human(SAMPLE, paint=lambda text, role: f"{role}({text})")
    )


def test_hostile_text_is_shown_in_bounds(golden: Callable[[Path, str], None]) -> None:
    golden(REPORTS / "odd.human.out", human(ODD))
    golden(REPORTS / "odd.ascii.out", human(ODD, ascii_only=True))


@pytest.mark.parametrize(
    ("text", "place", "shown", "carets"),
    [
        ("  <disk a='b'>", "a='b'", "  <disk a='b'>", "        ^^^^^"),
        ("\t<disk\ta='b'>", "a='b'", "    <disk   a='b'>", "            ^^^^^"),
        ("<name>日本</name>", "本", "<name>日本</name>", "        ^^"),
        ("<name>e\u0301e\u0301x</name>", "x", "<name>e\u0301e\u0301x</name>", "        ^"),
        ("<a>\x1b[31m</a>", "</a>", "<a>\\x1b[31m</a>", "           ^^^^"),
        ("<a>\u202eabc</a>", "abc", "<a>\\u202eabc</a>", "         ^^^"),
        ("\U0001f600 x", "x", "\U0001f600 x", "   ^"),
    ],
)
def test_carets_stand_below_the_place(text: str, place: str, shown: str, carets: str) -> None:
    column = text.index(place) + 1
    assert source(one(text, column, column + len(place))) == (shown, carets)


def test_in_ascii_other_characters_are_escapes_and_the_carets_still_right() -> None:
    finding = one("<name>日é</name>", 8, 9)
    assert source(finding, ascii_only=True) == (
        "<name>\\u65e5\\xe9</name>",
        "            ^^^^",
    )


@pytest.mark.parametrize(
    ("finding", "carets"),
    [
        (one("  <disk type='file'  ", 3, 4, end_line=9), (2, 19)),
        (one("<a/>", 5, 5), (4, 5)),
        (one("<a/>", 2, 2), (1, 2)),
        (one("<a/>", 900, 950), (4, 5)),
        (one("<a/>", 103, 104, first=101), (2, 3)),
        (one("<a/>", 103, 104, first=101, before=True), (3, 4)),
        (one("<a/>", 3, 1), (2, 3)),
    ],
)
def test_odd_spans_have_carets_too(finding: Finding, carets: tuple[int, int]) -> None:
    assert marked(finding) == carets


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n§"), max_size=400),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n§"), max_size=400),
    st.integers(30, 120),
    st.booleans(),
)
def test_the_carets_are_below_the_place_in_every_line(
    before: str, behind: str, width: int, cut: bool
) -> None:
    finding = one(f"{before}§{behind}", len(before) + 1, len(before) + 2, before=cut, behind=cut)
    shown, _ = source(finding, width=width)
    assert columns(shown) <= width - 5
    assert shown.count("§") == 1
    at = shown.index("§")
    assert marked(finding, width=width) == (columns(shown[:at]), columns(shown[:at]) + 1)


def test_a_long_line_is_cut_around_the_place() -> None:
    text = "a" * 500 + "<here/>" + "b" * 500
    shown, carets = source(one(text, 501, 508), width=60)
    assert shown == "…" + "a" * 23 + "<here/>" + "b" * 23 + "…"
    assert carets == " " * 24 + "^" * 7
    assert source(one(text, 1, 2), width=60) == ("a" * 53 + "…", "^")
    shown, carets = source(one(text, 1008, 1008), width=60, ascii_only=True)
    assert shown == "..." + "b" * 49
    assert carets == " " * 52 + "^"
    shown, carets = source(one(text, 1, 900), width=60)
    assert (shown, carets) == ("a" * 53 + "…", "^" * 53)


def test_indentation_is_the_first_to_go() -> None:
    text = " " * 20 + "<driver/>" + " <a/>" * 8
    shown, carets = source(one(text, 21, 30), width=60)
    assert (shown, carets) == (text.lstrip(), "^" * 9)
    assert source(one(text, 21, 30), width=80) == (text, " " * 20 + "^" * 9)
    shown, carets = source(one(text, 5, 6), width=60)
    assert (shown[:20], carets) == (" " * 20, "    ^")


def test_no_line_is_wider_than_asked_for_but_by_one_word() -> None:
    words = "the attribute 'cache' has no value 'nonee' here " * 4
    finding = Finding(
        file="a/long/way/to/the/domain.xml",
        line=123,
        column=45,
        end_line=123,
        end_column=50,
        rule="VQ010",
        message=words,
        expected=words,
        fix=Fix(description=words + "x" * 200, edits=()),
        excerpt=Excerpt(text=" " * 30 + "<disk cache='nonee'/>" * 9),
    )
    for width in range(50, 120):
        lines = human_finding(finding, width=width).splitlines()
        wide = [line for line in lines if len(line) > width]
        assert [line.strip() for line in wide] == ["x" * 200]
        assert sum(line.count("^") for line in lines) == 5


@settings(max_examples=40)
@given(RUNS, st.integers(1, 100), st.booleans())
def test_laws_of_any_run(run: Run, width: int, ascii_only: bool) -> None:
    text = human(run, width=width, ascii_only=ascii_only)
    assert text.endswith("\n")
    assert text.replace("\n", "").isprintable()
    assert text.isascii() or not ascii_only
    parts = [human_file(file, width=width, ascii_only=ascii_only) for file in run.files]
    assert "".join(parts) + human_summary(run, width=width, ascii_only=ascii_only) == text
    coloured = human(run, paint=painted, width=width, ascii_only=ascii_only)
    assert MARK.sub("", coloured) == text


def test_a_finding_is_set_apart_by_an_empty_line() -> None:
    blocks = human(SAMPLE).split("\n\n")
    assert [block.split(" ")[0] for block in blocks] == ["web.xml:4:25:", "web.xml:5:49:", "2"]
    assert human_file(SAMPLE.files[1]) == ""


def test_colours_say_what_is_what() -> None:
    text = human(SAMPLE, paint=painted)
    for piece, role in [
        ("web.xml:4:25:", "place"),
        ("error[VQ105]", "error"),
        ("warning[VQ114]", "warning"),
        ("^^^^^^^^^^^^^", "error"),
        (" 4 |", "line"),
        ("expected:", "label"),
        ("1 error,", "error"),
    ]:
        assert painted(piece, role) in text  # type: ignore[arg-type]
    assert painted("findings", "good") in human(CLEAN, paint=painted)


def test_spaces_of_a_message_are_kept() -> None:
    finding = Finding(
        file="x", line=1, column=1, end_line=1, end_column=1, rule="VQ010", message="is 'a   b'"
    )
    assert human_finding(finding) == "x:1:1: error[VQ010] is 'a   b'\n"


def result(*severities: Severity, checked: bool = True, fix: bool = False) -> FileResult:
    mend = Fix(description="mend it", edits=()) if fix else None
    found = tuple(
        Finding(
            file="x", line=1, column=1, end_line=1, end_column=2, rule="VQ101", message="m",
            severity=severity, fix=mend,
        )
        for severity in severities
    )  # fmt: skip
    return FileResult(
        path="x", valid=Severity.ERROR not in severities, findings=found, checked=checked
    )


E, W, N = Severity


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (EMPTY, "no files"),
        (CLEAN, "1 file, no findings"),
        (Run(files=(result(),) * 1500), "1,500 files, no findings"),
        (Run(files=(result(),), hidden=2), "1 file, no findings (2 hidden)"),
        (Run(files=(result(E),)), "1 file: invalid; 1 error"),
        (Run(files=(result(W, N, N),)), "1 file: valid; 1 warning, 2 notes"),
        (Run(files=(result(E, checked=False),)), "1 file: not checked; 1 error"),
        (
            Run(files=(result(), result(E, E, fix=True), result(E, W)), hidden=1),
            "3 files: 1 valid, 2 invalid; 3 errors, 1 warning (2 fixable with --fix, 1 hidden)",
        ),
        (
            Run(files=(result(W), result(E, checked=False), result(E))),
            "3 files: 1 valid, 1 invalid, 1 not checked; 2 errors, 1 warning",
        ),
    ],
)
def test_the_last_line_says_it_all(run: Run, said: str) -> None:
    assert human_summary(run, width=100) == f"{said}\n"


def test_remarks_stand_before_the_last_line() -> None:
    run = Run(files=(), remarks=("one " * 30 + "end", "two"))
    lines = human_summary(run).splitlines()
    assert lines[0].startswith("note: one")
    assert lines[1].startswith("    one")
    assert lines[2:] == ["note: two", "no files"]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_text_fills_the_screen(text: str) -> None:
    finding = Finding(
        file="x", line=1, column=40_000, end_line=1, end_column=50_000, rule="VQ010",
        message=text, expected=text, excerpt=Excerpt(text=text.replace("\n", " ")),
    )  # fmt: skip
    assert len(human_finding(finding)) < 10_000
