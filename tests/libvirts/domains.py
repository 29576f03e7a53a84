"""Domains that boot our boot code, and disks for them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

from tests.guests import DATA, SECTOR, boot_code

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from tests.libvirts.bench import Bench

__all__ = [
    "CONTROLLERS", "commandline", "disk_content", "disk_xml", "drive_override", "guest_xml",
    "quorum_nodes",
    "root_ports", "serial_log", "serial_socket",
]  # fmt: skip

#: What a disk's bus needs beside the disk; libvirt adds it otherwise, with a model of its own.
CONTROLLERS = {
    "scsi": "<controller type='scsi' model='virtio-scsi'/>",
    "usb": "<controller type='usb' model='qemu-xhci'/>",
}


def serial_socket(bench: Bench, name: str) -> Path:
    """Where a guest's serial port listens."""
    return bench.guests / f"{name}.serial"


def serial_log(bench: Bench, name: str) -> Path:
    """Where all that a guest says is written."""
    return bench.guests / f"{name}.said"


def disk_content(data: bytes = b"") -> bytes:
    """The first sectors of an image that boots; ``data`` begins at sector DATA."""
    return boot_code().ljust(DATA * SECTOR, b"\0") + data


def disk_xml(
    target: str,
    image: Path,
    *,
    bus: str = "virtio",
    boot: int | None = 1,
    format: str = "raw",
    inner: str = "",
) -> str:
    """A stock disk, whose alias is ua-TARGET; the BIOS knows only disks that have a boot order."""
    return _disk(target, "file", f"file={quoteattr(str(image))}", bus, boot, format, inner)


def block_disk_xml(
    target: str, device: str | Path, *, bus: str = "virtio", boot: int | None = 1, inner: str = ""
) -> str:
    """A stock disk on a block device of this machine."""
    return _disk(target, "block", f"dev={quoteattr(str(device))}", bus, boot, "raw", inner)


def _disk(
    target: str, type: str, source: str, bus: str, boot: int | None, format: str, inner: str
) -> str:
    order = "" if boot is None else f"<boot order='{boot}'/>"
    return (
        f"<disk type='{type}' device='disk'><driver name='qemu' type='{format}'/>"
        f"<source {source}/><target dev='{target}' bus='{bus}'/>"
        f"{order}{inner}<alias name='ua-{target}'/></disk>"
    )


def guest_xml(
    bench: Bench,
    name: str,
    *disks: str,
    machine: str = "q35",
    buses: Iterable[str] = (),
    devices: str = "",
    outer: str = "",
) -> str:
    """A domain without anything but disks and a serial port, on an emulated processor.

    ``buses`` are those of CONTROLLERS that are needed, ``devices`` stands
    beside the disks and ``outer`` behind the devices.
    """
    wanted = set(buses) | {
        bus for bus in CONTROLLERS if any(f"bus='{bus}'" in one for one in disks)
    }
    controllers = "".join(CONTROLLERS[bus] for bus in sorted(wanted))
    if "usb" not in wanted:
        controllers += "<controller type='usb' model='none'/>"
    return (
        f"<domain type='qemu'><name>{name}</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>"
        f"<os><type arch='x86_64' machine='{machine}'>hvm</type></os><features><acpi/></features>"
        "<on_reboot>restart</on_reboot><devices>"
        f"<emulator>/usr/bin/qemu-system-x86_64</emulator>{''.join(disks)}{controllers}"
        f"<serial type='unix'><source mode='bind' path='{serial_socket(bench, name)}'/>"
        f"<log file='{serial_log(bench, name)}' append='on'/></serial>"
        f"{devices}<memballoon model='none'/></devices>{outer}</domain>"
    )


def root_ports(count: int) -> str:
    """Ports of a q35 machine into which virtio disks can be plugged; one each."""
    return "<controller type='pci' index='0' model='pcie-root'/>" + count * (
        "<controller type='pci' model='pcie-root-port'/>"
    )


def quorum_nodes(
    top: str, members: Sequence[Path], threshold: int = 2, **more: Any
) -> list[dict[str, Any]]:
    """Block nodes of a quorum of raw files: TOP-0-s, TOP-0, …, TOP; one options object each."""
    nodes: list[dict[str, Any]] = []
    for count, one in enumerate(members):
        storage = {"driver": "file", "filename": str(one), "node-name": f"{top}-{count}-s"}
        nodes += [
            storage,
            {"driver": "raw", "file": storage["node-name"], "node-name": f"{top}-{count}"},
        ]
    names = [f"{top}-{count}" for count in range(len(members))]
    quorum = {"driver": "quorum", "node-name": top, "vote-threshold": threshold, "children": names}
    return [*nodes, {**quorum, **more}]


def commandline(nodes: Iterable[dict[str, Any]]) -> str:
    """qemu:commandline with block nodes."""
    words = [word for one in nodes for word in ("-blockdev", json.dumps(one))]
    inner = "".join(f"<qemu:arg value={quoteattr(word)}/>" for word in words)
    return f"<qemu:commandline xmlns:qemu='{_QEMU}'>{inner}</qemu:commandline>"


def drive_override(drives: dict[str, str]) -> str:
    """qemu:override that points frontends, by alias, at block nodes."""
    inner = "".join(
        f"<qemu:device alias='{alias}'><qemu:frontend>"
        f"<qemu:property name='drive' type='string' value='{node}'/>"
        "</qemu:frontend></qemu:device>"
        for alias, node in drives.items()
    )
    return f"<qemu:override xmlns:qemu='{_QEMU}'>{inner}</qemu:override>"


_QEMU = "http://libvirt.org/schemas/domain/qemu/1.0"
