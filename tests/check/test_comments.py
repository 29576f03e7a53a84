"""Comments that keep findings back: of what they speak, and what is said of the wrong ones."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtquorum.check.comments import Ignores
from virtquorum.check.finding import Severity
from virtquorum.check.selection import Selection
from virtquorum.xml.document import Document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.xml.document import Element

CODE = "VQ105"


def read(text: str) -> tuple[Document, Ignores]:
    document = Document.from_text(text, "d.xml")
    return document, Ignores(document)


def hidden(text: str, code: str = CODE) -> list[str]:
    """The names of the elements whose findings are kept back."""
    document, ignores = read(text)
    return [one.name for one in document.walk() if ignores.hides(one, code)]


def said(text: str) -> list[tuple[str, str, str]]:
    """Code, text at the place, and message of what is wrong with the comments."""
    document, ignores = read(text)
    return [
        (one.code, document.data[one.start : one.stop].decode(), one.message)
        for one in ignores.problems()
    ]


def ignore(rules: str = CODE, reason: str = "as agreed") -> str:
    return f"<!-- virtquorum: ignore {rules} {reason} -->"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"<a><b/>{ignore()}<c><d/></c><e/></a>", ["c", "d"]),
        (f"<a>{ignore()}\n  <!-- and so on --> <b/><c/></a>", ["b"]),
        (f"<a>{ignore()} text <?pi?><![CDATA[<x>]]><b/></a>", ["b"]),
        (f"<a><b><c/>{ignore()}</b><d/></a>", ["b", "c"]),
        (f"<a><b>{ignore()}</b><d/></a>", ["b"]),
        (f"<a><b>{ignore()} text </b><d/></a>", ["b"]),
        (f"{ignore()}<a><b/></a>", ["a", "b"]),
        (f"<?xml version='1.0'?>\n{ignore()}\n<!-- more -->\n<a><b/></a>", ["a", "b"]),
        (f"<a><b/></a>\n{ignore()}\n<!-- end -->\n", ["a", "b"]),
        (f"<a><b/></a>\n{ignore()}\n<?pi <x>?>", ["a", "b"]),
        (f"<a>{ignore()}<b/><b/></a>", ["b"]),
        (f"<a><b/>{ignore()}<b/>{ignore('VQ1')}</a>", ["a", "b", "b"]),
        (f"<a><![CDATA[{ignore()}]]><b/></a>", []),
        (f"<a><?pi {ignore()}?><b/></a>", []),
        ("<a><b t='virtquorum: ignore VQ105'/></a>", []),
        ("<a><!-- not virtquorum: ignore VQ105 --><b/></a>", []),
        ("<a><!--virtquorum:ignore VQ105--><b/></a>", ["b"]),
        ("<a><!--\n\tvirtquorum:\n ignore\n VQ105\n--><b/></a>", ["b"]),
        ("<a><!-- virtquorum: IGNORE vq105 --><b/></a>", ["b"]),
        (f"<a>{ignore('all')}<b/></a>", ["b"]),
        (f"<a>{ignore('VQ')}<b/></a>", ["b"]),
        (f"<a>{ignore('VQ1')}<b/></a>", ["b"]),
        (f"<a>{ignore('VQ10')}<b/></a>", ["b"]),
        (f"<a>{ignore('threshold-above-members')}<b/></a>", ["b"]),
        (f"<a>{ignore('VQ2,VQ105 ,  VQ3')}<b/></a>", ["b"]),
        (f"<a>{ignore('VQ106')}<b/></a>", []),
        (f"<a>{ignore('VQ2', 'not VQ105, though')}<b/></a>", []),
        (f"<ä>{ignore('VQ105', 'größer')}<ö/><b/></ä>", ["ö"]),
        (f"<a x='1>2'>{ignore()}<b y='/>'/></a>", ["b"]),
    ],
)
def test_of_what_a_comment_speaks(text: str, expected: list[str]) -> None:
    assert hidden(text) == expected


@pytest.mark.parametrize("code", ["VQ001", "VQ002", "VQ003", "VQ004"])
def test_what_stops_the_reading_is_never_kept_back(code: str) -> None:
    assert hidden(f"{ignore('all')}<a/>", code) == []


@pytest.mark.parametrize(
    ("comment", "code", "place", "message"),
    [
        ("virtquorum: ignore VQ015 why", "VQ020", "VQ015", "no rule is called 'VQ015'; did you"),
        ("virtquorum: ignore VQ105: why", "VQ020", "VQ105:", "did you mean 'VQ105'?"),
        ("virtquorum: ignore VQ2, because so", "VQ020", "because", "no rule is called 'because'"),
        ("virtquorum: ignore", "VQ020", None, "the comment names no rule"),
        ("virtquorum: ignore ,", "VQ020", None, "the comment names no rule"),
        ("virtquorum: ignroe VQ105", "VQ020", None, "'ignroe' is nothing that a comment can ask"),
        ("virtquorum:", "VQ020", None, "'' is nothing that a comment can ask for"),
        ("virtquorum: ignore VQ001 why", "VQ020", "VQ001", "'VQ001' cannot be ignored"),
        ("virtquorum: ignore VQ105 why", "VQ021", "VQ105", "'VQ105' keeps nothing back here"),
        ("virtquorum: ignore VQ1", "VQ021", "VQ1", "'VQ1' keeps nothing back here"),
        ("virtquorum: ignore all", "VQ021", "all", "'all' keeps nothing back here"),
    ],
)
def test_wrong_comments(comment: str, code: str, place: str | None, message: str) -> None:
    found = said(f"<ä>\n  <!-- {comment} -->\n  <b/>\n</ä>")
    assert (code, place or f"<!-- {comment} -->") in [one[:2] for one in found]
    assert any(message in one[2] for one in found)
    assert {one[0] for one in found} <= {code, "VQ021"}


def test_a_used_comment_is_not_wrong() -> None:
    document, ignores = read(f"<a>{ignore('VQ1')}<b/></a>")
    assert ignores.hides(document.root.elements()[0], CODE)
    assert [*ignores.problems()] == []


def test_of_two_words_the_more_specific_one_is_used() -> None:
    document, ignores = read(f"<a>{ignore('VQ1, VQ105')}<b/></a>")
    assert ignores.hides(document.root.elements()[0], CODE)
    assert [one.message for one in ignores.problems()] == ["'VQ1' keeps nothing back here"]


def test_of_two_comments_the_nearest_one_is_used() -> None:
    document, ignores = read(f"{ignore()}<a>{ignore()}<b/></a>")
    assert ignores.hides(document.root.elements()[0], CODE)
    (problem,) = ignores.problems()
    assert problem.start < document.root.start


def test_of_two_comments_alike_the_first_one_is_used() -> None:
    document, ignores = read(f"<a>{ignore()}{ignore()}<b/></a>")
    assert ignores.hides(document.root.elements()[0], CODE)
    (problem,) = ignores.problems()
    assert problem.start > len(f"<a>{ignore()}")


@pytest.mark.parametrize("rules", ["grammar", "VQ011", "VQ5", "VQ501"])
def test_what_depends_on_the_machine_is_not_said_to_be_unused(rules: str) -> None:
    assert said(f"<a>{ignore(rules)}<b/></a>") == []


def test_only_rules_that_were_looked_for_are_said_to_be_unused() -> None:
    _, ignores = read(f"<a>{ignore('VQ105, VQ2, VQ106')}<b/></a>")
    selection = Selection.from_words(select=["VQ105", "VQ201", "VQ02"])
    assert [one.message[:7] for one in ignores.problems(selection.takes)] == ["'VQ105'"]
    higher = Selection.from_words(severity=Severity.WARNING)
    assert [*ignores.problems(higher.takes)] == []


def test_findings_about_comments_can_be_kept_back() -> None:
    assert said(f"{ignore('unused-ignore, VQ020')}<a>{ignore('VQ105, VQ015')}<b/></a>") == []
    assert said(f"{ignore('all')}<a>{ignore('VQ105')}<b/></a>") == []
    assert [one[1] for one in said(f"{ignore('VQ021')}<a/>")] == ["VQ021"]


def test_problems_are_in_the_order_of_the_document() -> None:
    starts = [
        one.start
        for one in read(f"<a>{ignore('VQ015')}{ignore('VQ016,VQ014')}<b/></a>")[1].problems()
    ]
    assert len(starts) == 3
    assert starts == sorted(starts)


def test_a_long_word_is_shown_in_part() -> None:
    ((_, place, message),) = said(f"<a>{ignore('x' * 5000)}</a>")
    assert len(place) == 5000
    assert len(message) < 120


def test_without_the_mark_nothing_is_read() -> None:
    document, ignores = read("<a><!-- nothing --><b/></a>")
    assert not ignores.hides(document.root, CODE)
    assert [*ignores.problems()] == []


@pytest.mark.parametrize(
    "text",
    [
        "<a>" + ignore() * 50_000 + "<b/></a>",
        "<a>" + f"{ignore()}<b/>" * 50_000 + "</a>",
        "<a>" + "".join(ignore(f"x{number}") for number in range(50_000)) + "</a>",
        "<a>" + ignore(",".join(f"x{number}" for number in range(50_000))) + "</a>",
        "<a>" + ignore(",".join(["all"] * 50_000)) + "</a>",
        "<a><!-- virtquorum: ignore" + " " * 500_000 + "--></a>",
        "<a><!-- virtquorum: ignore VQ105" + " ," * 250_000 + "--></a>",
    ],
    ids=range(7),
)
def test_many_comments_take_no_quadratic_time(text: str) -> None:
    """Quadratic would be minutes."""
    document = Document.from_text(text, "d.xml")
    begin = time.monotonic()
    ignores = Ignores(document)
    for element in document.walk():
        ignores.hides(element, CODE)
    count = sum(1 for _ in ignores.problems())
    assert count <= 50_001
    assert time.monotonic() - begin < 20


PIECES = st.recursive(
    st.sampled_from(
        [
            "text",
            "<e/>",
            "<!-- plain <b> -->",
            "<?pi <b> ?>",
            "<![CDATA[<b> <!-- ]]>",
            ignore(),
            ignore("VQ2"),
        ]
    ),
    lambda inner: st.lists(inner, max_size=4).map(lambda parts: f"<n>{''.join(parts)}</n>"),
    max_leaves=20,
)


def expected_scopes(root: Element, text: str) -> Iterator[int]:
    """The offsets of the elements that a comment speaks of, by a slow and plain reading."""
    import pyexpat

    waiting: list[list[bool]] = [[False]]
    opened: list[int] = []
    parser = pyexpat.ParserCreate("utf-8")
    found: list[int] = []

    def start(_name: str, _attributes: object) -> None:
        offset = parser.CurrentByteIndex
        if waiting[-1][0]:
            found.append(offset)
        waiting[-1][0] = False
        waiting.append([False])
        opened.append(offset)

    def end(_name: str) -> None:
        offset = opened.pop()
        if waiting.pop()[0]:
            found.append(offset)

    def comment(data: str) -> None:
        if data.startswith(f" virtquorum: ignore {CODE} "):
            waiting[-1][0] = True

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CommentHandler = comment
    parser.Parse(text.encode(), True)
    if waiting[-1][0]:
        found.append(root.start)
    yield from found


@given(st.lists(PIECES, max_size=6))
def test_the_scanner_agrees_with_expat(parts: list[str]) -> None:
    text = f"<r>{''.join(parts)}</r>"
    document, ignores = read(text)
    scopes = set(expected_scopes(document.root, text))

    def covered(element: Element) -> bool:
        one: Element | Document = element
        while not isinstance(one, Document):
            if one.start in scopes:
                return True
            one = one.parent
        return False

    for element in document.walk():
        assert ignores.hides(element, CODE) == covered(element)
