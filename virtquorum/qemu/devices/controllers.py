"""The devices that disks are plugged into, typed as QEMU 7.2 and later have them."""

from __future__ import annotations

from typing import ClassVar, Final

from virtquorum.model.node import node
from virtquorum.qemu.devices.device import Device, OnOffAuto, PciDevice, derived
from virtquorum.qemu.qapi import choice, integer, switch, text

__all__ = [
    "CONTROLLERS",
    "PCI",
    "SCSI",
    "SCSI_LIMITS",
    "USB",
    "VIRTIO_SCSI",
    "Ahci",
    "IsaFdc",
    "PcieRootPort",
    "SpaprVscsi",
    "VirtioScsi",
]


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class VirtioScsi(Device):
    """A virtio-scsi controller, on whatever leads to the guest."""

    iothread: str | None = text()
    num_queues: int | None = integer("num_queues")
    cmd_per_lun: int | None = integer("cmd_per_lun")
    max_sectors: int | None = integer("max_sectors")
    iommu_platform: bool | None = switch("iommu_platform")
    packed: bool | None = switch()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class VirtioScsiOnPci(VirtioScsi):
    """A virtio-scsi controller on PCI, of a virtio version of its own or of either."""

    bus: str | None = text()
    addr: str | None = text()
    multifunction: bool | None = switch()
    acpi_index: int | None = integer()
    ioeventfd: bool | None = switch()
    ats: bool | None = switch()
    page_per_vq: bool | None = switch()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class VirtioScsiPci(VirtioScsiOnPci):
    """A virtio-scsi controller on PCI, of the virtio version that its place is for."""

    driver: ClassVar[str] = "virtio-scsi-pci"

    disable_legacy: OnOffAuto | None = choice("on", "off", "auto")


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class VirtioScsiCcw(VirtioScsi):
    """A virtio-scsi controller on s390's channel subsystem."""

    driver: ClassVar[str] = "virtio-scsi-ccw"

    devno: str | None = text()
    ioeventfd: bool | None = switch()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class VirtioScsiDevice(VirtioScsi):
    """A virtio-scsi controller on a board's own virtio bus (virtio-mmio)."""

    driver: ClassVar[str] = "virtio-scsi-device"


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class SpaprVscsi(Device):
    """The SCSI controller of pSeries' virtual I/O bus."""

    driver: ClassVar[str] = "spapr-vscsi"

    reg: int | None = integer()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Ahci(PciDevice):
    """A SATA controller of six ports."""

    driver: ClassVar[str] = "ahci"


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class IsaFdc(Device):
    """The floppy controller, for machines that have none of their own."""

    driver: ClassVar[str] = "isa-fdc"

    bootindex_a: int | None = integer("bootindexA")
    bootindex_b: int | None = integer("bootindexB")


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Xhci(PciDevice):
    """A USB 3 controller; ``p2`` and ``p3`` are its numbers of ports."""

    driver: ClassVar[str] = "qemu-xhci"

    p2: int | None = integer()
    p3: int | None = integer()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Companion(PciDevice):
    """A USB 1 controller that can be the companion of a USB 2 one (``masterbus``)."""

    driver: ClassVar[str] = "ich9-usb-uhci1"

    masterbus: str | None = text()
    firstport: int | None = integer()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class PcieRootPort(PciDevice):
    """A port of the PCI Express root, or of a switch."""

    driver: ClassVar[str] = "pcie-root-port"

    port: int | None = integer()
    chassis: int | None = integer()
    hotplug: bool | None = switch()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class PciBridge(PciDevice):
    """A bridge to a PCI bus of 31 slots."""

    driver: ClassVar[str] = "pci-bridge"

    chassis_nr: int | None = integer("chassis_nr")


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class ExpanderBus(PciDevice):
    """A root of its own, at bus number ``bus_nr``."""

    driver: ClassVar[str] = "pxb"

    bus_nr: int | None = integer("bus_nr")
    numa_node: int | None = integer("numa_node")


