"""Changes that were cut short at any call, and mended: what QEMU has then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.guests import DATA
from tests.host import live, live_faults
from tests.host.live_guests import CONTENT, Booted
from tests.host.test_plug import Plug
from tests.libvirts import GoneError, embed, missing_for_embed, missing_for_system, system
from tests.nightly import nightly
from tests.servers.nbd import nbd_on_socket
from virtquorum.host.change import ChangeError, Observer, Plan, apply
from virtquorum.host.live import BEGINNING
from virtquorum.host.monitor import GoneError as LostError
from virtquorum.host.monitor import Monitor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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


@nightly
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


@nightly
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


def test_an_image_that_is_gone_in_the_pause(booted: Booted) -> None:
    """The guest stays paused, until the image is back and the doctor comes."""
    booted.guest.write(30, 0x5A)
    new = booted.graph(*booted.images, driver="type='quorum' cache='none'")
    graphs, path = (booted.nodes, new), str(booted.images[1])
    found = booted.bench.call(live_faults.moved_away, booted.name, booted.alias, *graphs, path)
    left = (
        f"; the guest is paused, and its disk '{booted.target}' is at a stand-in, where every "
        "request is an error: do not resume it; take away what is in the way, and 'virtquorum "
        f"doctor {booted.name}' gives it its disk back and lets it run"
    )
    missing = f"Could not open '{path}': No such file or directory"
    change, mending = found["said"]
    assert change == (
        "between: cannot open the quorum as it shall be: QEMU says to 'blockdev-add': "
        f"{missing}; then it could not be undone to close the quorum as it was: QEMU says to "
        f"'blockdev-add': {missing}{left}"
    )
    assert mending == (
        f"between: cannot build the disk's graph anew: QEMU says to 'blockdev-add': {missing}; "
        "bring that image itself back, or put a copy of a good member in its place (a blank one "
        f"would be a bad member); or end what runs ('virtquorum destroy {booted.name}'), replace "
        f"the member in the definition, and 'virtquorum start {booted.name}'; "
        f"what was mended stays so, and the rest can be tried again{left}"
    )
    for key in ("between", "after"):
        seen = found[key]
        assert (seen["is"], seen["running"], seen["note"]) == ([], False, True)
        assert any(one.startswith("vq-standin") for one in seen["strays"])
    assert found["goal"] == "old"
    assert booted.state() == booted.settled()
    assert booted.guest.read(30).first == b"\x5a" * 16
    assert booted.guest.read(DATA).first.startswith(CONTENT)
    assert len({one.read_bytes() for one in booted.images}) == 1


def test_what_can_stay_open_is_not_closed(booted: Booted, tmp_path: Path) -> None:
    """A member whose server has ended would not open again; open as it is it does no harm."""
    socket = tmp_path / "nbd"
    served = (
        "<backingStore type='network'><format type='raw'/><source protocol='nbd' name='c'>"
        f"<host transport='unix' socket='{socket}'/></source></backingStore>"
    )
    with nbd_on_socket({"c": booted.image("served")}, socket):
        booted.swap(booted.graph(*booted.images[:2], served))
        new = booted.graph(*booted.images[:2], booted.image("in-its-place"))
        arguments = (booted.name, booted.alias, booted.nodes, new)
        said = booted.bench.call(live_faults.cut, *arguments, "open the quorum as it shall be")
        assert said.endswith(
            "; the guest may be paused; when libvirt answers again, 'virtquorum doctor "
            f"{booted.name}' mends it"
        )
    assert booted.bench.call(live_faults.mended, booted.name) == "old"
    assert booted.state() == booted.settled()
    assert booted.guest.read(DATA).first.startswith(CONTENT)
    booted.swap(booted.graph(*booted.images))


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
