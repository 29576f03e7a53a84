"""The disk: an image, the device that the guest sees, and how the two are joined."""

from __future__ import annotations

from typing import TypeAlias

from virtquorum.model.image import Image, Quorum
from virtquorum.model.node import Described, node
from virtquorum.model.parts import Auth, Encryption, PciAddress
from virtquorum.model.spelling import (
    Integer,
    OnOff,
    Text,
    YesNo,
    attribute,
    child,
    flag,
    text,
    variants,
)

__all__ = [
    "ADDRESSES",
    "Address",
    "BareAddress",
    "BlockIo",
    "Boot",
    "CcwAddress",
    "Disk",
    "DriveAddress",
    "Driver",
    "Geometry",
    "IoTune",
    "SpaprVioAddress",
    "Target",
    "Transient",
    "UsbAddress",
]


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Driver(Described):
    """How the hypervisor serves the disk; the format is the image's."""

    name: Text = attribute()
    cache: Text = attribute(
        choices=("default", "none", "writethrough", "writeback", "directsync", "unsafe")
    )
    error_policy: Text = attribute(choices=("stop", "report", "ignore", "enospace"))
    rerror_policy: Text = attribute(choices=("stop", "report", "ignore"))
    io: Text = attribute(choices=("native", "threads", "io_uring"))
    ioeventfd: OnOff = attribute(of="on-off")
    event_idx: OnOff = attribute(of="on-off")
    copy_on_read: OnOff = attribute(of="on-off")
    discard: Text = attribute(choices=("unmap", "ignore"))
    iothread: Integer = attribute(of="integer")
    detect_zeroes: Text = attribute(choices=("off", "on", "unmap"))
    queues: Integer = attribute(of="integer")
    queue_size: Integer = attribute(of="integer")
    iommu: OnOff = attribute(of="on-off")
    ats: OnOff = attribute(of="on-off")
    packed: OnOff = attribute(of="on-off")
    page_per_vq: OnOff = attribute(of="on-off")


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Target(Described):
    """What the guest sees: ``<target dev='vda' bus='virtio'/>``."""

    dev: Text = attribute()
    bus: Text = attribute(
        choices=("ide", "fdc", "scsi", "virtio", "xen", "usb", "uml", "sata", "sd", "none")
    )
    tray: Text = attribute(choices=("closed", "open"))
    removable: OnOff = attribute(of="on-off")
    rotation_rate: Integer = attribute(of="integer")


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class DriveAddress(Described):
    """An address on an IDE, SATA, SCSI or floppy controller."""

    controller: Text = attribute()
    bus: Text = attribute()
    target: Text = attribute()
    unit: Text = attribute()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class UsbAddress(Described):
    """An address on a USB bus; ``port`` may be dotted ('1.2')."""

    bus: Text = attribute()
    port: Text = attribute()
    device: Text = attribute()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class CcwAddress(Described):
    """An address on s390's channel subsystem."""

    cssid: Text = attribute()
    ssid: Text = attribute()
    devno: Text = attribute()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class SpaprVioAddress(Described):
    """An address on a pSeries machine's virtual I/O bus."""

    reg: Text = attribute()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class BareAddress(Described):
    """An address that is its type and nothing else (virtio-mmio, virtio-s390, unassigned)."""

    type: Text = attribute()


