"""Sizes, as people write them and are told them."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtquorum.errors import UsageError
from virtquorum.images.size import LARGEST, human_size, parse_size

SECTORS = st.integers(1, LARGEST // 512).map(lambda count: count * 512)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("10G", 10 * 1024**3), ("10g", 10 * 1024**3), ("10GiB", 10 * 1024**3),
        ("10 gib", 10 * 1024**3), ("10GB", 10**10), ("1.5M", 3 * 2**19), ("512", 512),
        ("1024 bytes", 1024), ("0.5K", 512), ("7E", 7 * 2**60), (" 1T ", 2**40),
        (str(LARGEST), LARGEST),
    ],
)  # fmt: skip
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "message"),
    [
        *((text, f"'{text}' is no size; write it like 10G, 512M, 1.5T, 10GiB or 10GB (of 1000)")
          for text in ("", "G", "-1G", "1e9", "0x200", "10Q", "1 G B", "\u0661G", "1" * 31)),
        *((text, f"the size '{text}' is out of range: an image has 512 bytes to 8 EiB")
          for text in ("0", "0G", "8E", "9" * 30, "100000E")),
        ("513", "the size '513' is not a whole number of 512-byte sectors; the next one is 1024"),
        ("1KB", "the size '1KB' is not a whole number of 512-byte sectors; the next one is 1024"),
    ],
)  # fmt: skip
def test_what_is_no_size(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        parse_size(text)


@given(SECTORS)
def test_what_is_told_is_read_back(size: int) -> None:
    assert parse_size(human_size(size)) == size


@given(st.integers(1, 10**6), st.sampled_from("KMGT"))
def test_letters_are_powers_of_1024(count: int, letter: str) -> None:
    unit = 1024 ** ("KMGT".index(letter) + 1)
    assert parse_size(f"{count}{letter}") == parse_size(f"{count}{letter}iB") == count * unit


@given(st.text(max_size=12))
def test_any_text_is_a_size_or_an_error(text: str) -> None:
    try:
        size = parse_size(text)
    except UsageError:
        return
    assert 512 <= size <= LARGEST
    assert size % 512 == 0
    assert Fraction(size).denominator == 1
