"""Where a disk is plugged in: from buses and numbers of QEMU's to libvirt's addresses and targets.

libvirt derives a drive's address from its target where none is given
(``virDomainDiskDefAssignAddress``), so an address that follows from the target
is not written.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from virtquorum.model.disk import BareAddress, CcwAddress, DriveAddress, UsbAddress
from virtquorum.model.parts import PciAddress
from virtquorum.qemu.devices import disks as device
from virtquorum.qemu.devices.controllers import CONTROLLERS, PCI, SCSI, USB, Ahci, VirtioScsi

if TYPE_CHECKING:
    from collections.abc import Mapping

    from virtquorum.model.disk import Address
    from virtquorum.qemu.back.device import Plugged
    from virtquorum.qemu.back.notes import Notes
    from virtquorum.qemu.back.place import Place
    from virtquorum.qemu.devices.device import Device
    from virtquorum.qemu.devices.machine import Machine

__all__ = ["Controllers", "Slot", "default_index", "default_numbers", "letters", "slot_of"]

_BUS: Final = re.compile(r"(.*)\.([0-9]{1,3})")
_PCI_BUS: Final = re.compile(r"pcie?\.([0-9]{1,3})")
_ADDR: Final = re.compile(r"(?:0x)?([0-9a-fA-F]{1,2})(?:\.(?:0x)?([0-7]))?")
_DEVNO: Final = re.compile(r"([0-9a-fA-F]{1,2})\.([0-3])\.([0-9a-fA-F]{1,4})")
_NARROW: Final = ("lsi", "am53c974", "dc-390")
_MODELS: Final = {
    **{cls.driver: word for word, cls in (*SCSI.items(), *USB.items())},
    **{cls.driver: word for word, models in PCI.items() for cls in models.values()},
    "virtio-scsi-pci-transitional": "virtio-transitional",
    "virtio-scsi-pci-non-transitional": "virtio-non-transitional",
}


class Slot(NamedTuple):
    """Where a disk is: ``numbers`` are controller, bus, target and unit, None without those.

    ``made_id`` is what libvirt calls a device there; None where the target says it.
    """

    bus: str
    address: Address | None = None
    numbers: tuple[int, int, int, int] | None = None
    made_id: str | None = None


class Controllers:
    """The controllers among the arguments, by their ids: libvirt has numbers instead."""

    def __init__(self, notes: Notes) -> None:
        self.notes = notes
        self._known: dict[str, tuple[str, int, str]] = {}
        self._places: dict[str, Place] = {}
        self._told: set[str] = set()
        #: The boot orders of the floppies, which are the controller's.
        self.floppies: dict[int, int] = {}
        #: What s390 knows of a device beside it: uid and fid by the device's id.
        self.zpci: dict[str, tuple[int | None, int | None]] = {}

    def add(self, tree: Mapping[str, Any], place: Place) -> bool:
        """Take a device if it is a controller for disks, or belongs to one."""
        driver, id = tree.get("driver"), tree.get("id")
        if driver == "zpci":
            target = tree.get("target")
            if isinstance(target, str):
                self.zpci[target] = _number(tree.get("uid")), _number(tree.get("fid"))
            return True
        if driver == "isa-fdc":
            for unit, name in enumerate(("bootindexA", "bootindexB")):
                if (index := _number(tree.get(name))) is not None:
                    self.floppies[unit] = index
            return True
        driver = "virtio-scsi-pci" if driver == "virtio-scsi" else driver
        cls = CONTROLLERS.get(driver) if isinstance(driver, str) else None
        if cls is None or not isinstance(driver, str):
            return False
        if isinstance(id, str):
            kind = _kind(cls)
            self._known[id] = kind, self._index(kind, id), driver
            self._places[id] = place
        return True

    def _index(self, kind: str, id: str) -> int:
        found = re.fullmatch(rf"{kind}\.?([0-9]{{0,3}})", id)
        taken = {index for one, index, _ in self._known.values() if one == kind}
        index = int(found[1] or 0) if found is not None else 1 if kind == "pci" else 0
        while index in taken:
            index += 1
        return index

    def of(self, id: str, kind: str) -> tuple[int, str | None]:
        """The number and the driver of a controller; one that is not listed has its id's number."""
        if id in self._known:
            self._tell(id)
            return self._known[id][1:]
        found = re.fullmatch(rf"{kind}\.?([0-9]{{1,3}})?", id)
        return int(found[1] or 0) if found is not None else 0, None

    def _tell(self, id: str) -> None:
        """Say once what the domain has to have beside the disk."""
        kind, index, driver = self._known[id]
        model = _MODELS.get(driver, "virtio-scsi" if kind == "scsi" else None)
        if id in self._told or kind in ("pci", "sata"):
            return  # libvirt adds these itself
        self._told.add(id)
        said = f" model='{model}'" if model else ""
        self.notes.remark(
            self._places[id],
            "a controller is no part of a disk; the domain has "
            f"<controller type='{kind}' index='{index}'{said}/>",
        )


def _kind(cls: type[Device]) -> str:
    if issubclass(cls, VirtioScsi) or cls in SCSI.values():
        return "scsi"
    if issubclass(cls, Ahci):
        return "sata"
    return "usb" if cls in USB.values() else "pci"


def _number(value: object) -> int | None:
    text = str(value)
    try:
        return int(text, 0)
    except ValueError:
        return None


def slot_of(plugged: Plugged, machine: Machine, controllers: Controllers, notes: Notes) -> Slot:
    """Where a device is plugged in."""
    made = plugged.made
    match made:
        case device.Floppy():
            return _numbered("fdc", (0, 0, 0, made.unit or 0))
        case device.UsbStorage():
            return _usb(made, controllers)
        case device.ScsiBlock() | device.ScsiCd():
            return _scsi(made, controllers)
        case device.IdeCd():
            return _ide(made, machine, controllers)
        case None:
            return Slot("virtio")
    return Slot("virtio", _virtio(made, plugged.place, controllers, notes))


