"""What the guest boots from: ``<boot order=…/>`` on the devices, or ``<os><boot dev=…/>``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.errors import TranslationError
from virtquorum.qemu.devices.reading import Reading, disk_index

if TYPE_CHECKING:
    from collections.abc import Sequence

    from virtquorum.model.disk import Disk
    from virtquorum.qemu.devices.machine import Machine

__all__ = ["BootIndexes", "boot_indexes"]

_WORDS: Final = {"hd": ("disk", "lun"), "cdrom": ("cdrom",), "fd": ("floppy",)}


class BootIndexes:
    """The place of each disk in the boot order; ``floppies`` are those of units 0 and 1."""

    def __init__(
        self, indexes: dict[int, int], twice: dict[int, Disk], mixed: TranslationError | None
    ) -> None:
        self._indexes = indexes
        self._twice = twice
        self._mixed = mixed
        self.floppies: tuple[int | None, int | None] = (None, None)

    def index(self, reading: Reading) -> int | None:
        """A disk's bootindex; raises TranslationError for an order that cannot be."""
        disk = reading.disk
        boot = disk.boot
        place = boot.location if boot is not None else None
        if boot is not None and boot.order is not None:
            if self._mixed is not None:
                raise self._mixed
            reading.number(boot.order, "the boot order", place, least=1, most=2**31 - 1)
        other = self._twice.get(id(disk))
        if other is not None:
            raise reading.refused(
                f"disk '{other.name}' has the same boot order", place, "give each its own"
            )
        return self._indexes.get(id(disk))


def boot_indexes(machine: Machine, disks: Sequence[Disk]) -> BootIndexes:
    """The boot order of a domain's disks, as libvirt hands it to QEMU."""
    ordered = [one for one in disks if one.boot is not None and one.boot.order is not None]
    mixed = None
    if ordered and machine.boot_element is not None:
        mixed = TranslationError(
            "the domain has a boot order both in <os> and on its devices",
            location=machine.boot_element,
            disk=ordered[0].name,
            remedy="remove the <boot> elements of one or the other",
        )
    if ordered or (machine.orders_elsewhere and machine.boot_element is None):
        found = _by_order(ordered, mixed)
    else:
        found = BootIndexes(_by_words(machine, disks), {}, None)
    found.floppies = _floppies(found, disks)
    return found


def _by_order(disks: Sequence[Disk], mixed: TranslationError | None) -> BootIndexes:
    indexes: dict[int, int] = {}
    first: dict[int, Disk] = {}
    twice: dict[int, Disk] = {}
    for disk in disks:
        assert disk.boot is not None
        order = disk.boot.order
        if isinstance(order, int):
            indexes[id(disk)] = order
            if first.setdefault(order, disk) is not disk:
                twice[id(disk)] = first[order]
    return BootIndexes(indexes, twice, mixed)


def _by_words(machine: Machine, disks: Sequence[Disk]) -> dict[int, int]:
    """For each word of <os> the first device of its kind, in libvirt's order of the disks."""
    numbers: dict[str, int] = {}
    for number, word in enumerate(machine.boot, 1):
        for kind in _WORDS.get(word, ()):
            numbers[kind] = number
    indexes = {}
    used: set[int] = set()
    for disk in _libvirts_order(disks):
        number = numbers.get(disk.device or "disk", 0)
        if number and number not in used:
            used.add(number)
            indexes[id(disk)] = number
    return indexes


def _libvirts_order(disks: Sequence[Disk]) -> list[Disk]:
    """Disks of one bus together, and among them by the target's letters."""
    buses: dict[str | None, int] = {}
    keys = {}
    for disk in disks:
        bus = disk.target.bus if disk.target is not None else None
        index = disk_index(disk.name)
        keys[id(disk)] = buses.setdefault(bus, len(buses)), -1 if index is None else index
    return sorted(disks, key=lambda disk: keys[id(disk)])


def _floppies(found: BootIndexes, disks: Sequence[Disk]) -> tuple[int | None, int | None]:
    """The boot indexes of the two floppies, which their controller is told."""
    units: list[int | None] = [None, None]
    for disk in disks:
        if disk.device == "floppy":
            unit = getattr(disk.address, "unit", None)
            number = int(unit) if unit in ("0", "1") else (disk_index(disk.name) or 0) % 2
            units[number] = found._indexes.get(id(disk), units[number])
    return units[0], units[1]
