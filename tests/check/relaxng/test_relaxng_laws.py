"""Laws: random grammars against jing and libxml2, places of mistakes, nothing is ever raised."""

from __future__ import annotations

import random
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from lxml import etree

from benchmarks.explainer import GRAMMAR, MUTATIONS
from benchmarks.explainer import documents as real_documents
from tests.check.relaxng.conformance import HEAD
from tests.check.relaxng.generated import changed, documents, fitting, grammars
from virtquorum.check.relaxng import Grammar, Mistake, read_grammar
from virtquorum.errors import InputError
from virtquorum.xml.document import Document, Element

if TYPE_CHECKING:
    from collections.abc import Callable

QUICK = settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))


def grammar_of(text: str) -> Grammar:
    return read_grammar("/nowhere/grammar.rng", texts={"/nowhere/grammar.rng": text.encode()})


def check(grammar: Grammar, text: str) -> list[Mistake]:
    return grammar.check(Document.from_text(text, "document.xml").root)


def test_jing_agrees_on_random_grammars(tmp_path: Path) -> None:
    drawn: dict[str, list[str]] = {}

    @seed(20)
    @settings(QUICK, max_examples=150, database=None, phases=[Phase.generate])
    @given(st.one_of(fitting(), changed()), st.lists(documents(), max_size=2))
    def draw(pair: tuple[str, str], others: list[str]) -> None:
        drawn.setdefault(pair[0], []).extend((pair[1], *others))

    draw()
    parts = []
    verdicts: dict[str, bool] = {}
    for number, (text, inputs) in enumerate(drawn.items()):
        (tmp_path / f"{number}.rng").write_text(text)
        parts.append(f"<element name='case{number}'><externalRef href='{number}.rng'/></element>")
        grammar = grammar_of(text)
        for one in inputs:
            path = tmp_path / f"{len(verdicts)}.xml"
            path.write_text(f"<case{number}>{one}</case{number}>")
            verdicts[path.name] = not check(grammar, one)
    master = tmp_path / "all.rng"
    master.write_text(f"<choice {HEAD}>{''.join(parts)}</choice>")
    done = subprocess.run(
        ["jing", "-i", master, *(tmp_path / name for name in verdicts)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ".rng:" not in done.stdout
    assert not done.stderr
    wrong = set(re.findall(r"(\d+\.xml):\d+:\d+: error", done.stdout))
    assert {name for name, valid in verdicts.items() if valid == (name in wrong)} == set()
    assert len(wrong) > 50
    assert len(verdicts) - len(wrong) > 50


@QUICK
@given(changed(), documents())
def test_libxml2_agrees_without_interleave(pair: tuple[str, str], other: str) -> None:
    """Its interleave takes every element that a branch could take, also what stands behind it."""
    text = re.sub("interleave|mixed", "group", pair[0])
    grammar = grammar_of(text)
    theirs = etree.RelaxNG(etree.fromstring(text))
    for one in (pair[1], other):
        assert (not check(grammar, one)) == theirs.validate(etree.fromstring(one))


@QUICK
@given(fitting())
def test_what_is_drawn_along_a_grammar_fits(pair: tuple[str, str]) -> None:
    assert check(grammar_of(pair[0]), pair[1]) == []


@QUICK
@given(grammars(), documents())
def test_a_second_check_says_the_same(text: str, document: str) -> None:
    grammar = grammar_of(text)
    first = [mistake[1:] for mistake in check(grammar, document)]
    assert [mistake[1:] for mistake in check(grammar, document)] == first
    assert [mistake[1:] for mistake in check(grammar_of(text), document)] == first


@pytest.fixture(scope="module")
def domain() -> Grammar:
    return read_grammar(str(GRAMMAR))


@pytest.fixture(scope="module")
def originals(domain: Grammar) -> list[Document]:
    found = real_documents(domain)
    assert len(found) > 80
    return found


def _leads_to(element: Element, other: Element) -> bool:
    """Whether one element is the other, or around it."""
    one: Element | Document = other
    while isinstance(one, Element):
        if one is element:
            return True
        one = one.parent
    return False


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda one: str(one.__name__))
def test_a_mistake_is_found_where_it_was_made(
    mutate: Callable[[Element, random.Random], object], domain: Grammar, originals: list[Document]
) -> None:
    """In the element that was changed, the one around it, or one beside it."""
    chance = random.Random(7)  # noqa: S311
    found = 0
    for document in originals:
        element = chance.choice([one for one in document.walk() if one is not document.root])
        edit = mutate(element, chance)
        if edit is None:
            continue
        data = document.data
        text = data[: edit.start] + edit.text + data[edit.stop :]  # type: ignore[attr-defined]
        try:
            mistakes = domain.check(Document.from_bytes(text, "document.xml").root)
        except InputError:  # a prefix that is not declared
            continue
        assert len(mistakes) <= 4
        found += bool(mistakes)
        parent = element.parent
        assert isinstance(parent, Element)
        shift = len(text) - len(data)
        for mistake in mistakes:
            assert parent.start <= mistake.element.start <= parent.stop + shift
    # Most orders are free.
    assert found > 5 or mutate.__name__ == "element_order"


@settings(QUICK, max_examples=150)
@given(st.text(st.sampled_from("<>/='\" abdx1:&#;!-[]"), max_size=60), documents())
def test_nothing_is_raised(noise: str, document: str) -> None:
    """Whatever Document reads can be checked."""
    grammar = _MIXED
    at = len(noise) % len(document)
    for text in (noise, document, document[:at] + noise + document[at:]):
        try:
            read = Document.from_text(text, "document.xml")
        except InputError:
            continue
        for mistake in grammar.check(read.root):
            assert mistake.message
            assert mistake.attribute is None or mistake.attribute in mistake.element.attributes


_MIXED = grammar_of(
    f"<element name='r' {HEAD}><interleave><attribute name='x'><data type='int'/></attribute>"
    "<element name='a'><text/></element>"
    "<element name='b'><list><value>1</value></list></element></interleave></element>"
)
