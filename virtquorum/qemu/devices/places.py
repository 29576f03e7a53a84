"""Where devices are: addresses on PCI and its bridges, on s390's channels, on pSeries' bus.

Addresses are those that the domain gives: where it gives none, QEMU finds a
place.  A PCI bus that the domain does not list is made up as libvirt does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from virtquorum.errors import TranslationError
from virtquorum.model.disk import ADDRESSES, BareAddress, CcwAddress, SpaprVioAddress
from virtquorum.model.parts import PciAddress
from virtquorum.qemu.devices.controllers import PCI
from virtquorum.qemu.devices.device import Device, Zpci
from virtquorum.qemu.devices.machine import Controller, IoThreadEntry, PooledIoThread
from virtquorum.qemu.devices.plugging import FIXED
from virtquorum.qemu.devices.said import Said
from virtquorum.qemu.objects import IoThread
from virtquorum.qemu.qapi import properties

if TYPE_CHECKING:
    from collections.abc import Mapping

    from virtquorum.model.disk import Address
    from virtquorum.model.location import Location
    from virtquorum.qemu.devices.machine import Machine, Transport
    from virtquorum.qemu.devices.reading import Reading
    from virtquorum.qemu.objects import QemuObject

__all__ = ["Buses", "Places", "kind_of"]

#: Slots and functions of the root that the machine itself is in.
_BUILT_IN: Final = {
    "pc": {(0, 0), (1, 0), (1, 1), (1, 3)},
    "q35": {(0, 0), (31, 0), (31, 2), (31, 3)},
}
_IMPLIED_PCI: Final = {"q35": "pcie-root-port", "virt": "pcie-root-port", "pc": "pci-bridge"}


def kind_of(address: Address | None) -> str | None:
    """The type of an address, in libvirt's word."""
    if isinstance(address, BareAddress):
        return address.type
    return next((word for word, cls in ADDRESSES.items() if type(address) is cls), None)


