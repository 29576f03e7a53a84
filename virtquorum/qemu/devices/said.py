"""What a disk says for its device, in QEMU's words, whatever the device is.

Each thing said knows the words in which the disk says it, so that a device
without such a property can be refused by them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from virtquorum.model.location import Location
    from virtquorum.qemu.devices.reading import Reading

__all__ = ["Said", "said"]

#: libvirt's cache modes in which the guest is told of a write cache.
_WRITE_CACHE: Final = {
    "none": "on", "writeback": "on", "unsafe": "on", "writethrough": "off", "directsync": "off",
}  # fmt: skip
#: Fields of a disk's ``<driver>``: what takes them, and what they are.
_DRIVER: Final = (
    ("ioeventfd", "ioeventfd", "switch"),
    ("event_idx", "event_idx", "switch"),
    ("queues", "num_queues", "number"),
    ("queue_size", "queue_size", "number"),
    ("iommu", "iommu_platform", "switch"),
    ("ats", "ats", "switch"),
    ("packed", "packed", "switch"),
    ("page_per_vq", "page_per_vq", "switch"),
)
_SERIAL: Final = re.compile(r"[A-Za-z0-9_ .+-]*")
_WWN: Final = re.compile(r"(?:0x)?([0-9a-fA-F]{16})")
#: QEMU keeps these numbers in 16 bits.
_SHORT: Final = 2**16 - 1
#: SCSI's own widths.
_TEXTS: Final = (("vendor", 8), ("product", 16))


class Said(NamedTuple):
    """A value for a device's field, and how the disk says it: ``serial='x'``."""

    value: Any
    words: str
    place: Location | None


def said(reading: Reading) -> dict[str, Said]:
    """What the disk says, by the field of a device that takes it."""
    found: dict[str, Said] = {}
    for part in (_driver, _policies, _cache, _identity, _shape, _target):
        part(reading, found)
    return found


def _driver(reading: Reading, found: dict[str, Said]) -> None:
    driver = reading.disk.driver
    for name, field, kind in _DRIVER:
        value = getattr(driver, name)
        if value is None:
            continue
        if kind == "switch":
            value = reading.switch(value, name, driver.location)
            shown = "on" if value else "off"
        else:
            value = reading.number(value, name, driver.location, most=_SHORT)
            shown = str(value)
        if value != 0 or kind == "switch":  # libvirt takes the number 0 for not said
            found[field] = Said(value, f"{name}='{shown}'", driver.location)
    thread = reading.number(driver.iothread, "iothread", driver.location, least=1)
    if thread is not None:
        found["iothread"] = Said(f"iothread{thread}", f"iothread='{thread}'", driver.location)


def _policies(reading: Reading, found: dict[str, Said]) -> None:
    """As libvirt has it, error_policy is for both where it is alone."""
    driver, spelled = reading.disk.driver, {"enospace": "enospc"}
    words = ("stop", "report", "ignore", "enospace")
    on_write = reading.word(driver.error_policy, "error_policy", driver.location, words)
    on_read = reading.word(driver.rerror_policy, "rerror_policy", driver.location, words[:3])
    if on_write is not None:
        value = spelled.get(on_write, on_write)
        found["werror"] = Said(value, f"error_policy='{on_write}'", driver.location)
        if on_read is None and on_write != "enospace":
            found["rerror"] = found["werror"]
    if on_read is not None:
        found["rerror"] = Said(on_read, f"rerror_policy='{on_read}'", driver.location)


def _cache(reading: Reading, found: dict[str, Said]) -> None:
    disk = reading.disk
    cache = disk.driver.cache
    reading.word(cache, "cache", disk.driver.location, ("default", *_WRITE_CACHE))
    if cache in (None, "default") and disk.shareable:
        cache = None if disk.readonly or disk.device == "cdrom" else "none"
    # A unit of the host that is passed through has its own cache.
    if cache not in (None, "default") and disk.device != "lun":
        found["write_cache"] = Said(_WRITE_CACHE[cache], f"cache='{cache}'", disk.driver.location)
    if disk.shareable:
        found["share_rw"] = Said(True, "<shareable/>", disk.location)


def _identity(reading: Reading, found: dict[str, Said]) -> None:
    disk = reading.disk
    if disk.serial is not None:
        if _SERIAL.fullmatch(disk.serial) is None:
            raise reading.refused(
                f"the serial '{disk.serial}' cannot be said",
                None,
                "it is made of letters, digits, ' ', '.', '_', '-' and '+'",
            )
        # libvirt escapes a space, and what it writes is what its guests have seen.
        value = disk.serial.replace(" ", "\\ ")
        if value:
            found["serial"] = Said(value, f"<serial>{disk.serial}</serial>", None)
    if disk.wwn is not None:
        known = _WWN.fullmatch(disk.wwn)
        if known is None:
            raise reading.refused(
                f"the wwn is '{disk.wwn}'", None, "it is made of 16 hexadecimal digits"
            )
        found["wwn"] = Said(int(known[1], 16), f"<wwn>{disk.wwn}</wwn>", None)
    for name, longest in _TEXTS:
        value = getattr(disk, name)
        if value is None:
            continue
        if len(value) > longest or not (value.isascii() and value.isprintable()):
            raise reading.refused(
                f"the {name} '{value}' cannot be said",
                None,
                f"it has at most {longest} printable characters",
            )
        found[name] = Said(value, f"<{name}>{value}</{name}>", None)


def _shape(reading: Reading, found: dict[str, Said]) -> None:
    geometry, blockio = reading.disk.geometry, reading.disk.blockio
    if geometry is not None:
        for name in ("cyls", "heads", "secs"):
            _number(reading, found, name, getattr(geometry, name), geometry.location)
        words = ("none", "auto", "lba")
        trans = reading.word(geometry.trans, "trans", geometry.location, words)
        if trans is not None:
            found["bios_chs_trans"] = Said(trans, f"trans='{trans}'", geometry.location)
    if blockio is not None:
        for name in ("logical_block_size", "physical_block_size"):
            _number(reading, found, name, getattr(blockio, name), blockio.location)
        name, place = "discard_granularity", blockio.location
        number = reading.number(blockio.discard_granularity, name, place)
        if number is not None:
            found[name] = Said(number, f"{name}='{number}'", place)


def _target(reading: Reading, found: dict[str, Said]) -> None:
    disk, target = reading.disk, reading.disk.target
    _number(reading, found, "acpi_index", disk.acpi_index, disk.location)
    if target is None:
        return
    rate = reading.number(target.rotation_rate, "rotation_rate", target.location, most=_SHORT)
    _number(reading, found, "rotation_rate", rate, target.location)
    removable = reading.switch(target.removable, "removable", target.location)
    if removable is not None:
        shown = "on" if removable else "off"
        found["removable"] = Said(removable, f"removable='{shown}'", target.location)


def _number(
    reading: Reading, found: dict[str, Said], name: str, value: Any, place: Location | None
) -> None:
    """A number by which libvirt takes 0 for not said."""
    number = reading.number(value, name, place)
    if number:
        found[name] = Said(number, f"{name}='{number}'", place)
