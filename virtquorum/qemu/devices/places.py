"""Where devices are, and what they share: names, addresses, I/O threads.

Addresses are those that the domain gives: where it gives none, QEMU finds a
place.  Those on PCI are in ``pci.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from virtquorum.model.disk import ADDRESSES, BareAddress, CcwAddress, SpaprVioAddress
from virtquorum.qemu.devices.limits import check_pool, check_values
from virtquorum.qemu.devices.machine import Controller, IoThreadEntry, PooledIoThread
from virtquorum.qemu.devices.numbered import LARGEST_INDEX, has_legible_index, numbered
from virtquorum.qemu.devices.said import Said
from virtquorum.qemu.objects import IoThread
from virtquorum.qemu.qapi import properties

if TYPE_CHECKING:
    from collections.abc import Mapping

    from virtquorum.model.disk import Address
    from virtquorum.model.location import Location
    from virtquorum.qemu.devices.device import Device
    from virtquorum.qemu.devices.machine import Machine, Transport
    from virtquorum.qemu.devices.reading import Reading
    from virtquorum.qemu.objects import QemuObject

__all__ = ["Buses", "Places", "kind_of"]


def kind_of(address: Address | None) -> str | None:
    """The type of an address, in libvirt's word."""
    if isinstance(address, BareAddress):
        return address.type
    return next((word for word, cls in ADDRESSES.items() if type(address) is cls), None)


