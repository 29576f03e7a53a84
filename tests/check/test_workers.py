"""Many documents over processes: order, patience, and what a process cannot stop."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from virtquorum.check import workers
from virtquorum.check.engine import Options
from virtquorum.check.grammar import find_libvirt_schemas
from virtquorum.check.screen import Screen
from virtquorum.check.workers import Item, check_items, read_file
from virtquorum.errors import InputError, UnreadableError, UsageError

ROOT = Path(__file__).parents[2]
GOOD = (ROOT / "samples" / "three-qcow2.xml").read_bytes()
BAD = GOOD.replace(b"threshold='2'", b"threshold='9'")
#: Valid, and libxml2's validator takes over 15 seconds for it.
SLOW = ROOT / "tests" / "corpus" / "stock" / "disk-driver-options.xml"


@pytest.fixture
def options() -> Options:
    return Options(libvirt_schemas=find_libvirt_schemas())


def children() -> set[int]:
    """The processes below this one."""
    tasks = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    return {int(one) for one in tasks.read_text().split()}


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
    monkeypatch.setattr(workers, "PATIENCE", 0.2)
    items = [Item("a", GOOD), Item(str(SLOW)), Item("c", BAD), Item(str(SLOW)), Item("e", GOOD)]
    start = time.monotonic()
    found = list(check_items(items, options))
    # Not a measure of speed: libxml2 alone would have taken half a minute.
    assert time.monotonic() - start < 15
    assert [[finding.rule for finding in one.findings] for one in found] == [
        [], [], ["VQ105"], [], [],
    ]  # fmt: skip
    assert not children()


def test_who_stops_asking_leaves_no_process(options: Options) -> None:
    results = check_items([Item(str(number), GOOD) for number in range(100)], options, processes=2)
    next(results)
    assert children()
    results.close()  # type: ignore[attr-defined]
    assert not children()


def test_a_process_that_is_killed_is_an_error_and_no_pass(
    options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(self: Screen, raw: bytes) -> tuple[bool, str | None]:
        os.kill(os.getpid(), signal.SIGKILL)
        return True, None

    monkeypatch.setattr(Screen, "look", end)
    with pytest.raises(RuntimeError, match="ended without an answer"):
        list(check_items([Item("a", GOOD)], options))
    assert not children()


def test_an_error_in_a_process_is_raised_here(options: Options, tmp_path: Path) -> None:
    from dataclasses import replace

    broken = replace(options, schema=str(tmp_path / "nowhere.rng"))
    with pytest.raises(InputError, match=r"nowhere\.rng"):
        list(check_items([Item("a", GOOD)], broken))


def test_images_without_qemu_img(
    options: Options, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from dataclasses import replace

    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="qemu-utils"):
        list(check_items([Item("a", GOOD)], replace(options, images=True)))


def test_what_libxml2_refuses_and_we_do_not_is_told(
    options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Screen, "look", lambda self, raw: (False, "Extra element in interleave"))
    (found,) = check_items([Item("a", GOOD)], options)
    assert [finding.rule for finding in found.findings] == ["VQ012"]
    assert "Extra element in interleave" in found.findings[0].message


def test_reading_stops_behind_the_bound(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"12345")
    assert read_file(str(path), 3) == b"1234"
    assert read_file(str(path), 5) == b"12345"
    with pytest.raises(UnreadableError, match="is a directory"):
        read_file(str(tmp_path), 5)
