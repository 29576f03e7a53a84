"""The forms of a placeholder that are tried, and the domains that hold them.

A placeholder is a stock disk whose device QEMU has pointed at a quorum; what
libvirt does to the disk it does to the placeholder.  A form is what such a
disk says of itself, and what stands beside it in QEMU.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = [
    "FORMS", "NOTE", "PLUGGED", "RECOMMENDED", "SIZE", "Disk", "Form", "disk_xml", "domain_xml",
    "guard", "guard_above", "nodes",
]  # fmt: skip

#: Bytes of every disk here.
SIZE = 1 << 20
#: What a placeholder begins with, for who reads it.
NOTE = b"This file stands for a quorum disk and holds none of its data; see virtquorum's docs.\n"

_QUORUM_OF = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """What a placeholder says of itself, and whether a guard stands beside it."""

    elements: str = ""
    attributes: str = ""
    #: What takes back, on the device, what the elements do to it.
    properties: str = ""
    guard: bool = False


_NOT_SHARED = "<qemu:property name='share-rw' type='bool' value='false'/>"
RECOMMENDED = "recommended"
#: A disk that is plugged in: what is saved of the domain would not know of its quorum.
PLUGGED = Form(elements="<transient/>")

FORMS = {
    "plain": Form(),
    "snapshot='no'": Form(attributes=" snapshot='no'"),
    "readonly": Form(elements="<readonly/>"),
    "transient": Form(elements="<transient/>"),
    "shareable": Form(elements="<shareable/>", properties=_NOT_SHARED),
    "guard": Form(guard=True),
    RECOMMENDED: Form(elements="<shareable/>", properties=_NOT_SHARED, guard=True),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Disk:
    """A quorum disk: its frontend, and its files in a folder."""

    target: str
    bus: str
    folder: Path
    device: str = "disk"
    #: Whether the quorum is; the placeholder of a disk does not say so.
    readonly: bool = False
    #: How a frontend is called in the tables.
    label: str = ""

    @property
    def placeholder(self) -> Path:
        """The file of the stock disk."""
        return self.folder / f"{self.target}.placeholder"

    @property
    def members(self) -> list[Path]:
        """The files of the quorum."""
        return [self.folder / f"{self.target}.{index}" for index in range(_QUORUM_OF)]

    def make(self) -> None:
        """Make the files."""
        for path, start in ((self.placeholder, NOTE), *((one, b"") for one in self.members)):
            path.write_bytes(start.ljust(SIZE, b"\0"))


def nodes(disk: Disk, form: Form) -> list[dict[str, Any]]:
    """The block nodes of a disk's quorum, and of the guard: lowest first."""
    found: list[dict[str, Any]] = []
    for index, path in enumerate(disk.members):
        file = {"driver": "file", "filename": str(path), "node-name": f"vq-{disk.target}-{index}-s"}
        raw = {"driver": "raw", "file": file["node-name"], "node-name": f"vq-{disk.target}-{index}"}
        found += [{**one, "read-only": disk.readonly} for one in (file, raw)]
    children = [f"vq-{disk.target}-{index}" for index in range(_QUORUM_OF)]
    found.append({
        "driver": "quorum", "node-name": f"vq-{disk.target}", "vote-threshold": 2,
        "children": children, "read-only": disk.readonly,
    })  # fmt: skip
    return [*found, *(guard(disk) if form.guard else ())]


def guard(disk: Disk) -> list[dict[str, Any]]:
    """A second opening of the placeholder, whose locks refuse all others.

    Who reads or writes an image needs a permission for it, and QEMU holds the
    file's locks against each other even inside one process.  A backup needs
    none, but does not share the permission to resize: so that one is taken.
    To take the one to write would make the guest's saving fail.
    """
    name = f"vq-{disk.target}-guard"
    file = {"driver": "file", "node-name": f"{name}-s", "filename": str(disk.placeholder)}
    every = ["consistent-read", "write", "write-unchanged", "resize"]
    blkdebug = {
        "driver": "blkdebug", "node-name": name, "image": file["node-name"],
        "take-child-perms": ["resize"], "unshare-child-perms": every,
    }  # fmt: skip
    return [{**one, "read-only": True} for one in (file, blkdebug)]


def guard_above(disk: Disk, node: str) -> dict[str, Any]:
    """A guard on a transient placeholder's node, which libvirt would resize, if nothing else."""
    return {
        "driver": "blkdebug", "node-name": f"vq-{disk.target}-guard", "image": node,
        "unshare-child-perms": ["resize"],
    }  # fmt: skip


def disk_xml(disk: Disk, form: Form) -> str:
    """The placeholder."""
    return (
        f"<disk type='file' device='{disk.device}'{form.attributes}>"
        # A shareable disk without a cache mode would have none, and need O_DIRECT.
        "<driver name='qemu' type='raw' cache='writeback'/>"
        f"<source file={quoteattr(str(disk.placeholder))}/>"
        f"<target dev='{disk.target}' bus='{disk.bus}'/>{form.elements}"
        f"<alias name='ua-{disk.target}'/></disk>"
    )


def domain_xml(
    name: str, disks: Sequence[Disk], form: Form, stock: Path, machine: str = "q35"
) -> str:
    """A domain with these disks and a stock one, whose image this makes."""
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", stock, str(SIZE)], check=True)
    for disk in disks:
        disk.make()
    arguments = [
        f"<qemu:arg value='-blockdev'/><qemu:arg value={quoteattr(json.dumps(node))}/>"
        for disk in disks
        for node in nodes(disk, form)
    ]
    frontends = [
        f"<qemu:device alias='ua-{disk.target}'><qemu:frontend>"
        f"<qemu:property name='drive' type='string' value='vq-{disk.target}'/>{form.properties}"
        "</qemu:frontend></qemu:device>"
        for disk in disks
    ]
    return (
        f"<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>"
        f"<name>{name}</name><memory unit='MiB'>24</memory>"
        f"<os><type arch='x86_64' machine='{machine}'>hvm</type></os><devices>"
        + "".join(disk_xml(disk, form) for disk in disks)
        + "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
        f"<source file={quoteattr(str(stock))}/><target dev='vdz' bus='virtio'/></disk>"
        "<controller type='scsi' model='virtio-scsi'/><controller type='usb' model='qemu-xhci'/>"
        "<memballoon model='none'/></devices>"
        f"<qemu:commandline>{''.join(arguments)}</qemu:commandline>"
        f"<qemu:override>{''.join(frontends)}</qemu:override></domain>"
    )
