"""A rule's page in docs/rules.md and in a terminal: the same words, wrapped and painted."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Rule
from virtquorum.check.rules import RULES, all_rules, rule
from virtquorum.report.rule_page import document, draw_page, draw_table, markdown

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
RULE = Rule(
    code="VQ999",
    name="made-up",
    severity=Severity.WARNING,
    title="something is made up",
    documentation="""
A *first* paragraph with `a literal of words`, **stress**, 2 * 3 * 4 and `x`'s end, long enough.

- an item that is longer than a line of forty columns
- another

1. first
2. second

| a | table |
|---|---|
""",
    failing="<disk>\n\n</disk>\n",
    passing="<disk/>\n",
    subject="disk",
    fixable=True,
)


def plain(text: str, role: str) -> str:
    return text


def marked(text: str, role: str) -> str:
    return text if role == "word" else f"<{role}:{text}>"


def test_the_document_is_written_from_the_rules(golden: Callable[[Path, str], None]) -> None:
    golden(ROOT / "docs" / "rules.md", document(all_rules()))


def test_the_index_leads_to_every_page() -> None:
    text = document(all_rules())
    anchors = re.findall(r"^\| \[(VQ\d+)\]\(#([^)]+)\) \| `([^`]+)`", text, re.MULTILINE)
    assert [code for code, _, _ in anchors] == [*RULES]
    for code, anchor, name in anchors:
        assert f"\n## {code} {name}\n" in text
        assert anchor == f"{code} {name}".lower().replace(" ", "-")
    assert all(len(line) <= 100 for line in text.split("\n|")[0].splitlines())


def test_markdown() -> None:
    assert markdown(RULE) == (
        "## VQ999 made-up\n\n*warning, fix*: something is made up\n\n"
        + RULE.documentation.strip()
        + "\n\nFound in:\n\n```xml\n<disk>\n\n</disk>\n```\n\nNot found in:\n\n"
        "```xml\n<disk/>\n```\n"
    )


def test_nothing_is_taken_for_html() -> None:
    assert "`<auth>` twice" in markdown(replace(RULE, title="<auth> twice"))
    text = re.sub(r"^```xml\n.*?^```$", "", document(all_rules()), flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^<!-- .* -->$", "", text, flags=re.MULTILINE)
    assert not re.search(r"(?<!\\)<", re.sub(r"`[^`]*`", "", text))
    quoted = replace(RULE, documentation='\nlibvirt: "an <a> is", and `<b>`\n')
    assert 'libvirt: "an \\<a> is", and `<b>`\n' in markdown(quoted)


def test_a_page_for_a_terminal() -> None:
    assert "".join(draw_page(RULE, plain, width=40)) == (
        "VQ999 made-up  warning, has a fix\n"
        "something is made up\n"
        "\n"
        "A first paragraph with a literal of\n"
        "words, stress, 2 * 3 * 4 and x's end,\n"
        "long enough.\n"
        "\n"
        "- an item that is longer than a line of\n"
        "  forty columns\n"
        "- another\n"
        "\n"
        "1. first\n"
        "2. second\n"
        "\n"
        "| a | table |\n"
        "|---|---|\n"
        "\n"
        "Found in:\n"
        "\n"
        "  <disk>\n"
        "\n"
        "  </disk>\n"
        "\n"
        "Not found in:\n"
        "\n"
        "  <disk/>\n"
    )


def test_of_a_long_line_the_middle_is_left_out() -> None:
    whole, long = "a" * 189, "b" * 100 + "c" * 5000 + "d" * 50
    one = replace(RULE, failing=f"{whole}\n{long}\n")
    for text in (markdown(one), "".join(draw_page(one, plain, width=80))):
        assert f"{whole}\n" in text
        assert f"{'b' * 100} … {'d' * 50}\n" in text
        assert "c" * 9 not in text


def test_what_is_painted() -> None:
    text = "".join(draw_page(RULE, marked, width=80))
    assert text.startswith("<code:VQ999 made-up>  <warning:warning>, has a fix\n")
    assert (
        "A <heading:first> paragraph with <literal:a literal of words>, <heading:stress>," in text
    )
    assert "2 * 3 * 4 and <literal:x>'s end" in text
    assert "<heading:Found in:>\n\n  <example:<disk>>\n\n  <example:</disk>>\n" in text


@pytest.mark.parametrize("code", RULES)
@pytest.mark.parametrize("width", [40, 72, 100])
def test_the_pages_keep_to_the_width_and_lose_no_word(code: str, width: int) -> None:
    one = rule(code)
    text = "".join(draw_page(one, plain, width=width))
    prose, *_ = text.split("\nFound in:\n")
    for line in prose.splitlines():
        assert len(line) <= width or line.startswith("|") or " " not in line.strip(), line
    words = re.sub(r"[`*]", "", f"{one.title} {one.documentation}").split()
    shown = re.sub(r"[*]", "", prose).split()
    assert shown[-len(words) :] == words


@pytest.mark.parametrize("width", [40, 80, 100])
def test_the_table_has_every_rule(width: int) -> None:
    rules = all_rules()
    text = "".join(draw_table(rules, plain, width=width))
    assert re.findall(r"^VQ\d+", text, re.MULTILINE) == [*RULES]
    together = " ".join(text.split())
    for one in rules:
        assert f"{one.code} {one.severity.value} {one.name} {one.title}" in together
    narrow = width < 80
    assert all(len(line) <= (60 if narrow else width) for line in text.splitlines())
