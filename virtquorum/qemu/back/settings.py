"""What all nodes of a disk have in common in libvirt's XML: cache, I/O, discard, read-only.

The node on top says it for the disk; one below that says otherwise has no
XML, and is told of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from virtquorum.qemu.graph import File, Format, Quorum

if TYPE_CHECKING:
    from collections.abc import Sequence

    from virtquorum.qemu.back.drive import Drive
    from virtquorum.qemu.back.image import Layers
    from virtquorum.qemu.back.storage.context import Context
    from virtquorum.qemu.graph import Block

__all__ = ["Settings", "settings_of"]


class Settings(NamedTuple):
    """What the top node says for the disk; ``cached`` tells whether it names a cache mode."""

    cached: bool
    direct: bool
    no_flush: bool
    aio: str | None
    discard: str | None
    detect_zeroes: str | None
    read_only: bool

    def cache(self, write_cache: bool | None) -> str | None:
        """Libvirt's cache mode; whether the guest sees a write cache is its device's."""
        if not self.cached and write_cache is None:
            return None
        if self.no_flush:
            return "unsafe"
        if self.direct:
            return "directsync" if write_cache is False else "none"
        return "writethrough" if write_cache is False else "writeback"


def settings_of(
    layers: Sequence[Layers], above: Sequence[Block], drive: Drive | None, context: Context
) -> Settings:
    """The settings of a disk by its layers, of which the first are the top image's.

    ``above`` are the filters of the whole disk.
    """
    top = layers[0].main
    on_top = (*above, *layers[0].others, top, layers[0].last)
    cache = top.cache
    found = Settings(
        cached=cache is not None,
        direct=bool(cache is not None and cache.direct),
        no_flush=bool(cache is not None and cache.no_flush),
        aio=_aio(layers, drive),
        discard=top.discard,
        detect_zeroes=top.detect_zeroes,
        read_only=any(one.read_only for one in on_top),
    )
    for block in above:
        _check_other(block, found.read_only, found, True, context)
    _check(layers, found, drive, context)
    return found


def _files(layers: Sequence[Layers]) -> list[File]:
    return [one.last for one in layers if isinstance(one.last, File)]


def _aio(layers: Sequence[Layers], drive: Drive | None) -> str | None:
    said = [one.aio for one in _files(layers) if one.aio is not None]
    if said:
        return said[0]
    return drive.aio if drive is not None else None


def _check(
    layers: Sequence[Layers], found: Settings, drive: Drive | None, context: Context
) -> None:
    """Tell of nodes that differ from the disk."""
    inherits = drive is not None
    for file in _files(layers):
        if file.aio != found.aio and not (file.aio is None and inherits):
            context.leave(file, "aio", file.aio or "threads", "libvirt has one mode for a disk")
    top = layers[0]
    backing = {id(below) for one in layers for below in _read_only(one)}
    read_only: dict[int, bool] = {id(top.top): found.read_only}
    for one in layers:
        expected = read_only[id(one.top)]
        for below in one.below:
            read_only[id(below)] = expected or id(below) in backing
        _check_image(one, expected, found, inherits, context, is_top=one is top)


def _read_only(layers: Layers) -> tuple[Block, ...]:
    """The nodes that libvirt opens read-only because of where they stand."""
    return () if isinstance(layers.last, Quorum) else layers.below


def _check_image(
    one: Layers,
    read_only: bool,
    found: Settings,
    inherits: bool,
    context: Context,
    *,
    is_top: bool,
) -> None:
    main = one.main
    if not is_top:
        if isinstance(main, Format) and main.discard not in (None, found.discard):
            context.leave(main, "discard", main.discard, "libvirt has one mode for a disk")
        if main.detect_zeroes not in (None, "off"):
            why = "libvirt has it for the topmost image"
            context.leave(main, "detect-zeroes", main.detect_zeroes, why)
        if main.read_only is not None and main.read_only != read_only:
            why = "libvirt opens backing images read-only, and the others as the disk is"
            context.leave(main, "read-only", main.read_only, why)
    _check_cache(main, found, inherits, context)
    for block in one.others:  # which have no cache mode if they name none
        _check_other(block, read_only, found, True, context)
    if one.last is not main:
        _check_other(one.last, read_only, found, inherits, context)
    if main.auto_read_only is False:
        _leave_auto_read_only(main, context)


def _check_other(
    block: Block, read_only: bool, found: Settings, inherits: bool, context: Context
) -> None:
    """Tell of what a node says that is not the one by which the image is described."""
    why = "libvirt says it for whole disks, and not for such a node"
    if block.detect_zeroes not in (None, "off"):
        context.leave(block, "detect-zeroes", block.detect_zeroes, why)
    if block.discard not in (None, "unmap", found.discard):
        context.leave(block, "discard", block.discard, why)
    if block.read_only and not read_only:
        context.leave(block, "read-only", True, why)
    if block.auto_read_only is False:
        _leave_auto_read_only(block, context)
    _check_cache(block, found, inherits, context)


def _leave_auto_read_only(block: Block, context: Context) -> None:
    context.leave(block, "auto-read-only", False, "libvirt has it on for storage")


def _check_cache(block: Block, found: Settings, inherits: bool, context: Context) -> None:
    for name in ("direct", "no_flush"):
        said = getattr(block.cache, name) if block.cache is not None else None
        expected = getattr(found, name)
        if said is None and (inherits or not expected):
            continue
        if bool(said) != expected:
            property = f"cache.{name.replace('_', '-')}"
            context.leave(block, property, bool(said), "libvirt has one cache mode for a disk")
