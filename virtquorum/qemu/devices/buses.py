"""The buses that disks are plugged into: their names, and the controllers that make them.

A controller that the domain does not list is made up as libvirt does; one
that is built into the machine has a name and no device.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from virtquorum.qemu.devices.controllers import SCSI, USB, VIRTIO_SCSI, Ahci, IsaFdc, SpaprVscsi
from virtquorum.qemu.devices.device import Device, PciDevice
from virtquorum.qemu.devices.machine import Controller
from virtquorum.qemu.devices.pci import PciPlaces
from virtquorum.qemu.devices.said import Said

if TYPE_CHECKING:
    from collections.abc import Mapping

    from virtquorum.model.location import Location

__all__ = ["Plugs"]

_IMPLIED_USB: Final = {
    "q35": "qemu-xhci", "pseries": "qemu-xhci", "pc": "piix3-uhci",
}  # fmt: skip
_MODELS: Final = {
    "virtio-scsi": "", "virtio-transitional": "-transitional",
    "virtio-non-transitional": "-non-transitional",
}  # fmt: skip
_CONTROLLER_DRIVER: Final = (
    ("queues", "num_queues"), ("cmd_per_lun", "cmd_per_lun"), ("max_sectors", "max_sectors"),
)  # fmt: skip
_CONTROLLER_SWITCHES: Final = (
    ("ioeventfd", "ioeventfd"), ("iommu", "iommu_platform"), ("ats", "ats"),
    ("packed", "packed"), ("page_per_vq", "page_per_vq"),
)  # fmt: skip


class Plugs(PciPlaces):
    """What one disk needs of the buses."""

    def _controller(self, type: str, index: int) -> Controller:
        """A listed controller, or the one that libvirt would add."""
        listed = self.listed(type, index)
        return listed[0] if listed else Controller(type=type, index=index)

    def scsi(self, index: int) -> tuple[str, str]:
        """The id and the model of a SCSI controller."""
        one = self._controller("scsi", index)
        model = one.model
        if model in (None, "auto"):
            model = {"pseries": "ibmvscsi", "s390-ccw": "virtio-scsi"}.get(
                self.machine.family, "lsilogic"
            )
        assert model is not None
        self.reading.word(model, f"the model of {one.name}", one.location, (*_MODELS, *SCSI))
        id = self._alias(one, f"scsi{index}")
        if self._first_time(("scsi", index)):
            said = self._controller_said(one) | self._acpi(one)
            if model in _MODELS:
                transport = self.transport(one.address, one.name)
                key = transport + _MODELS[model]
                if key not in VIRTIO_SCSI:
                    raise self.reading.refused(
                        f"{one.name} of model '{model}' needs PCI", one.location,
                        "the model 'virtio-scsi' goes anywhere",
                    )  # fmt: skip
                cls = VIRTIO_SCSI[key]
            else:
                cls = SCSI[model]
            if cls is SpaprVscsi:
                self._fixed.add(id)
            self._plug(one, cls, said, id, self.modern(cls, said, one.address))
        return id, model

    def _controller_said(self, one: Controller) -> dict[str, Said]:
        driver, found = one.driver, dict[str, Said]()
        if driver is None:
            return found
        place = driver.location
        for name, field in _CONTROLLER_DRIVER:
            what = f"{name} of {one.name}"
            number = self.reading.number(getattr(driver, name), what, place)
            if number:
                found[field] = Said(number, f"{name}='{number}' of {one.name}", place)
        for name, field in _CONTROLLER_SWITCHES:
            switch = self.reading.switch(getattr(driver, name), f"{name} of {one.name}", place)
            if switch is not None:
                found[field] = Said(switch, f"{name} of {one.name}", place)
        thread = self.reading.number(driver.iothread, f"iothread of {one.name}", place)
        if thread:
            name = f"iothread{thread}"
            found["iothread"] = Said(name, f"iothread='{thread}' of {one.name}", place)
            self.iothread(name, place)
        return found

    def _plug(
        self,
        one: Controller,
        cls: type[Device],
        said: Mapping[str, Said],
        id: str | None,
        more: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """Make a controller's device at its place."""
        if issubclass(cls, PciDevice) and self.machine.root_bus is None:
            raise self.reading.refused(
                f"{one.name} is a PCI device ({cls.driver}), and a machine "
                f"'{self.machine.name}' has no PCI",
                one.location,
                "put the disk on another bus",
            )
        fields = self.place_of(one, cls, id or "")
        self._add(cls, said, {"id": id, **fields, **more})

    def sata(self, index: int) -> str:
        """The id of a SATA controller; the first one of q35 is built in and called 'ide'."""
        if index == 0 and self.machine.family == "q35":
            return "ide"
        one = self._controller("sata", index)
        id = self._alias(one, f"sata{index}")
        if self._first_time(("sata", index)):
            self._plug(one, Ahci, self._acpi(one), id)
        return id

    def usb(self, index: int, place: Location | None) -> str:
        """The id of the controller that makes a USB bus; its companions come with it."""
        listed = self.listed("usb", index)
        if any(one.model == "none" for one in self.machine.controllers if one.type == "usb"):
            raise self.reading.refused(
                "the domain has USB switched off", place, "remove the controller of model 'none'"
            )
        if not listed:
            model = _IMPLIED_USB.get(self.machine.family) if index == 0 else None
            if model is None:
                raise self.reading.refused(
                    f"the domain has no usb controller {index}", place,
                    "add a <controller type='usb'> of that index",
                )  # fmt: skip
            listed = [Controller(type="usb", index=index, model=model)]
        masters = [one for one in listed if self._start_port(one) is None]
        if not masters:
            raise self.reading.refused(
                f"usb controller {index} is only companions", listed[0].location,
                "add the USB 2 controller, 'ich9-ehci1'",
            )  # fmt: skip
        if len(masters) > 1:
            raise self.reading.refused(
                f"there are several usb controllers {index}", masters[1].location,
                "give each its own index; only companions of 'ich9-ehci1' share one",
            )  # fmt: skip
        default = "usb" if index == 0 else f"usb{index}"
        id = self._alias(masters[0], default)
        if self._first_time(("usb", index)):
            for one in (masters[0], *(other for other in listed if other not in masters)):
                self._usb_controller(one, id)
        return id

    def _start_port(self, one: Controller) -> int | None:
        """The port of its master at which a companion begins, None for a master."""
        begins = {"ich9-uhci1": 0, "ich9-uhci2": 2, "ich9-uhci3": 4}.get(one.model or "")
        given = self.reading.number(one.start_port, f"startport of {one.name}", one.location)
        return begins if given is None else given

    def _usb_controller(self, one: Controller, master: str) -> None:
        x86 = self.machine.arch in ("x86_64", "i686")
        model = one.model or ("piix3-uhci" if x86 else "qemu-xhci")
        self.reading.word(model, f"the model of {one.name}", one.location, USB)
        said = self._acpi(one)
        port = self._start_port(one)
        if port is not None:
            words = f"the master of {one.name}"
            said["masterbus"] = Said(f"{master}.0", words, one.location)
            said["firstport"] = Said(port, words, one.location)
        ports = self.reading.number(
            one.ports, f"ports of {one.name}", one.location, most=15, least=1
        )
        if ports is not None:
            for name in ("p2", "p3"):
                said[name] = Said(ports, f"ports='{ports}' of {one.name}", one.location)
        self._plug(one, USB[model], said, master if port is None else None)

    def fdc(self, bootindexes: tuple[int | None, int | None]) -> bool:
        """The floppy controller; False if it is built in and its options go to ``-global``."""
        if self.machine.family == "pc":
            return False
        if self.machine.family != "q35":
            raise self.reading.refused(
                f"a machine '{self.machine.name}' takes no floppies", None,
                "put the disk on another bus",
            )  # fmt: skip
        if self._first_time("fdc"):
            first, second = bootindexes
            self._add(IsaFdc, {}, {"bootindex_a": first, "bootindex_b": second})
        return True
