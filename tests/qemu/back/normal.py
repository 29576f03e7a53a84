"""What arguments cannot carry, as a function on models: disks that it makes equal are one to QEMU.

Each line is one thing that is lost, or one of two spellings that mean the
same; docs/from-args.md lists them.
"""

from __future__ import annotations

import grp
import pwd
import re
from typing import Any
from uuid import UUID

from tests.qemu.back.models import changed
from tests.qemu.back.sources import Volumes
from virtquorum.model.disk import (
    BareAddress,
    BlockIo,
    Boot,
    CcwAddress,
    Disk,
    DriveAddress,
    Driver,
    Geometry,
    IoTune,
    Target,
    UsbAddress,
)
from virtquorum.model.image import Image, Quorum, Terminator
from virtquorum.model.parts import (
    Auth,
    Encryption,
    Host,
    MetadataCache,
    PciAddress,
    Reservations,
    Secret,
)
from virtquorum.model.source import LocalSource
from virtquorum.model.sources.block import BlockSource
from virtquorum.model.sources.file import FileSource
from virtquorum.model.sources.iscsi import IscsiSource
from virtquorum.model.sources.nbd import NbdSource
from virtquorum.model.sources.network import CurlSource, NetworkSource
from virtquorum.model.sources.nfs import NfsSource
from virtquorum.model.sources.nvme import NvmeSource
from virtquorum.model.sources.ssh import SshSource
from virtquorum.model.sources.vhostuser import VhostUserSource
from virtquorum.model.sources.volume import VolumeSource
from virtquorum.qemu.build import is_empty
from virtquorum.qemu.formats import FORMATS, UNITS
from virtquorum.qemu.graph import CowFormat
from virtquorum.qemu.throttling import LIMITS

__all__ = ["normal"]


def normal(disk: Disk, style: str, boot: int | None, machine: str, *, frontends: bool) -> Disk:
    """The disk that comes back; ``boot`` is its place in the boot order."""
    made = Disk(
        image=_image(disk, disk.image, is_top=True),
        encryption=_encryption(disk.encryption) if disk.quorum is not None else None,
        device=disk.device or "disk",
        model=None if disk.model == "virtio" else disk.model,
        driver=_driver(disk, style, frontends=frontends),
        geometry=_geometry(disk.geometry),
        blockio=_blockio(disk.blockio),
        target=_target(disk, frontends=frontends),
        iotune=_iotune(disk.iotune),
        readonly=_read_only(disk),
        shareable=disk.shareable,
        serial=disk.serial or None,
        wwn=None if disk.wwn is None else disk.wwn.removeprefix("0x"),
        vendor=disk.vendor,
        product=disk.product,
        boot=Boot(order=boot) if boot is not None and _bus(disk) not in ("sd", "fdc") else None,
        alias=disk.alias,
        address=_address(disk, machine),
    )
    if _bus(disk) == "usb":
        made = changed(made, device="disk")  # a stick is one, whatever is on it
    return made if frontends else _without_device(made)


def _without_device(disk: Disk) -> Disk:
    """What is left where the guest's device is not said."""
    floppy = disk.device == "floppy" and disk.image.source.type == "dir"
    return Disk(
        image=disk.image,
        device="floppy" if floppy else "disk",
        driver=disk.driver,
        encryption=disk.encryption,
        target=disk.target if not floppy else changed(disk.target, bus="fdc"),
        iotune=disk.iotune,
        readonly=disk.readonly,
    )


def _read_only(disk: Disk) -> bool | None:
    """A cdrom is read-only; a floppy that is not there shows it by its cache alone."""
    shown = not is_empty(disk) or (disk.shareable and disk.driver.cache in (None, "default"))
    said = disk.device == "cdrom" or (disk.readonly and shown)
    return True if said else None


def _bus(disk: Disk) -> str | None:
    return disk.target.bus if disk.target is not None else None


# Driver, target, shape


def _driver(disk: Disk, style: str, *, frontends: bool) -> Driver:
    own = disk.driver
    on_write, on_read = own.error_policy, own.rerror_policy
    if on_read == on_write:
        on_read = None  # one policy is for both
    values: dict[str, Any] = {"error_policy": on_write, "rerror_policy": on_read}
    if not frontends and style != "drive":
        values = {}
    names = ("ioeventfd", "event_idx", "iothread", "iommu", "ats", "packed", "page_per_vq")
    if frontends:
        values |= {name: getattr(own, name) for name in names}
        values |= {"queues": own.queues or None, "queue_size": own.queue_size or None}
    if isinstance(disk.image.source, VhostUserSource):
        return Driver(name="qemu", **values)
    cache = _cache(disk, style, frontends=frontends)
    if is_empty(disk):
        return Driver(name="qemu", cache=cache, **values)
    zeroes = own.detect_zeroes
    return Driver(
        name="qemu",
        cache=cache,
        io=own.io if _has_files(disk) else None,
        copy_on_read=own.copy_on_read or None,
        discard=own.discard,
        detect_zeroes="on" if zeroes == "unmap" and own.discard != "unmap" else zeroes,
        **values,
    )


