"""Many documents over processes: order, patience, and what a process cannot stop."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from virtquorum.check import libxml2
from virtquorum.check.engine import Checked
from virtquorum.check.grammar import find_libvirt_schemas
from virtquorum.check.libxml2 import Verdicts
from virtquorum.check.options import Item, Options
from virtquorum.check.workers import check_items
from virtquorum.errors import InputError, UnreadableError, UsageError

ROOT = Path(__file__).parents[2]
GOOD = (ROOT / "samples" / "three-qcow2.xml").read_bytes()
BAD = GOOD.replace(b"threshold='2'", b"threshold='9'")
#: Valid, and libxml2's validator takes over 15 seconds for it.
SLOW = ROOT / "tests" / "corpus" / "stock" / "disk-driver-options.xml"


@pytest.fixture
def options() -> Options:
    return Options(libvirt_schemas=find_libvirt_schemas())


def checked(items: list[Item], options: Options) -> list[Checked]:
    """The results with libxml2's verdicts, as a short run has them."""
    assert Verdicts.wanted(items, options)
    verdicts = Verdicts(items, options)
    try:
        return list(check_items(items, options, verdicts=verdicts))
    finally:
        verdicts.close()
        assert not children()


def every_child() -> set[int]:
    """The processes below this one."""
    tasks = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    return {int(one) for one in tasks.read_text().split()}


_others: set[int] = set()


@pytest.fixture(autouse=True)
def others() -> None:
    """Remember the processes that are there already: guests and servers of other tests."""
    _others.clear()
    _others.update(every_child())


def children() -> set[int]:
    """The processes below this one that have come since the test began."""
    return every_child() - _others


@pytest.mark.parametrize("processes", [1, 2, 5])
def test_results_come_in_order(options: Options, processes: int) -> None:
    items = [Item(f"{number}", BAD if number % 7 == 0 else GOOD) for number in range(130)]
    found = list(check_items(items, options, processes=processes))
    for number, one in enumerate(found):
        assert [finding.rule for finding in one.findings] == (["VQ105"] if number % 7 == 0 else [])
        assert {finding.file for finding in one.findings} <= {str(number)}
    assert not children()


def test_a_document_on_which_libxml2_hangs_is_checked_all_the_same(
    options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(libxml2, "PATIENCE", 0.3)
    items = [Item("a", GOOD), Item(str(SLOW)), Item("c", BAD), Item(str(SLOW)), Item("e", GOOD)]
    start = time.monotonic()
    found = checked(items, options)
    # Not a measure of speed: libxml2 alone would have taken half a minute.
    assert time.monotonic() - start < 10
    assert [[finding.rule for finding in one.findings] for one in found] == [
        [], [], ["VQ105"], [], [],
    ]  # fmt: skip


def test_what_libxml2_says(options: Options, tmp_path: Path) -> None:
    """Of what it may read otherwise than we do it says nothing."""
    network = b"<network><name>n</name></network>"
    for raw, valid in (
        (GOOD, True),
        (GOOD.replace(b"<devices>", b"<devices><nonsense/>"), False),
        (network, True),
        (network.replace(b"name>", b"nam>"), False),
        (GOOD.decode().encode("utf-16"), False),
        (b"<?xml version='1.0' encoding='cp1252'?>" + GOOD, False),
        (b"<!DOCTYPE domain [<!ENTITY a 'b'>]>" + GOOD, False),
        (b"<domain>", False),
        (b"", False),
        (b"<domstatus/>", False),
    ):
        verdicts = Verdicts([Item("x", raw), Item("y", GOOD)], options)
        assert verdicts.next() is valid, raw[:80]
        assert verdicts.next()
        assert not verdicts.next(), "there is no third one"
        verdicts.close()
    assert not children()


def test_when_libxml2_is_asked(options: Options) -> None:
    few = [Item("x", GOOD)]
    assert Verdicts.wanted(few, options)
    assert not Verdicts.wanted([], options)
    assert not Verdicts.wanted(few * 100, options)
    assert not Verdicts.wanted(few, Options())
    for more in ({"grammar": "both"}, {"schema": "x.rng"}):
        assert not Verdicts.wanted(few, replace(options, **more))  # type: ignore[arg-type]


@pytest.mark.parametrize("verdict", ["valid", "refused", "unknown"])
def test_the_explainer_is_the_judge_where_libxml2_says_no_or_nothing(
    options: Options, verdict: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Verdicts, "next", lambda self: verdict == "valid")
    bad = GOOD.replace(b"<devices>", b"<devices><nonsense/>")
    good, wrong = checked([Item("good", GOOD), Item("bad", bad)], options)
    rules = [[one.rule for one in found.findings] for found in (good, wrong)]
    assert rules == {
        "valid": [[], []],
        "refused": [[], ["VQ010"]],
        "unknown": [[], ["VQ010"]],
    }[verdict]  # fmt: skip


def test_who_stops_asking_leaves_no_process(options: Options) -> None:
    results = check_items([Item(str(number), GOOD) for number in range(100)], options, processes=2)
    next(results)
    assert children()
    results.close()  # type: ignore[attr-defined]
    assert not children()


def test_a_process_that_is_killed_is_an_error_and_no_pass(
    options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = os.getpid()

    def end(self: Item, size: int) -> bytes:
        assert os.getpid() != mine
        os.kill(os.getpid(), signal.SIGKILL)
        return b""

    monkeypatch.setattr(Item, "read", end)
    with pytest.raises(RuntimeError, match="ended without an answer"):
        list(check_items([Item("a", GOOD)] * 100, options, processes=2))
    assert not children()


def test_an_error_in_a_process_is_raised_here(options: Options, tmp_path: Path) -> None:
    broken = replace(options, schema=str(tmp_path / "nowhere.rng"))
    with pytest.raises(InputError, match=r"nowhere\.rng"):
        list(check_items([Item("a", GOOD)] * 100, broken, processes=2))


def test_images_without_qemu_img(
    options: Options, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="qemu-utils"):
        list(check_items([Item("a", GOOD)], replace(options, images=True)))


def test_reading_stops_behind_the_bound(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"12345")
    assert Item(str(path)).read(3) == b"1234"
    assert Item(str(path)).read(5) == b"12345"
    with pytest.raises(UnreadableError, match="is a directory"):
        Item(str(tmp_path)).read(5)
