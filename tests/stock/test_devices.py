"""The devices of a lowered domain are those that libvirt makes for stock disks in the same places.

Every domain of tests/qemu/devices has its disks turned into quorums, is lowered,
and put through libvirt's own translation beside the original.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.qemu.devices.cases import CASES
from tests.qemu.embedded import NEEDED, native
from virtquorum.stock.lower import lower, lowerings
from virtquorum.xml.domain import Domain

pytestmark = NEEDED

HERE = [name for name, case in CASES.items() if case.is_here]
DISK = re.compile(r"<disk type='file' device='(disk|cdrom)'.*?</disk>")
SOURCE = re.compile(r"<source file='([^']*)'/>")


def quorum(found: re.Match[str]) -> str:
    """A stock disk as a quorum of two members, if a quorum can be in its place."""
    text = found[0]
    source = SOURCE.search(text)
    bus = re.search(r"bus='(\w+)'", text)
    if source is None or bus is None or bus[1] not in ("virtio", "scsi", "sata", "ide", "usb"):
        return text
    members = "".join(
        f"<backingStore type='file'><format type='raw'/><source file='{source[1]}.{one}'/>"
        "</backingStore>"
        for one in "ab"
    )
    text = text.replace("type='file'", "type='quorum' threshold='2'", 1)
    return text.replace(source[0], members).replace("type='raw' ", "type='quorum' ", 1)


def quorums(name: str) -> Domain:
    return Domain.from_text(DISK.sub(quorum, CASES[name].xml()))


WITH_QUORUMS = [name for name in HERE if any(disk.quorums for disk in quorums(name).disks)]


@pytest.fixture(scope="module")
def written() -> dict[str, tuple[Any, Any]]:
    """For each case what libvirt writes of the stock domain, and of the lowered one."""
    texts = [CASES[name].xml() for name in WITH_QUORUMS]
    texts += [lower(quorums(name), directory="/p").text for name in WITH_QUORUMS]
    options = "-device", "-object", "-machine", "-global", "-blockdev"
    every = native(texts, *options)
    stock, lowered = every[: len(WITH_QUORUMS)], every[len(WITH_QUORUMS) :]
    return dict(zip(WITH_QUORUMS, zip(stock, lowered, strict=True), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_the_devices_of_a_lowered_domain_are_libvirts(
    name: str, written: dict[str, tuple[Any, Any]]
) -> None:
    if name not in WITH_QUORUMS:
        pytest.skip("no disk that a quorum could stand for" if name in HERE else "no such QEMU")
    stock, lowered = written[name]
    assert not isinstance(stock, str), stock
    assert not isinstance(lowered, str), lowered
    found = {one.alias: one for one in lowerings(quorums(name), directory="/p")}
    ours = [json.loads(one) for one in lowered["-device"]]
    theirs = [json.loads(one) for one in stock["-device"]]
    assert len(ours) == len(theirs)
    seen = set()
    for own, their in zip(ours, theirs, strict=True):
        one = found.get(own.get("id"))
        if one is not None:
            seen.add(one.alias)
            assert own["drive"] == one.drive
            assert own.pop("share-rw", False) == their.pop("share-rw", False)
            # What libvirt does not say of a disk without a cache mode is QEMU's default.
            assert own.pop("write-cache", "on") == their.pop("write-cache", "on")
            del own["id"], own["drive"], their["id"], their["drive"]
        assert _comparable(own) == _comparable(their)
    assert seen == set(found)
    for option in ("-object", "-machine", "-global"):
        assert lowered[option] == stock[option]


def _comparable(device: dict[str, Any]) -> dict[str, Any]:
    """A device less the number of libvirt's node, a MAC that is drawn, and s390's ids of disks."""
    drawn = ("mac", "target") if device["driver"] == "zpci" else ("mac",)
    kept = {name: value for name, value in device.items() if name not in drawn}
    drive = kept.get("drive")
    if isinstance(drive, str) and drive.startswith("libvirt-"):
        kept["drive"] = re.sub(r"\d+", "N", drive)
    return kept


@pytest.mark.parametrize("name", WITH_QUORUMS)
def test_our_nodes_are_the_last_arguments(name: str, written: dict[str, tuple[Any, Any]]) -> None:
    """Each as we wrote it, and every disk's guard with them."""
    _, lowered = written[name]
    ours = [
        value for one in lowerings(quorums(name), directory="/p") for value in one.arguments[1::2]
    ]
    assert [json.loads(one) for one in lowered["-blockdev"][-len(ours) :]] == [
        json.loads(one) for one in ours
    ]
