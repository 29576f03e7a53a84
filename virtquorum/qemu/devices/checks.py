"""What libvirt or QEMU refuses of a disk, before any device is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.model.image import Quorum
from virtquorum.model.sources.block import BlockSource
from virtquorum.model.sources.iscsi import IscsiSource
from virtquorum.model.sources.volume import VolumeSource

if TYPE_CHECKING:
    from virtquorum.qemu.devices.reading import Reading

__all__ = ["BUSES", "bus_of", "check"]

#: libvirt's buses that QEMU has disks on.
BUSES: Final = ("virtio", "scsi", "sata", "ide", "usb", "fdc", "sd")
_ELSEWHERE: Final = {"xen": "Xen's", "uml": "User Mode Linux's"}
_PREFIXES: Final = {"hd": "ide", "sd": "scsi", "vd": "virtio", "xvd": "xen", "ubd": "uml"}
_MODELS: Final = ("virtio", "virtio-transitional", "virtio-non-transitional")
#: What a vhost-user disk leaves to its server.
_SERVERS: Final = ("cache", "io", "copy_on_read", "discard", "detect_zeroes")


def bus_of(reading: Reading) -> str:
    """The disk's bus: as its target says, or by the target's first letters, as libvirt does."""
    disk, target = reading.disk, reading.disk.target
    if target is None or target.dev is None:
        raise reading.refused(
            "the disk has no target", None, "it is <target dev='vda' bus='virtio'/>, say"
        )
    bus = target.bus
    if bus in (None, "none"):
        prefix = next((one for one in _PREFIXES if target.dev.startswith(one)), "hd")
        bus = "fdc" if disk.device == "floppy" else _PREFIXES[prefix]
    assert bus is not None
    if bus in _ELSEWHERE:
        raise reading.refused(
            f"bus '{bus}' is {_ELSEWHERE[bus]}, and QEMU has no such disks",
            target.location,
            f"buses are: {', '.join(BUSES)}",
        )
    reading.word(bus, "the bus", target.location, BUSES)
    return bus


def check(reading: Reading, bus: str, *, vhost: bool, empty: bool) -> tuple[str, ...]:
    """Refuse what cannot be; what is left is said by no argument, and returned to be told."""
    _check_device(reading, bus, empty=empty and not vhost)
    if reading.disk.device == "lun":
        _check_lun(reading, bus)
    _check_words(reading, bus)
    if vhost:
        _check_vhost(reading, bus)
    return _notes(reading, vhost=vhost)


def _check_device(reading: Reading, bus: str, *, empty: bool) -> None:
    disk = reading.disk
    words = ("disk", "cdrom", "floppy", "lun")
    kind = reading.word(disk.device, "the device", disk.location, words) or "disk"
    if (kind == "floppy") != (bus == "fdc"):
        raise reading.refused(
            f"a {kind} cannot be on bus '{bus}'", None, "floppies are on bus 'fdc', and they alone"
        )
    if kind == "cdrom" and bus in ("virtio", "sd"):
        raise reading.refused(
            f"a cdrom cannot be on bus '{bus}'", None, "use bus 'sata', 'scsi' or 'ide'"
        )
    if kind == "disk" and disk.readonly and bus in ("ide", "sata"):
        raise reading.refused(
            f"a disk on bus '{bus}' cannot be read-only", None, "use another bus, or a cdrom"
        )
    if empty and bus != "sd" and (kind not in ("cdrom", "floppy") or bus == "usb"):
        what = "a USB drive" if bus == "usb" else f"a {kind}"
        raise reading.refused(f"{what} needs a medium", None, "give it a <source>")


def _check_lun(reading: Reading, bus: str) -> None:
    disk = reading.disk
    source = disk.image.source
    if isinstance(source, Quorum):
        raise reading.refused(
            "device='lun' passes one unit of the host through, and a quorum is none",
            None,
            "use device='disk'",
        )
    if not isinstance(source, (BlockSource, IscsiSource, VolumeSource)):
        raise reading.refused(
            "device='lun' needs a block device of the host, or an iSCSI unit",
            None,
            "use device='disk'",
        )
    if disk.image.format not in (None, "raw"):
        raise reading.refused(
            f"device='lun' cannot have the format '{disk.image.format}'", None, "its format is raw"
        )
    if bus != "scsi":
        # virtio-blk's own passing through of SCSI commands went with virtio 1.0.
        raise reading.refused(f"device='lun' cannot be on bus '{bus}'", None, "use bus 'scsi'")


def _check_words(reading: Reading, bus: str) -> None:
    disk = reading.disk
    model = reading.word(disk.model, "the model", disk.location, _MODELS)
    if model is not None and bus != "virtio":
        raise reading.refused(f"the model '{model}' is not for bus '{bus}'", None, "leave it out")
    rawio = reading.switch(disk.rawio, "rawio", disk.location)
    sgio = reading.word(disk.sgio, "sgio", disk.location, ("filtered", "unfiltered"))
    if disk.device != "lun" and (rawio is not None or sgio is not None):
        name = "rawio" if rawio is not None else "sgio"
        raise reading.refused(f"{name} is only for device='lun'", None, "leave it out")
    if sgio == "unfiltered":
        raise reading.refused(
            "sgio='unfiltered' needs a kernel that is no longer made", None, "leave it out"
        )
    target = disk.target
    tray = target.tray if target is not None else None
    if tray is not None and target is not None:
        reading.word(tray, "tray", target.location, ("closed", "open"))
        if disk.device not in ("cdrom", "floppy"):
            raise reading.refused(
                "only a cdrom or a floppy has a tray", target.location, "leave it out"
            )


def _check_vhost(reading: Reading, bus: str) -> None:
    disk, driver = reading.disk, reading.disk.driver
    if bus != "virtio":
        raise reading.refused("a vhost-user disk is a virtio disk", None, "use bus 'virtio'")
    said = [name for name in _SERVERS if getattr(driver, name) is not None]
    said += [
        f"<{name}>"
        for name in ("iotune", "readonly", "transient", "encryption", "auth")
        if getattr(disk, name)
    ]
    if disk.image.backing is not None:
        said.append("<backingStore>")
    if said:
        raise reading.refused(
            f"a vhost-user disk leaves {said[0]} to its server", driver.location, "leave it out"
        )


def _notes(reading: Reading, *, vhost: bool) -> tuple[str, ...]:
    disk, notes = reading.disk, []
    if vhost:
        notes.append(
            "needs memory that its server can share: -object memory-backend-memfd,id=MEMORY,"
            "size=SIZE,share=on and -machine memory-backend=MEMORY"
        )
    if disk.rawio is True:
        notes.append("rawio='yes': QEMU needs the capability CAP_SYS_RAWIO from whoever starts it")
    if disk.target is not None and disk.target.tray == "open":
        notes.append("tray='open': QEMU starts with the tray closed")
    return tuple(notes)
