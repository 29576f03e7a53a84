"""Drivers for what the BIOS does not see: disks that were plugged into a running guest.

They are driven from here by way of the guest's hands: I/O ports for PCI's
configuration space, in which virtio 1.0 has a window to a device's
registers (VIRTIO_PCI_CAP_PCI_CFG), and memory for a queue.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from tests.guests import SECTOR
from tests.libvirts import asked
from tests.libvirts.bench import until

if TYPE_CHECKING:
    from tests.libvirts.bench import Bench
    from tests.libvirts.guest import Guest

__all__ = ["Pci", "VirtioBlk", "VirtioDevice", "VirtioScsi", "give_up"]

#: Where ACPI's registers for the plugging of PCI devices are, by QEMU's machine.
_ACPI: Final = {"pc": 0xAE00, "q35": 0x0CC0}
#: Memory that neither the BIOS nor the boot code uses, a page for a device.
_MEMORY: Final = 0x30000
#: What is where in a device's page.
_DESCRIPTORS, _AVAILABLE, _USED, _BUFFER, _HEAD, _ANSWER = 0, 0x100, 0x200, 0x400, 0x800, 0x900
_QUEUE_SIZE: Final = 8
#: Descriptor flags: another one follows; the device writes it.
_NEXT, _WRITES = 1, 2


def give_up(guest: Guest, machine: str) -> int:
    """Do what an operating system does when it is asked for devices: eject them; how many."""
    base, count = _ACPI[machine], 0
    for bus in range(32):
        guest.port_out(base + 0x10, bus)
        asked_for = guest.port_in(base + 0x04)
        if asked_for not in (0, 0xFFFFFFFF):
            guest.port_out(base + 0x08, asked_for)
            count += asked_for.bit_count()
    return count


class Pci:
    """The configuration space of one function."""

    def __init__(self, guest: Guest, bus: int, slot: int, function: int) -> None:
        self.guest = guest
        #: A page of memory that no other device uses.
        self.memory = _MEMORY + 0x1000 * (32 + bus % 32 if bus else slot)
        self._address = 0x80000000 | bus << 16 | slot << 11 | function << 8

    def read(self, register: int) -> int:
        """32 bits; the register is a multiple of 4."""
        _, said = self.guest.ask_all(f"o cf8 {self._address | register:x}", "i cfc")
        return int(said.split()[1], 16)

    def write(self, register: int, value: int) -> None:
        """32 bits."""
        self.guest.ask_all(f"o cf8 {self._address | register:x}", f"o cfc {value:x}")

    def capabilities(self) -> list[int]:
        """The registers at which vendor-specific capabilities begin."""
        found, at = [], self.read(0x34) & 0xFC
        while at:
            head = self.read(at)
            if head & 0xFF == 0x09:
                found.append(at)
            at = head >> 8 & 0xFC
        return found


def _pci(bench: Bench, guest: Guest, element: str) -> Pci:
    """Where a device is: its address in the live XML, and which bus the BIOS put behind a port."""
    root = ET.fromstring(bench.call(asked.xml, guest.name))  # noqa: S314 (libvirt's own)
    device = root.find(f"devices/{element}")
    assert device is not None, element
    return _addressed(guest, root, device)


def _addressed(guest: Guest, root: ET.Element, device: ET.Element) -> Pci:
    address = device.find("address[@type='pci']")
    assert address is not None, ET.tostring(device)
    index, slot, function = (
        int(address.get(name, "0"), 16) for name in ("bus", "slot", "function")
    )
    if index == 0:
        return Pci(guest, 0, slot, function)
    port = root.find(f"devices/controller[@type='pci'][@index='{index}']")
    assert port is not None, index
    return Pci(guest, _addressed(guest, root, port).read(0x18) >> 8 & 0xFF, slot, function)


class VirtioDevice:
    """A virtio device, reset, with one queue at hand; ``element`` finds it in the live XML."""

    queue = 0

    def __init__(self, bench: Bench, guest: Guest, element: str) -> None:
        self.guest = guest
        self._pci = _pci(bench, guest, element)
        assert self._pci.read(0) & 0xFFFF == 0x1AF4, f"no virtio device answers: {element}"
        self._memory = self._pci.memory
        self._places: dict[int, tuple[int, int]] = {}
        self._multiplier = 0
        for at in self._pci.capabilities():
            self._note(at)
        self._used = 0
        self._started = False

    def _note(self, at: int) -> None:
        """Take note of a capability: 1 common, 2 notify, 3 interrupts, 4 device, 5 window."""
        kind = self._pci.read(at) >> 24
        self._places[kind] = (self._pci.read(at + 4) & 0xFF, self._pci.read(at + 8))
        if kind == 2:
            self._multiplier = self._pci.read(at + 16)
        if kind == 5:
            self._window = at

    def register(self, kind: int, offset: int, size: int) -> int:
        """A register of 1, 2 or 4 bytes."""
        self._aim(kind, offset, size)
        return self._pci.read(self._window + 16) & (1 << size * 8) - 1

    def set_register(self, kind: int, offset: int, size: int, value: int) -> None:
        """Write one."""
        self._aim(kind, offset, size)
        self._pci.write(self._window + 16, value)

    def _aim(self, kind: int, offset: int, size: int) -> None:
        bar, start = self._places[kind]
        self._pci.write(self._window + 4, bar)
        self._pci.write(self._window + 8, start + offset)
        self._pci.write(self._window + 12, size)

    def start(self) -> None:
        """Reset the device and give it a queue; whoever drove it before has lost it."""
        self._pci.write(4, self._pci.read(4) & 0xFFFF | 0x0004)  # it may read and write memory
        for status in (0, 1, 3):
            self.set_register(1, 0x14, 1, status)
        self.set_register(1, 0x08, 4, 1)
        self.set_register(1, 0x0C, 4, 1)  # VIRTIO_F_VERSION_1, and nothing else
        self.set_register(1, 0x08, 4, 0)
        self.set_register(1, 0x0C, 4, 0)
        self.set_register(1, 0x14, 1, 11)
        assert self.register(1, 0x14, 1) == 11, "it does not take virtio 1.0"
        self._give_queue()
        self.set_register(1, 0x14, 1, 15)
        self._started = True

    def _give_queue(self) -> None:
        self._fill(_DESCRIPTORS, 0, _BUFFER // 4)
        self._used = 0
        self.set_register(1, 0x16, 2, self.queue)
        self.set_register(1, 0x18, 2, _QUEUE_SIZE)
        for offset, place in ((0x20, _DESCRIPTORS), (0x28, _AVAILABLE), (0x30, _USED)):
            self.set_register(1, offset, 4, self._memory + place)
            self.set_register(1, offset + 4, 4, 0)
        self._notify = self.register(1, 0x1E, 2) * self._multiplier
        self.set_register(1, 0x1C, 2, 1)

    def request(self, *parts: tuple[int, int, bool]) -> None:
        """Hand buffers over, (where in the page, bytes, whether the device writes), and wait."""
        if not self._started:
            self.start()
        for count, (address, length, writes) in enumerate(parts):
            last = count == len(parts) - 1
            flags = (0 if last else _NEXT) | (_WRITES if writes else 0)
            place = _DESCRIPTORS + 16 * count
            self._store(
                place, struct.pack("<QIHH", self._memory + address, length, flags, count + 1)
            )
        # The ring needs no entries: all name descriptor 0, as its zeroes do.
        self._used = self._used + 1 & 0xFFFF
        self._store(_AVAILABLE, struct.pack("<HH", 1, self._used))
        self.set_register(2, self._notify, 2, self.queue)
        until(lambda: self._done() == self._used, lambda: "the device does not answer")

    def _store(self, place: int, content: bytes) -> None:
        self.guest.store(self._memory + place, content)

    def _fill(self, place: int, value: int, count: int = 1) -> None:
        self.guest.poke(self._memory + place, value, count)

    def _peek(self, place: int) -> bytes:
        return self.guest.peek(self._memory + place)

    def _done(self) -> int:
        (count,) = struct.unpack("<H", self._peek(_USED)[2:4])
        return int(count)


class VirtioBlk(VirtioDevice):
    """A virtio disk, by its alias; it works beside the BIOS, for another disk."""

    def __init__(self, bench: Bench, guest: Guest, alias: str) -> None:
        super().__init__(bench, guest, f"disk/alias[@name='{alias}']/..")

    def sectors(self) -> int:
        """How large it says it is; sectors of 512 bytes."""
        return self.register(4, 0, 4) | self.register(4, 4, 4) << 32

    def read(self, lba: int) -> tuple[int, bytes]:
        """A status (0: it went well) and the first 16 bytes of a sector."""
        self._fill(_BUFFER, 0xDEADBEEF, SECTOR // 4)
        status = self._do(0, lba, writes=True)
        return status, self._peek(_BUFFER)

    def write(self, lba: int, byte: int) -> int:
        """Write a sector full of a byte; the status."""
        self._fill(_BUFFER, byte * 0x01010101, SECTOR // 4)
        return self._do(1, lba, writes=False)

    def _do(self, kind: int, lba: int, *, writes: bool) -> int:
        self._store(_HEAD, struct.pack("<IIQ", kind, 0, lba))
        self._fill(_ANSWER, 0xFFFFFFFF)
        self.request((_HEAD, 16, False), (_BUFFER, SECTOR, writes), (_ANSWER, 1, True))
        return self._peek(_ANSWER)[0]


class VirtioScsi(VirtioDevice):
    """A disk of a virtio-scsi controller, which the BIOS has lost from then on."""

    queue = 2

    def __init__(self, bench: Bench, guest: Guest, target: int, controller: int = 0) -> None:
        super().__init__(bench, guest, f"controller[@type='scsi'][@index='{controller}']")
        self._target = target

    def sectors(self) -> int:
        """How large it says it is (READ CAPACITY); blocks of 512 bytes."""
        assert self._do(bytes([0x25]).ljust(10, b"\0"), 8, writes=True) == 0
        last, size = struct.unpack(">II", self._peek(_BUFFER)[:8])
        assert size == SECTOR
        return int(last) + 1

    def read(self, lba: int) -> tuple[int, bytes]:
        """A SCSI status (0: it went well; 2: see its sense) and the first 16 bytes."""
        self._fill(_BUFFER, 0xDEADBEEF, SECTOR // 4)
        status = self._do(struct.pack(">BBIBHB", 0x28, 0, lba, 0, 1, 0), SECTOR, writes=True)
        return status, self._peek(_BUFFER)

    def write(self, lba: int, byte: int) -> int:
        """Write a sector full of a byte; the status."""
        self._fill(_BUFFER, byte * 0x01010101, SECTOR // 4)
        return self._do(struct.pack(">BBIBHB", 0x2A, 0, lba, 0, 1, 0), SECTOR, writes=False)

    def _do(self, command: bytes, length: int, *, writes: bool) -> int:
        """Give a command; once more where the first only hears of a reset (unit attention)."""
        status = self._try(command, length, writes=writes)
        return self._try(command, length, writes=writes) if status == 2 else status

    def _try(self, command: bytes, length: int, *, writes: bool) -> int:
        lun = bytes([1, self._target, 0x40, 0, 0, 0, 0, 0])
        self._store(_HEAD, lun + struct.pack("<QBBB", 1, 0, 0, 0) + command.ljust(32, b"\0"))
        self._fill(_ANSWER, 0xFFFFFFFF, 27)
        data = (_BUFFER, length, writes)
        response = (_ANSWER, 108, True)
        parts = (response, data) if writes else (data, response)
        self.request((_HEAD, 51, False), *parts)
        said = self._peek(_ANSWER)
        assert said[11] == 0, f"virtio-scsi's response is {said[11]}"
        return said[10]
