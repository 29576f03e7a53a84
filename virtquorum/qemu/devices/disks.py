"""The devices that are disks, typed as QEMU 7.2 and later have them."""

from __future__ import annotations

from typing import ClassVar, Final, Literal, TypeAlias

from virtquorum.model.node import node
from virtquorum.qemu.devices.device import Device, OnOffAuto, derived
from virtquorum.qemu.qapi import choice, integer, switch, text

__all__ = [
    "DISKS",
    "VHOST_USER_BLK",
    "VIRTIO_BLK",
    "BlockDevice",
    "Floppy",
    "IdeCd",
    "IdeHd",
    "ScsiBlock",
    "ScsiCd",
    "ScsiHd",
    "UsbStorage",
    "VhostUserBlk",
    "VirtioBlk",
    "VirtioBlkCcw",
    "VirtioBlkDevice",
    "VirtioBlkPci",
]

OnError: TypeAlias = Literal["report", "ignore", "enospc", "stop", "auto"]
_ON_ERROR: Final = ("report", "ignore", "enospc", "stop", "auto")


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class BlockDevice(Device):
    """A device on a block node; ``drive`` is its name, None for a drive without a medium."""

    drive: str | None = text()
    share_rw: bool | None = switch()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Floppy(BlockDevice):
    """A drive for floppies; the controller has its place in the boot order."""

    driver: ClassVar[str] = "floppy"

    unit: int | None = integer()
    logical_block_size: int | None = integer("logical_block_size")
    physical_block_size: int | None = integer("physical_block_size")
    discard_granularity: int | None = integer("discard_granularity")
    write_cache: OnOffAuto | None = choice("on", "off", "auto")


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class BootDevice(BlockDevice):
    """What can be booted from; the lowest ``bootindex`` comes first."""

    bootindex: int | None = integer()
    werror: OnError | None = choice(*_ON_ERROR)
    rerror: OnError | None = choice(*_ON_ERROR)


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class ScsiBlock(BootDevice):
    """A SCSI unit of the host, passed through."""

    driver: ClassVar[str] = "scsi-block"

    bus: str | None = text()
    channel: int | None = integer()
    scsi_id: int | None = integer()
    lun: int | None = integer()
    rotation_rate: int | None = integer("rotation_rate")


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class EmulatedDisk(BootDevice):
    """A disk that QEMU emulates; block sizes in bytes."""

    logical_block_size: int | None = integer("logical_block_size")
    physical_block_size: int | None = integer("physical_block_size")
    discard_granularity: int | None = integer("discard_granularity")
    write_cache: OnOffAuto | None = choice("on", "off", "auto")
    serial: str | None = text()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class UsbStorage(EmulatedDisk):
    """A USB stick; ``port`` may lead through hubs ('1.2')."""

    driver: ClassVar[str] = "usb-storage"

    bus: str | None = text()
    port: str | None = text()
    removable: bool | None = switch()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class ScsiCd(EmulatedDisk):
    """A SCSI drive for optical discs."""

    driver: ClassVar[str] = "scsi-cd"

    bus: str | None = text()
    channel: int | None = integer()
    scsi_id: int | None = integer()
    lun: int | None = integer()
    device_id: str | None = text("device_id")
    wwn: int | None = integer()
    vendor: str | None = text()
    product: str | None = text()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class ScsiHd(ScsiCd):
    """A SCSI disk."""

    driver: ClassVar[str] = "scsi-hd"

    rotation_rate: int | None = integer("rotation_rate")
    cyls: int | None = integer()
    heads: int | None = integer()
    secs: int | None = integer()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class IdeCd(EmulatedDisk):
    """A drive for optical discs on IDE or SATA."""

    driver: ClassVar[str] = "ide-cd"

    bus: str | None = text()
    unit: int | None = integer()
    wwn: int | None = integer()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class IdeHd(IdeCd):
    """A disk on IDE or SATA."""

    driver: ClassVar[str] = "ide-hd"

    rotation_rate: int | None = integer("rotation_rate")
    cyls: int | None = integer()
    heads: int | None = integer()
    secs: int | None = integer()
    bios_chs_trans: str | None = choice("auto", "none", "lba", "large", "rechs")


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class VirtioBlk(EmulatedDisk):
    """A virtio disk, on whatever leads to the guest."""

    cyls: int | None = integer()
    heads: int | None = integer()
    secs: int | None = integer()
    iothread: str | None = text()
    num_queues: int | None = integer()
    queue_size: int | None = integer()
    event_idx: bool | None = switch("event_idx")
    iommu_platform: bool | None = switch("iommu_platform")
    packed: bool | None = switch()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class VirtioBlkOnPci(VirtioBlk):
    """A virtio disk on PCI, of a virtio version of its own or of either."""

    bus: str | None = text()
    addr: str | None = text()
    multifunction: bool | None = switch()
    acpi_index: int | None = integer()
    ioeventfd: bool | None = switch()
    ats: bool | None = switch()
    page_per_vq: bool | None = switch()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class VirtioBlkPci(VirtioBlkOnPci):
    """A virtio disk on PCI, of the virtio version that its place on the bus is for."""

    driver: ClassVar[str] = "virtio-blk-pci"

    disable_legacy: OnOffAuto | None = choice("on", "off", "auto")


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class VirtioBlkCcw(VirtioBlk):
    """A virtio disk on s390's channel subsystem; ``devno`` is 'fe.0.0001'."""

    driver: ClassVar[str] = "virtio-blk-ccw"

    devno: str | None = text()
    ioeventfd: bool | None = switch()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class VirtioBlkDevice(VirtioBlk):
    """A virtio disk on a board's own virtio bus (virtio-mmio)."""

    driver: ClassVar[str] = "virtio-blk-device"


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class VhostUserBlk(Device):
    """A virtio disk that another process serves; ``chardev`` leads there."""

    chardev: str = text(required=True)
    bootindex: int | None = integer()
    num_queues: int | None = integer()
    queue_size: int | None = integer()
    event_idx: bool | None = switch("event_idx")
    iommu_platform: bool | None = switch("iommu_platform")
    packed: bool | None = switch()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class VhostUserBlkOnPci(VhostUserBlk):
    """A vhost-user disk on PCI, of a virtio version of its own or of either."""

    bus: str | None = text()
    addr: str | None = text()
    multifunction: bool | None = switch()
    acpi_index: int | None = integer()
    ats: bool | None = switch()
    page_per_vq: bool | None = switch()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class VhostUserBlkPci(VhostUserBlkOnPci):
    """A vhost-user disk on PCI, of the virtio version that its place on the bus is for."""

    driver: ClassVar[str] = "vhost-user-blk-pci"

    disable_legacy: OnOffAuto | None = choice("on", "off", "auto")


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class VhostUserBlkDevice(VhostUserBlk):
    """A vhost-user disk on a board's own virtio bus."""

    driver: ClassVar[str] = "vhost-user-blk"


