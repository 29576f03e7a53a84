"""A disk's frontend: the devices by which the guest sees it, as libvirt 9.0 writes them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Literal

from virtquorum.model.disk import BareAddress, DriveAddress, UsbAddress
from virtquorum.model.node import Node, node
from virtquorum.model.sources.vhostuser import VhostUserSource
from virtquorum.qemu.devices import disks as device
from virtquorum.qemu.devices.boot import boot_indexes
from virtquorum.qemu.devices.buses import Plugs
from virtquorum.qemu.devices.chardev import SocketChardev
from virtquorum.qemu.devices.checks import bus_of, check
from virtquorum.qemu.devices.controllers import SCSI_LIMITS
from virtquorum.qemu.devices.machine import Machine
from virtquorum.qemu.devices.places import Buses, kind_of
from virtquorum.qemu.devices.plugging import why_not_running
from virtquorum.qemu.devices.reading import Reading, disk_index
from virtquorum.qemu.devices.said import Said, said
from virtquorum.qemu.qapi import properties

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from virtquorum.model.disk import Disk
    from virtquorum.model.location import Location
    from virtquorum.qemu.devices.device import Device
    from virtquorum.qemu.objects import QemuObject
    from virtquorum.xml.domain import Domain

__all__ = ["Frontend", "Frontends"]

#: Units of each controller, by libvirt's mapping of targets.
_SCSI_UNITS: Final = 7
_SATA_PORTS: Final = 6
_USB_PORT: Final = re.compile(r"0{0,2}[1-9][0-9]{0,2}")


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Frontend(Node):
    """What makes a disk visible to the guest, in the order in which QEMU must be told.

    ``objects`` are all that the devices lean on, and may be those of another
    disk as well; ``devices`` begins with the controllers that no earlier disk brought.
    ``at_start`` says, by the place of each of them in ``devices``, why a
    running QEMU would not take it; the others can be plugged in at any time.
    ``interface`` is what ``-drive`` has to say as ``if=``; an SD card has no
    device, and ``index`` is its ``index=``.  ``global_options`` are driver,
    property and value for ``-global``; ``machine_options`` belong to
    ``-machine``.  ``notes`` say what no argument can.
    """

    objects: tuple[QemuObject, ...] = ()
    chardevs: tuple[SocketChardev, ...] = ()
    devices: tuple[Device, ...] = ()
    at_start: tuple[tuple[int, str], ...] = ()
    interface: Literal["none", "sd"] = "none"
    index: int | None = None
    global_options: tuple[tuple[str, str, str], ...] = ()
    machine_options: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


class Frontends:
    """The frontends of a domain's disks; each controller goes with the first disk that needs it."""

    def __init__(self, machine: Machine, disks: Sequence[Disk]) -> None:
        self.machine = machine
        self._buses = Buses(machine)
        self._boot = boot_indexes(machine, disks)

    @classmethod
    def of_domain(cls, domain: Domain, machine: str | None = None) -> Frontends:
        """The frontends of a document's disks; ``machine`` is what ``-M`` says, if not the XML."""
        return cls(Machine.of(domain, machine), domain.machine_disks)

    def of(self, disk: Disk, drive: str | None) -> Frontend:
        """The frontend of one of the disks.

        ``drive`` is the block node or drive that it shows, None for a drive
        without a medium.  Raises TranslationError, and then no other disk
        notices that this one was asked for.
        """
        frontend, commit = self.draft(disk, drive)
        commit()
        return frontend

    def draft(self, disk: Disk, drive: str | None) -> tuple[Frontend, Callable[[], None]]:
        """The frontend as ``of`` makes it, and what has to be called if the disk is taken.

        Until then no other disk notices that this one was asked for.
        """
        reading = Reading(disk)
        index = self._boot.index(reading)
        plugs = Plugs(self._buses, reading)
        draft = _Draft(plugs, disk, drive, index, self._boot.floppies)
        return draft.frontend(), plugs.commit


