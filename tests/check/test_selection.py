"""Which rules are taken: the more specific word, and options over a configuration."""

from __future__ import annotations

import pytest

from virtquorum.check.finding import Severity
from virtquorum.check.rules import RULES
from virtquorum.check.selection import ALWAYS, Selection, codes, nearest, normal, split
from virtquorum.errors import UsageError

CODES = sorted(RULES)


def taken(selection: Selection) -> set[str]:
    return {code for code in CODES if selection.takes(code, Severity.ERROR)}


def beginning(*starts: str) -> set[str]:
    return {code for code in CODES if code.startswith(starts)} | ALWAYS


def test_without_words_all_rules_are_taken() -> None:
    assert taken(Selection.from_words()) == set(CODES)


@pytest.mark.parametrize(
    ("select", "ignore", "expected"),
    [
        (["VQ105"], [], beginning("VQ105")),
        (["vq1"], [], beginning("VQ1")),
        (["Threshold-Above-Members"], [], beginning("VQ105")),
        (["VQ105,VQ2", "grammar"], [], beginning("VQ105", "VQ2", "VQ010")),
        ([" VQ105 , VQ106 "], [], beginning("VQ105", "VQ106")),
        (["all"], [], set(CODES)),
        (["VQ"], ["VQ1"], set(CODES) - beginning("VQ1") | ALWAYS),
        ([], ["VQ1"], set(CODES) - beginning("VQ1") | ALWAYS),
        ([], ["all"], set(ALWAYS)),
        (["VQ105"], ["VQ1"], beginning("VQ105")),
        (["VQ1"], ["VQ105"], beginning("VQ1") - {"VQ105"}),
        (["VQ10"], ["VQ1"], beginning("VQ10")),
        (["VQ105", "VQ1"], ["VQ10"], beginning("VQ105", "VQ11")),
        (["VQ105"], ["VQ105"], set(ALWAYS)),
        (["VQ105"], ["threshold-above-members"], set(ALWAYS)),
        (["VQ1"], ["VQ1"], set(ALWAYS)),
        (["all"], ["all"], set(ALWAYS)),
        ([], ["VQ0"], {code for code in CODES if not code.startswith("VQ0")} | ALWAYS),
    ],
)
def test_the_more_specific_word_counts(
    select: list[str], ignore: list[str], expected: set[str]
) -> None:
    assert taken(Selection.from_words(select, ignore)) == expected


@pytest.mark.parametrize(
    ("before", "select", "ignore", "expected"),
    [
        (([], ["VQ105"]), ["VQ105"], [], beginning("VQ105")),
        (([], ["VQ105"]), ["VQ1"], [], beginning("VQ1")),
        ((["VQ1"], []), [], ["VQ105"], beginning("VQ1") - {"VQ105"}),
        ((["VQ105"], []), [], ["VQ1"], set(ALWAYS)),
        ((["VQ1"], ["VQ105"]), [], [], beginning("VQ1") - {"VQ105"}),
        ((["VQ1"], ["VQ105"]), ["all"], [], set(CODES)),
        (([], ["VQ2"]), [], ["VQ1"], set(CODES) - beginning("VQ1", "VQ2") | ALWAYS),
    ],
)
def test_what_comes_later_counts_more(
    before: tuple[list[str], list[str]], select: list[str], ignore: list[str], expected: set[str]
) -> None:
    assert taken(Selection.from_words(*before).changed(select, ignore)) == expected


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (Severity.ERROR, [True, False, False]),
        (Severity.WARNING, [True, True, False]),
        (Severity.NOTE, [True, True, True]),
    ],
)
def test_severity(level: Severity, expected: list[bool]) -> None:
    selection = Selection.from_words(severity=level)
    assert [selection.takes("VQ105", one) for one in Severity] == expected
    assert selection.changed(ignore=["VQ1"]).severity is level


@pytest.mark.parametrize("code", sorted(ALWAYS))
def test_what_stops_the_reading_is_always_taken(code: str) -> None:
    for selection in (
        Selection.from_words(ignore=["all"]),
        Selection.from_words(ignore=["VQ0"]),
        Selection.from_words(select=["VQ105"], severity=Severity.ERROR),
    ):
        assert selection.takes(code, Severity.NOTE)
    for word in (code, RULES[code][0], "vq00"):
        with pytest.raises(UsageError, match=r"cannot be ignored: .* never a pass.*--exclude"):
            Selection.from_words(ignore=[word])


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("VQ015", "no rule is called 'VQ015'; did you mean 'VQ105'"),
        (
            "treshold-above-member",
            "no rule is called 'treshold-above-member'; did you mean 'threshold-above-members'",
        ),
        ("105", "no rule is called '105'; did you mean 'VQ105'?"),
        ("VQ999", "no rule is called 'VQ999'; expected a code"),
        ("VQ9", "no rule is called 'VQ9'; expected a code"),
        ("Q105", "no rule is called 'Q105'; did you mean 'VQ105'"),
        ("V", "no rule is called 'V'; expected a code"),
        ("*", "no rule is called '*'; expected a code"),
        ("", "'' names no rule; expected a code"),
        (" , ", "' , ' names no rule; expected a code"),
    ],
)
@pytest.mark.parametrize("option", ["select", "ignore"])
def test_unknown_words(option: str, word: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Selection.from_words(**{option: [word]})  # type: ignore[arg-type]
    assert str(caught.value).startswith(message)


def test_a_long_word_is_compared_with_nothing() -> None:
    assert nearest("threshold-above-members" * 1000) == ""


@pytest.mark.parametrize("code", CODES)
def test_every_rule_has_its_code_and_its_name(code: str) -> None:
    name, _ = RULES[code]
    assert normal(code) == normal(code.lower()) == normal(name) == normal(name.upper()) == code
    assert codes(code) == {code}
    assert code in codes(code[:3]) <= codes("VQ") == codes("")


def test_names_are_not_beginnings() -> None:
    """'threshold' is no word for all rules that begin so: only codes are grouped."""
    assert normal("threshold") is None
    assert split(["a,b", "c"]) == ["a", "b", "c"]
