"""For stock disks, our devices and controllers are those that the installed libvirt writes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.qemu.devices.cases import CASES
from tests.qemu.devices.devices import Devices, devices_of
from tests.qemu.devices.test_refusals import REFUSED, TAKEN
from tests.qemu.embedded import NEEDED, native

pytestmark = NEEDED

HERE = [name for name, case in CASES.items() if case.is_here]
#: Where a device is: QEMU finds a place where the domain names none, libvirt makes one up.
_PLACES = frozenset({"bus", "addr", "multifunction", "port", "devno", "reg"})


@pytest.fixture(scope="module")
def stock() -> dict[str, Any]:
    """For each case what libvirt writes."""
    options = "-device", "-object", "-global", "-chardev", "-drive", "-machine"
    return dict(zip(HERE, native([CASES[name].xml() for name in HERE], *options), strict=True))


_NEWER = frozenset({"discard_granularity"})
#: What libvirt 9.0 says and no QEMU has, and what QEMU has for it.
_NO_DRIVERS = {"dc-390": "dc390", "vhost-user-blk-device": "vhost-user-blk"}


def device(text: str) -> dict[str, Any]:
    """A device that libvirt writes, by the name that QEMU has for it."""
    found: dict[str, Any] = json.loads(text)
    found["driver"] = _NO_DRIVERS.get(found["driver"], found["driver"])
    return found


def key(device: dict[str, Any]) -> tuple[object, ...]:
    """What tells devices apart; companions of a USB controller have no id."""
    return device.get("id"), device["driver"], device.get("firstport")


def compared(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    """A device of libvirt's, less the place that it found because the domain named none.

    Behind its port a device is one of virtio 1, and ours is told so.
    """
    if "disable-legacy" in ours:
        assert theirs["iommu_platform"]
        assert theirs["bus"] != "pcie.0"
        theirs = {**theirs, "disable-legacy": "on"}
    invented = {name for name in _PLACES & theirs.keys() if name not in ours}
    if "addr" in invented:
        invented |= {"bus", "multifunction"}
    return {name: value for name, value in theirs.items() if name not in invented}


def bare(device: dict[str, Any]) -> dict[str, Any]:
    """A device with its block node by no name, without what libvirt 9.0 does not know yet."""
    kept = {name: value for name, value in device.items() if name not in _NEWER}
    return {name: value if name != "drive" else "…" for name, value in kept.items()}


@pytest.mark.parametrize("name", CASES)
def test_the_devices_are_libvirts(name: str, stock: dict[str, Any]) -> None:
    if name not in HERE:
        pytest.skip(f"not installed: {CASES[name].program}")
    theirs = stock[name]
    assert not isinstance(theirs, str), theirs
    ours = devices_of(CASES[name].xml())
    written = [device(one) for one in theirs["-device"]]
    known = {key(one): one for one in written}
    for one in ours.devices:
        assert key(one) in known, (one, sorted(map(str, known)))
        assert bare(one) == bare(compared(one, known[key(one)]))
    shown = [one for one in written if "drive" in one or "chardev" in one]
    assert {one["id"] for one in shown} <= {one.get("id") for one in ours.devices}
    check_the_rest(ours, theirs)


def check_the_rest(ours: Devices, theirs: dict[str, list[str]]) -> None:
    """What stands beside the devices."""
    written = [json.loads(one) for one in theirs["-object"] if one.startswith("{")]
    assert all(one in written for one in ours.objects), (ours.objects, written)
    assert [f"{driver}.{name}={value}" for driver, name, value in ours.global_options] == [
        one for one in theirs["-global"] if one.startswith("isa-fdc.")
    ]
    machine = theirs["-machine"][0].split(",")
    assert all(f"{option}={value}" in machine for option, value in ours.machine_options)
    cards = [dict(pair.split("=") for pair in one.split(",")) for one in theirs["-drive"]]
    assert ours.cards == [one["index"] for one in cards if one["if"] == "sd"]
    spelled = []
    for one in ours.chardevs:
        words = [f"{name}={str(value).replace(',', ',,')}" for name, value in one.items()]
        spelled.append(",".join(["socket", *words]))
    assert spelled == [one for one in theirs["-chardev"] if "chr-vu-" in one]


def test_libvirt_refuses_what_we_refuse_but_where_qemu_would_or_it_drops_it() -> None:
    here = [name for name, (case, _) in REFUSED.items() if case.is_here]
    said = native([REFUSED[name][0].xml() for name in here], "-device")
    taken = {name for name, one in zip(here, said, strict=True) if not isinstance(one, str)}
    assert taken == TAKEN.keys() & set(here)
