"""Hypothesis strategies for domains whose disks have a translation, over every source there is.

What is drawn is valid; what of it no argument says is for ``normal.py`` to
know.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.qemu.back.sources import Draw, Pool, maybe, secrets, sources, texts
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
from virtquorum.model.parts import Encryption, MetadataCache, PciAddress
from virtquorum.model.sources.block import BlockSource
from virtquorum.model.sources.file import FileSource
from virtquorum.model.sources.vhostuser import VhostUserSource
from virtquorum.qemu.formats import FORMATS
from virtquorum.qemu.throttling import LIMITS
from virtquorum.xml.domain import Domain
from virtquorum.xml.format import format_disk

__all__ = ["MACHINES", "changed", "document", "domains"]

#: Machines, and the buses that their disks are on.
MACHINES = {
    "pc": ("virtio", "scsi", "ide", "sata", "usb", "fdc"),
    "q35": ("virtio", "scsi", "sata", "usb", "fdc"),
    "microvm": ("virtio",),
    "s390-ccw-virtio": ("virtio",),
    "raspi3b": ("sd",),
}
ARCHITECTURES = {"s390-ccw-virtio": "s390x", "raspi3b": "aarch64"}
_CONTROLLERS = "".join(
    f"<controller type='scsi' index='{index}' model='{model}'/>"
    for index, model in enumerate(("virtio-scsi", "virtio-scsi", "lsilogic", "virtio-scsi"))
)


# Images


@st.composite
def images(
    draw: Draw, pool: Pool, depth: int, *, writable: bool, member: bool = True, key: Any = None
) -> Image:
    """An image with what lies below it."""
    own: dict[str, Any] = {}
    if member and not draw(st.integers(0, 2)):
        own["nodename"] = f"node.{pool.number('node')}_{'x' * draw(st.integers(0, 20))}"
    if depth and key is None and not draw(st.integers(0, 2)):
        return draw(_voting(pool, depth, own, writable=writable, member=member))  # type: ignore[no-any-return]
    source = draw(sources(pool, writable=writable, key=key))
    own["source"] = source
    if source.type == "dir":
        return Image(**own, format="fat")
    own["format"] = format = draw(_formats(member))
    if format in ("qcow2", "qcow", "qed", "vmdk") and draw(st.booleans()):
        end = not depth or not draw(st.integers(0, 2))
        own["backing"] = Terminator() if end else draw(images(pool, depth - 1, writable=False))
    elif not draw(st.integers(0, 9)):
        own["backing"] = Terminator()  # of a format that has no backing images
    if format == "qcow2":
        own["metadata_cache"] = draw(_metadata_cache())
    own["source"] = draw(_encrypted(own["source"], format))
    return Image(**own)


def _formats(member: bool) -> Any:
    words = sorted(FORMATS.keys() - {"fat"})
    common = ["raw", "qcow2"] if member else [None, "raw", "qcow2"]
    return st.sampled_from([*common, *common, *words])


@st.composite
def _encrypted(draw: Draw, source: Any, format: str | None) -> Any:
    if source.encryption is not None or draw(st.integers(0, 3)):
        return source
    if format not in (None, "raw", "qcow2"):
        return source
    encryption = Encryption(
        format="luks", engine=draw(st.sampled_from((None, "qemu"))),
        secrets=(draw(secrets("passphrase")),),
    )  # fmt: skip
    return changed(source, encryption=encryption)


def changed(node: Any, **fields: Any) -> Any:
    """A node with other values in some fields."""
    return type(node)(**{name: getattr(node, name) for name in node.compared()} | fields)


@st.composite
def _metadata_cache(draw: Draw) -> MetadataCache | None:
    unit = draw(st.sampled_from((None, "bytes", "KiB", "MB", "k")))
    size = draw(st.integers(0, 2**40))
    return draw(st.sampled_from((None, MetadataCache(max_size=size, unit=unit))))  # type: ignore[no-any-return]


@st.composite
def _voting(
    draw: Draw, pool: Pool, depth: int, own: dict[str, Any], *, writable: bool, member: bool
) -> Image:
    members = draw(st.lists(images(pool, depth - 1, writable=writable), min_size=1, max_size=3))
    threshold = draw(st.integers(1, len(members)))
    switches = st.sampled_from((None, False))
    policy: dict[str, Any] = {"rewrite_corrupted": draw(switches), "blkverify": draw(switches)}
    if (len(members), threshold) == (2, 2) and draw(st.booleans()):
        policy["blkverify"] = True
    elif writable and draw(st.booleans()):
        policy["rewrite_corrupted"] = True
    element = draw(st.booleans())
    quorum = Quorum(
        threshold=None if element else threshold,
        threshold_element=threshold if element else None,
        read_pattern=draw(st.sampled_from((None, "quorum", "fifo"))),
        members=tuple(members),
        **policy,
    )
    format = draw(st.sampled_from((None, "quorum", "quorum", "raw", "qcow2", "vdi")))
    cache = draw(_metadata_cache()) if format == "qcow2" else None
    return Image(**own, format=format, metadata_cache=cache, source=quorum)


# Disks


@st.composite
def _drivers(draw: Draw, bus: str, machine: str, *, read_only: bool) -> dict[str, Any]:
    cache = draw(maybe(st.sampled_from(
        ("default", "none", "writethrough", "writeback", "directsync", "unsafe"))))  # fmt: skip
    modes = ["threads", "io_uring", *(["native"] if cache in ("none", "directsync") else [])]
    own: dict[str, Any] = {
        "name": draw(st.sampled_from((None, "qemu"))),
        "cache": cache,
        "io": draw(maybe(st.sampled_from(modes))),
        "discard": draw(st.sampled_from((None, "unmap", "ignore"))),
        "detect_zeroes": draw(st.sampled_from((None, "off", "on", "unmap"))),
        "copy_on_read": draw(st.sampled_from((None, False) if read_only else (None, False, True))),
    }
    if bus not in ("fdc", "sd"):
        words = ("stop", "report", "ignore", "enospace")
        own["error_policy"] = draw(maybe(st.sampled_from(words)))
        own["rerror_policy"] = draw(maybe(st.sampled_from(words[:3])))
    return own


@st.composite
def _virtio(draw: Draw, machine: str) -> dict[str, Any]:
    switches = ["event_idx", "iommu", "packed"]
    if machine in ("pc", "q35"):
        switches += ["ioeventfd", "ats", "page_per_vq"]
    if machine.startswith("s390"):
        switches += ["ioeventfd"]
    own: dict[str, Any] = {name: draw(st.sampled_from((None, True, False))) for name in switches}
    own["iothread"] = draw(st.sampled_from((None, 1, 3)))
    own["queues"] = draw(st.sampled_from((None, 0, 2)))
    own["queue_size"] = draw(st.sampled_from((None, 0, 256)))
    return own


@st.composite
def _limits(draw: Draw, unit: str) -> dict[str, int]:
    """Limits that QEMU takes: of all or of one direction, bursts with what they are above."""
    parts = draw(st.sampled_from(((), ("total",), ("read",), ("write",), ("read", "write"))))
    values: dict[str, int] = {}
    for part in parts:
        name = f"{part}_{unit}_sec"
        values[name] = average = draw(st.integers(0, 10**12))
        if average and draw(st.booleans()):
            values[f"{name}_max"] = draw(st.integers(average, 10**13))
            if draw(st.booleans()):
                values[f"{name}_max_length"] = draw(st.integers(0, 100))
    assert values.keys() <= LIMITS.keys()
    return values


@st.composite
def _iotune(draw: Draw, pool: Pool) -> IoTune | None:
    what = draw(st.sampled_from(("none", "none", "own", "named", "empty")))
    if what == "none":
        return None
    if what == "empty":
        return IoTune()
    values = draw(_limits("bytes")) | draw(_limits("iops"))
    if any(value for name, value in values.items() if name.endswith("_iops_sec")):
        values["size_iops_sec"] = draw(st.sampled_from((0, 4096)))
    group = f"{draw(texts)}{pool.number('group')}" if what == "named" else None
    return IoTune(**values, group_name=group)


def _sectors(bus: str) -> st.SearchStrategy[BlockIo]:
    """Sizes of sectors that the devices of a bus can have."""
    pairs: list[tuple[int | None, int | None]] = [(None, None), (0, 512), (512, None)]
    if bus != "fdc":
        pairs += [(512, 4096), (None, 4096)]
    if bus not in ("fdc", "ide", "sata"):
        pairs.append((4096, 4096))
    return st.sampled_from(pairs).map(
        lambda pair: BlockIo(logical_block_size=pair[0], physical_block_size=pair[1])
    )


@st.composite
def _shapes(draw: Draw, bus: str, kind: str) -> dict[str, Any]:
    """What a device of this bus tells the guest of the disk."""
    own: dict[str, Any] = {}
    if bus not in ("fdc", "sd") and kind != "lun":
        own["serial"] = draw(maybe(st.sampled_from(("", "S-1", "a b.c_d+e"))))
    if bus in ("ide", "sata", "scsi") and kind != "lun":
        own["wwn"] = draw(maybe(st.sampled_from(("5000c50015ea71ac", "0x0000000000000001"))))
    if bus == "scsi" and kind != "lun":
        own["vendor"] = draw(maybe(st.sampled_from(("", "ACME", "a, b"))))
        own["product"] = draw(maybe(st.sampled_from(("", "Disk=1", "x" * 16))))
    if kind == "disk" and bus in ("ide", "sata", "scsi", "virtio"):
        trans = (
            st.sampled_from((None, "auto", "lba", "none")) if bus in ("ide", "sata") else st.none()
        )
        shape = st.sampled_from(((None, None, None), (0, None, None), (1000, 16, 63)))
        own["geometry"] = draw(maybe(st.builds(
            lambda shape, trans: Geometry(cyls=shape[0], heads=shape[1], secs=shape[2],
                                          trans=trans), shape, trans)))  # fmt: skip
    if bus != "sd" and kind != "lun":
        own["blockio"] = draw(maybe(_sectors(bus)))
    return own


@st.composite
def disks(draw: Draw, pool: Pool, machine: str, *, key: Any = None) -> Disk:
    """A disk on some bus of a machine, whole."""
    buses = [one for one in MACHINES[machine] if one != "fdc" or pool.count["floppies"] < 2]
    bus = draw(st.sampled_from(buses))
    pool.count["floppies"] += bus == "fdc"
    kinds = {
        "virtio": ("disk",), "scsi": ("disk", "cdrom", "lun"), "fdc": ("floppy",), "sd": ("disk",),
        "usb": ("disk", "cdrom"),
    }.get(bus, ("disk", "cdrom"))  # fmt: skip
    kind = draw(st.sampled_from(kinds))
    if key == ("dir", None) and bus in ("ide", "sata"):
        kind = "cdrom"  # a disk there is written to
    fixed = bus in ("ide", "sata") and kind == "disk"
    by_kind = kind == "cdrom" or key == ("dir", None)
    read_only = by_kind or (not fixed and not draw(st.integers(0, 2)))
    served = bus == "virtio" and machine != "s390-ccw-virtio" and not draw(st.integers(0, 3))
    name, where = draw(_places(pool, bus, machine))
    target: dict[str, Any] = {"dev": name}
    if kind == "disk" and bus in ("ide", "sata", "scsi"):
        target["rotation_rate"] = draw(st.sampled_from((None, 0, 1, 7200)))
    if bus == "usb":
        target["removable"] = draw(st.sampled_from((None, True, False)))
    own: dict[str, Any] = {
        "device": kind if kind != "disk" else draw(st.sampled_from((None, "disk"))),
        "target": Target(**target, bus=bus),
        "snapshot": draw(st.sampled_from((None, "no"))),
        **where,
    }
    driver = draw(_drivers(bus, machine, read_only=read_only))
    if bus == "virtio":
        driver |= draw(_virtio(machine))
        models = (
            ("virtio-transitional", "virtio-non-transitional") if machine in ("pc", "q35") else ()
        )
        own["model"] = draw(st.sampled_from((None, "virtio", *models, *models)))
    if served:
        own["alias"] = None  # without it, nothing would say what the disk is called
        return draw(_served(own, driver))  # type: ignore[no-any-return]
    own |= draw(_shapes(bus, kind))
    # An empty drive is called what its address says, and nothing else.
    can_be_empty = kind in ("cdrom", "floppy") and bus != "usb" and "address" not in own
    empty = can_be_empty and not draw(st.integers(0, 4))
    if kind == "lun":
        image = Image(format="raw", source=BlockSource(dev=f"/dev/sd{pool.number('image')}"))
        driver |= {"copy_on_read": None, "io": None}
    elif empty:
        image = Image(format=draw(st.sampled_from((None, "raw"))), source=FileSource())
        driver |= {"copy_on_read": None}
    else:
        image = draw(images(pool, 2, writable=not read_only, member=False, key=key))
        own["iotune"] = draw(_iotune(pool))
        image, words = draw(_on_the_disk(image))
        own |= words
    own["readonly"] = True if read_only and (kind != "cdrom" or draw(st.booleans())) else None
    if bus != "sd" and not draw(st.integers(0, 3)):
        own["shareable"] = True
        if driver["cache"] in (None, "default") and driver["io"] == "native":
            driver["io"] = None
    return Disk(**own, driver=Driver(**driver), image=image)


@st.composite
def _on_the_disk(draw: Draw, image: Image) -> tuple[Image, dict[str, Any]]:
    """What may stand in <disk> in the place of <source>, and for a quorum must."""
    source = image.source
    if isinstance(source, Quorum):
        if image.format not in ("raw", "qcow2") or draw(st.booleans()):
            return image, {}
        key = Encryption(format="luks", secrets=(draw(secrets("passphrase")),))
        return image, {"encryption": key}
    words = {
        name: value
        for name in ("auth", "encryption")
        if (value := getattr(source, name, None)) is not None and draw(st.booleans())
    }
    if not words or source.type == "volume":
        return image, {}
    return changed(image, source=changed(source, **dict.fromkeys(words))), words


@st.composite
def _served(draw: Draw, own: dict[str, Any], driver: dict[str, Any]) -> Disk:
    kept = ("name", "queues", "queue_size", "event_idx", "iommu", "packed", "ats", "page_per_vq")
    again = draw(st.sampled_from((None, True, False)))
    source = VhostUserSource(
        socket_type=draw(st.sampled_from((None, "unix"))), path=f"/run/{draw(texts)}.sock",
        reconnect_enabled=again,
        reconnect_timeout=draw(st.sampled_from((None, 10))) if again else None,
    )  # fmt: skip
    words = {name: driver[name] for name in kept if name in driver}
    image = Image(format=draw(st.sampled_from((None, "raw"))), source=source)
    return Disk(**own, driver=Driver(**words), image=image)


@st.composite
def _places(draw: Draw, pool: Pool, bus: str, machine: str) -> tuple[str, dict[str, Any]]:
    """A target and an address that no other disk has, and an alias maybe."""
    number = pool.number(f"place of {bus}") - 1
    prefix = {"virtio": "vd", "ide": "hd", "fdc": "fd"}.get(bus, "sd")
    own: dict[str, Any] = {}
    by_address = bus in ("scsi", "sata") and draw(st.booleans())
    letter = pool.number(prefix) - 1
    if bus in ("scsi", "sata", "ide", "fdc") and not by_address:
        letter = number  # from which the address follows; others of this prefix come later
    if bus in ("scsi", "sata", "usb", "sd"):
        letter = pool.number("sd of all") - 1 if by_address or bus in ("usb", "sd") else letter
    name = prefix + "abcdefghijklmnopqrstuvwxyz"[letter % 26]
    while name in pool.targets:
        name = prefix + "abcdefghijklmnopqrstuvwxyz"[pool.number("letter") % 26]
        by_address = bus in ("scsi", "sata")
    pool.targets.add(name)
    if by_address and bus == "scsi":
        own["address"] = DriveAddress(
            controller=str(draw(st.sampled_from((1, 3)))), bus="0", target=str(number), unit="0"
        )
    if by_address and bus == "sata":
        own["address"] = DriveAddress(controller="1", bus="0", target=None, unit=str(number))
    if bus == "virtio":
        own["address"] = draw(_virtio_address(number, machine))
    if bus == "usb" and draw(st.booleans()):
        own["address"] = UsbAddress(bus=draw(st.sampled_from((None, "0"))), port=f"1.{number + 1}")
    if bus != "sd" and draw(st.booleans()):
        own["alias"] = f"ua-{draw(st.sampled_from(('x', 'a.b_c')))}{pool.number('alias')}"
    if bus not in ("sd", "fdc") and draw(st.booleans()):
        own["boot"] = Boot(order=pool.number("boot"))
    return name, own


def _virtio_address(number: int, machine: str) -> st.SearchStrategy[Any]:
    if machine == "microvm":
        return st.sampled_from((None, BareAddress(type="virtio-mmio")))
    if machine.startswith("s390"):
        ssid, devno = st.sampled_from(("0", "0x2")), st.just(f"0x{number:04x}")
        ccw = st.builds(CcwAddress, cssid=st.just("0xfe"), ssid=ssid, devno=devno)
        uid, fid = st.sampled_from((None, hex(number + 1))), st.sampled_from((None, str(number)))
        pci = st.builds(PciAddress, slot=st.just(str(number + 1)), zpci_uid=uid, zpci_fid=fid)
        return maybe(ccw | pci)
    pci = st.builds(
        PciAddress,
        domain=st.sampled_from((None, "0x0000")),
        bus=st.sampled_from(("0x00", "0x02", "7") if machine == "q35" else ("0", "0x02")),
        slot=st.just(str(number + 5)),
        function=st.sampled_from((None, "0x0", "0x3")),
        multifunction=st.sampled_from((None, "on", "off")),
    )
    return maybe(pci)


def document(disks: list[Disk], machine: str, more: str = "") -> Domain:
    """A domain with these disks and ``more`` devices."""
    arch = ARCHITECTURES.get(machine, "x86_64")
    text = "".join(format_disk(one) for one in disks)
    return Domain.from_text(
        f"<domain type='qemu'><name>d</name><iothreads>4</iothreads><os><type arch='{arch}' "
        f"machine='{machine}'>hvm</type></os><devices>{_CONTROLLERS}{text}{more}</devices></domain>"
    )


@st.composite
def domains(draw: Draw, key: Any = None) -> tuple[Domain, str]:
    """A domain of up to three disks, and its machine."""
    machine = draw(st.sampled_from(sorted(MACHINES)))
    pool = Pool()
    several = draw(st.integers(1, 3))
    drawn = [draw(disks(pool, machine, key=key if at == 0 else None)) for at in range(several)]
    made = document(drawn, machine)
    assert list(made.disks) == drawn
    return made, machine