class _Draft:
    """One disk's frontend in the making."""

    def __init__(
        self,
        plugs: Plugs,
        disk: Disk,
        drive: str | None,
        bootindex: int | None,
        floppies: tuple[int | None, int | None],
    ) -> None:
        self.plugs = plugs
        self.reading = plugs.reading
        self.machine = plugs.machine
        self.disk = disk
        self.drive = drive
        self.bootindex = bootindex
        self.floppies = floppies
        self.bus = bus_of(self.reading)
        self.chardevs: tuple[SocketChardev, ...] = ()
        self.globals: tuple[tuple[str, str, str], ...] = ()

    def frontend(self) -> Frontend:
        vhost = isinstance(self.disk.image.source, VhostUserSource)
        notes = check(self.reading, self.bus, vhost=vhost, empty=self.drive is None)
        said_by_disk = said(self.reading)
        options, loadparm = self._loadparm()
        notes += loadparm
        if self.bus == "sd":
            return self._sd_card(said_by_disk, notes)
        one = getattr(self, f"_{self.bus}")(said_by_disk)
        self.plugs.devices.append(one)
        root, fixed = self.machine.root_bus, self.plugs.fixed
        reasons = [why_not_running(one, root, fixed) for one in self.plugs.devices]
        return Frontend(
            objects=tuple(self.plugs.objects),
            chardevs=self.chardevs,
            devices=tuple(self.plugs.devices),
            at_start=tuple((place, why) for place, why in enumerate(reasons) if why is not None),
            global_options=self.globals,
            machine_options=options,
            notes=notes,
        )

    def _loadparm(self) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
        boot = self.disk.boot
        if boot is None or boot.loadparm is None:
            return (), ()
        if self.machine.family != "s390-ccw":
            return (), (f"loadparm='{boot.loadparm}' is read by s390's firmware alone",)
        if boot.order != 1:
            return (), (f"loadparm='{boot.loadparm}' is only for what is booted first",)
        return (("loadparm", boot.loadparm),), ()

    def _id(self, default: str | None) -> str:
        """The device's id: the alias, or the name that libvirt makes."""
        disk = self.disk
        id = self.reading.alias(disk.alias, disk.location) or default
        if id is None:
            id = f"{self.bus}-disk{self._number()}"
        who = f"disk '{disk.name}'"
        remedy = "give one of them another target, or an alias"
        self.plugs.take(("id", id), who, f"the id '{id}'", disk.location, remedy)
        return id

    def _number(self) -> int:
        """What the target's letters stand for."""
        index = disk_index(self.disk.name)
        if index is None:
            target = self.disk.target
            raise self.reading.refused(
                f"the target '{self.disk.name or ''}' says no number",
                target.location if target is not None else None,
                "targets are called 'vda', 'sdb', 'hdc', …",
            )
        return index

    def _made(
        self, cls: type[Device], sayings: dict[str, Said], fields: dict[str, Any], id: str
    ) -> Device:
        if "drive" in _fields(cls):
            fields["drive"] = self.drive
        if "bootindex" in _fields(cls):
            fields["bootindex"] = self.bootindex
        return self.plugs.made(cls, sayings, {"id": id, **fields})

    # By bus

    def _virtio(self, sayings: dict[str, Said]) -> Device:
        disk = self.disk
        id = self._id(None)
        transport = self.plugs.transport(disk.address, "a virtio disk")
        model = (disk.model or "virtio").removeprefix("virtio")
        source = disk.image.source
        vhost = isinstance(source, VhostUserSource)
        cls = (device.VHOST_USER_BLK if vhost else device.VIRTIO_BLK).get(transport + model)
        if cls is None and vhost and transport == "ccw":
            raise self.reading.refused("QEMU has no vhost-user disk on s390's channel subsystem")
        if cls is None:
            raise self.reading.refused(
                f"the model '{disk.model}' needs PCI", None, "the model 'virtio' goes anywhere"
            )
        fields = self.plugs.place(disk.address, f"disk '{disk.name}'", id)
        fields |= self.plugs.modern(cls, sayings, disk.address)
        if "iothread" in sayings and "iothread" in _fields(cls):
            thread = sayings["iothread"]
            self.plugs.iothread(thread.value, thread.place)
        if isinstance(source, VhostUserSource):
            fields["chardev"] = self._chardev(source, id)
        return self._made(cls, sayings, fields, id)

    def _chardev(self, source: VhostUserSource, id: str) -> str:
        place = source.location
        if source.path is None or source.socket_type not in (None, "unix"):
            raise self.reading.refused(
                "the vhost-user server is not named", place, "it is <source type='unix' path='…'/>"
            )
        reconnect: int | None = None
        if source.reconnect_enabled is not None:
            enabled = self.reading.switch(source.reconnect_enabled, "reconnect", place)
            timeout = self.reading.number(source.reconnect_timeout, "timeout", place)
            reconnect = (timeout or 0) if enabled else 0
        name = f"chr-vu-{id}"
        self.chardevs = (SocketChardev(id=name, path=source.path, reconnect=reconnect),)
        return name

    def _usb(self, sayings: dict[str, Said]) -> Device:
        address = self.disk.address
        fields: dict[str, Any] = {}
        index = 0
        if isinstance(address, UsbAddress):
            place = address.location
            index = self.reading.number(address.bus, "the bus of the address", place) or 0
            if address.port is not None:
                fields["port"] = self._usb_port(address.port, index, place)
        elif address is not None:
            raise self._wrong_address("usb")
        bus = self.plugs.usb(index, address.location if address is not None else None)
        if "removable" not in sayings:
            fields["removable"] = False
        id = self._id(None)
        return self._made(device.UsbStorage, sayings, {"bus": f"{bus}.0", **fields}, id)

    def _usb_port(self, text: str, bus: int, place: Location | None) -> str:
        ports = text.split(".")
        if len(ports) > 4 or not all(_USB_PORT.fullmatch(one) for one in ports):
            raise self.reading.refused(
                f"the USB port is '{text}'", place, "it is up to four numbers, '1' or '1.2'"
            )
        text = ".".join(one.lstrip("0") for one in ports)
        who, what = f"disk '{self.disk.name}'", f"the USB port {text} of bus {bus}"
        self.plugs.take(("usb", bus, text), who, what, place, "give it another port")
        return text

    def _scsi(self, sayings: dict[str, Said]) -> Device:
        controller, bus, target, unit = self._drive_address("scsi", _SCSI_UNITS)
        name, model = self.plugs.scsi(controller)
        most_target, most_lun = SCSI_LIMITS[model]
        self._within(bus, 0, "the bus of the address")
        fields: dict[str, Any]
        if most_lun == 0 and model in ("lsilogic", "am53c974", "dc390"):
            # libvirt counts the units of a narrow bus where SCSI counts targets.
            self._within(target, 0, f"the target of a disk on a controller '{model}'")
            self._within(unit, most_target, f"the unit of a disk on a controller '{model}'")
            fields = {"bus": f"{name}.0", "scsi_id": unit}
        else:
            self._within(target, most_target, f"the target of a disk on a controller '{model}'")
            self._within(unit, most_lun, f"the unit of a disk on a controller '{model}'")
            fields = {"bus": f"{name}.0", "channel": bus, "scsi_id": target, "lun": unit}
        numbers = (bus, unit) if model == "lsilogic" else (bus, target, unit)
        id = self._id(f"scsi{controller}-" + "-".join(str(one) for one in numbers))
        if self.disk.device == "lun":
            return self._made(device.ScsiBlock, sayings, fields, id)
        fields["device_id"] = self.disk.serial or f"drive-{id}"
        cls = device.ScsiCd if self.disk.device == "cdrom" else device.ScsiHd
        return self._made(cls, sayings, fields, id)

    def _sata(self, sayings: dict[str, Said]) -> Device:
        controller, bus, target, unit = self._drive_address("sata", _SATA_PORTS)
        self._within(bus, 0, "the bus of a sata address")
        self._within(target, 0, "the target of a sata address")
        self._within(unit, _SATA_PORTS - 1, "the unit of a sata address")
        name = self.plugs.sata(controller)
        id = self._id(f"sata{controller}-{bus}-{unit}")
        return self._made(self._ide_class(), sayings, {"bus": f"{name}.{unit}"}, id)

    def _ide(self, sayings: dict[str, Said]) -> Device:
        if not self.machine.has_ide:
            raise self.reading.refused(
                f"a machine '{self.machine.name}' has no IDE controller", None,
                "use bus='sata' there, or the machine 'pc'",
            )  # fmt: skip
        controller, bus, target, unit = self._drive_address("ide", 4, 2)
        self._within(controller, 0, "the controller of an ide address")
        self._within(bus, 1, "the bus of an ide address")
        self._within(target, 0, "the target of an ide address")
        self._within(unit, 1, "the unit of an ide address")
        id = self._id(f"ide{controller}-{bus}-{unit}")
        return self._made(self._ide_class(), sayings, {"bus": f"ide.{bus}", "unit": unit}, id)

    def _ide_class(self) -> type[Device]:
        return device.IdeCd if self.disk.device == "cdrom" else device.IdeHd

    def _fdc(self, sayings: dict[str, Said]) -> Device:
        controller, bus, target, unit = self._drive_address("fdc", 2)
        self._within(controller, 0, "the controller of a floppy's address")
        self._within(bus, 0, "the bus of a floppy's address")
        self._within(target, 0, "the target of a floppy's address")
        self._within(unit, 1, "the unit of a floppy's address")
        if not self.plugs.fdc(self.floppies) and self.bootindex is not None:
            self.globals = (("isa-fdc", f"bootindex{'AB'[unit]}", str(self.bootindex)),)
        id = self._id(f"fdc{controller}-{bus}-{unit}")
        return self._made(device.Floppy, sayings, {"unit": unit}, id)

    def _sd_card(self, sayings: dict[str, Said], notes: tuple[str, ...]) -> Frontend:
        if self.machine.family in ("pc", "q35", "microvm", "isapc", "s390-ccw", "virt", "pseries"):
            raise self.reading.refused(
                f"a machine '{self.machine.name}' has no slot for SD cards", None,
                "put the disk on another bus",
            )  # fmt: skip
        for name, one in sayings.items():
            if name != "write_cache":  # which the drive says by its cache mode
                raise self.reading.refused(f"an SD card has no place for {one.words}", one.place)
        return Frontend(interface="sd", index=self._number(), notes=notes)

    # Drive addresses

    def _drive_address(
        self, bus: str, units: int, units_of_bus: int = 0
    ) -> tuple[int, int, int, int]:
        """Controller, bus, target and unit, as given or as libvirt derives them from the target.

        ``units`` are those of a controller, ``units_of_bus`` those of each of
        its buses.
        """
        address = self.disk.address
        if isinstance(address, DriveAddress):
            number, place = self.reading.number, address.location
            found = [
                number(getattr(address, name), f"the {name} of the address", place) or 0
                for name in ("controller", "bus", "target", "unit")
            ]
        elif address is None:
            controller, unit = divmod(self._number(), units)
            on_bus, unit = divmod(unit, units_of_bus) if units_of_bus else (0, unit)
            found = [controller, on_bus, 0, unit]
        else:
            raise self._wrong_address(bus)
        shown = f"the address {bus} {':'.join(str(one) for one in found)}"
        place = address.location if address is not None else self.disk.location
        remedy = "give it another target or address"
        self.plugs.take((bus, *found), f"disk '{self.disk.name}'", shown, place, remedy)
        return found[0], found[1], found[2], found[3]

    def _wrong_address(self, bus: str) -> Exception:
        address = self.disk.address
        assert address is not None
        expected = "usb" if bus == "usb" else "drive"
        kind = address.type if isinstance(address, BareAddress) else kind_of(address)
        return self.reading.refused(
            f"a disk on bus '{bus}' cannot have an address of type '{kind}'",
            address.location,
            f"its type is '{expected}'",
        )

    def _within(self, number: int, most: int, what: str) -> None:
        address = self.disk.address
        if number > most:
            raise self.reading.refused(
                f"{what} is {number}",
                address.location if address is not None else None,
                f"the largest is {most}; give the disk another <address>",
            )


def _fields(cls: type[Device]) -> frozenset[str]:
    return frozenset(properties(cls))
