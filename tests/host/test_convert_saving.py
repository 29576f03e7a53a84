"""Conversions and 'virsh save': what would come back with another disk cannot be saved at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.guests import DATA
from tests.host import converting, doctored
from tests.host.converting import BOTH, CONTENT, Stock
from tests.libvirts import (
    GoneError,
    asked,
    embed,
    missing_for_embed,
    missing_for_system,
    system,
)
from virtquorum.host.change import Observer, apply
from virtquorum.host.nodes import nosave_name
from virtquorum.host.session import Host

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.libvirts import Bench, Embed, System
    from virtquorum.host.change import Step

QUICK = {**BOTH, "checks": False, "compare": False}
FORBID = "forbid to save or migrate the domain, which would come back with the disk as it was"
ALLOW = "allow to save the domain again"
NODE = nosave_name("vq-vda")


@pytest.fixture(scope="module")
def bench() -> Iterator[Embed]:
    if (missing := missing_for_embed()) is not None:
        pytest.skip(missing)
    with embed() as bench:
        yield bench


@pytest.fixture(scope="module")
def daemon() -> Iterator[System]:
    if (missing := missing_for_system()) is not None:
        pytest.skip(missing)
    with system() as bench:
        yield bench


class Saves(Observer):
    """Has virsh save the domain as each step begins, once it is forbidden and until it is not."""

    def __init__(self, bench: System, name: str, *, now: bool) -> None:
        self.bench = bench
        self.name = name
        self.now = now
        self.tried: list[tuple[str, int]] = []

    def began(self, step: Step) -> None:
        if self.now:
            self.tried.append((step.title, managedsave(self.bench, self.name)))
        self.now = (self.now or step.title == FORBID) and step.title != ALLOW


def managedsave(bench: Bench, name: str) -> int:
    """Save a domain, or not; virsh's exit code."""
    return bench.run("virsh", "-c", bench.uri, "managedsave", name).returncode


def made(bench: System, stock: Stock, word: str, arguments: list[Any], observer: Observer) -> None:
    """Make a conversion in this process."""
    connection = bench.connect()
    try:
        domain = Host(connection).domain(stock.name)
        apply(converting.planned(domain, word, arguments, dict(QUICK)), observer)
    finally:
        connection.close()


def test_virsh_saves_at_no_step(daemon: System) -> None:
    stock = Stock(daemon, "saving")
    new = [stock.new("1"), stock.new("2", "raw")]
    path, paths = str(stock.path), [str(stock.path), *(one["file"] for one in new)]
    there = Saves(daemon, stock.name, now=False)
    with stock.guest.turning(20) as turns:
        made(daemon, stock, "convert", ["vda", new], there)
    assert turns.status == 0
    titles = [title for title, _ in there.tried]
    for title in ("copy the disk to the new members", f"define '{stock.name}'",
                  "open the quorum as it shall be", "let the guest run again"):  # fmt: skip
        assert title in titles
    assert {code for _, code in there.tried} == {1}
    # Where the daemon has its placeholders, this process has none.
    assert stock.state() == stock.settled([2, paths], [2, paths])
    back = Saves(daemon, stock.name, now=True)
    made(daemon, stock, "convert_back", ["vda", "0"], back)
    assert f"define '{stock.name}'" in [title for title, _ in back.tried]
    assert {code for _, code in back.tried} == {1}
    assert stock.state() == stock.settled(path, path)
    # It is a stock disk again, and saved as one.
    assert managedsave(daemon, stock.name) == 0
    daemon.call(asked.start, stock.name)
    assert stock.state() == stock.settled(path, path)
    assert stock.guest.read(DATA).first.startswith(CONTENT)
    stock.destroy()


def test_one_that_is_saved_before_it_is_forbidden(bench: Embed) -> None:
    """What comes back is the stock disk, and a note that the doctor sees to."""
    stock = Stock(bench, "saved")
    path = str(stock.path)
    stock.guest.write(30, 0x5A)
    arguments = ["convert", ["vda", [stock.new("1")]], QUICK, FORBID]
    assert bench.call(converting.saved_meanwhile, stock.name, *arguments).startswith("old: ")
    assert stock.state() == stock.off(path)
    bench.kill_worker()
    bench.call(asked.start, stock.name)
    told = bench.call(doctored.doctored, stock.name, True)
    assert (told["mended"][:1], told["left"], told["again"]) == (["unfinished"], [], [])
    assert stock.state() == stock.settled(path, path)
    assert stock.guest.read(30).first == b"\x5a" * 16
    stock.destroy()


def nodes(stock: Stock) -> set[str]:
    """The names of QEMU's nodes."""
    found = stock.bench.call(asked.monitor, stock.name, "query-named-block-nodes", {"flat": True})
    return {one["node-name"] for one in found}


def test_what_is_undone_can_be_saved(bench: Embed) -> None:
    stock = Stock(bench, "undone")
    arguments: list[Any] = ["convert", ["vda", [stock.new("1")]], QUICK, "copy the disk"]
    assert bench.call(converting.interrupted, stock.name, *arguments) == 2
    assert NODE not in nodes(stock)
    bench.call(converting.saved, stock.name)
    bench.call(asked.start, stock.name)
    assert stock.state() == stock.settled(str(stock.path), str(stock.path))
    stock.destroy()


@pytest.mark.parametrize(("call", "is_old"), [("blockdev-mirror", True), ("qom-set", False)])
def test_what_was_killed_and_mended_can_be_saved(bench: Embed, call: str, is_old: bool) -> None:
    stock = Stock(bench, f"mended-{call}")
    new, path = [stock.new("1")], str(stock.path)
    word, arguments = ("convert", ["vda", new]) if is_old else ("convert_back", ["vda", "0"])
    if not is_old:
        stock.convert(*new, **QUICK)
        assert NODE in nodes(stock)
    number = _number(stock, word, arguments, call)
    with pytest.raises(GoneError):
        bench.call(converting.struck, stock.name, word, arguments, QUICK, number, "after", "kill")
    bench.kill_worker()
    assert NODE in nodes(stock)
    told = bench.call(doctored.doctored, stock.name, True)
    assert told == {"mended": ["unfinished", "orphan"], "left": [], "again": []}
    assert NODE not in nodes(stock)
    assert stock.state()["live"] == path
    bench.call(converting.saved, stock.name)
    bench.call(asked.start, stock.name)
    assert stock.guest.read(DATA).first.startswith(CONTENT)
    assert nodes(stock).isdisjoint({NODE})
    stock.destroy()


def _number(stock: Stock, word: str, arguments: list[Any], call: str) -> int:
    """The number of the last such call of a conversion, which is made and taken back."""
    whole = stock.bench.call(
        converting.struck, stock.name, word, arguments, QUICK, 0, "before", "none"
    )
    assert whole["said"] == "done"
    if word == "convert":
        stock.back(**QUICK)
    else:
        stock.convert(stock.new("1"), **QUICK)
    calls: list[str] = whole["calls"]
    return len(calls) - calls[::-1].index(call)
