"""The laws of json_text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from virtquorum.json_text import json_text

if TYPE_CHECKING:
    from virtquorum.json_text import Json

TEXT = st.text(st.characters())  # lone surrogates, too: a file's name may hold any byte
VALUES: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda below: st.lists(below) | st.dictionaries(TEXT, below),
)


@given(VALUES, st.sampled_from([None, 0, 1, 2, 4]), st.booleans())
def test_it_reads_back_as_the_same(value: Json, indent: int | None, ascii_only: bool) -> None:
    assert json.loads(json_text(value, indent=indent, ascii_only=ascii_only)) == value


@given(VALUES)
def test_nothing_in_it_steers_a_terminal_or_fails_to_encode(value: Json) -> None:
    text = json_text(value)
    assert text.isprintable()
    text.encode("utf-8")
    assert json_text(value, ascii_only=True).isascii()


@given(VALUES)
def test_indented_it_is_what_the_standard_library_writes(value: Json) -> None:
    written = json_text(value, indent=2, ascii_only=True)
    assert written == json.dumps(value, ensure_ascii=True, indent=2)


def test_depth_is_no_matter() -> None:
    value: Json = "bottom"
    for number in range(5_000):
        value = [value] if number % 2 else {"below": value}
    text = json_text(value)
    assert text.count("[") == 2_500
    assert text.startswith('[{"below":[{"below":')
    assert text.endswith("}]}]")
    assert json_text(value, indent=1).count("\n") == 10_000
