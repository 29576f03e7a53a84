"""virtquorum explain: the pages, the table, and what is said of a rule that there is not."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

from tests.programs import parse_json, run
from virtquorum.check.rules import RULES, all_rules, rule
from virtquorum.cli.streams import Streams
from virtquorum.schema_files import schema_directory


def test_without_a_word_all_rules_are_listed() -> None:
    done = run("explain")
    assert (done.code, done.err) == (0, "")
    assert [line[:5] for line in done.out.splitlines() if line.startswith("VQ")] == [*RULES]


@pytest.mark.parametrize("word", ["VQ101", "vq101", "threshold-missing", "Threshold-Missing"])
def test_a_rule_is_named_by_code_or_name(word: str) -> None:
    done = run("explain", word)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("VQ101 threshold-missing  error\n")
    assert "\nFound in:\n\n  <disk type='quorum' device='disk'>\n" in done.out
    assert "`" not in done.out


def test_several_and_the_beginnings_of_codes() -> None:
    done = run("explain", "VQ50", "VQ101", "vq501")
    heads = [line.split()[0] for line in done.out.splitlines() if line.startswith("VQ")]
    assert heads == [*(code for code in RULES if code.startswith("VQ50")), "VQ101"]


@pytest.mark.parametrize(
    ("word", "end"),
    [
        ("treshold-missing", "did you mean 'threshold-missing'"),
        ("V-101", "did you mean 'VQ101'"),
        ("nonsense", "'virtquorum explain' lists them"),
        ("\x1b[31m", "'\\x1b[31m'"),
        ("", "no rule is called ''"),
    ],
)
def test_a_rule_that_there_is_not(word: str, end: str) -> None:
    done = run("explain", "VQ101", word)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("virtquorum: no rule is called '")
    assert end in done.err
    assert done.err.count("\n") == 1


def test_for_programs() -> None:
    (page,) = parse_json(run("explain", "--json", "vq101").out)
    one = rule("VQ101")
    assert page == {
        "code": "VQ101", "name": "threshold-missing", "severity": "error", "title": one.title,
        "documentation": one.documentation.strip(), "failing": one.failing,
        "passing": one.passing, "fixable": False,
    }  # fmt: skip
    pages = parse_json(run("explain", "--json").out)
    schema = (Path(schema_directory()) / "rules.schema.json").read_text()
    jsonschema.validate(pages, parse_json(schema))
    assert [page["code"] for page in pages] == [*RULES]
    assert [page["fixable"] for page in pages] == [one.fixable for one in all_rules()]
    assert pages[0]["failing"] is None


def test_colours_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert "\x1b[1m" in run("explain", "VQ101", terminal=True).out
    assert "\x1b" not in run("explain", "VQ101").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in run("explain", "VQ101", terminal=True).out


@pytest.mark.parametrize(("columns", "least", "most"), [(1, 30, 40), (60, 50, 60), (500, 81, 100)])
def test_the_terminals_width(
    monkeypatch: pytest.MonkeyPatch, columns: int, least: int, most: int
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(Streams, "width", columns)
    prose = run("explain", "VQ101", terminal=True).out.split("\nFound in")[0]
    assert least <= max(map(len, prose.splitlines())) <= most


def test_an_output_without_the_signs() -> None:
    done = run("explain", "VQ501", encoding="ascii")
    assert done.code == 0
    assert "Could not open '?'" in done.out


def test_completion_knows_codes_and_names() -> None:
    from virtquorum.cli.explain import _complete

    assert _complete("vq50") == [code for code in RULES if code.startswith("VQ50")]
    assert "threshold-missing" in _complete("thr")
