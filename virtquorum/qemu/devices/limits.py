"""What QEMU takes of numbers; beyond it a device is refused, or QEMU aborts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.qemu.devices.controllers import VirtioScsi
from virtquorum.qemu.devices.disks import Floppy, IdeCd, VhostUserBlk, VirtioBlk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from virtquorum.qemu.devices.device import Device
    from virtquorum.qemu.devices.machine import IoThreadEntry
    from virtquorum.qemu.devices.reading import Reading
    from virtquorum.qemu.devices.said import Said

__all__ = ["POOL", "check_pool", "check_values"]

#: The threads of an iothread's pool at most, where nothing is said.
POOL: Final = 64
_QUEUES: Final = 1024  # virtio's
_QUEUE_SIZE: Final = 1024
_BLOCK: Final = 2 * 1024 * 1024
_SECTOR: Final = 512
#: QEMU's word for: find the granularity yourself.
_AUTO: Final = 2**32 - 1
_ACPI: Final = 16383
_SHAPE: Final = {"cyls": 65535, "heads": 255, "secs": 255}


def check_values(
    reading: Reading, cls: type[Device], said: Mapping[str, Said], arch: str = "x86_64"
) -> None:
    """Refuse what a device's driver does not take of what is said for it.

    Raises TranslationError with the place of what is wrong.
    """
    _check_queues(reading, cls, said)
    _check_blocks(reading, cls, said, arch)
    _check_geometry(reading, cls, said)
    _most(reading, said, "acpi_index", _ACPI)


def _check_queues(reading: Reading, cls: type[Device], said: Mapping[str, Said]) -> None:
    # virtio-scsi has two queues more, for what is not reading or writing.
    fixed = 2 if issubclass(cls, VirtioScsi) else 0
    _most(reading, said, "num_queues", _QUEUES - fixed)
    if issubclass(cls, VhostUserBlk):
        _most(reading, said, "queue_size", _QUEUE_SIZE)
    size = said.get("queue_size")
    is_blk = issubclass(cls, VirtioBlk)
    if size is not None and is_blk and not (4 <= size.value <= _QUEUE_SIZE and _power(size.value)):
        raise reading.refused(
            f"{size.words} is no size of a queue",
            size.place,
            f"it is a power of two from 4 to {_QUEUE_SIZE}",
        )


def _check_blocks(reading: Reading, cls: type[Device], said: Mapping[str, Said], arch: str) -> None:
    for name in ("logical_block_size", "physical_block_size"):
        size = said.get(name)
        if size is not None and not (_SECTOR <= size.value <= _BLOCK and _power(size.value)):
            raise reading.refused(
                f"{size.words} is no size of a block",
                size.place,
                f"it is a power of two from {_SECTOR} to {_BLOCK}",
            )
    logical, physical = said.get("logical_block_size"), said.get("physical_block_size")
    _check_sectors(reading, cls, said)
    # On s390 QEMU asks the host's disk, where nothing is said.
    if logical is not None and (physical is not None or arch != "s390x"):
        bound = physical.value if physical is not None else _SECTOR
        if logical.value > bound:
            raise reading.refused(
                f"{logical.words} is more than the physical_block_size, {bound}",
                logical.place,
                f"write physical_block_size='{logical.value}' as well, or more",
            )
    _check_granularity(reading, cls, said)


def _check_sectors(reading: Reading, cls: type[Device], said: Mapping[str, Said]) -> None:
    """Some have sectors of 512 bytes, and no others."""
    fixed: tuple[str, ...] = ()
    if issubclass(cls, IdeCd):
        fixed = ("logical_block_size",)
    elif issubclass(cls, Floppy):
        fixed = ("logical_block_size", "physical_block_size")
    for name in fixed:
        size = said.get(name)
        if size is not None and size.value != _SECTOR:
            raise reading.refused(
                f"QEMU's {cls.driver} has blocks of {_SECTOR} bytes, and not {size.words}",
                size.place,
                "leave it out, or put the disk on bus 'virtio' or 'scsi'",
            )


def _check_granularity(reading: Reading, cls: type[Device], said: Mapping[str, Said]) -> None:
    one = said.get("discard_granularity")
    if one is None or one.value in (0, _AUTO):
        return
    if issubclass(cls, IdeCd) and one.value != _SECTOR:
        raise reading.refused(
            f"QEMU's {cls.driver} discards {_SECTOR} bytes at a time, and not {one.words}",
            one.place,
            f"leave it out, or write {_SECTOR}, or 0 for no discarding",
        )
    logical = said.get("logical_block_size")
    block = logical.value if logical is not None else _SECTOR
    if one.value % block:
        raise reading.refused(
            f"{one.words} is no multiple of the logical_block_size, {block}",
            one.place,
            f"write {(one.value // block + 1) * block}, say",
        )


def _check_geometry(reading: Reading, cls: type[Device], said: Mapping[str, Said]) -> None:
    given = [said[name] for name in _SHAPE if name in said]
    for name, most in _SHAPE.items():
        if not given:
            return
        if name not in said:
            raise reading.refused(
                f"the geometry has no {name}", given[0].place, "it has cyls, heads and secs"
            )
        _most(reading, said, name, 16 if name == "heads" and issubclass(cls, IdeCd) else most)


def check_pool(reading: Reading, number: int, entry: IoThreadEntry) -> None:
    """Refuse the bounds of an I/O thread's pool that QEMU would refuse."""
    least, most = entry.pool_min, entry.pool_max
    if most == 0:
        raise reading.refused(
            f"thread_pool_max of iothread {number} is 0", entry.location, "it is at least 1"
        )
    if least is not None and least > (POOL if most is None else most):
        bound = f"{POOL}, where nothing is said" if most is None else f"{most}"
        raise reading.refused(
            f"thread_pool_min of iothread {number} is {least}, and thread_pool_max {bound}",
            entry.location,
            f"write thread_pool_max='{least}', or more",
        )


def _most(reading: Reading, said: Mapping[str, Said], name: str, most: int) -> None:
    one = said.get(name)
    if one is not None and one.value > most:
        raise reading.refused(
            f"{one.words} is more than QEMU takes", one.place, f"the largest is {most}"
        )


def _power(number: int) -> bool:
    """Whether a number above 0 is a power of two."""
    return number & (number - 1) == 0