def _models(pci: type[Device], base: type[Device]) -> dict[str, type[Device]]:
    """A PCI device's classes by transport and model; ``base`` is what all have."""
    return {
        "pci": pci,
        "pci-transitional": derived(base, f"{pci.driver}-transitional"),
        "pci-non-transitional": derived(base, f"{pci.driver}-non-transitional"),
    }


#: The virtio disks by transport and model; QEMU has no vhost-user disk on s390's channels.
VIRTIO_BLK: Final[dict[str, type[Device]]] = {
    **_models(VirtioBlkPci, VirtioBlkOnPci), "ccw": VirtioBlkCcw, "device": VirtioBlkDevice,
}  # fmt: skip
VHOST_USER_BLK: Final[dict[str, type[Device]]] = {
    **_models(VhostUserBlkPci, VhostUserBlkOnPci), "device": VhostUserBlkDevice,
}  # fmt: skip
_CLASSES: tuple[type[Device], ...] = (
    *VIRTIO_BLK.values(), *VHOST_USER_BLK.values(),
    ScsiHd, ScsiCd, ScsiBlock, IdeHd, IdeCd, UsbStorage, Floppy,
)  # fmt: skip
#: Every device that a disk can be, by its driver.
DISKS: Final[dict[str, type[Device]]] = {cls.driver: cls for cls in _CLASSES}
