"""A short run of the fuzzer; ``python -m tests.fuzz`` takes a long one."""

from __future__ import annotations

import random

import pytest

from tests import fuzz
from virtquorum.xml.domain import Domain


def test_a_few_hundred_mutations_bring_no_other_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert fuzz.main(["--examples", "600", "--seed", "20"]) == 0
    report = capsys.readouterr().out
    assert "600 examples, seed 20" in report
    # Damage that leaves nothing to read would test little.
    assert int(report.partition("read ")[2].split(";")[0].split(",")[0]) > 150


def test_the_same_seed_makes_the_same_inputs() -> None:
    raw = fuzz.seeds()[0]
    one, two = (
        [fuzz.mutated(raw, chance) for _ in range(50)]
        for chance in (random.Random(1), random.Random(1))  # noqa: S311
    )
    assert one == two
    assert len(set(one)) > 40


def test_a_failure_is_printed_and_ends_non_zero(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(self: Domain) -> bytes:
        raise ValueError("planted")

    monkeypatch.setattr(Domain, "to_bytes", broken)
    assert fuzz.main(["--examples", "200", "--seed", "1"]) == 1
    report = capsys.readouterr().out
    assert "of seed 1: b'" in report
    assert "ValueError: planted" in report
    assert "failed 10" in report