#: virtio-scsi by transport and model.
VIRTIO_SCSI: Final[dict[str, type[Device]]] = {
    "pci": VirtioScsiPci,
    "pci-transitional": derived(VirtioScsiOnPci, "virtio-scsi-pci-transitional"),
    "pci-non-transitional": derived(VirtioScsiOnPci, "virtio-scsi-pci-non-transitional"),
    "ccw": VirtioScsiCcw,
    "device": VirtioScsiDevice,
}
#: libvirt's other models of SCSI controllers; where libvirt says 'dc-390', QEMU has 'dc390'.
SCSI: Final[dict[str, type[Device]]] = {
    "lsilogic": derived(PciDevice, "lsi"),
    "lsisas1068": derived(PciDevice, "mptsas1068"),
    "lsisas1078": derived(PciDevice, "megasas"),
    "vmpvscsi": derived(PciDevice, "pvscsi"),
    "am53c974": derived(PciDevice, "am53c974"),
    "dc390": derived(PciDevice, "dc390"),
    "ibmvscsi": SpaprVscsi,
}
#: The largest target and logical unit of each model, from QEMU's hw/scsi.
SCSI_LIMITS: Final[dict[str, tuple[int, int]]] = {
    "virtio-scsi": (255, 16383),
    "virtio-transitional": (255, 16383),
    "virtio-non-transitional": (255, 16383),
    "lsilogic": (7, 0),
    "lsisas1068": (7, 0),
    "lsisas1078": (63, 255),
    "vmpvscsi": (63, 0),
    "am53c974": (6, 0),
    "dc390": (6, 0),
    "ncr53c90": (6, 0),
    "ibmvscsi": (63, 31),
}
#: libvirt's models of USB controllers.
USB: Final[dict[str, type[Device]]] = {
    "piix3-uhci": derived(PciDevice, "piix3-usb-uhci"),
    "piix4-uhci": derived(PciDevice, "piix4-usb-uhci"),
    "vt82c686b-uhci": derived(PciDevice, "vt82c686b-usb-uhci"),
    "ich9-ehci1": derived(PciDevice, "ich9-usb-ehci1"),
    "ich9-uhci1": Companion,
    "ich9-uhci2": derived(Companion, "ich9-usb-uhci2"),
    "ich9-uhci3": derived(Companion, "ich9-usb-uhci3"),
    "ehci": derived(PciDevice, "usb-ehci"),
    "pci-ohci": derived(Companion, "pci-ohci"),
    "nec-xhci": derived(Xhci, "nec-usb-xhci"),
    "qemu-xhci": Xhci,
}
#: libvirt's models of PCI controllers, by the name of the device (``<model name=…/>``); the
#: first of a model is the one that it means alone.
PCI: Final[dict[str, dict[str, type[Device]]]] = {
    "pcie-root-port": {
        "pcie-root-port": PcieRootPort,
        "ioh3420": derived(PcieRootPort, "ioh3420"),
    },
    "pci-bridge": {"pci-bridge": PciBridge},
    "dmi-to-pci-bridge": {"i82801b11-bridge": derived(PciDevice, "i82801b11-bridge")},
    "pcie-to-pci-bridge": {"pcie-pci-bridge": derived(PciDevice, "pcie-pci-bridge")},
    "pcie-switch-upstream-port": {"x3130-upstream": derived(PciDevice, "x3130-upstream")},
    "pcie-switch-downstream-port": {
        "xio3130-downstream": derived(PcieRootPort, "xio3130-downstream")
    },
    "pci-expander-bus": {"pxb": ExpanderBus},
    "pcie-expander-bus": {"pxb-pcie": derived(ExpanderBus, "pxb-pcie")},
}
_CLASSES: tuple[type[Device], ...] = (
    *VIRTIO_SCSI.values(), *SCSI.values(), *USB.values(), Ahci, IsaFdc,
    *(one for models in PCI.values() for one in models.values()),
)  # fmt: skip
#: Every controller, by its driver.
CONTROLLERS: Final[dict[str, type[Device]]] = {cls.driver: cls for cls in _CLASSES}