def _has_files(disk: Disk) -> bool:
    """Whether there is a node that takes aio=."""
    return any(
        isinstance(_real(image.source), (FileSource, BlockSource)) for image in disk.image.walk()
    )


def _cache(disk: Disk, style: str, *, frontends: bool) -> str | None:
    cache = disk.driver.cache
    if cache in (None, "default"):
        shared = disk.shareable and not disk.readonly and disk.device != "cdrom"
        cache = "none" if shared else None
    told = frontends and disk.device != "lun"
    if is_empty(disk):  # what is left is whether the guest sees a write cache
        on = {"none": "writeback", "unsafe": "writeback", "directsync": "writethrough"}
        return on.get(cache or "", cache)
    if not told and style != "drive":
        return {"directsync": "none", "writethrough": "writeback"}.get(cache or "", cache)
    return cache


def _geometry(geometry: Geometry | None) -> Geometry | None:
    if geometry is None:
        return None
    made = Geometry(
        cyls=geometry.cyls or None, heads=geometry.heads or None, secs=geometry.secs or None,
        trans=geometry.trans,
    )  # fmt: skip
    return None if made == Geometry() else made


def _blockio(sizes: BlockIo | None) -> BlockIo | None:
    if sizes is None:
        return None
    made = BlockIo(
        logical_block_size=sizes.logical_block_size or None,
        physical_block_size=sizes.physical_block_size or None,
    )
    return None if made == BlockIo() else made


def _target(disk: Disk, *, frontends: bool) -> Target:
    target = disk.target
    assert target is not None
    assert target.dev is not None
    if not frontends:
        buses = {"vd": "virtio", "sd": "scsi", "hd": "ide", "fd": "fdc"}
        return Target(dev=target.dev, bus=buses[target.dev[:2]])
    return Target(
        dev=target.dev,
        bus=target.bus,
        removable=target.removable or None,
        rotation_rate=target.rotation_rate or None,
    )


def _iotune(tune: IoTune | None) -> IoTune | None:
    """Limits of 0 are none."""
    if tune is None:
        return None
    values: dict[str, Any] = {name: getattr(tune, name) or None for name in LIMITS}
    made = IoTune(**values, group_name=tune.group_name)
    return None if made == IoTune() else made


def _address(disk: Disk, machine: str) -> Any:
    def number(text: str | None) -> int:
        return int(text or "0", 0)

    match disk.address:
        case PciAddress() as one:
            return PciAddress(
                domain="0x0000", bus=f"0x{number(one.bus):02x}", slot=f"0x{number(one.slot):02x}",
                function=f"0x{number(one.function):x}", multifunction=one.multifunction,
                zpci_uid=None if one.zpci_uid is None else f"0x{number(one.zpci_uid):04x}",
                zpci_fid=None if one.zpci_fid is None else f"0x{number(one.zpci_fid):08x}",
            )  # fmt: skip
        case CcwAddress() as one:
            return CcwAddress(
                cssid=f"0x{number(one.cssid):x}", ssid=f"0x{number(one.ssid):x}",
                devno=f"0x{number(one.devno):04x}",
            )  # fmt: skip
        case DriveAddress() as one:
            return DriveAddress(
                controller=one.controller or "0", bus=one.bus or "0", target=one.target or "0",
                unit=one.unit or "0",
            )  # fmt: skip
        case UsbAddress() as one:
            return UsbAddress(bus=one.bus or "0", port=one.port)
        case None if machine == "microvm":
            return BareAddress(type="virtio-mmio")
    return disk.address


# Images


def _image(disk: Disk, image: Image | Terminator, *, is_top: bool = False) -> Any:
    if isinstance(image, Terminator):
        return Terminator()
    source = _real(image.source)
    if isinstance(source, Quorum):
        members = tuple(_image(disk, one) for one in source.members)
        source = Quorum(
            threshold=source.vote_threshold,
            read_pattern=source.read_pattern,
            rewrite_corrupted=source.rewrite_corrupted or None,
            blkverify=source.blkverify or None,
            members=members,
        )
        format = image.format or "quorum"
    else:
        format = image.format or "raw"
        said = {name: getattr(disk, name) for name in ("auth", "encryption")} if is_top else {}
        moved = {name: value for name, value in said.items() if value is not None}
        source = _source(changed(source, **moved))
    backing = _image(disk, image.backing) if image.backing is not None else None
    if isinstance(backing, Terminator) and not issubclass(FORMATS[format], CowFormat):
        backing = None
    return Image(
        nodename=None if is_top else image.nodename,
        format=format,
        metadata_cache=_metadata_cache(image.metadata_cache),
        source=source,
        backing=backing,
    )


