"""Conversions that are cut short: afterwards all is as it was, or converted, or mended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.host import converting, doctored
from tests.host.converting import BOTH, SIZE, Stock
from tests.libvirts import CallError, GoneError, asked, embed, missing_for_embed
from tests.libvirts.domains import disk_content
from tests.nightly import NIGHTLY, nightly

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.libvirts import Embed


@pytest.fixture(scope="module")
def bench() -> Iterator[Embed]:
    missing = missing_for_embed()
    if missing is not None:
        pytest.skip(missing)
    with embed() as bench:
        yield bench


QUICK = {**BOTH, "checks": False}


@pytest.mark.parametrize("when", [pytest.param("before", marks=nightly), "after"])
def test_a_fault_at_every_call(bench: Embed, when: str) -> None:
    stock = Stock(bench, f"fault-{when}")
    new = [stock.new("1"), stock.new("2")]
    path, paths = str(stock.path), [str(stock.path), *(one["file"] for one in new)]
    back = ["convert_back", ["vda", "0"]]
    arguments: list[Any] = [stock.name, "convert", ["vda", new], QUICK, when, back, [path]]
    with stock.guest.turning(20) as turns:
        found = bench.call(converting.every_blow, *arguments)
    assert turns.status == 0
    old = stock.settled(path, path)
    quorum = stock.settled([2, paths], [2, paths], stock.placeholder)
    states = [_state(one, found, old, quorum) for one in found]
    assert states[-1] == "done"
    assert states.count("old") > 4
    assert stock.state() == old
    stock.destroy()


def test_a_fault_on_the_way_back(bench: Embed) -> None:
    stock = Stock(bench, "fault-back")
    new = [stock.new("1"), stock.new("2")]
    path, paths = str(stock.path), [str(stock.path), *(one["file"] for one in new)]
    stock.convert(*new, **QUICK)
    stock.guest.write(30, 0x5A)
    options = {**QUICK, "compare": False}
    there = ["convert", ["vda", new]]
    arguments = [stock.name, "convert_back", ["vda", "0"], options, "after", there, [path]]
    found = bench.call(converting.every_blow, *arguments)
    old = stock.settled([2, paths], [2, paths], stock.placeholder)
    states = [_state(one, found, old, stock.settled(path, path)) for one in found]
    assert states.count("old") > 2
    assert stock.guest.read(30).first == b"\x5a" * 16
    stock.destroy()


def _state(one: dict[str, Any], found: list[Any], old: dict[str, Any], new: dict[str, Any]) -> str:
    """What a conversion that was struck said of itself, which must be so."""
    said = str(one["said"]).partition(":")[0]
    expected = old if said == "old" else new
    keys = ("live", "config", "wrong", "running")
    assert {key: one[key] for key in keys} == {key: expected[key] for key in keys}, one
    if said == "old":
        assert (one["files"], one["strays"], one["note"], one["jobs"]) == (
            old["files"], [], False, [],
        ), one  # fmt: skip
    return said


@pytest.mark.parametrize("words", ["copy the disk", "read the whole disk"])
def test_an_interrupt(bench: Embed, words: str) -> None:
    stock = Stock(bench, f"int-{words[:4]}")
    new = [stock.new("1"), stock.new("2", "qcow2")]
    path = str(stock.path)
    options = {**QUICK, "create": True}
    with stock.guest.turning(20) as turns:
        if words == "copy the disk":
            arguments: list[Any] = ["convert", ["vda", new], options, words]
            before = stock.settled(path, path, images=[None])
        else:
            stock.convert(*new, **options)
            arguments = ["convert_back", ["vda", "0"], QUICK, words]
            before = stock.state(new[1]["file"])
        assert bench.call(converting.interrupted, stock.name, *arguments) == 2
    assert turns.status == 0
    state = stock.state(new[1]["file"])
    # What was made is gone again; what was there may have been written to.
    assert state | {"images": before["images"]} == before
    assert (state["images"] == [None]) == (words == "copy the disk")


def test_an_interrupt_while_it_is_off(bench: Embed) -> None:
    stock = Stock(bench, "int-off", run=False)
    new = stock.new("1", "qcow2")
    options = {"create": True}
    arguments = [stock.name, "convert", ["vda", [new]], options, "copy the disk"]
    assert bench.call(converting.interrupted, *arguments) == 2
    path = str(stock.path)
    assert stock.state(new["file"]) == stock.off(path, images=[None])


def test_a_full_file_system(bench: Embed) -> None:
    stock = Stock(bench, "full")
    new = stock.new("1")
    arguments = [["vda", [new]], QUICK, new["file"]]
    text = bench.call(converting.onto_full, stock.name, *arguments)
    assert text.startswith("old: cannot copy the disk to the new members: ")
    assert "No space left on device" in text
    path = str(stock.path)
    assert stock.state() == stock.settled(path, path)


def test_a_copy_that_is_killed(bench: Embed) -> None:
    content = disk_content(b"\1" * (2 << 20))
    stock = Stock(bench, "limit", run=False)
    stock.path.write_bytes(content.ljust(SIZE, b"\0"))
    new = stock.new("1", "qcow2")
    words = (
        "convert", stock.name, "vda", "--members", new["file"], "--format", "qcow2", "--create",
    )  # fmt: skip
    # Larger files may not be written; the system kills who tries.
    bench.leave()
    done = bench.held.run(
        ["prlimit", f"--fsize={1 << 20}", "/usr/bin/env", *bench_words(*words)],
        bench.environment(),
    )
    assert done.returncode == 1, done.stderr
    assert "cannot copy the disk to the new member" in done.stderr
    assert stock.state(new["file"]) == stock.off(str(stock.path), images=[None])
    assert stock.path.read_bytes() == content.ljust(SIZE, b"\0")


def bench_words(*words: str) -> list[str]:
    """The command line of virtquorum."""
    import sys

    return [sys.executable, "-m", "virtquorum", *words]


@pytest.mark.parametrize("word", ["convert", pytest.param("convert_back", marks=nightly)])
def test_a_kill_and_the_doctor(bench: Embed, word: str) -> None:
    stock = Stock(bench, f"kill-{word[7:]}"[:12])
    new = [stock.new("1"), stock.new("2")]
    path, paths = str(stock.path), [str(stock.path), *(one["file"] for one in new)]
    stock_state = stock.settled(path, path)
    quorum_state = stock.settled([2, paths], [2, paths], stock.placeholder)
    arguments: list[Any] = ["vda", new] if word == "convert" else ["vda", "0"]
    options = {**QUICK, "compare": False}
    seen = set()
    # The calls that change something are counted in a conversion that is let be.
    if word == "convert_back":
        stock.convert(*new, **QUICK)
    whole = bench.call(converting.struck, stock.name, word, arguments, options, 0, "before", "none")
    calls = whole["calls"]
    assert whole["said"] == "done"
    _to(stock, new, word)
    struck = [
        number
        for number, call in enumerate(calls, 1)
        if call in ("blockdev-mirror", "qom-set", "virDomainDefineXMLFlags", "virDomainResume")
        or call.startswith("virConnectDomainDefine")
        or call.endswith("urn:virtquorum:domain:1.0")
    ]
    assert len(struck) >= 4, calls
    for number in struck if NIGHTLY else struck[::2]:
        with pytest.raises(GoneError):
            bench.call(
                converting.struck, stock.name, word, arguments, options, number, "after", "kill"
            )
        bench.kill_worker()
        told = bench.call(doctored.doctored, stock.name, True)
        assert told["left"] == [], (calls[number - 1], told)
        state = stock.state()
        assert state in (stock_state, quorum_state) or state in (
            # Converted while it runs, and not yet in its definition: its members lack nothing.
            quorum_state | {"config": path},
            quorum_state | {"config": path, "files": []},
        ), (calls[number - 1], told, state)
        seen.add(str(state["live"]))
        assert stock.guest.write(30, number) == 0
        assert stock.guest.read(30).first == bytes([number]) * 16
        _to(stock, new, word)
    assert len(seen) == 2


def _to(stock: Stock, new: list[dict[str, str]], word: str) -> None:
    """Bring a disk into the state that a conversion begins with."""
    state = stock.state()
    if word == "convert":
        for half, scope in (("live", {"live": True}), ("config", {"config": True})):
            if isinstance(state[half], list):
                stock.back(**scope, compare=False)
    elif not isinstance(state["config"], list) or not isinstance(state["live"], list):
        for half, scope in (("live", {"live": True}), ("config", {"config": True})):
            if isinstance(state[half], list):
                stock.back(**scope, compare=False)
        stock.convert(*new, **QUICK)


def test_an_image_that_is_gone_in_the_pause(bench: Embed) -> None:
    """It cannot be undone, and is said so; when the image is back, the doctor mends it."""
    stock = Stock(bench, "away")
    path = stock.path
    stock.guest.write(30, 0x5A)
    arguments = ["vda", [stock.new("1")]]
    said = bench.call(converting.moved_away, stock.name, arguments, QUICK, str(path))
    missing = f"Could not open '{path}': No such file or directory"
    left = (
        "; the guest is paused, and its disk 'vda' is at a stand-in, where every request "
        "is an error: do not resume it; take away what is in the way, and 'virtquorum doctor away' "
        "gives it its disk back and lets it run"
    )
    assert said.startswith("between: cannot open the quorum as it shall be: ")
    assert said.count(missing) == 2
    assert said.endswith(left)
    bench.kill_worker()
    done = bench.virtquorum("doctor", "away")
    assert done.returncode == 1
    assert missing in done.stdout
    assert left in done.stdout
    path.with_name(f"{path.name}.away").rename(path)
    done = bench.virtquorum("doctor", "away")
    assert done.returncode == 0, done.stdout + done.stderr
    assert stock.state() == stock.settled(str(path), str(path))
    assert stock.guest.read(30).first == b"\x5a" * 16
    stock.destroy()


def test_qemu_ends_meanwhile(bench: Embed) -> None:
    stock = Stock(bench, "ended")
    new = [stock.new("1"), stock.new("2")]
    path = str(stock.path)
    plan = bench.call(converting.converted, stock.name, "convert", ["vda", new],
                      {**QUICK, "dry": True})  # fmt: skip
    assert any("blockdev-mirror" in line for line in plan["lines"])
    calls = bench.call(
        converting.qemu_killed, stock.name, "convert", ["vda", new], QUICK, "pause the guest"
    )
    assert calls.startswith("old: ")
    assert stock.state() == stock.off(path)
    stock.start(2)
    assert stock.state() == stock.settled(path, path)


def test_somebody_starts_it_meanwhile(bench: Embed) -> None:
    stock = Stock(bench, "started", run=False)
    new = stock.new("1")
    with pytest.raises(CallError, match="was started meanwhile"):
        bench.call(converting.started_meanwhile, stock.name, ["vda", [new]])
    path = str(stock.path)
    assert stock.state() == stock.settled(path, path)
    bench.call(asked.destroy, stock.name)