def _numbered(bus: str, numbers: tuple[int, int, int, int], id: str | None = None) -> Slot:
    controller, on_bus, target, unit = numbers
    words = (str(controller), str(on_bus), str(target), str(unit))
    address = DriveAddress(controller=words[0], bus=words[1], target=words[2], unit=words[3])
    return Slot(bus, address, numbers, id or f"{bus}{controller}-{on_bus}-{unit}")


def _usb(made: device.UsbStorage, controllers: Controllers) -> Slot:
    found = _BUS.fullmatch(made.bus or "usb.0")
    index = controllers.of(found[1], "usb")[0] if found is not None else 0
    if made.port is None and index == 0:
        return Slot("usb")
    return Slot("usb", UsbAddress(bus=str(index), port=made.port))


def _scsi(made: Any, controllers: Controllers) -> Slot:
    if made.bus is None and made.scsi_id is None and made.lun is None:
        return Slot("scsi")
    found = _BUS.fullmatch(made.bus or "scsi0.0")
    index, driver = controllers.of(found[1], "scsi") if found is not None else (0, None)
    channel, target, lun = made.channel or 0, made.scsi_id or 0, made.lun
    if driver in _NARROW:
        # libvirt counts the units of a narrow bus where SCSI counts targets.
        id = f"scsi{index}-{channel}" + ("" if driver == "lsi" else "-0") + f"-{target}"
        return _numbered("scsi", (index, channel, 0, target), id)
    numbers = index, channel, target, lun or 0
    return _numbered("scsi", numbers, f"scsi{index}-{channel}-{target}-{lun or 0}")


def _ide(made: device.IdeCd, machine: Machine, controllers: Controllers) -> Slot:
    if made.bus is None:
        return Slot("ide" if machine.has_ide else "sata")
    found = _BUS.fullmatch(made.bus)
    if found is None:
        return Slot("ide" if machine.has_ide else "sata")
    number = int(found[2])
    if found[1] != "ide":
        return _numbered("sata", (controllers.of(found[1], "sata")[0], 0, 0, number))
    # The ports of q35 are buses of one unit; older machines have two on each of two buses.
    is_sata = (machine.family == "q35" and not made.unit) or (
        made.unit is None and (number > 1 or (made.id or "").startswith("sata"))
    )
    if is_sata:
        return _numbered("sata", (0, 0, 0, number))
    return _numbered("ide", (0, number, 0, made.unit or 0))


def _virtio(made: Device, place: Place, controllers: Controllers, notes: Notes) -> Address | None:
    if made.driver in ("virtio-blk-device", "vhost-user-blk"):
        return BareAddress(type="virtio-mmio")
    if (devno := getattr(made, "devno", None)) is not None:
        found = _DEVNO.fullmatch(devno)
        if found is None:
            notes.leave(place, "devno", devno)
            return None
        cssid, ssid, number = (int(one, 16) for one in found.groups())
        return CcwAddress(cssid=f"0x{cssid:x}", ssid=f"0x{ssid:x}", devno=f"0x{number:04x}")
    return _pci(made, place, controllers, notes)


def _pci(made: Any, place: Place, controllers: Controllers, notes: Notes) -> PciAddress | None:
    zpci = _zpci(made, controllers)
    addr = _ADDR.fullmatch(getattr(made, "addr", None) or "")
    if addr is None:
        for name in ("bus", "addr"):
            if (value := getattr(made, name, None)) is not None:
                notes.leave(place, name, value, "an address has a bus and a slot")
        return PciAddress(**zpci) if any(zpci.values()) else None
    bus = made.bus or "pci.0"
    found = _PCI_BUS.fullmatch(bus)
    number = int(found[1]) if found is not None else controllers.of(bus, "pci")[0]
    multifunction = {True: "on", False: "off"}.get(made.multifunction)
    return PciAddress(
        domain="0x0000",
        bus=f"0x{number:02x}",
        slot=f"0x{int(addr[1], 16):02x}",
        function=f"0x{int(addr[2] or '0', 16):x}",
        multifunction=multifunction,
        **zpci,
    )


def _zpci(made: Any, controllers: Controllers) -> dict[str, Any]:
    uid, fid = controllers.zpci.get(made.id, (None, None))
    return {
        "zpci_uid": None if uid is None else f"0x{uid:04x}",
        "zpci_fid": None if fid is None else f"0x{fid:08x}",
    }


# Targets

_UNITS: Final = {"scsi": 7, "sata": 6, "ide": 4, "fdc": 2}


def letters(number: int) -> str:
    """The letters that a number is in a target: 0 is 'a', 26 'aa'."""
    text = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(ord("a") + rest) + text
    return text


def default_numbers(bus: str, index: int) -> tuple[int, int, int, int] | None:
    """Controller, bus, target and unit that libvirt derives from a target's number."""
    if bus not in _UNITS:
        return None
    controller, unit = divmod(index, _UNITS[bus])
    on_bus, unit = divmod(unit, 2) if bus == "ide" else (0, unit)
    return controller, on_bus, 0, unit


def default_index(bus: str, numbers: tuple[int, int, int, int]) -> int | None:
    """The number of the target from which libvirt derives an address; None where there is none."""
    controller, on_bus, _, unit = numbers
    index = controller * _UNITS[bus] + on_bus * (2 if bus == "ide" else 0) + unit
    return index if default_numbers(bus, index) == numbers else None
