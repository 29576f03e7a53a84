"""``-device`` and ``device_add``: the devices that are disks, and what those say of a disk.

The inverse of ``qemu/devices/said.py``: each property of a device, and the
field of a disk that it comes from.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from virtquorum.errors import ArgumentError
from virtquorum.model.disk import BlockIo, Geometry
from virtquorum.qemu.back.structs import StructReader, leaves
from virtquorum.qemu.devices.device import Device
from virtquorum.qemu.devices.disks import DISKS
from virtquorum.qemu.qapi import properties

if TYPE_CHECKING:
    from collections.abc import Mapping

    from virtquorum.qemu.back.notes import Notes
    from virtquorum.qemu.back.place import Place
    from virtquorum.qemu.devices.machine import Machine

__all__ = ["Plugged", "Sayings", "disk_device", "policies", "sayings"]

#: QEMU's names for what a machine takes as 'virtio-blk'.
_VIRTIO: Final = {"pci": "virtio-blk-pci", "ccw": "virtio-blk-ccw", "device": "virtio-blk-device"}
_DRIVER: Final = {
    "ioeventfd": "ioeventfd", "event_idx": "event_idx", "num_queues": "queues",
    "queue_size": "queue_size", "iommu_platform": "iommu", "ats": "ats", "packed": "packed",
    "page_per_vq": "page_per_vq",
}  # fmt: skip
_THREAD: Final = re.compile(r"iothread([1-9][0-9]{0,8})")
_ON_READ: Final = ("stop", "report", "ignore")


class Plugged(NamedTuple):
    """A device that shows a drive.

    ``made`` is None where libvirt's XML has no such disk; ``drive`` is None without a medium.
    """

    place: Place
    driver: str
    made: Device | None
    drive: str | None

    @property
    def id(self) -> str | None:
        """What the device is called."""
        return self.made.id if self.made is not None else None


class Sayings(NamedTuple):
    """What a device says, by the fields of the parts of a disk."""

    disk: dict[str, Any]
    driver: dict[str, Any]
    target: dict[str, Any]
    write_cache: bool | None


def disk_device(
    tree: Mapping[str, Any], place: Place, machine: Machine, notes: Notes
) -> Plugged | None:
    """The disk that a device is; None where it is none.

    Raises ArgumentError.
    """
    driver = tree.get("driver")
    if not isinstance(driver, str) or not driver:
        raise ArgumentError("the device has no driver", place=place)
    if driver == "virtio-blk":
        driver = _VIRTIO[machine.transport]
    own = {name: value for name, value in tree.items() if name != "driver"}
    drive = own.get("drive")
    if drive is not None and not isinstance(drive, str):
        raise ArgumentError("'drive' is no text", place=place)
    if driver in DISKS:
        known, dashed = by_either(DISKS[driver]), {}
        for name, value in own.items():
            dashed[known.get(name.replace("_", "-"), name)] = value
        made = StructReader(place, notes, strict=False).struct(DISKS[driver], dashed)
        assert isinstance(made, Device)
        return Plugged(place, driver, made, drive)
    if drive is None:
        return None
    for path, value in leaves({"driver": driver, **own}, "")[:40]:
        name = path.removeprefix(".")
        if name not in ("drive", "id"):
            why = "libvirt has no such disk; it is one of virtio here" if name == "driver" else None
            notes.leave(place, name, value, why)
    return Plugged(place, driver, None, drive)


def by_either(cls: type[Device]) -> dict[str, str]:
    """The names of a class's properties by their names with dashes alone: QEMU takes both."""
    names = [one.name or "" for one in properties(cls).values()]
    return {name.replace("_", "-"): name for name in names}


def sayings(plugged: Plugged, notes: Notes) -> Sayings:
    """What a device says of its disk, other than where it is."""
    made = plugged.made
    found = Sayings({}, {}, {}, _switch(getattr(made, "write_cache", None)))
    if made is None:
        return found
    for field, name in _DRIVER.items():
        if (value := getattr(made, field, None)) is not None:
            found.driver[name] = value
    _identity(made, found)
    _shape(made, found, plugged, notes)
    _thread(made, found, plugged, notes)
    on_write, on_read = getattr(made, "werror", None), getattr(made, "rerror", None)
    found.driver.update(policies(on_write, on_read, plugged.place, notes))
    return found


def _switch(word: str | None) -> bool | None:
    return {"on": True, "off": False}.get(word) if word is not None else None


def _identity(made: Device, found: Sayings) -> None:
    serial = getattr(made, "serial", None)
    if serial:
        found.disk["serial"] = serial.replace("\\ ", " ")
    wwn = getattr(made, "wwn", None)
    if wwn is not None:
        found.disk["wwn"] = f"{wwn:016x}"
    for name in ("vendor", "product", "acpi_index"):
        if (value := getattr(made, name, None)) is not None:
            found.disk[name] = value
    if getattr(made, "share_rw", None):
        found.disk["shareable"] = True
    model = re.search(r"-((?:non-)?transitional)$", made.driver)
    if model is not None:
        found.disk["model"] = f"virtio-{model[1]}"


def _shape(made: Device, found: Sayings, plugged: Plugged, notes: Notes) -> None:
    trans = getattr(made, "bios_chs_trans", None)
    if trans in ("large", "rechs"):
        notes.leave(plugged.place, "bios-chs-trans", trans)
        trans = None
    geometry: dict[str, Any] = {
        name: getattr(made, name, None) for name in ("cyls", "heads", "secs")
    }
    if trans is not None or any(value is not None for value in geometry.values()):
        found.disk["geometry"] = Geometry(**geometry, trans=trans)
    sizes: dict[str, Any] = {
        name: getattr(made, name, None)
        for name in ("logical_block_size", "physical_block_size", "discard_granularity")
    }
    if any(value is not None for value in sizes.values()):
        found.disk["blockio"] = BlockIo(**sizes)
    rate = getattr(made, "rotation_rate", None)
    if rate is not None:
        found.target["rotation_rate"] = rate
    if getattr(made, "removable", None):
        found.target["removable"] = True
    legacy = getattr(made, "disable_legacy", None)
    if legacy == "on" and not getattr(made, "iommu_platform", None):
        found.disk["model"] = "virtio-non-transitional"
    elif legacy == "off":
        notes.leave(plugged.place, "disable-legacy", legacy)


def _thread(made: Device, found: Sayings, plugged: Plugged, notes: Notes) -> None:
    thread = getattr(made, "iothread", None)
    if thread is None:
        return
    if (number := _THREAD.fullmatch(thread)) is not None:
        found.driver["iothread"] = int(number[1])
    else:
        notes.leave(plugged.place, "iothread", thread, "libvirt's are called 'iothread1', …")


def policies(
    on_write: str | None, on_read: str | None, place: Place, notes: Notes
) -> dict[str, str]:
    """Libvirt's policies for errors; one that is for both is said once."""
    found: dict[str, str] = {}
    if on_write not in (None, "auto"):
        assert on_write is not None
        found["error_policy"] = "enospace" if on_write == "enospc" else on_write
    if on_read in _ON_READ and on_read != on_write:
        found["rerror_policy"] = on_read
    elif on_read == "enospc":
        notes.leave(place, "rerror", on_read, "libvirt has stop, report and ignore")
    return found
