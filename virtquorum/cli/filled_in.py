"""What libvirt fills in of a disk, and what one that leaves it open means all the same."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from virtquorum.model.image import Image, Quorum, Terminator
from virtquorum.model.source import ForeignSource
from virtquorum.model.sources.file import FileSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from virtquorum.model.disk import Disk
    from virtquorum.model.parts import Host

__all__ = ["side_by_side", "without_filled_in"]

#: What is filled in with a value of libvirt's choice.
_CHOSEN: Final = ("alias", "address", "snapshot")


def side_by_side(have: Sequence[Disk], other: Sequence[Disk]) -> tuple[list[Disk], list[Disk]]:
    """Two lists of disks without what libvirt fills in, the first in the order of the second.

    libvirt keeps disks by their buses; those that only the first has come last.
    """
    places = {disk.name: place for place, disk in enumerate(other)}
    ordered = sorted(have, key=lambda disk: places.get(disk.name, len(places)))
    old, new = ({disk.name: disk for disk in disks} for disks in (have, other))
    return (
        [without_filled_in(disk, new.get(disk.name)) for disk in ordered],
        [without_filled_in(disk, old.get(disk.name)) for disk in other],
    )


def without_filled_in(disk: Disk, other: Disk | None) -> Disk:
    """A disk without what libvirt fills in, as far as another one of the target leaves it open.

    Anything that libvirt would not come to by itself stays.
    """
    words: dict[str, Any] = {name: None for name in _CHOSEN if getattr(other, name, None) is None}
    if other is None:
        return replace(disk, image=_image(disk.image, None), **words)
    if disk.device == "disk" and other.device is None:
        words["device"] = None
    if disk.device == "cdrom" and other.readonly is None:
        words["readonly"] = None
    if disk.driver.name == "qemu" and other.driver.name is None:
        words["driver"] = replace(disk.driver, name=None)
    if disk.target is not None and (other.target is None or other.target.bus is None):
        words["target"] = replace(disk.target, bus=None)
    return replace(disk, image=_image(disk.image, other.image), **words)


def _image(image: Image, other: Image | None) -> Image:
    """An image without what libvirt fills in, as far as another one (None: nothing) leaves it open.

    Its indexes, and the chain as it saw that, are those of a running guest.
    """
    words: dict[str, Any] = {}
    if other is None or other.index is None:
        words["index"] = None
    if other is not None and other.format is None and _is_plain(image):
        words["format"] = None
    backing, below = image.backing, other.backing if other is not None else None
    if below is None and _is_found_out(image):
        words["backing"] = None
    elif isinstance(backing, Image) and not isinstance(below, Terminator):
        words["backing"] = _image(backing, below)
    source = _source(image.source, other.source) if other is not None else image.source
    return replace(image, source=source, **words)


def _is_plain(image: Image) -> bool:
    """Whether an image is of the format that libvirt takes for granted."""
    return image.format == "raw" and not isinstance(image.source, Quorum)


def _is_found_out(image: Image) -> bool:
    """Whether the chain below an image is what libvirt saw when the guest was started."""
    backing = image.backing
    if isinstance(backing, Terminator):
        return True
    return backing is not None and backing.index is not None


def _is_empty(source: Any) -> bool:
    return not isinstance(source, Quorum | ForeignSource) and source == type(source)()


def _source(source: Any, other: Any) -> Any:
    """A source without ports that are the protocol's; of an empty drive, the other's type."""
    if _is_empty(source) and _is_empty(other):
        return FileSource()
    hosts: tuple[Host, ...] = getattr(source, "hosts", ())
    if not hosts:
        return source
    usual = (0, source.default_port)
    return replace(
        source,
        hosts=tuple(replace(one, port=None) if one.port in usual else one for one in hosts),
    )
