"""What the disks are called: ``<target dev='vda'/>``, of which no argument speaks.

virtquorum and libvirt make ids and node names of the target, so those tell;
otherwise the disk takes the next free letters of its bus.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from virtquorum.qemu.back.slots import default_index, letters
from virtquorum.qemu.devices.reading import disk_index

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from virtquorum.qemu.back.notes import Notes
    from virtquorum.qemu.back.place import Place
    from virtquorum.qemu.back.slots import Slot

__all__ = ["PREFIXES", "Targets", "bus_by_target", "is_libvirts"]

PREFIXES: Final = {
    "virtio": "vd", "scsi": "sd", "sata": "sd", "usb": "sd", "sd": "sd", "ide": "hd", "fdc": "fd",
}  # fmt: skip
_BUSES: Final = {"vd": "virtio", "sd": "scsi", "hd": "ide", "fd": "fdc"}
#: What virtquorum makes of a target: the id of a drive, the name of a node.
_OURS: Final = re.compile(r"(?:drive|vq)-(.+?)(?:\.[0-9]+)?")
#: What libvirt makes of a place, with 'drive-' before it or without.
_LIBVIRTS: Final = re.compile(
    r"(?:drive-)?(?:(?:virtio|usb|sd)-disk([0-9]{1,5})|(?:scsi|sata|ide|fdc)[0-9]+(?:-[0-9]+)*)"
)


class Targets:
    """The targets that are given out, each once."""

    def __init__(self, notes: Notes, reserved: Collection[str] = ()) -> None:
        """``reserved`` are names that are given out only where the arguments say them."""
        self.notes = notes
        self._reserved = frozenset(reserved)
        self._used: set[str] = set()
        self._next: dict[tuple[str, bool], int] = {}

    def name(
        self, slot: Slot, index: int | None, words: list[str | None], place: Place | None
    ) -> str:
        """A target for a disk.

        ``words`` are what the drive, the node and the device are called;
        ``index`` is the number that a -drive gave.  At ``place`` it is said
        that nothing says it; None where QEMU itself goes by the order.
        """
        for one in _candidates(slot, index, words):
            if one not in self._used:
                self._used.add(one)
                return one
        prefix = PREFIXES[slot.bus]
        kind = prefix, place is None
        number = self._next.get(kind, 0)
        taken = self._used | self._reserved if place is not None else self._used
        while f"{prefix}{letters(number)}" in taken:
            number += 1
        self._next[kind] = number
        name = f"{prefix}{letters(number)}"
        self._used.add(name)
        if place is not None:
            self.notes.remark(place, f"nothing says what the disk is called: it is '{name}' here")
        return name


def _candidates(slot: Slot, index: int | None, words: list[str | None]) -> Iterator[str]:
    prefix = PREFIXES[slot.bus]
    for word in words:
        found = _OURS.fullmatch(word or "")
        # Others call their drives 'drive-virtio1', which is no target of libvirt's.
        if found is not None and disk_index(found[1]) is not None:
            yield found[1]
    if index is not None:
        yield f"{prefix}{letters(index)}"
    for word in words:
        found = _LIBVIRTS.fullmatch(word or "")
        if found is not None and found[1] is not None:
            yield f"{prefix}{letters(int(found[1]))}"
    if slot.numbers is not None and (number := default_index(slot.bus, slot.numbers)) is not None:
        yield f"{prefix}{letters(number)}"
    for word in words:
        if disk_index(word) is not None:
            assert word is not None
            yield word


def is_libvirts(id: str) -> bool:
    """Whether libvirt makes ids like this one for devices."""
    return _LIBVIRTS.fullmatch(id) is not None


def bus_by_target(name: str) -> str:
    """The bus that libvirt takes for a target that names none."""
    return _BUSES.get(name[:2], "ide")
