"""Quorum disks plugged into running guests and taken out again, for real."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.host import live, live_faults
from tests.host.live_guests import CONTENT, SIZE, Booted
from tests.libvirts import CallError, asked, embed, missing_for_embed
from tests.libvirts.domains import disk_xml
from tests.nightly import nightly

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.host.live import Flat
    from tests.libvirts import Embed


@pytest.fixture(scope="module")
def bench() -> Iterator[Embed]:
    missing = missing_for_embed()
    if missing is not None:
        pytest.skip(missing)
    with embed() as bench:
        yield bench


@pytest.fixture(scope="module")
def guest(bench: Embed) -> Booted:
    return Booted(bench, "plugs", buses=("scsi", "usb"))


class Plug:
    """A quorum disk that can be plugged into a guest."""

    def __init__(self, booted: Booted, target: str, bus: str, *, size: int = SIZE) -> None:
        self.booted = booted
        self.alias = f"ua-{target}"
        self.images = [booted.image(f"{target}-{one}", CONTENT) for one in range(3)]
        self.nodes: Flat = live.graph(*self.images, target=target)
        placeholder = booted.image(f"{target}-placeholder", size=size)
        self.xml = disk_xml(target, placeholder, bus=bus, boot=None)

    def attach(self) -> list[str]:
        arguments = (self.booted.name, self.alias, self.xml, self.nodes)
        lines: list[str] = self.booted.bench.call(live.attached, *arguments)
        return lines

    def detach(self, seconds: float = 10) -> list[str]:
        arguments = (self.booted.name, self.alias, self.nodes, seconds)
        lines: list[str] = self.booted.bench.call(live.detached, *arguments)
        return lines

    def state(self) -> dict[str, Any]:
        graphs = {"own": self.booted.nodes, "new": self.nodes}
        arguments = (self.booted.name, self.alias, graphs)
        found: dict[str, Any] = self.booted.bench.call(live.state, *arguments)
        return found

    def strays(self) -> list[str]:
        """Nodes of this disk that QEMU has."""
        there = self.booted.bench.looked_up(self.booted.name)["nodes"]
        return sorted(there.keys() & {one["node-name"] for one in self.nodes})

    def reads(self, text: bytes) -> bool:
        said = self.booted.bench.io(self.booted.name, self.alias, "read -v 0 512")
        return text.decode() in said


@pytest.mark.parametrize(("bus", "target"), [("scsi", "sdb"), ("usb", "sdc")])
def test_a_disk_comes_and_goes(guest: Booted, bus: str, target: str) -> None:
    plug = Plug(guest, target, bus)
    with guest.guest.turning(20) as turns:
        plug.attach()
        assert plug.state()["is"] == ["new"]
        assert plug.reads(CONTENT)
        plug.detach()
    assert turns.status == 0
    assert plug.strays() == []
    assert f"'{plug.alias}'" not in guest.bench.call(asked.xml, guest.name)
    assert guest.state() == guest.settled()


def test_a_virtio_guest_that_does_not_answer_keeps_its_disk(bench: Embed) -> None:
    booted = Booted(bench, "deaf")
    plug = Plug(booted, "vdb", "virtio")
    plug.attach()
    with pytest.raises(CallError, match=r"has not let go of the disk 'ua-vdb' within 0\.3 seconds"):
        plug.detach(0.3)
    assert plug.state()["is"] == ["new"]
    assert not plug.state()["note"]
    assert plug.reads(CONTENT)
    bench.virsh("reset", "deaf")
    booted.guest.booted(2)
    booted.destroy()


def test_a_detach_goes_on_when_the_guest_answers(bench: Embed) -> None:
    booted = Booted(bench, "slow")
    plug = Plug(booted, "vdb", "virtio")
    plug.attach()
    pending = bench.begin(live.detached_by_reset, "slow", plug.alias, plug.nodes)
    pending.result(30)
    assert plug.strays() == []
    booted.destroy()


def test_libvirt_says_that_sata_disks_are_not_plugged_in(guest: Booted) -> None:
    plug = Plug(guest, "sdd", "sata")
    with pytest.raises(CallError, match="does not support hotplugging") as caught:
        plug.attach()
    assert caught.value.code == 1
    assert plug.strays() == []
    assert guest.state() == guest.settled()


def test_a_placeholder_of_another_size_is_refused(guest: Booted) -> None:
    plug = Plug(guest, "sde", "scsi", size=SIZE * 2)
    with pytest.raises(CallError, match=f"has {SIZE * 2} bytes and the node 'vq-sde' {SIZE}"):
        plug.attach()
    assert plug.strays() == []
    assert guest.state() == guest.settled()


def test_a_missing_image_changes_nothing(guest: Booted) -> None:
    plug = Plug(guest, "sdf", "scsi")
    plug.images[2].unlink()
    with pytest.raises(CallError, match="Could not open"):
        plug.attach()
    assert plug.strays() == []
    assert guest.state() == guest.settled()


@pytest.mark.parametrize("when", [pytest.param("before", marks=nightly), "after"])
def test_a_fault_at_any_call_of_an_attach(guest: Booted, when: str) -> None:
    plug = Plug(guest, "sdg", "scsi")
    arguments = (guest.name, plug.alias, plug.xml, plug.nodes, when)
    found = guest.bench.call(live_faults.every_attach_fault, *arguments)
    assert {one["said"] for one in found} == {None, "old", "new"}
    for one in found:
        if one["said"] == "old":
            assert one["left"] == [], one
            assert one["running"], one
        else:
            assert one["is"], one


def test_the_paused_guest_stays_paused(guest: Booted) -> None:
    plug = Plug(guest, "sdh", "scsi")
    guest.bench.virsh("suspend", guest.name)
    plug.attach()
    assert not plug.state()["running"]
    plug.detach()
    guest.bench.virsh("resume", guest.name)
    assert guest.state() == guest.settled()


@pytest.mark.parametrize("when", [pytest.param("before", marks=nightly), "after"])
def test_a_fault_at_any_call_of_a_detach(guest: Booted, when: str) -> None:
    plug = Plug(guest, "sdi", "scsi")
    arguments = (guest.name, plug.alias, plug.xml, plug.nodes, when)
    found = guest.bench.call(live_faults.every_detach_fault, *arguments)
    assert {one["said"] for one in found} == {None, "old", "new"}
    for one in found:
        assert one["is"] == (one["said"] == "old"), one
        assert one["said"] is not None or one["left"] == [], one


def test_a_plugged_disk_is_changed_like_any_other(guest: Booted) -> None:
    plug = Plug(guest, "sdj", "scsi")
    plug.attach()
    new = live.graph(*plug.images, guest.image("sdj-new"), threshold=3, target="sdj")
    guest.bench.call(live.swapped, guest.name, plug.alias, plug.nodes, new, {})
    plug.nodes = new
    assert plug.state()["is"] == ["new"]
    assert plug.reads(CONTENT)
    plug.detach()
    assert plug.strays() == []
