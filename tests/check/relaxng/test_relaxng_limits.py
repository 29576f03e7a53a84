"""Documents that are made to take long: they do not."""

from __future__ import annotations

import random
import time

import pytest

from benchmarks.explainer import GRAMMAR
from virtquorum.check.relaxng import Grammar, read_grammar
from virtquorum.check.relaxng.mistake import MOST
from virtquorum.check.relaxng.regular import LONGEST, Regular
from virtquorum.xml.document import Document

HEAD = "<domain type='kvm'><name>a</name><memory>1</memory><os><type>hvm</type></os>"
MANY = 30_000
#: Seconds; each takes a tenth of it where nothing else runs.
ENOUGH = 10


def _shuffled(number: int) -> str:
    parts = ["<source file='/a'/>", "<target dev='vda'/>", "<readonly/>", "<shareable/>",
             "<transient/>", "<serial>x</serial>", "<vendor>a</vendor>", "<boot order='1'/>",
             "<product>b</product>", "<alias name='ua-1'/>", "<driver name='qemu'/>"]  # fmt: skip
    random.Random(number).shuffle(parts)  # noqa: S311
    return f"<disk>{''.join(parts)}</disk>"


DOCUMENTS = {
    "attributes": "<domain " + " ".join(f"a{n}='1'" for n in range(MANY)) + "/>",
    "a long value": f"<domain type='{'k' * 1_000_000}'/>",
    "a long name": f"{HEAD}<uuid>{'a' * 1_000_000}</uuid></domain>",
    "a long number": f"{HEAD}<vcpu>{'1' * 1_000_000}</vcpu></domain>",
    "a long list": f"{HEAD}<vcpu cpuset='{'1-2,' * 250_000}'>1</vcpu></domain>",
    "unknown elements": HEAD + "".join(f"<x{n}/>" for n in range(MANY)) + "</domain>",
    "one element again and again": HEAD + "<name>a</name>" * MANY + "</domain>",
    "texts": HEAD + "a<name/>" * MANY + "</domain>",
    "wrong disks": f"{HEAD}<devices>{'<disk/>' * MANY}</devices></domain>",
    "different values": HEAD + "<devices>" + "".join(
        f"<disk type='q{n}'/>" for n in range(MANY)) + "</devices></domain>",
    "disks in every order": HEAD + "<devices>" + "".join(
        map(_shuffled, range(3_000))) + "</devices></domain>",
    "any elements": f"{HEAD}<metadata>" + "".join(
        f"<a{n} xmlns='urn:a'/>" for n in range(MANY)) + "</metadata></domain>",
    "deep": HEAD + "<metadata>" + "<a xmlns='urn:a'>" * 250 + "</a>" * 250 + "</metadata></domain>",
}  # fmt: skip


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_hostile_document_ends_soon(name: str) -> None:
    grammar = read_grammar(str(GRAMMAR))
    document = Document.from_text(DOCUMENTS[name], "hostile.xml")
    start = time.monotonic()
    found = grammar.check(document.root)
    assert time.monotonic() - start < ENOUGH
    assert len(found) <= MOST + 1
    assert any(one.kind == "gave-up" for one in found) == (len(found) > MOST)


def test_a_text_that_is_too_long_for_a_pattern_is_told_so() -> None:
    grammar = read_grammar(str(GRAMMAR))
    text = f"{HEAD}<uuid>{'a' * (LONGEST + 1)}</uuid></domain>"
    (mistake,) = grammar.check(Document.from_text(text, "x.xml").root)
    assert mistake.expected is not None
    assert mistake.expected.endswith("of at most 65,536 characters")


def test_giving_up_says_so_and_leaves_the_grammar_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    grammar: Grammar = read_grammar(str(GRAMMAR))
    good = Document.from_text(f"{HEAD}</domain>", "good.xml")
    assert grammar.check(good.root) == []
    monkeypatch.setattr("virtquorum.check.relaxng.grammar._ALLOWANCE", 2_000)
    wide = Document.from_text(DOCUMENTS["disks in every order"], "wide.xml")
    found = grammar.check(wide.root)
    assert [one.kind for one in found] == ["gave-up"]
    assert "too many different combinations" in found[0].message
    monkeypatch.undo()
    assert grammar.check(good.root) == []
    assert [one.kind for one in grammar.check(wide.root)] != ["gave-up"]


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("virtquorum.check.relaxng.grammar._KEPT", 5_000)
    grammar = read_grammar(str(GRAMMAR))
    sizes = []
    for number in range(30):
        text = f"{HEAD}<devices>{_shuffled(number)}{_shuffled(number + 99)}</devices></domain>"
        assert grammar.check(Document.from_text(text, "x.xml").root) == []
        assert grammar._automaton is not None
        sizes.append(grammar._automaton.patterns.size)
    assert max(sizes) < 10_000
    assert sorted(sizes) != sizes


@pytest.mark.parametrize("expression", ["(a*)*b", "(a|aa)+b", "(x+x+)+y", "a*a*a*a*b", "(.*,)*z"])
def test_no_expression_searches_long(expression: str) -> None:
    regular = Regular(expression)
    start = time.monotonic()
    for text in ("a" * LONGEST, "x" * 5_000, "a," * 10_000, "a" * (LONGEST + 1)):
        assert not regular.matches(text)
    assert time.monotonic() - start < ENOUGH
