"""Every rule of the table: its page, its examples, its fix, its words."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import virtquorum.check.rules
from virtquorum.check.engine import Checker, Rules, unread
from virtquorum.check.finding import Severity
from virtquorum.check.options import Options
from virtquorum.check.rules import RULES, rule
from virtquorum.errors import InputError, UnreadableError
from virtquorum.xml.document import Limits
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from virtquorum.check.finding import Finding
    from virtquorum.check.rule import Problem, Rule

FOLDER = Path(virtquorum.check.rules.__file__).parent
INPUT = [code for code, (_, subject) in RULES.items() if subject == "input"]
#: The rules that look at a document's model; tests/check/test_images.py has the 'images' ones.
MODEL = [code for code, (_, subject) in RULES.items() if subject not in ("input", "images")]
#: What rules with a hint look at.
WHOLE = ("document", "lowered")
#: What the good example of a rule says beside: it is right, and has what these rules point out.
BESIDE = {"VQ208": {"VQ401"}, "VQ209": {"VQ401"}}
#: Examples with long lines: a chain of 200 images, and arguments for QEMU.
LONG = {"VQ214", "VQ605", "VQ606", "VQ607"}
#: What begins a title or a message in upper case, as it is always written.
NAMES = re.compile(r"QEMU|Ceph|[A-Z]+\b")
#: No text can show these: a file that is not there, and what only libxml2 refuses.
WITHOUT_EXAMPLE = {"VQ001", "VQ022"}
#: The options with which the example of an 'input' rule is one.
OPTIONS = {
    "VQ003": Options(limits=Limits(depth=2)),
    "VQ011": Options(grammar="xsd"),
}


def problems(text: str, code: str | None = None) -> list[tuple[Rule, Problem]]:
    """What all rules, or one, find in the model of a document."""
    domain = Domain.from_text(text)
    rules = Rules(None if code is None else lambda one, _: one == code)
    return list(rules.problems(domain.document.root, domain.document.data, domain.disks))


def found(text: str, code: str) -> list[Problem]:
    return [one for _, one in problems(text, code)]


def findings(text: str, options: Options | None = None) -> list[Finding]:
    """What a whole check finds in a document."""
    return Checker(options or Options()).check_bytes(text.encode(), "example.xml").findings


# The table


def test_codes_ascend_and_names_differ() -> None:
    assert [*RULES] == sorted(RULES)
    assert all(re.fullmatch(r"VQ\d{3}", code) for code in RULES)
    names = [name for name, _ in RULES.values()]
    assert len({*names}) == len(names)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) for name in names)


def test_every_module_is_in_the_table() -> None:
    modules = {one.stem for one in FOLDER.glob("*.py")} - {"__init__"}
    assert modules == {name.replace("-", "_") for name, _ in RULES.values()}


@pytest.mark.parametrize("code", RULES)
def test_the_module_is_what_the_table_says(code: str) -> None:
    name, subject = RULES[code]
    one = rule(code)
    module = import_module(f"virtquorum.check.rules.{name.replace('-', '_')}")
    assert one is module.RULE
    assert (one.code, one.name, one.subject) == (code, name, subject)
    assert (one.check is None) == (subject in ("input", "images"))
    assert bool(one.hint) == (subject in WHOLE)


# The page


@pytest.mark.parametrize("code", RULES)
def test_the_words_of_the_page(code: str) -> None:
    one = rule(code)
    assert re.fullmatch(r"[^\n]{10,80}[^.\n]", one.title)
    assert not one.title[0].isupper() or NAMES.match(one.title), "a title begins in lower case"
    text = one.documentation
    assert text.startswith("\n")
    assert text.endswith("\n")
    for line in text.splitlines():
        assert len(line) <= 100
        assert line == line.rstrip()
        assert "\t" not in line
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        assert paragraph.count("`") % 2 == 0, f"a literal that has no end: {paragraph}"
        assert not paragraph.startswith("#"), "the page has its heading"
    assert len(text.split()) >= 20


@pytest.mark.parametrize("code", RULES)
def test_the_examples_are_documents(code: str) -> None:
    """That ``virtquorum format`` can write, and that fit on a page."""
    one = rule(code)
    assert (not one.failing, not one.passing) == (code in WITHOUT_EXAMPLE,) * 2
    assert one.failing != one.passing or not one.failing
    for text in (one.failing, one.passing):
        assert text.endswith("\n") or not text
        assert code in LONG or all(len(line) <= 100 for line in text.splitlines())
        unreadable = code in ("VQ002", "VQ004") and text == one.failing
        if text and not unreadable:
            formatted = Domain.from_text(text).format()
            assert Domain.from_bytes(formatted).format() == formatted


# The examples


@pytest.mark.parametrize("code", MODEL)
def test_the_failing_example_fails(code: str) -> None:
    one = rule(code)
    domain = Domain.from_text(one.failing)
    data = domain.document.data
    elements = {id(element) for element in domain.document.walk()}
    rules = Rules(lambda other, _: other == code)
    some = list(rules.problems(domain.document.root, data, domain.disks))
    assert some
    assert {other.code for other, _ in some} == {code}
    for _, problem in some:
        element = problem.element
        assert id(element) in elements
        assert 0 <= element.start < element.content <= len(data)
        if problem.attribute is not None:
            assert problem.attribute in element.attributes
        if problem.text:
            assert element.close > element.content
    assert one.fixable == any(problem.fix is not None for _, problem in some)


@pytest.mark.parametrize("code", MODEL)
def test_the_passing_example_passes(code: str) -> None:
    assert found(rule(code).passing, code) == []


@pytest.mark.parametrize("code", MODEL)
def test_the_passing_example_has_nothing_else(code: str) -> None:
    beside = {other.code for other, _ in problems(rule(code).passing)}
    assert beside == BESIDE.get(code, set())


@pytest.mark.parametrize("code", MODEL)
def test_the_engine_finds_the_same(code: str) -> None:
    """With the grammar of the disks, and the place, the severity and the fix of each."""
    one = rule(code)
    own = [finding for finding in findings(one.failing) if finding.rule == code]
    assert len(own) == len(found(one.failing, code))
    for finding in own:
        assert finding.line >= 1
        assert (finding.line, finding.column) < (finding.end_line, finding.end_column)
    assert code not in {finding.rule for finding in findings(one.passing)}
    errors = {f.rule for f in findings(one.passing) if f.severity is Severity.ERROR}
    assert not errors, "a good example is a valid document"


@pytest.mark.parametrize("code", MODEL)
def test_the_words_of_the_problems(code: str) -> None:
    for problem in found(rule(code).failing, code):
        for text in (problem.message, problem.expected):
            if text is None:
                continue
            assert text == text.strip() != ""
            assert text.isprintable()
            assert not re.search(r"[^.…]\.$", text), "no full stop"
            assert "  " not in text
            assert '"' not in text, "values stand in single quotes"
        assert not problem.message[0].isupper() or NAMES.match(problem.message), "lower case"


@pytest.mark.parametrize("code", MODEL)
def test_the_rule_does_not_ask_for_places(code: str) -> None:
    """It runs on elements that have none; only a fix may ask."""
    for text in (rule(code).failing, rule(code).passing):
        domain = Domain.from_text(text)
        disks = domain.disks
        data = domain.document.data
        for element in domain.document.walk():
            element.start = element.close = -(10**9)
        domain.document.data = b""
        rules = Rules(lambda other, _: other == code)
        assert len(list(rules.problems(domain.document.root, data, disks))) == len(
            found(text, code)
        )


@pytest.mark.parametrize("code", [code for code in MODEL if RULES[code][1] in WHOLE])
def test_the_hint_is_in_the_failing_example(code: str) -> None:
    one = rule(code)
    assert one.hint in one.failing.encode()


def test_there_are_fixes() -> None:
    assert any(rule(code).fixable for code in MODEL)


@pytest.mark.parametrize("code", MODEL)
def test_the_fix_mends_the_failing_example(code: str) -> None:
    """One after the other, until there is none; each leaves a document and touches little."""
    one = rule(code)
    if not one.fixable:
        return
    domain = Domain.from_text(one.failing)
    for _ in range(20):
        problem = next((it for it in found(domain.text, code) if it.fix is not None), None)
        if problem is None:
            break
        assert problem.fix is not None
        repair = problem.fix()
        assert repair.description[0].islower()
        assert not repair.description.endswith(".")
        changes = sorted(repair.changes)
        assert changes
        data = domain.document.data
        ends = [0, *(change.stop for change in changes)]
        for end, change in zip(ends, changes, strict=False):
            assert end <= change.start <= change.stop <= len(data)
        for change in reversed(changes):
            data = data[: change.start] + change.text.encode() + data[change.stop :]
        assert data != domain.document.data
        domain = Domain.from_bytes(data)
    assert found(domain.text, code) == []
    # What is mended is not broken in another way.
    before = {other.code for other, _ in problems(one.failing)}
    assert {other.code for other, _ in problems(domain.text)} <= before - {code}


# What the reading, the grammars and the comments find


@pytest.mark.parametrize("code", [code for code in INPUT if code not in WITHOUT_EXAMPLE])
def test_the_examples_of_the_input_rules(code: str) -> None:
    one = rule(code)
    options = OPTIONS.get(code)
    assert [finding.rule for finding in findings(one.failing, options)] == [code]
    assert findings(one.failing, options)[0].severity is one.severity
    assert code not in [finding.rule for finding in findings(one.passing, options)]
    errors = {f.rule for f in findings(one.passing, options) if f.severity is Severity.ERROR}
    assert not errors


def test_a_file_that_is_not_there() -> None:
    checked = unread(UnreadableError("cannot be read", file="x"))
    assert [finding.rule for finding in checked.findings] == ["VQ001"]
    assert not checked.readable
    assert unread(InputError("something else", file="x")).findings[0].rule == "VQ001"
