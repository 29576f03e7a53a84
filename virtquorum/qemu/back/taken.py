"""What there is once QEMU has taken its arguments: nodes, drives, and devices that show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from virtquorum.errors import ArgumentError, TranslationError
from virtquorum.qemu.back.device import Plugged, disk_device
from virtquorum.qemu.back.disk import Pieces
from virtquorum.qemu.back.drive import Drive, read_drive
from virtquorum.qemu.back.graph import Nodes, Origin
from virtquorum.qemu.back.interfaces import Interfaces
from virtquorum.qemu.back.notes import Notes
from virtquorum.qemu.back.objects import Objects
from virtquorum.qemu.back.optionlist import option_list
from virtquorum.qemu.back.resolve import without_passwords
from virtquorum.qemu.back.slots import Controllers
from virtquorum.qemu.devices.machine import Machine

if TYPE_CHECKING:
    from virtquorum.qemu.back.options import Option
    from virtquorum.qemu.back.place import Place
    from virtquorum.qemu.devices.chardev import SocketChardev
    from virtquorum.qemu.graph import Block

__all__ = ["Taken"]

#: What brings the device of a -drive that names no interface, by the machine.
_INTERFACES: Final = {
    "virt": "virtio", "s390-ccw": "virtio", "microvm": "virtio", "pseries": "scsi", "none": "none",
}  # fmt: skip


class Taken:
    """The nodes, drives and devices, as one argument or command after the other brings them."""

    def __init__(self, remarks: tuple[str, ...]) -> None:
        self.notes = Notes()
        for remark in remarks:
            self.notes.remark(None, remark)
        self.nodes = Nodes(self.notes)
        self.objects = Objects(self.notes)
        self.controllers = Controllers(self.notes)
        self.interfaces = Interfaces()
        self.machine = Machine()
        self.chardevs: dict[str, SocketChardev] = {}
        self.drives: dict[str, tuple[Drive, Block | TranslationError | None]] = {}
        self.shown: list[tuple[Plugged, Block | TranslationError | None, Drive | None]] = []
        self.tops: dict[str, Place] = {}
        self.passed_over: dict[str, None] = {}

    def blockdev(self, tree: dict[str, Any], place: Place, *, strict: bool) -> None:
        """Take a node; raises ArgumentError."""
        name = tree.get("node-name")
        if not isinstance(name, str):
            raise ArgumentError("the node has no 'node-name', so nothing could use it", place=place)
        try:
            self.nodes.read(without_passwords(tree, place, self.notes), place, strict=strict)
        except TranslationError as error:
            self.nodes.foreign.setdefault(name, error)
        self.tops[name] = place

    def drive(self, option: Option) -> None:
        """Take a -drive or what is short for it; raises ArgumentError."""
        place = option.place
        block: Block | TranslationError | None = None
        try:
            drive = read_drive(option, self.notes)
            if drive.tree is not None:
                self.nodes.announce(place, drive.tree)
                block = self.nodes.read(drive.tree, place, strict=False)
        except TranslationError as error:
            drive, block = Drive(place), error
            words = option_list(option.value, place, flags=True) if option.name == "drive" else {}
            drive.id, drive.interface = words.get("id"), words.get("if")
        if drive.interface is None:
            drive.interface = _INTERFACES.get(self.machine.family, "ide")
        if not isinstance(block, TranslationError):
            self.interfaces.take(drive, self.machine)
        if drive.interface in ("pflash", "mtd"):
            self.notes.remark(place, "the machine's firmware or flash, and no disk")
            return
        if drive.interface == "xen":
            raise ArgumentError("this is one of Xen's disks, which QEMU itself has none of",
                                place=place)  # fmt: skip
        id = drive.id or f"#{len(self.drives)}"
        if id in self.drives:
            raise ArgumentError(
                f"the drive '{id}' is there already: {self.drives[id][0].place.word}", place=place
            )
        if id in self.nodes.named:
            raise ArgumentError(f"'{id}' is the name of a node already", place=place)
        self.drives[id] = drive, block
        if isinstance(block, TranslationError) or block is None:
            return
        if drive.interface == "none":
            self.nodes.lend(id, block)
        elif block.node_name is not None:
            self.nodes.users[block.node_name] = Origin(place, "")

    def device(self, tree: dict[str, Any], place: Place) -> None:
        """Take a device, whatever it is; raises ArgumentError."""
        plugged = disk_device(tree, place, self.machine, self.notes)
        if plugged is None:
            if not self.controllers.add(tree, place):
                self.passed_over[f"-device {tree['driver']}"] = None
            return
        if plugged.drive is None:
            self.shown.append((plugged, None, None))
            return
        if plugged.drive in self.drives:
            self._shows_drive(plugged, plugged.drive)
            return
        block: Block | TranslationError
        try:
            block = self.nodes.take(plugged.drive, Origin(place, "drive"))
        except TranslationError as error:
            self.nodes.users[plugged.drive] = Origin(place, "drive")
            block = error
        self.shown.append((plugged, block, None))

    def _shows_drive(self, plugged: Plugged, id: str) -> None:
        drive, block = self.drives[id]
        if drive.interface != "none":
            raise ArgumentError(
                f"the drive '{id}' has a device of its own, if={drive.interface}",
                place=plugged.place,
                remedy="say if=none there",
            )
        user = self.nodes.users.setdefault(f"#{id}", Origin(plugged.place, "drive"))
        if user.place is not plugged.place:
            raise ArgumentError(
                f"the drive '{id}' is shown by {user.place.word} already", place=plugged.place
            )
        self.shown.append((plugged, block, drive))

    def unplugged(self, id: str) -> None:
        """Take a device away again (device_del)."""
        for one in self.shown:
            if one[0].id == id:
                self.shown.remove(one)
                if one[0].drive is not None:
                    self.nodes.users.pop(one[0].drive, None)
                return

    def pieces(self) -> list[tuple[Pieces, TranslationError | None]]:
        """What there is of each disk, or why it has no XML; in the order of the arguments."""
        found: list[tuple[Pieces, TranslationError | None]] = []

        def add(
            place: Place,
            block: Block | TranslationError | None,
            drive: Drive | None = None,
            plugged: Plugged | None = None,
        ) -> None:
            if isinstance(block, TranslationError):
                found.append((Pieces(place, None, drive, plugged), block))
            else:
                found.append((Pieces(place, block, drive, plugged), None))

        for plugged, block, drive in self.shown:
            add(plugged.place, block, drive, plugged)
        for id, (drive, block) in self.drives.items():
            if f"#{id}" not in self.nodes.users:
                add(drive.place, block, drive)
        for name, place in self.tops.items():
            if name not in self.nodes.users:
                add(place, self.nodes.named.get(name) or self.nodes.foreign[name])
        return sorted(found, key=lambda one: one[0].place.number)
