"""What is asked before something is lost, and what an answer leads to."""

from __future__ import annotations

import io

import pytest

from virtquorum.cli.connection import agreed
from virtquorum.cli.streams import Streams


class Keys(io.BytesIO):
    """What a person types."""

    def isatty(self) -> bool:
        return True


class Screen(io.StringIO):
    """What a person sees."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("typed", "goes_on"), [(b"y\n", True), (b"Yes\n", True), (b"n\n", False), (b"\n", False)]
)
def test_a_person_is_told_what_a_no_means(typed: bytes, goes_on: bool) -> None:
    screen = Screen()
    streams = Streams(input=Keys(typed), out=Screen(), err=screen)
    assert agreed(["it is lost"], streams, yes=False, dry_run=False) is goes_on
    said = "" if goes_on else "virtquorum: nothing was changed\n"
    assert screen.getvalue() == f"virtquorum: it is lost\nvirtquorum: go on? [y/N] {said}"
