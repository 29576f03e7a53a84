"""QEMU starts with our devices in each style, and says of each what we said."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.programs import Qemu, missing
from tests.qemu.devices.cases import CASES, QUORUMS, Case, controller, disk, quorum
from tests.qemu.devices.devices import devices_of
from tests.qemu.devices.started import started, translated
from virtquorum.model.sources.file import FileSource
from virtquorum.qemu.devices.device import device_options
from virtquorum.qemu.qmp import undo
from virtquorum.qemu.translate import STYLES, Style, Translated, commands

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"not installed: {missing()}")

#: What is no property of the running device, or is another type there.
_NOT_READ = frozenset({"driver", "bus", "id", "addr", "chardev", "port", "masterbus"})
_BUILT_IN = re.compile(r"pcie?\.0|ide\.[0-5]")


EVERY = {name: case for name, case in (CASES | QUORUMS).items() if case.starts}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", EVERY)
def test_qemu_has_the_devices(name: str, style: Style, tmp_path: Path) -> None:
    case = EVERY[name]
    if not case.is_here:
        pytest.skip(f"not installed: {case.program}")
    disks = translated(case, style, tmp_path)
    with started(case, style, disks, tmp_path) as running:
        check_devices(running, disks)
        check_drives(running, disks, style)


def test_every_bus_is_one_of_the_machine_or_brought_along() -> None:
    for name, case in CASES.items():
        devices = devices_of(case.xml()).devices
        brought = {str(one.get("id")) for one in devices}
        for one in devices:
            bus = str(one.get("bus", "pci.0"))
            known = _BUILT_IN.fullmatch(bus) or bus in brought or bus.rpartition(".")[0] in brought
            assert known, (name, one)


def check_devices(running: Qemu, disks: Sequence[Translated]) -> None:
    """Each device has each property as we said it."""
    for shown in disks:
        assert shown.frontend is not None
        for one in map(device_options, shown.frontend.devices):
            if "id" in one:
                check_device(running, one)


def check_device(running: Qemu, one: dict[str, Any]) -> None:
    path = f"/machine/peripheral/{one['id']}"
    for name, value in one.items():
        # usb-storage hands its block node on to the SCSI disk inside.
        handed_on = name == "drive" and one["driver"] == "usb-storage"
        if name not in _NOT_READ and not handed_on:
            found = running.command("qom-get", path=path, property=name)
            assert comparable(name, found) == value, (one, name)
    bus = one.get("bus")
    if bus is not None:
        parent = running.command("qom-get", path=path, property="parent_bus")
        assert parent.rpartition("/")[2] == bus or bus in ("pci.0", "pcie.0")


def comparable(name: str, value: Any) -> Any:
    """A value as QEMU reports it: an iothread is known by its path."""
    return str(value).rpartition("/")[2] if name == "iothread" else value


def check_drives(running: Qemu, disks: Sequence[Translated], style: Style) -> None:
    """Each device shows its disk's drive or node, and that the image."""
    shown = {}
    for block in running.command("query-block"):
        for part in (block["device"], *block.get("qdev", "").split("/")):
            shown[part] = block
    for one in disks:
        assert one.frontend is not None
        is_card = one.frontend.interface == "sd"
        block = shown[one.drive if is_card else str(one.frontend.devices[-1].id)]
        assert block["qdev"]
        if one.built is None:
            assert "inserted" not in block
            continue
        node = one.built.top if style == "drive" else one.built.filtered
        assert block["inserted"]["node-name"] == node.node_name
        if isinstance(one.disk.image.source, FileSource):
            assert f"/{one.disk.name}.img" in block["inserted"]["file"]
        if style == "drive":
            assert block["device"] == one.drive


def test_a_running_qemu_gives_back_what_it_was_given(tmp_path: Path) -> None:
    """A guest that does not run gives up no PCI device, but disks on SCSI and USB go at once."""
    limits = "<iotune><read_bytes_sec>4096</read_bytes_sec></iotune>"
    ports = controller("usb", 0, "qemu-xhci") + controller("scsi", 0, "lsilogic")
    case = Case("pc", ports + quorum("sda", "scsi", limits) + disk("sdb", "usb"))
    disks = translated(case, "qmp", tmp_path)
    with started(case, "qmp", disks, tmp_path) as running:
        assert running.nodes()
        for one in undo(commands(disks)):
            arguments = one["arguments"]
            assert isinstance(arguments, dict)
            if arguments.get("id") not in ("scsi0", "usb"):
                running.command(str(one["execute"]), **arguments)
            if one["execute"] == "device_del" and arguments["id"] not in ("scsi0", "usb"):
                await_gone(running, str(arguments["id"]))
        assert running.nodes() == {}
        left = running.command("qom-list", path="/objects")
        objects = {one["name"] for one in left if one["type"].startswith("child<")}
        assert objects == {"pc.ram"}


def await_gone(running: Qemu, id: str) -> None:
    """Wait for QEMU to say that a device is gone."""
    deadline = time.monotonic() + 20
    while id not in {event.get("device") for event in running.events("DEVICE_DELETED")}:
        assert time.monotonic() < deadline
        running.command("query-status")
        time.sleep(0.01)
