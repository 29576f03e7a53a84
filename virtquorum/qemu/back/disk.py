"""From what QEMU was given for a disk (its node, its -drive, its -device) to the disk."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from virtquorum.errors import ArgumentError
from virtquorum.model.disk import Boot, Disk, Driver, IoTune, Target, Transient
from virtquorum.model.image import Image
from virtquorum.model.sources.file import FileSource
from virtquorum.model.sources.vhostuser import VhostUserSource
from virtquorum.qemu.back.device import Plugged, Sayings, policies, sayings
from virtquorum.qemu.back.image import encryption_of, image_of, layers_of
from virtquorum.qemu.back.notes import Common
from virtquorum.qemu.back.settings import Settings, settings_of
from virtquorum.qemu.back.slots import Slot, default_numbers, slot_of
from virtquorum.qemu.back.targets import bus_by_target, is_libvirts
from virtquorum.qemu.devices import disks as device
from virtquorum.qemu.devices.reading import disk_index
from virtquorum.qemu.graph import CopyOnRead, Quorum, Throttle, Vvfat
from virtquorum.qemu.objects import ThrottleLimits
from virtquorum.qemu.throttling import LIMITS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from virtquorum.model.disk import Address
    from virtquorum.qemu.back.drive import Drive
    from virtquorum.qemu.back.image import Layers
    from virtquorum.qemu.back.place import Place
    from virtquorum.qemu.back.slots import Controllers
    from virtquorum.qemu.back.storage.context import Context
    from virtquorum.qemu.back.targets import Targets
    from virtquorum.qemu.devices.chardev import SocketChardev
    from virtquorum.qemu.devices.machine import Machine
    from virtquorum.qemu.graph import Block

__all__ = ["Disks", "Pieces"]

_NO_DEVICE: Final = Sayings({}, {}, {}, None)
_CDROMS: Final = (device.IdeCd, device.ScsiCd)
_HARD: Final = (device.IdeHd, device.ScsiHd)
#: What libvirt keeps of an <alias> that a user wrote.
KEPT_ALIAS: Final = re.compile(r"ua-[A-Za-z0-9_-]*")
_LOST_ALIAS: Final = Common(
    "the device is called '{name}'; libvirt keeps an alias that begins with 'ua-', and makes its "
    "own instead of this one",
    "libvirt keeps an alias that begins with 'ua-', and makes its own instead of these",
)


class Pieces(NamedTuple):
    """What there is of one disk; one of the first three is there."""

    place: Place
    block: Block | None = None
    drive: Drive | None = None
    plugged: Plugged | None = None


class _Filtered(NamedTuple):
    """A disk's graph without the filters on top, and what those are."""

    block: Block
    copy_on_read: bool
    group: tuple[str, Block] | None
    above: tuple[Block, ...]


