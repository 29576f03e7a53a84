"""Files, block devices, directories and NVMe controllers of the host, from their nodes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from virtquorum.model.parts import PciAddress, Reservations
from virtquorum.model.sources.block import BlockSource
from virtquorum.model.sources.dir import DirSource
from virtquorum.model.sources.file import FileSource
from virtquorum.model.sources.nvme import NvmeSource
from virtquorum.qemu import graph
from virtquorum.qemu.back.notes import Common

if TYPE_CHECKING:
    from virtquorum.qemu.back.storage.context import Context

__all__ = ["source"]

_RELATIVE: Final = Common(
    "'{name}' is relative to where QEMU is started; libvirt wants the whole path",
    "these paths are relative to where QEMU is started, and libvirt wants whole ones",
)
_HOME: Final = Common(
    "'{name}' is relative: what stands for '~' a shell puts there, and only where a word begins "
    "with it; libvirt wants the whole path",
    "these paths are relative: what stands for '~' a shell puts there, and only where a word "
    "begins with it, and libvirt wants whole ones",
)
_PCI: Final = re.compile(r"([0-9a-fA-F]{1,8}):([0-9a-fA-F]{1,2}):([0-9a-fA-F]{1,2})\.([0-7])")


def source(
    block: graph.Block, context: Context, more: dict[str, Any]
) -> FileSource | BlockSource | DirSource | NvmeSource:
    """The source of this host that a node is."""
    match block:
        case graph.Vvfat():
            if block.rw:
                context.leave(block, "rw", True, "libvirt shows a directory read-only")
            return DirSource(dir=block.dir, **more)
        case graph.Nvme():
            return _nvme(block, context, more)
        case graph.File():
            return _file(block, context, more)
    raise AssertionError(block.driver)


def _file(block: graph.File, context: Context, more: dict[str, Any]) -> FileSource | BlockSource:
    path = block.filename
    if not path:
        raise context.error(block, "filename", "is empty")
    place = context.place(block)
    if path.startswith("/dev/fdset/"):
        context.leave(block, "filename", path, "an fdset is known to this QEMU only")
    elif path.startswith("~"):
        context.notes.gather(_HOME, place, path)
    elif not path.startswith("/"):
        context.notes.gather(_RELATIVE, place, path)
    if block.pr_manager is not None:
        socket = context.objects.helper(block.pr_manager, place)
        more = more | {
            "reservations": Reservations(
                managed=False, source_type="unix", path=socket, mode="client"
            )
        }
    if isinstance(block, (graph.HostDevice, graph.HostCdrom)):
        return BlockSource(dev=path, **more)
    return FileSource(file=path, **more)


def _nvme(block: graph.Nvme, context: Context, more: dict[str, Any]) -> NvmeSource:
    found = _PCI.fullmatch(block.device)
    if found is None:
        raise context.error(
            block, "device", f"is '{block.device}', which is no PCI address", "it is 0000:01:00.0"
        )
    domain, bus, slot, function = (int(one, 16) for one in found.groups())
    return NvmeSource(
        bus="pci",
        namespace=block.namespace,
        address=PciAddress(
            domain=f"0x{domain:04x}", bus=f"0x{bus:02x}", slot=f"0x{slot:02x}",
            function=f"0x{function:x}",
        ),
        **more,
    )  # fmt: skip
