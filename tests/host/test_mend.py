"""Changes that were cut short at any call, and mended: what QEMU has then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.guests import DATA
from tests.host import live, live_faults
from tests.host.live_guests import CONTENT, Booted
from tests.host.test_plug import Plug
from tests.libvirts import GoneError, embed, missing_for_embed, missing_for_system, system
from virtquorum.host.change import ChangeError, Observer, Plan, apply
from virtquorum.host.live import BEGINNING
from virtquorum.host.monitor import GoneError as LostError
from virtquorum.host.monitor import Monitor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.libvirts import Embed, System
    from virtquorum.host.change import Step


@pytest.fixture(scope="module")
def bench() -> Iterator[Embed]:
    missing = missing_for_embed()
    if missing is not None:
        pytest.skip(missing)
    with embed() as bench:
        yield bench


@pytest.fixture(scope="module")
def booted(bench: Embed) -> Booted:
    return Booted(bench, "mended", buses=("scsi",))


def test_a_swap_that_was_cut_short_anywhere(booted: Booted) -> None:
    new = booted.graph(booted.images[0], *(booted.image(f"new{one}") for one in range(2)))
    graphs = booted.nodes, new
    found = booted.bench.call(live_faults.every_crash, booted.name, booted.alias, *graphs)
    assert {one["goal"] for one in found} == {None, "old", "new"}
    for one in found:
        goal, step = one.pop("goal"), one.pop("step")
        expected = goal or one["is"][0]
        if goal is None and step == _FIRST:  # it was killed before there was a note
            assert one.pop("strays") in ([], [BEGINNING])
            one["strays"] = []
        assert one == booted.settled(expected), step
        assert goal is not None or step in (None, _FIRST, _LAST)
    assert booted.guest.read(DATA).first.startswith(CONTENT)


_FIRST = "write down what is going to be changed"
_LAST = "take away the note of what was going to be changed"


def test_a_plug_that_was_cut_short_anywhere(booted: Booted) -> None:
    plug = Plug(booted, "sdb", "scsi")
    arguments = (booted.name, plug.alias, plug.xml, plug.nodes)
    found = booted.bench.call(live_faults.every_plug_crash, *arguments)
    assert {(one["kind"], one["goal"]) for one in found} == {
        (kind, goal) for kind in ("attach", "detach") for goal in (None, "old", "new")
    }
    for one in found:
        assert one["running"], one
        if one["goal"] is not None:
            is_there = (one["kind"] == "attach") == (one["goal"] == "new")
            assert one["is"] == is_there, one
            assert "note" not in one["left"], one
            assert is_there or one["left"] == [], one
    assert booted.state() == booted.settled()


@pytest.mark.parametrize(
    ("at", "goal"),
    [
        ("copy the disk to the new members", "old"),
        ("open the quorum as it shall be", "old"),
        ("close what is not needed any more", "new"),
    ],
)
def test_a_process_that_was_killed(booted: Booted, at: str, goal: str) -> None:
    new = booted.graph(*booted.images, booted.image(f"killed-{goal}"), threshold=3)
    graphs = booted.nodes, new
    with pytest.raises(GoneError):
        booted.bench.call(live_faults.killed, booted.name, booted.alias, *graphs, at)
    booted.bench.kill_worker()
    assert booted.state(new=new)["note"]
    assert booted.bench.call(live_faults.mended, booted.name) == goal
    if goal == "new":
        booted.nodes = new
    assert booted.state() == booted.settled()
    assert booted.guest.read(DATA).first.startswith(CONTENT)


def test_a_guest_without_a_note_needs_no_mending(booted: Booted) -> None:
    assert booted.bench.call(live_faults.mended, booted.name) is None


def test_a_daemon_that_is_restarted_meanwhile() -> None:
    missing = missing_for_system()
    if missing is not None:
        pytest.skip(missing)
    with system() as bench:
        booted = Booted(bench, "orphan")
        bench.leave()
        new = booted.graph(*booted.images, threshold=3)
        connection = bench.connect()
        monitor = Monitor(connection.lookupByName(booted.name))
        steps = live.plan_swap(monitor, booted.alias, booted.nodes, new, {})
        with pytest.raises(ChangeError) as caught:
            apply(Plan(title="change a disk", domain=booted.name, steps=steps), _Kills(bench))
        connection.close()
        assert caught.value.state == "between"
        assert isinstance(caught.value.cause, LostError)
        assert caught.value.cause.gone == "connection"
        bench.start()
        assert not booted.state()["running"]
        assert bench.call(live_faults.mended, booted.name) == "old"
        assert booted.state() == booted.settled()
        assert booted.guest.read(DATA).first.startswith(CONTENT)


class _Kills(Observer):
    def __init__(self, bench: System) -> None:
        self._bench = bench

    def began(self, step: Step) -> None:
        if step.title == "open the quorum as it shall be":
            self._bench.kill()
