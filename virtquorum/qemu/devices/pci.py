"""Places on PCI: addresses, and the ports and bridges that lead to them.

A PCI bus that the domain does not list is made up as libvirt does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from virtquorum.errors import TranslationError
from virtquorum.model.parts import PciAddress
from virtquorum.qemu.devices.controllers import PCI
from virtquorum.qemu.devices.device import Device, Zpci
from virtquorum.qemu.devices.machine import Controller
from virtquorum.qemu.devices.places import Places, kind_of
from virtquorum.qemu.devices.plugging import FIXED
from virtquorum.qemu.qapi import properties

if TYPE_CHECKING:
    from virtquorum.model.disk import Address
    from virtquorum.model.location import Location

__all__ = ["PciPlaces"]

#: Slots and functions of the root that the machine itself is in.
_BUILT_IN: Final = {
    "pc": {(0, 0), (1, 0), (1, 1), (1, 3)},
    "q35": {(0, 0), (31, 0), (31, 2), (31, 3)},
}
_IMPLIED_PCI: Final = {"q35": "pcie-root-port", "virt": "pcie-root-port", "pc": "pci-bridge"}
#: Bridges behind each other, before the path to a device is too long for QEMU.
_DEEPEST: Final = 48
_ROOTS: Final = (None, "pci-root", "pcie-root")


class PciPlaces(Places):
    """Where one disk's devices are, on PCI as well."""

    def place(self, address: Address | None, who: str, id: str) -> dict[str, Any]:
        """The fields of a device that say where it is; a PCI device brings its bus along."""
        if isinstance(address, PciAddress):
            return self._pci_place(address, who, id)
        return super().place(address, who, id)

    def place_of(self, one: Controller, cls: type[Device], id: str) -> dict[str, Any]:
        """Where a controller is; refuses an address that its device cannot have."""
        fields = self.place(one.address, one.name, id)
        kind = kind_of(one.address)
        if not fields.keys() <= properties(cls).keys() or kind in ("drive", "usb", "isa"):
            raise self.reading.refused(
                f"{one.name} cannot have an address of type '{kind}'",
                one.location,
                "leave the address out",
            )
        return fields

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
        if uid is None and fid is None:
            return
        if not id:
            raise self.reading.refused("the zpci is for a device without a name", place,
                                       "give the device an alias")  # fmt: skip
        if fid is not None:
            remedy = "give each its own fid"
            self.take(("fid", fid), f"'{id}'", f"the zpci fid {fid}", place, remedy)
        # Without a uid QEMU finds one; what has no id could not be taken away again.
        name = f"zpci{uid}" if uid is not None else f"zpci-{id}"
        self._add(Zpci, {}, {"id": name, "uid": uid, "fid": fid, "target": id})

    def _pci_bus(self, number: int, slot: int, place: Location | None) -> str:
        """The name of a PCI bus, with the controllers between it and the root."""
        root = self.machine.root_bus
        if root is None:
            raise self.reading.refused(
                f"a machine '{self.machine.name}' has no PCI", place, "leave the address out"
            )
        self._check_root()
        if number == 0:
            return root
        one = self._pci_listed(number, place)
        if one.model == "pci-bridge" and slot == 0:
            raise self.reading.refused(
                f"slot 0 of the pci-bridge {number} takes no device",
                place,
                "slots begin at 1; a domain that is made for a machine 'q35' must say so",
            )
        for above in reversed(self._way_up(one, place)):
            assert isinstance(above.index, int)
            self._pci_controller(above, above.index)
        return self._alias(one, f"pci.{number}")

    def _check_root(self) -> None:
        for one in self.buses.of("pci", 0):
            if one.model not in _ROOTS:
                raise self.reading.refused(
                    f"pci controller 0 has the model '{one.model}', and it is the root",
                    one.location,
                    "give it another index, or add the root with index 0 before it",
                )

    def _pci_listed(self, number: int, place: Location | None) -> Controller:
        """A PCI controller of the domain's, or the one that libvirt would make up."""
        listed = self.listed("pci", number)
        if listed:
            return listed[0]
        if self.machine.family in _IMPLIED_PCI:
            return Controller(type="pci", index=number, model=_IMPLIED_PCI[self.machine.family])
        raise self.reading.refused(
            f"the domain has no pci controller {number}", place, "add one, or another address"
        )

    def _way_up(self, one: Controller, place: Location | None) -> list[Controller]:
        """A PCI controller and those between it and the root.

        As libvirt has it each has a larger index than the bus that it is on,
        and so the way has an end.
        """
        found = [one]
        while isinstance(one.address, PciAddress):
            bus = self._pci_numbers(one.address)[1]
            if bus == 0:
                break
            if not isinstance(one.index, int) or bus >= one.index:
                raise self.reading.refused(
                    f"{one.name} is on bus {bus}, which is not nearer to the root",
                    one.location,
                    "the index of a controller is larger than the number of the bus that it is on",
                )
            one = self._pci_listed(bus, place)
            found.append(one)
        if len(found) > _DEEPEST:
            raise self.reading.refused(
                f"{found[0].name} is behind {len(found) - 1} others",
                found[0].location,
                f"QEMU takes no more than {_DEEPEST} behind each other",
            )
        return found

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
        fields: dict[str, Any] = {"id": id, **self.place_of(one, cls, id)}
        fields |= self._pci_fields(one, number, cls, fields)
        if cls.driver in FIXED or fields.get("hotplug") is False:
            self._fixed.add(id)
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
            least = 1 if name == "chassis_nr" else 0
            value = self.reading.number(
                getattr(one, name), f"{name} of {one.name}", place,
                most=most, least=least, any_base=True,
            )  # fmt: skip
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
        for other in self.buses.every:
            if (
                other.type == "pci"
                and isinstance(other.address, PciAddress)
                and self._is_at(other, wanted)
            ):
                assert isinstance(other.index, int)
                self._pci_controller(other, other.index)

    def _is_at(self, other: Controller, wanted: tuple[int, ...]) -> bool:
        """Whether a controller is at an address; one without a legible address is not."""
        assert isinstance(other.address, PciAddress)
        try:
            return self._pci_numbers(other.address) == wanted
        except TranslationError:
            return False