def _metadata_cache(cache: MetadataCache | None) -> MetadataCache | None:
    if cache is None or not cache.max_size:
        return None
    assert isinstance(cache.max_size, int)
    size = cache.max_size * UNITS[cache.unit.lower() if cache.unit else None]
    return MetadataCache(max_size=size, unit="bytes")


def _real(source: Any) -> Any:
    return Volumes().volume(source) if isinstance(source, VolumeSource) else source


def _source(source: Any) -> Any:
    if isinstance(source, VhostUserSource):
        return _served(source)
    new: dict[str, Any] = {"encryption": _encryption(source.encryption)}
    if source.reservations is not None:
        new["reservations"] = changed(source.reservations, managed=False, mode="client")
        assert isinstance(new["reservations"], Reservations)
    if isinstance(source, LocalSource):
        new |= {"seclabels": (), "startup_policy": None}  # libvirt's own
    if isinstance(source, NvmeSource):
        new |= {"bus": "pci", "managed": None, "address": _nvme(source.address)}
    if isinstance(source, NetworkSource):
        new |= _network(source)
    return changed(source, **new)


def _served(source: VhostUserSource) -> VhostUserSource:
    on = source.reconnect_enabled
    seconds = source.reconnect_timeout or None if on else None
    enabled = None if on is None else bool(on and seconds)
    return changed(  # type: ignore[no-any-return]
        source, socket_type="unix", reconnect_enabled=enabled, reconnect_timeout=seconds
    )


def _nvme(address: PciAddress | None) -> PciAddress:
    assert address is not None

    def number(text: str | None) -> int:
        octal = re.fullmatch("0[0-7]+", text or "")
        return int(text or "0", 8 if octal else 0)

    return PciAddress(
        domain=f"0x{number(address.domain):04x}", bus=f"0x{number(address.bus):02x}",
        slot=f"0x{number(address.slot):02x}", function=f"0x{number(address.function):x}",
    )  # fmt: skip


def _network(source: NetworkSource) -> dict[str, Any]:
    new: dict[str, Any] = {"hosts": tuple(_host(one, source.default_port) for one in source.hosts)}
    new["auth"] = _auth(source)
    if isinstance(source, NbdSource):
        new["tls"] = source.tls or None
    if isinstance(source, IscsiSource):
        assert source.name is not None
        target, _, unit = source.name.partition("/")
        new["name"] = f"{target}/{int(unit)}" if int(unit or 0) else target
    if isinstance(source, NfsSource):
        new["user"] = _who(source.user, lambda one: pwd.getpwnam(one).pw_uid)
        new["group"] = _who(source.group, lambda one: grp.getgrnam(one).gr_gid)
    if isinstance(source, CurlSource):
        new |= {"readahead": source.readahead or None, "timeout": source.timeout or None}
        assert source.name is not None
        path = source.name if source.name.startswith("/") else f"/{source.name}"
        new["name"] = path if path.startswith("//") else path[1:]
        if hasattr(source, "cookies"):
            new["cookies"] = ()  # they are in a file, for nobody to see
    return new


def _host(host: Host, default: int | None) -> Host:
    if host.transport == "unix":
        return host
    return Host(name=host.name, port=None if host.port == default else host.port)


def _auth(source: NetworkSource) -> Auth | None:
    auth = source.auth
    if auth is None:
        return None
    if isinstance(source, SshSource):
        return Auth(username=auth.username)  # QEMU logs in with keys
    return Auth(
        username=auth.username,
        secret=_secret(auth.secret, "ceph" if source.protocol == "rbd" else "iscsi"),
    )


def _secret(secret: Secret | None, type: str) -> Secret:
    assert secret is not None
    uuid = None if secret.uuid is None else str(UUID(secret.uuid))
    return Secret(type=type, uuid=uuid, usage=secret.usage)


def _encryption(encryption: Encryption | None) -> Encryption | None:
    if encryption is None:
        return None
    return Encryption(
        format=encryption.format,
        engine="librbd" if encryption.engine == "librbd" else None,
        secrets=tuple(_secret(one, "passphrase") for one in encryption.secrets),
    )


def _who(text: str | None, look_up: Any) -> str | None:
    if text is None or text.startswith("+"):
        return text
    try:
        return f"+{look_up(text)}"
    except KeyError:
        return f"+{int(text)}"