class Buses:
    """The buses of a domain, and what of them was already given to some disk.

    ``fixed`` are the names of those into which a running QEMU plugs nothing,
    ``every`` the controllers with their indexes, and ``illegible`` those of
    each type that have an index that is none.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.given: set[object] = set()
        self.fixed: set[str] = set()
        self.taken: dict[object, str] = {}
        self.controllers: dict[tuple[str, int], list[Controller]] = {}
        self.every = numbered(machine.controllers)
        for one in self.every:
            assert isinstance(one.index, int)
            self.controllers.setdefault((one.type or "", one.index), []).append(one)
        self.illegible: dict[str | None, Controller] = {
            one.type: one for one in machine.controllers if not has_legible_index(one)
        }

    def of(self, type: str, index: int) -> list[Controller]:
        """The controllers of a type and an index; several may make up one USB bus."""
        return self.controllers.get((type, index), [])


class Places:
    """Where one disk's devices are; nothing counts as given until ``commit``."""

    def __init__(self, buses: Buses, reading: Reading) -> None:
        self.buses = buses
        self.machine = buses.machine
        self.reading = reading
        self.objects: list[QemuObject] = []
        self.devices: list[Device] = []
        self._fixed: set[str] = set()
        self._given: set[object] = set()
        self._taken: dict[object, str] = {}

    def commit(self) -> None:
        """Remember for other disks what this one has been given."""
        self.buses.given |= self._given
        self.buses.taken |= self._taken
        self.buses.fixed |= self._fixed

    @property
    def fixed(self) -> set[str]:
        """The buses into which a running QEMU plugs nothing, with those of this disk."""
        return self.buses.fixed | self._fixed

    def listed(self, type: str, index: int) -> list[Controller]:
        """The controllers that the domain lists: one, or none, or the parts of one for USB."""
        found, wrong = self.buses.of(type, index), self.buses.illegible.get(type)
        if not found and wrong is not None:
            raise self.reading.refused(
                f"the index of a {type} controller is '{wrong.index}'",
                wrong.location,
                f"it is a number from 0 to {LARGEST_INDEX}",
            )
        if len(found) > 1 and type != "usb":
            raise self.reading.refused(
                f"there are several {type} controllers {index}",
                found[1].location,
                "give each its own index",
            )
        return found

    def take(self, key: object, who: str, what: str, place: Location | None, remedy: str) -> None:
        """Take an address or a name for ``who``; refuse the disk if another one has it."""
        other = self.buses.taken.get(key) or self._taken.get(key)
        if other is not None:
            raise self.reading.refused(f"{what} is also that of {other}", place, remedy)
        self._taken[key] = who

    def _first_time(self, key: object) -> bool:
        if key in self.buses.given or key in self._given:
            return False
        self._given.add(key)
        return True

    def made(
        self, cls: type[Device], said: Mapping[str, Said], fields: Mapping[str, Any]
    ) -> Device:
        """A device with what is said for it; refuses what its driver has no property for."""
        known = properties(cls)
        for name, one in said.items():
            if name not in known:
                raise self.reading.refused(
                    f"QEMU's {cls.driver} has no place for {one.words}",
                    one.place,
                    "leave it out, or put the disk on a bus that has",
                )
        check_values(self.reading, cls, said, self.machine.arch)
        if (acpi := said.get("acpi_index")) is not None:
            remedy = "give each its own index"
            what = f"the acpi index {acpi.value}"
            self.take(("acpi", acpi.value), f"a {cls.driver}", what, acpi.place, remedy)
        values = {name: one.value for name, one in said.items()}
        return cls(**values, **fields)

    def _add(self, cls: type[Device], said: Mapping[str, Said], fields: Mapping[str, Any]) -> None:
        one = self.made(cls, said, fields)
        if one.id is not None:
            remedy = "give one of them another alias"
            self.take(("id", one.id), f"a {cls.driver}", f"the id '{one.id}'", None, remedy)
        self.devices.append(one)

    # I/O threads

    def iothread(self, name: str, place: Location | None) -> None:
        """The thread 'iothread1', which the domain must have."""
        number = int(name.removeprefix("iothread"))
        known, wrong = self.machine.iothreads, self.machine.iothreads_wrong
        if wrong is not None:
            raise self.reading.refused(wrong.message, wrong.location, wrong.remedy)
        entry = IoThreadEntry() if known is None else known.get(number)
        if entry is None:
            numbers = ", ".join(str(one) for one in sorted(known or ())[:8]) or "none"
            raise self.reading.refused(
                f"the domain has no iothread {number}",
                place,
                f"it has: {numbers}; <iothreads> says how many there are",
            )
        if all(one.id != name for one in self.objects):
            check_pool(self.reading, number, entry)
            pools = {"thread_pool_min": entry.pool_min, "thread_pool_max": entry.pool_max}
            said = {key: value for key, value in pools.items() if value is not None}
            self.objects.append(PooledIoThread(id=name, **said) if said else IoThread(id=name))

    # Places

    def transport(self, address: Address | None, what: str) -> Transport:
        """How a virtio device reaches the guest: as its address says, or as the machine does."""
        kind, machine = kind_of(address), self.machine
        if address is None:
            return machine.transport
        if kind == "pci":
            return "pci"
        if kind == "ccw" and machine.family == "s390-ccw":
            return "ccw"
        boards = machine.transport == "device" or machine.family == "virt"
        if kind == "virtio-mmio" and boards:
            return "device"
        raise self.reading.refused(
            f"{what} cannot have an address of type '{kind}' on a machine '{machine.name}'",
            address.location,
            "leave the address out",
        )

    def place(self, address: Address | None, who: str, id: str) -> dict[str, Any]:
        """The fields of a device that say where it is; ``id`` is its own."""
        match address:
            case CcwAddress():
                return {"devno": self._devno(address, who)}
            case SpaprVioAddress():
                number = self.reading.number
                reg = number(address.reg, "reg", address.location, any_base=True)
                return {} if reg is None else {"reg": reg}
            case _:
                return {}

    def modern(
        self, cls: type[Device], said: Mapping[str, Said], address: Address | None
    ) -> dict[str, Any]:
        """The field that makes a virtio device one of virtio 1 alone, which an IOMMU needs.

        Behind a PCI Express port, where libvirt would put it, it is one of
        itself; where QEMU finds the place it may be another.
        """
        iommu = said.get("iommu_platform")
        by_qemu = self.machine.root_bus == "pcie.0" and address is None
        either = "disable_legacy" in properties(cls)
        wanted = iommu is not None and iommu.value and by_qemu and either
        return {"disable_legacy": "on"} if wanted else {}

    def _devno(self, address: CcwAddress, who: str) -> str:
        number, place = self.reading.number, address.location
        cssid = number(address.cssid, "cssid", place, most=0xFE, any_base=True)
        ssid = number(address.ssid, "ssid", place, most=3, any_base=True)
        devno = number(address.devno, "devno", place, most=0xFFFF, any_base=True)
        if cssid is None or ssid is None or devno is None:
            raise self.reading.refused(
                "the ccw address is not whole", place, "it has cssid, ssid and devno"
            )
        name = f"{cssid:x}.{ssid:x}.{devno:04x}"
        self.take(("ccw", name), who, f"the ccw address {name}", place, "give it another devno")
        return name

    def _alias(self, one: Controller, default: str) -> str:
        return self.reading.alias(one.alias, one.location) or default

    def _acpi(self, one: Controller) -> dict[str, Said]:
        name = f"the acpi index of {one.name}"
        index = self.reading.number(one.acpi_index, name, one.location)
        return {"acpi_index": Said(index, name, one.location)} if index else {}