class Buses:
    """The buses of a domain, and what of them was already given to some disk.

    ``fixed`` are the names of those into which a running QEMU plugs nothing.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.given: set[object] = set()
        self.fixed: set[str] = set()
        self.taken: dict[object, str] = {}
        self.controllers: dict[tuple[str, int], list[Controller]] = {}
        for one in machine.controllers:
            index = one.index if isinstance(one.index, int) else 0
            self.controllers.setdefault((one.type or "", index), []).append(one)

    def of(self, type: str, index: int) -> list[Controller]:
        """The controllers of a type and an index; several only make up one USB bus."""
        return self.controllers.get((type, index), [])


class Places:
    """Where one disk's devices are; nothing counts as given until ``commit``."""

    def __init__(self, buses: Buses, reading: Reading) -> None:
        self.buses = buses
        self.machine = buses.machine
        self.reading = reading
        self.objects: list[QemuObject] = []
        self.devices: list[Device] = []
        self._given: set[object] = set()
        self._taken: dict[object, str] = {}

    def commit(self) -> None:
        """Remember for other disks what this one has been given."""
        self.buses.given |= self._given
        self.buses.taken |= self._taken

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
        known = self.machine.iothreads
        entry = IoThreadEntry() if known is None else known.get(number)
        if entry is None:
            numbers = ", ".join(str(one) for one in sorted(known or ())[:8]) or "none"
            raise self.reading.refused(
                f"the domain has no iothread {number}",
                place,
                f"it has: {numbers}; <iothreads> says how many there are",
            )
        if all(one.id != name for one in self.objects):
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
        """The fields of a device that say where it is; a PCI device brings its bus along."""
        match address:
            case None:
                return {}
            case PciAddress():
                return self._pci_place(address, who, id)
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

    def _pci_place(self, address: PciAddress, who: str, id: str) -> dict[str, Any]:
        place = address.location
        domain, bus, slot, function = self._pci_numbers(address)
        words = ("on", "off")
        several = self.reading.word(address.multifunction, "multifunction", place, words)
        self._zpci(address, id)
        if not (domain or bus or slot or function):
            return {}  # libvirt's word for: find a place
        shown = f"{domain:04x}:{bus:02x}:{slot:02x}.{function:x}"
        if domain:
            raise self.reading.refused(f"the PCI address {shown} is in another domain", place,
                                       "a machine has one PCI domain, 0x0000")  # fmt: skip
        if bus == 0 and (slot, function) in _BUILT_IN.get(self.machine.family, {(0, 0)}):
            raise self.reading.refused(
                f"the PCI address {shown} is that of a device of the machine itself",
                place,
                "give it another slot",
            )
        self.take(("pci", bus, slot, function), who, f"the PCI address {shown}", place,
                  "give it another slot")  # fmt: skip
        fields: dict[str, Any] = {"bus": self._pci_bus(bus, slot, place)}
        fields["addr"] = f"0x{slot:x}.0x{function:x}" if function else f"0x{slot:x}"
        if several is not None:
            fields["multifunction"] = several == "on"
        return fields

    def _pci_numbers(self, address: PciAddress) -> tuple[int, ...]:
        """Domain, bus, slot and function."""
        number, place = self.reading.number, address.location
        return tuple(
            number(getattr(address, name), name, place, most=most, any_base=True) or 0
            for name, most in (("domain", 0xFFFF), ("bus", 255), ("slot", 31), ("function", 7))
        )

    def _zpci(self, address: PciAddress, id: str) -> None:
        number, place = self.reading.number, address.location
        uid = number(address.zpci_uid, "uid", place, most=0xFFFF, least=1, any_base=True)
        fid = number(address.zpci_fid, "fid", place, any_base=True)
        if uid is not None or fid is not None:
            name = f"zpci{uid}" if uid is not None else None
            self._add(Zpci, {}, {"id": name, "uid": uid, "fid": fid, "target": id})

    def _pci_bus(self, number: int, slot: int, place: Location | None) -> str:
        """The name of a PCI bus, with the controllers between it and the root."""
        root = self.machine.root_bus
        if root is None:
            raise self.reading.refused(
                f"a machine '{self.machine.name}' has no PCI", place, "leave the address out"
            )
        if number == 0:
            return root
        listed = self.buses.of("pci", number)
        if listed:
            one = listed[0]
        elif self.machine.family in _IMPLIED_PCI:
            one = Controller(type="pci", index=number, model=_IMPLIED_PCI[self.machine.family])
        else:
            raise self.reading.refused(
                f"the domain has no pci controller {number}", place, "add one, or another address"
            )
        if one.model == "pci-bridge" and slot == 0:
            raise self.reading.refused(
                f"slot 0 of the pci-bridge {number} takes no device",
                place,
                "slots begin at 1; a domain that is made for a machine 'q35' must say so",
            )
        self._pci_controller(one, number)
        return self._alias(one, f"pci.{number}")

    def _pci_controller(self, one: Controller, number: int) -> None:
        if not self._first_time(("pci", number)):
            return
        place = one.location
        models = PCI.get(one.model or "")
        if models is None:
            raise self.reading.refused(
                f"{one.name} has the model '{one.model}', which leads to no disk", place,
                f"models are: {', '.join(PCI)}",
            )  # fmt: skip
        device = self.reading.word(one.device, "the name of the model", place, models)
        cls = models[device or next(iter(models))]
        id = self._alias(one, f"pci.{number}")
        fields: dict[str, Any] = {"id": id, **self.place(one.address, one.name, id)}
        fields |= self._pci_fields(one, number, cls, fields)
        if cls.driver in FIXED or fields.get("hotplug") is False:
            self.buses.fixed.add(id)
        self._add(cls, self._acpi(one), fields)
        if "." in fields.get("addr", ""):
            self._function_zero(one)

    def _pci_fields(
        self, one: Controller, number: int, cls: type[Device], fields: dict[str, Any]
    ) -> dict[str, Any]:
        """What a PCI controller's <target> says, or what libvirt would have written there."""
        known, place, found = properties(cls), one.location, dict[str, Any]()
        for name, most in (("chassis", 255), ("chassis_nr", 255), ("port", 255), ("bus_nr", 255)):
            if name not in known:
                continue
            value = self.reading.number(
                getattr(one, name), f"{name} of {one.name}", place, most=most, any_base=True
            )
            if value is None and name.startswith("chassis"):
                value = number
            if value is None and name == "port" and "addr" in fields:
                slot, _, function = fields["addr"].partition(".")
                value = int(slot, 16)
                if one.model == "pcie-root-port":
                    value = (value << 3) + int(function or "0", 16)
            if value is not None:
                found[name] = value
        if one.numa_node is not None and "numa_node" in known:
            found["numa_node"] = self.reading.number(one.numa_node, "the NUMA node", place)
        if one.hotplug is not None and "hotplug" in known:
            found["hotplug"] = self.reading.switch(one.hotplug, "hotplug", place)
        return found

    def _function_zero(self, one: Controller) -> None:
        """A guest looks at a slot's other functions only if there is a function 0."""
        assert isinstance(one.address, PciAddress)
        wanted = (*self._pci_numbers(one.address)[:3], 0)
        for other in self.machine.controllers:
            is_pci = other.type == "pci" and isinstance(other.index, int)
            if is_pci and isinstance(other.address, PciAddress) and self._is_at(other, wanted):
                assert isinstance(other.index, int)
                self._pci_controller(other, other.index)

    def _is_at(self, other: Controller, wanted: tuple[int, ...]) -> bool:
        """Whether a controller is at an address; one without a legible address is not."""
        assert isinstance(other.address, PciAddress)
        try:
            return self._pci_numbers(other.address) == wanted
        except TranslationError:
            return False

    def _alias(self, one: Controller, default: str) -> str:
        return self.reading.alias(one.alias, one.location) or default

    def _acpi(self, one: Controller) -> dict[str, Said]:
        name = f"the acpi index of {one.name}"
        index = self.reading.number(one.acpi_index, name, one.location)
        return {"acpi_index": Said(index, name, one.location)} if index else {}