Address: TypeAlias = (
    PciAddress | DriveAddress | UsbAddress | CcwAddress | SpaprVioAddress | BareAddress
)
#: libvirt's address types that a disk can have, and their classes.
ADDRESSES: dict[str, type[Address]] = {
    "pci": PciAddress,
    "drive": DriveAddress,
    "usb": UsbAddress,
    "ccw": CcwAddress,
    "spapr-vio": SpaprVioAddress,
    "virtio-mmio": BareAddress,
    "virtio-s390": BareAddress,
    "unassigned": BareAddress,
}


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class IoTune(Described):
    """Throttling: bytes and requests a second, bursts (``_max``) and their length in seconds."""

    total_bytes_sec: Integer = text(of="integer")
    read_bytes_sec: Integer = text(of="integer")
    write_bytes_sec: Integer = text(of="integer")
    total_iops_sec: Integer = text(of="integer")
    read_iops_sec: Integer = text(of="integer")
    write_iops_sec: Integer = text(of="integer")
    total_bytes_sec_max: Integer = text(of="integer")
    read_bytes_sec_max: Integer = text(of="integer")
    write_bytes_sec_max: Integer = text(of="integer")
    total_iops_sec_max: Integer = text(of="integer")
    read_iops_sec_max: Integer = text(of="integer")
    write_iops_sec_max: Integer = text(of="integer")
    size_iops_sec: Integer = text(of="integer")
    group_name: Text = text()
    total_bytes_sec_max_length: Integer = text(of="integer")
    read_bytes_sec_max_length: Integer = text(of="integer")
    write_bytes_sec_max_length: Integer = text(of="integer")
    total_iops_sec_max_length: Integer = text(of="integer")
    read_iops_sec_max_length: Integer = text(of="integer")
    write_iops_sec_max_length: Integer = text(of="integer")


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Geometry(Described):
    """A geometry that the guest is told."""

    cyls: Integer = attribute(of="integer")
    heads: Integer = attribute(of="integer")
    secs: Integer = attribute(of="integer")
    trans: Text = attribute(choices=("none", "auto", "lba"))


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class BlockIo(Described):
    """Block sizes that the guest is told, in bytes; a granularity of 0 says: no discard.

    ``discard_granularity`` is newer than libvirt 9.0.
    """

    logical_block_size: Integer = attribute(of="integer")
    physical_block_size: Integer = attribute(of="integer")
    discard_granularity: Integer = attribute(of="integer")


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Transient(Described):
    """Writes are thrown away when the guest ends."""

    share_backing: YesNo = attribute("shareBacking", of="yes-no")


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Boot(Described):
    """The disk's place in the order in which devices are tried."""

    order: Integer = attribute(of="integer")
    loadparm: Text = attribute()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Disk(Described):
    """libvirt's ``<disk>``.

    ``auth`` and ``encryption`` are the ones written as children of
    ``<disk>``; those inside ``<source>`` are the source's.  Sizes are bytes.
    """

    image: Image
    device: Text = attribute(choices=("disk", "cdrom", "floppy", "lun"))
    model: Text = attribute(choices=("virtio", "virtio-transitional", "virtio-non-transitional"))
    rawio: YesNo = attribute(of="yes-no")
    sgio: Text = attribute(choices=("filtered", "unfiltered"))
    snapshot: Text = attribute(choices=("no", "internal", "external", "manual"))
    driver: Driver = child(Driver, "driver", default=Driver())
    auth: Auth | None = child(Auth, "auth")
    domain_name: Text = attribute("name", inside="backenddomain")
    geometry: Geometry | None = child(Geometry, "geometry")
    blockio: BlockIo | None = child(BlockIo, "blockio")
    target: Target | None = child(Target, "target")
    iotune: IoTune | None = child(IoTune, "iotune")
    readonly: bool | None = flag()
    shareable: bool | None = flag()
    transient: Transient | None = child(Transient, "transient")
    serial: Text = text()
    wwn: Text = text()
    vendor: Text = text()
    product: Text = text()
    encryption: Encryption | None = child(Encryption, "encryption")
    boot: Boot | None = child(Boot, "boot")
    alias: Text = attribute("name", inside="alias")
    acpi_index: Integer = attribute("index", of="integer", inside="acpi")
    address: Address | None = variants("address", "type", ADDRESSES)

    @property
    def quorum(self) -> Quorum | None:
        """The disk's own quorum, None if its top source is none."""
        return self.image.source if isinstance(self.image.source, Quorum) else None

    @property
    def quorums(self) -> tuple[Quorum, ...]:
        """Every quorum in the disk, however deep, the outer ones first."""
        return tuple(one.source for one in self.image.walk() if isinstance(one.source, Quorum))

    @property
    def name(self) -> str | None:
        """What people call the disk: the target's dev, 'vda'."""
        return self.target.dev if self.target is not None else None