class Disks:
    """Makes disks of pieces, one after the other."""

    def __init__(
        self,
        context: Context,
        machine: Machine,
        controllers: Controllers,
        targets: Targets,
        chardevs: Mapping[str, SocketChardev],
    ) -> None:
        self.context = context
        self.notes = context.notes
        self.machine = machine
        self.controllers = controllers
        self.targets = targets
        self.chardevs = chardevs

    def disk(self, pieces: Pieces) -> Disk:
        """The disk; raises ArgumentError, or TranslationError for what no XML says."""
        plugged = pieces.plugged
        said = sayings(plugged, self.notes) if plugged is not None else _NO_DEVICE
        if plugged is not None and isinstance(plugged.made, device.VhostUserBlk):
            image: Image = self._served(plugged.made, plugged.place)
            return self._assembled(pieces, said, image, None, None, None)
        if pieces.block is None:
            self._check_empty(pieces)
            return self._assembled(pieces, said, _EMPTY, None, None, None)
        filtered = self._filters(pieces.block)
        layers = layers_of(filtered.block, self.context)
        settings = settings_of(layers, filtered.above, pieces.drive, self.context)
        image = image_of(layers, self.context)
        return self._assembled(pieces, said, image, layers, settings, filtered)

    def _filters(self, top: Block) -> _Filtered:
        copy_on_read, group = False, None
        above: list[Block] = []
        while isinstance(top, (CopyOnRead, Throttle)):
            if isinstance(top, CopyOnRead):
                copy_on_read = True
            elif group is None:
                group = top.throttle_group, top
            else:
                why = "libvirt's XML has one <iotune> for a disk"
                self.context.leave(top, "throttle-group", top.throttle_group, why)
            above.append(top)
            top = top.file
        return _Filtered(top, copy_on_read, group, tuple(above))

    def _served(self, made: device.VhostUserBlk, place: Place) -> Image:
        chardev = self.chardevs.get(made.chardev)
        if chardev is None:
            raise ArgumentError(
                f"there is no character device '{made.chardev}' on a unix socket",
                place=place,
                remedy=f"it is -chardev socket,id={made.chardev},path=SOCKET",
            )
        again: dict[str, Any] = {}
        if chardev.reconnect is not None:
            again["reconnect_enabled"] = chardev.reconnect > 0
            again["reconnect_timeout"] = chardev.reconnect or None
        source = VhostUserSource(socket_type="unix", path=chardev.path, **again)
        return Image(format="raw", source=source)

    def _check_empty(self, pieces: Pieces) -> None:
        plugged = pieces.plugged
        made = plugged.made if plugged is not None else None
        removable = isinstance(made, (*_CDROMS, device.Floppy)) and not isinstance(made, _HARD)
        drive = pieces.drive
        if plugged is None and drive is not None:
            removable = drive.media == "cdrom" or drive.interface == "floppy"
        if not removable:
            raise ArgumentError(
                "the drive has no medium, and it is none that could be without",
                place=pieces.place,
                remedy="name one: file=…, or drive=… of a device",
            )

    # Putting together

    def _assembled(
        self,
        pieces: Pieces,
        said: Sayings,
        image: Image,
        layers: list[Layers] | None,
        settings: Settings | None,
        filtered: _Filtered | None,
    ) -> Disk:
        drive, plugged = pieces.drive, pieces.plugged
        slot, index = self._slot(pieces)
        kind = _kind(pieces, layers)
        in_order = plugged is None and _by_interface(drive)
        place = None if in_order else pieces.place
        name = self.targets.name(slot, index, self._words(pieces, filtered), place)
        bus = slot.bus if plugged is not None or in_order else bus_by_target(name)
        bus = "fdc" if kind == "floppy" else bus
        own = dict(said.disk)
        driver_said = self._driver(said, settings, filtered, drive)
        read_only = settings is not None and settings.read_only
        if "shareable" in own and driver_said.cache is None and not read_only:
            # Of itself libvirt would take cache='none' for a disk that others write to.
            read_only = settings is None
            driver_said = driver_said if read_only else changed(driver_said, cache="writeback")
        if drive is not None and drive.serial is not None:
            own.setdefault("serial", drive.serial)
        if layers is not None and isinstance(layers[0].last, Quorum):
            # A quorum has no <source>, so this is the only place.
            own["encryption"] = encryption_of(layers[0].format, self.context)
        if drive is not None and drive.snapshot:
            own["transient"] = Transient()
        self._check_device_id(plugged, own)
        return Disk(
            image=image,
            device=kind,
            driver=driver_said,
            target=Target(dev=name, bus=bus, **said.target),
            iotune=self._iotune(pieces, filtered),
            readonly=True if read_only or kind == "cdrom" else None,
            boot=self._boot(plugged, slot),
            alias=self._alias(plugged, slot, name),
            address=self._address(slot, name),
            **own,
        )

    def _slot(self, pieces: Pieces) -> tuple[Slot, int | None]:
        if pieces.plugged is not None:
            slot = slot_of(pieces.plugged, self.machine, self.controllers, self.notes)
            return slot, None
        if pieces.drive is None or not _by_interface(pieces.drive):
            return Slot("virtio"), None
        return interface_slot(pieces.drive, self.machine)

    def _words(self, pieces: Pieces, filtered: _Filtered | None) -> list[str | None]:
        drive, plugged = pieces.drive, pieces.plugged
        return [
            drive.id if drive is not None else None,
            filtered.block.node_name if filtered is not None else None,
            plugged.id if plugged is not None else None,
        ]

    def _driver(
        self,
        said: Sayings,
        settings: Settings | None,
        filtered: _Filtered | None,
        drive: Drive | None,
    ) -> Driver:
        own = dict(said.driver)
        write_cache = said.write_cache
        if drive is not None:
            found = policies(drive.werror, drive.rerror, drive.place, self.notes)
            if not own.keys() & {"error_policy", "rerror_policy"}:
                own |= found
            write_cache = drive.writeback if write_cache is None else write_cache
        if settings is None:
            cache = {None: None, True: "writeback", False: "writethrough"}[write_cache]
            return Driver(name="qemu", cache=cache, **own)
        copy = (filtered is not None and filtered.copy_on_read) or (
            drive is not None and drive.copy_on_read
        )
        return Driver(
            name="qemu",
            cache=settings.cache(write_cache),
            io=settings.aio,
            copy_on_read=True if copy else None,
            discard=settings.discard,
            detect_zeroes=settings.detect_zeroes,
            **own,
        )

    def _iotune(self, pieces: Pieces, filtered: _Filtered | None) -> IoTune | None:
        drive = pieces.drive
        limits: ThrottleLimits | None = None
        group: str | None = None
        if filtered is not None and filtered.group is not None:
            id, block = filtered.group
            limits = self.context.objects.group(id, self.context.place(block)).limits
            group = group_name(id)
        elif drive is not None and (drive.limits is not None or drive.group is not None):
            limits, group = drive.limits, drive.group
        else:
            return None
        values = {
            ours: getattr(limits, qemus) for ours, qemus in LIMITS.items() if limits is not None
        }
        return IoTune(**values, group_name=group)

    def _boot(self, plugged: Plugged | None, slot: Slot) -> Boot | None:
        index: int | None = getattr(plugged.made, "bootindex", None) if plugged else None
        if slot.bus == "fdc" and slot.numbers is not None:
            index = self.controllers.floppies.get(slot.numbers[3])
        return None if index is None else Boot(order=index)

    def _alias(self, plugged: Plugged | None, slot: Slot, name: str) -> str | None:
        """The device's id, unless it is the one that libvirt makes."""
        id = plugged.id if plugged is not None else None
        made = slot.made_id
        if made is None and (index := disk_index(name)) is not None:
            made = f"{slot.bus}-disk{index}"
        if id is None or id == made:
            return None
        if not KEPT_ALIAS.fullmatch(id) and not is_libvirts(id):
            self.notes.gather(_LOST_ALIAS, plugged.place if plugged is not None else None, id)
        return id

    def _address(self, slot: Slot, name: str) -> Address | None:
        index = disk_index(name)
        follows = index is not None and slot.numbers == default_numbers(slot.bus, index)
        return None if follows and slot.numbers is not None else slot.address

    def _check_device_id(self, plugged: Plugged | None, own: dict[str, Any]) -> None:
        """Libvirt makes the device_id of a SCSI disk; another one is not to be had."""
        said = getattr(plugged.made, "device_id", None) if plugged is not None else None
        if plugged is None or said is None or said in (own.get("serial"), plugged.id):
            return
        if said != f"drive-{plugged.id}":
            why = "libvirt makes it of the serial, or of the device's name"
            self.notes.leave(plugged.place, "device_id", said, why)


