"""What this host reaches by itself: files, block devices, directories, NVMe controllers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from virtquorum.model.sources.block import BlockSource
from virtquorum.model.sources.dir import DirSource
from virtquorum.model.sources.file import FileSource
from virtquorum.model.sources.nvme import NvmeSource
from virtquorum.qemu import graph
from virtquorum.qemu.storage.context import properties_of

if TYPE_CHECKING:
    from virtquorum.model.location import Location
    from virtquorum.model.parts import PciAddress, Reservations
    from virtquorum.qemu.storage.context import Context

__all__ = ["storage"]

_NUMBER: Final = re.compile(r"0[xX][0-9a-fA-F]{1,8}|[0-9]{1,8}")


def storage(
    source: FileSource | BlockSource | DirSource | NvmeSource,
    place: Location | None,
    name: str,
    context: Context,
) -> graph.Block:
    """The storage node of a source of this host."""
    match source:
        case DirSource():
            return _directory(source, place, name, context)
        case NvmeSource():
            return _nvme(source, place, name, context)
        case _:
            return _file(source, place, name, context)


def _file(
    source: FileSource | BlockSource, place: Location | None, name: str, context: Context
) -> graph.File:
    if isinstance(source, FileSource) and source.fdgroup is not None:
        raise context.refused(
            "an fdgroup is not translated: its descriptors are libvirt's",
            place,
            "name the file alone",
        )
    path = source.file if isinstance(source, FileSource) else source.dev
    if not path:
        raise context.refused(
            "the image has no source",
            place,
            "type='file' takes <source file='…'/>, type='block' <source dev='…'/>",
        )
    cls = graph.File if isinstance(source, FileSource) else graph.HostDevice
    return cls(
        **context.common(name),
        **properties_of(source),
        aio=context.aio,
        pr_manager=_pr_manager(source.reservations, name, context),
    )


def _pr_manager(reservations: Reservations | None, name: str, context: Context) -> str | None:
    if reservations is None:
        return None
    place = reservations.location
    if context.switch("managed", reservations.managed, place):
        raise context.refused(
            "libvirt starts the helper of managed reservations itself, at a place of its own",
            place,
            "start qemu-pr-helper, and name its socket: managed='no' and "
            "<source type='unix' path='…' mode='client'/>",
        )
    if reservations.source_type != "unix" or not reservations.path:
        raise context.refused(
            "reservations need the socket of a qemu-pr-helper",
            place,
            "it is <source type='unix' path='…' mode='client'/>",
        )
    if reservations.mode not in (None, "client"):
        raise context.refused(
            f"QEMU reaches no helper with mode='{reservations.mode}'", place, "it is 'client'"
        )
    return context.reservations(reservations.path, name)


def _directory(
    source: DirSource, place: Location | None, name: str, context: Context
) -> graph.Vvfat:
    if not source.dir:
        raise context.refused("the directory has no name", place, "it is <source dir='…'/>")
    if id(source) in context.writable:
        raise context.refused(
            "a directory is no disk that a guest could write to", place, "add <readonly/>"
        )
    return graph.Vvfat(
        **context.common(name), dir=source.dir, floppy=context.disk.device == "floppy", rw=False
    )


def _nvme(source: NvmeSource, place: Location | None, name: str, context: Context) -> graph.Nvme:
    namespace = context.number("the namespace", source.namespace, place)
    if source.bus not in (None, "pci") or not namespace or source.address is None:
        raise context.refused(
            "this is no NVMe namespace that QEMU could take",
            place,
            "it is <source type='pci' namespace='1' …><address domain='0x0000' bus='0x01' "
            "slot='0x00' function='0x0'/></source>",
        )
    return graph.Nvme(
        **context.common(name), device=_pci(source.address, context), namespace=namespace
    )


def _pci(address: PciAddress, context: Context) -> str:
    """A PCI address as the kernel writes it: '0000:01:00.0'."""
    parts = []
    for word, largest in (
        (address.domain, 0xFFFFFFFF), (address.bus, 0xFF), (address.slot, 0x1F),
        (address.function, 7),
    ):  # fmt: skip
        text = "0" if word is None else word
        number = _by_prefix(text) if _NUMBER.fullmatch(text) else -1
        if not 0 <= number <= largest:
            raise context.refused(f"'{text}' is no part of a PCI address", address.location)
        parts.append(number)
    domain, bus, slot, function = parts
    return f"{domain:04x}:{bus:02x}:{slot:02x}.{function:x}"


def _by_prefix(text: str) -> int:
    """A number as C reads it: '0x1f' and '037' in their bases; -1 if it is none."""
    base = 16 if "x" in text.lower() else 8 if text.startswith("0") else 10
    try:
        return int(text, base)
    except ValueError:
        return -1
