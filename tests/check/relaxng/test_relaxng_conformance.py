"""Verdicts on small grammars: the specification's, ours, jing's and libxml2's."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest
from lxml import etree

from tests.check.relaxng.conformance import HEAD, REGULAR, Case, cases
from virtquorum.check.relaxng import Grammar, read_grammar
from virtquorum.xml.document import Document

if TYPE_CHECKING:
    from pathlib import Path

CASES = {case.name: case for case in cases()}


#: A hyphen at either end of a character class stands for itself since the second edition of
#: XML Schema; jing goes by the first.
JING_REFUSES = {
    f"regular-{number}"
    for number, (expression, _, _) in enumerate(REGULAR)
    if expression in {"[-a]+", "[a-]+"}
}

#: It counts zeros behind the last digit that means something.
JING_IS_WRONG = {"facet-3-decimal: <r>012.30</r>"}


def grammar_of(text: str, name: str = "/nowhere/grammar.rng") -> Grammar:
    return read_grammar(name, texts={name: text.encode()})


def verdict(grammar: Grammar, text: str) -> bool:
    return not grammar.check(Document.from_text(text, "document.xml").root)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_verdicts_of_the_specification(case: Case) -> None:
    grammar = grammar_of(case.grammar)
    assert [one for one in case.valid if not verdict(grammar, one)] == []
    assert [one for one in case.invalid if verdict(grammar, one)] == []


def test_jing_gives_the_same_verdicts(tmp_path: Path) -> None:
    """One jing for all: a grammar in which each case has an element of its own."""
    parts = []
    documents: dict[str, tuple[str, bool]] = {}
    for number, case in enumerate(CASES.values()):
        if case.name in JING_REFUSES:
            continue
        (tmp_path / f"{number}.rng").write_text(case.grammar)
        parts.append(f"<element name='case{number}'><externalRef href='{number}.rng'/></element>")
        for right, texts in ((True, case.valid), (False, case.invalid)):
            for text in texts:
                path = tmp_path / f"{len(documents)}.xml"
                path.write_text(f"<case{number}>{text}</case{number}>")
                documents[path.name] = (f"{case.name}: {text}", right)
    master = tmp_path / "all.rng"
    master.write_text(f"<choice {HEAD}>{''.join(parts)}</choice>")
    done = subprocess.run(
        ["jing", "-i", master, *(tmp_path / name for name in documents)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    wrong = set(re.findall(r"(\d+\.xml):\d+:\d+: error", done.stdout))
    assert "fatal" not in done.stdout
    assert ".rng:" not in done.stdout
    assert not done.stderr
    assert {
        said for name, (said, right) in documents.items() if right != (name not in wrong)
    } == JING_IS_WRONG


#: What libxml2 (2.9.14 and 2.14) says otherwise than the specification and jing.
LIBXML2_IS_WRONG: dict[str, str] = {
    "value-qname": "prefixes of QName values are not resolved",
    "value-qname-ns": "prefixes of QName values are not resolved",
    "spaces-in-the-grammar": "white space around the value of a facet is not dropped",
    "type-float": "'1e' is taken for a number",
    "facet-9-NMTOKENS": "length facets of NMTOKENS are not looked at",
    "facet-11-unsignedInt": "patterns are matched before white space is dropped",
}


def libxml2_differs(case: Case) -> list[str]:
    try:
        grammar = etree.RelaxNG(etree.fromstring(case.grammar))
    except etree.RelaxNGParseError:
        return ["the grammar"]
    return [
        text
        for right, texts in ((True, case.valid), (False, case.invalid))
        for text in texts
        if grammar.validate(etree.fromstring(text)) != right
    ]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_libxml2_gives_the_same_verdicts(case: Case) -> None:
    assert bool(libxml2_differs(case)) == (case.name in LIBXML2_IS_WRONG)