def changed(node: Driver, **fields: Any) -> Driver:
    """A driver with other values in some fields."""
    return Driver(**{name: getattr(node, name) for name in node.compared()} | fields)


_EMPTY: Final = Image(format="raw", source=FileSource())


def _kind(pieces: Pieces, layers: list[Layers] | None) -> str:
    """Libvirt's word for the device."""
    made = pieces.plugged.made if pieces.plugged is not None else None
    drive = pieces.drive
    match made:
        case device.ScsiHd() | device.IdeHd():
            return "disk"
        case device.ScsiCd() | device.IdeCd():
            return "cdrom"
        case device.ScsiBlock():
            return "lun"
        case device.Floppy():
            return "floppy"
        case None if drive is not None and drive.interface == "floppy":
            return "floppy"
        case None if drive is not None and drive.media == "cdrom":
            return "cdrom"
        case None if pieces.plugged is None and layers is not None:
            last = layers[0].last
            return "floppy" if isinstance(last, Vvfat) and last.floppy else "disk"
    return "disk"


def _by_interface(drive: Drive | None) -> bool:
    """Whether a -drive brings a device of its own."""
    return drive is not None and drive.interface not in ("none", None)


def interface_slot(drive: Drive, machine: Machine) -> tuple[Slot, int | None]:
    """Where a -drive's own device is, and the number of its target."""
    index = drive.numbers.get("index")
    bus, unit = drive.numbers.get("bus"), drive.numbers.get("unit")
    match drive.interface:
        case "virtio":
            return Slot("virtio"), index
        case "floppy":
            return Slot("fdc"), index if index is not None else unit
        case "sd":
            return Slot("sd"), index
        case "scsi":
            number = index if index is not None else (bus or 0) * 7 + unit if unit else bus
            return Slot("scsi"), number
    word = "ide" if machine.has_ide else "sata"
    if index is None and (bus is not None or unit is not None):
        index = (bus or 0) * (2 if word == "ide" else 1) + (unit or 0)
    return Slot(word), index


def group_name(id: str) -> str | None:
    """The ``group_name`` that the id of a throttle-group says; None where it is a disk's own."""
    if id.startswith("vq-") and id.endswith("-limits"):
        return None
    if id.startswith("vq-group-"):
        try:
            return bytes.fromhex(id.removeprefix("vq-group-")).decode("utf-8", "surrogatepass")
        except ValueError:
            return id
    return id
