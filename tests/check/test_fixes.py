"""Fixes applied: wholly or not at all, the first come first."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtquorum.check.finding import Edit, Finding, Fix
from virtquorum.check.fixes import apply

DATA = b"0123456789"


def edit(start: int, stop: int, text: str) -> Edit:
    return Edit(
        start=start, stop=stop, text=text,
        line=1, column=start + 1, end_line=1, end_column=stop + 1,
    )  # fmt: skip


def finding(*changes: tuple[int, int, str]) -> Finding:
    fix = Fix(description="mend", edits=tuple(edit(*one) for one in changes))
    return Finding(
        file="d.xml", line=1, column=1, end_line=1, end_column=2, rule="VQ110", message="wrong",
        fix=fix if changes else None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fixes", "expected", "applied"),
    [
        ([], "0123456789", []),
        ([[]], "0123456789", []),
        ([[(2, 4, "ab")]], "01ab456789", [0]),
        ([[(2, 4, "")]], "01456789", [0]),
        ([[(10, 10, "ä")], [(0, 0, "é")]], "é0123456789ä", [0, 1]),
        ([[(7, 8, "x"), (1, 2, "y")]], "0y23456x89", [0]),
        ([[(4, 6, "a")], [(1, 3, "b")]], "0b3a6789", [0, 1]),
        ([[(2, 4, "a")], [(4, 6, "b")]], "01ab6789", [0, 1]),
        ([[(4, 6, "b")], [(2, 4, "a")]], "01ab6789", [0, 1]),
        ([[(2, 4, "a")], [(3, 5, "b")]], "01a456789", [0]),
        ([[(2, 6, "a")], [(3, 4, "b")]], "01a6789", [0]),
        ([[(3, 4, "b")], [(2, 6, "a")]], "012b456789", [0]),
        ([[(2, 4, "a")], [(2, 4, "b")]], "01a456789", [0]),
        ([[(2, 2, "a")], [(2, 2, "b")]], "01a23456789", [0]),
        ([[(2, 2, "a")], [(2, 4, "b")]], "01a23456789", [0]),
        ([[(2, 4, "a")], [(4, 4, "b")]], "01a456789", [0]),
        ([[(0, 1, "a"), (5, 6, "c")], [(5, 7, "b")]], "a1234c6789", [0]),
        ([[(5, 7, "b")], [(0, 1, "a"), (5, 6, "c")]], "01234b789", [0]),
        ([[(5, 7, "b")], [(0, 1, "a"), (5, 6, "c")], [(0, 1, "d")]], "d1234b789", [0, 2]),
        ([[(2, 4, "a")], [(2, 4, "a")]], "01a456789", [0, 1]),
        ([[(2, 2, "a"), (2, 4, "b"), (4, 4, "c")]], "01abc456789", [0]),
        ([[(2, 2, "a"), (2, 2, "b")]], "01ab23456789", [0]),
        ([[(2, 5, "a"), (4, 6, "b")], [(0, 1, "x")]], "x123456789", [1]),
        ([[(9, 11, "a")], [(5, 4, "a")], [(0, 1, "x")]], "x123456789", [2]),
    ],
)
def test_apply(fixes: list[list[tuple[int, int, str]]], expected: str, applied: list[int]) -> None:
    findings = [finding(*changes) for changes in fixes]
    data, fixed = apply(DATA, findings)
    assert data.decode() == expected
    assert [id(one) for one in fixed] == [id(findings[number]) for number in applied]


CHANGES = st.tuples(st.integers(0, 10), st.integers(0, 4), st.sampled_from(["", "a", "bc"])).map(
    lambda one: (one[0], min(one[0] + one[1], 10), one[2])
)


@given(st.lists(st.lists(CHANGES, min_size=1, max_size=3), max_size=6))
def test_each_fix_is_there_wholly_or_not_at_all(fixes: list[list[tuple[int, int, str]]]) -> None:
    findings = [finding(*changes) for changes in fixes]
    data, fixed = apply(DATA, findings)
    edits = {
        (number, one)
        for number, done in enumerate(fixed)
        for one in done.fix.edits  # type: ignore[union-attr]
    }
    distinct = [
        one for done in dict.fromkeys(one.fix.edits for one in fixed if one.fix) for one in done
    ]
    assert len(data) == 10 + sum(len(one.text) - (one.stop - one.start) for one in distinct)
    touched = [place for one in distinct for place in range(one.start, one.stop)]
    assert len(touched) == len(set(touched)), "no byte is replaced twice"
    kept = [chr(DATA[place]) for place in range(10) if place not in touched]
    assert [one for one in data.decode() if one.isdigit()] == kept
    assert bool(edits) == bool(fixed)


def test_what_is_left_out_is_fixed_by_a_later_round() -> None:
    data, fixed = apply(DATA, [finding((2, 5, "x")), finding((4, 6, "y"))])
    assert (data, len(fixed)) == (b"01x56789", 1)
    data, fixed = apply(data, [finding((3, 4, "y"))])
    assert (data, len(fixed)) == (b"01xy6789", 1)


def test_many_fixes_take_no_quadratic_time() -> None:
    count = 50_000
    begin = time.monotonic()
    data, fixed = apply(b"ab" * count, [finding((2 * n, 2 * n + 1, "c")) for n in range(count)])
    assert data == b"cb" * count
    assert len(fixed) == count
    assert time.monotonic() - begin < 20
