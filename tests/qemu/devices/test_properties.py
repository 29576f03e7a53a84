"""Every device and every property that our classes describe is QEMU's own, of the same kind."""

from __future__ import annotations

import re
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from qemu.qmp.qmp_client import ExecuteError

from tests.programs import Qemu, missing, qemu
from tests.qemu.devices.cases import CASES
from tests.qemu.devices.devices import devices_of
from virtquorum.qemu.devices.controllers import CONTROLLERS
from virtquorum.qemu.devices.device import Device, Zpci
from virtquorum.qemu.devices.disks import DISKS
from virtquorum.qemu.devices.plugging import AT_START
from virtquorum.qemu.qapi import Property, properties

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"not installed: {missing()}")

DEVICES: dict[str, type[Device]] = {**DISKS, **CONTROLLERS, Zpci.driver: Zpci}
#: What -device says itself, whatever the driver.
_EVERY = frozenset({"id", "bus"})
_INTEGERS = frozenset({"int32", "uint8", "uint16", "uint32", "uint64", "size", "zpci_fid"})
#: Where a text is read by QEMU as something else.
_READ = {"addr": "int32", "iothread": "link<iothread>"}
#: The programs that have the devices that x86 has not.
_ELSEWHERE = {
    "virtio-blk-ccw": "s390x", "virtio-scsi-ccw": "s390x", "zpci": "s390x", "spapr-vscsi": "ppc64",
    "vt82c686b-usb-uhci": "ppc64",
}  # fmt: skip


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Qemu]]:
    """A QEMU of each architecture that is installed."""
    with ExitStack() as stack:
        found = {}
        for arch in ("x86_64", "s390x", "ppc64"):
            (case, *_) = [case for case in CASES.values() if case.arch == arch]
            if case.is_here:
                started = qemu([], tmp_path_factory.mktemp("qemu"), program=case.program)
                found[arch] = stack.enter_context(started)
        yield found


@pytest.mark.parametrize("driver", DEVICES)
def test_a_device_is_qemus(programs: dict[str, Qemu], driver: str) -> None:
    arch = _ELSEWHERE.get(driver, "x86_64")
    if arch not in programs:
        pytest.skip(f"not installed: qemu-system-{arch}")
    theirs = described(programs[arch], driver)
    for name, property in properties(DEVICES[driver]).items():
        if name not in _EVERY:
            assert property.name in theirs
            check_kind(property, theirs[property.name])


def described(running: Qemu, driver: str) -> dict[str, dict[str, Any]]:
    """A device's properties by their names; some devices are known by another name as well."""
    text = running.command("human-monitor-command", **{"command-line": "device_add help"})
    alias = re.search(rf'name "([^"]+)".*alias "{driver}"', text)
    type = alias[1] if alias else driver
    return {one["name"]: one for one in running.command("device-list-properties", typename=type)}


def check_kind(ours: Property, theirs: dict[str, Any]) -> None:
    """What we would write is what QEMU would read."""
    type = theirs["type"]
    match ours.kind:
        case "text":
            assert type == _READ.get(theirs["name"], "str")
        case "integer":
            assert type in _INTEGERS
        case "switch":
            assert type == "bool"
        case "choice":
            words = re.split(r"[/,\s]+", theirs["description"])
            assert set(ours.words) <= set(words)
        case _:
            raise AssertionError(ours.kind)


@pytest.mark.parametrize("driver", [one for one in DEVICES if one not in _ELSEWHERE])
def test_what_cannot_be_plugged_in_is_known(programs: dict[str, Qemu], driver: str) -> None:
    """QEMU names the reason before it looks at anything else."""
    with pytest.raises(ExecuteError) as caught:  # on a machine without buses
        programs["x86_64"].command("device_add", driver=driver)
    assert "expects a pluggable device type" not in str(caught.value) or driver in AT_START
    assert DEVICES.keys() >= AT_START


def test_every_property_is_in_some_case() -> None:
    """A property that no case has is one that nobody ever tried."""
    told: set[tuple[str, str]] = set()
    names: set[str] = set()
    for case in CASES.values():
        for one in devices_of(case.xml()).devices:
            told |= {(str(one["driver"]), name) for name in one}
            names |= set(one)
    drivers = {driver for driver, _ in told}
    assert set(DEVICES) == drivers
    every = {str(one.name) for cls in DEVICES.values() for one in properties(cls).values()}
    assert every - names == set()
