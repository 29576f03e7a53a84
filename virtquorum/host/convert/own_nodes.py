"""The block nodes that libvirt itself has opened for a disk of a running guest.

libvirt numbers the images of a guest as it opens them, and shows the number in
the live XML, ``<source file='…' index='2'/>``; the nodes are called
'libvirt-2-storage' and 'libvirt-2-format'.  Their options are those with which
virtquorum would open the same disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from virtquorum.errors import HostError
from virtquorum.host.compare import name_of
from virtquorum.host.nodes import differences
from virtquorum.model.image import Quorum
from virtquorum.qemu.build import build
from virtquorum.qemu.graph import flat
from virtquorum.qemu.names import domain_names

if TYPE_CHECKING:
    from virtquorum.host.compare import Options
    from virtquorum.host.monitor import Monitor
    from virtquorum.model.disk import Disk
    from virtquorum.qemu.names import Names
    from virtquorum.qemu.provided import Provided

__all__ = ["own_nodes"]


def own_nodes(monitor: Monitor, disk: Disk, provided: Provided) -> list[Options]:
    """The nodes of a stock disk as a flat list, the top last; ``disk`` is from the live XML.

    Raises HostError where they lean on objects of libvirt's, and where QEMU
    has others than the XML says.
    """
    where = f"domain '{monitor.name}': the disk '{disk.name}'"
    _check(disk, where)
    names = domain_names([disk])[0]
    built = build(disk, names, provided)
    if built.objects:
        raise HostError(
            f"{where} needs {built.objects[0].id!r} of libvirt's own (a secret, a certificate), "
            "which nobody else can open it with; shut the guest down, and convert it then"
        )
    nodes = _renamed(flat(built.top), disk, names, where)
    frontend = monitor.needed_frontend(disk.alias or "")
    if frontend.node is not None and frontend.node == nodes[-1].get("file"):
        nodes.pop()  # newer libvirts leave the format 'raw' out
    if found := differences(monitor, disk.alias or "", nodes):
        raise HostError(
            f"{where}: QEMU has it otherwise than libvirt's XML says: {'; '.join(found)}; look for "
            f"a block job ('virsh blockjob {monitor.name} {disk.name}'), or shut the guest down, "
            "and convert it then"
        )
    return nodes


def _check(disk: Disk, where: str) -> None:
    if disk.alias is None:
        raise HostError(f"{where} has no alias in its live XML")
    if disk.driver.copy_on_read is True:
        raise HostError(
            f"{where} is copied on read (copy_on_read='on'); shut the guest down, and convert it "
            "then"
        )
    for image in disk.image.walk():
        if isinstance(image.source, Quorum):
            raise HostError(f"{where} stands on a quorum")
        if getattr(image.source, "reservations", None) is not None:
            raise HostError(
                f"{where} uses persistent reservations, which belong to libvirt's own node of it"
            )
        if not isinstance(image.index, int):
            raise HostError(
                f"{where}: libvirt's XML has no number (index='…') for each of its images; this "
                "libvirt is too old to convert a disk of a running guest"
            )


def _renamed(nodes: list[Any], disk: Disk, names: Names, where: str) -> list[Options]:
    """Our nodes under libvirt's names."""
    renamed: dict[str, str] = {}
    for image in disk.image.walk():
        own, prefix = names.of(image), f"libvirt-{image.index}"
        renamed[own] = f"{prefix}-format"
        renamed[f"{own}-s"] = f"{prefix}-storage"
        renamed[f"{own}-l"] = f"{prefix}-slice-sto"
    found: list[Options] = []
    for one in nodes:
        if name_of(one) not in renamed:
            raise HostError(f"{where}: libvirt's name for '{name_of(one)}' is not known")
        named = {
            key: renamed[value] if key in ("node-name", "file", "backing") and value else value
            for key, value in one.items()
        }
        found.append(named)
    return found
