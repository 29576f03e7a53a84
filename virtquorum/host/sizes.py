"""How large a quorum disk is, as far as somebody here can say."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from virtquorum.errors import HostError, ImageError
from virtquorum.host.connection import asking
from virtquorum.images.opened import local_path
from virtquorum.model.image import Image, Quorum

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.host.session import Host
    from virtquorum.model.disk import Disk

__all__ = ["is_raw", "quorum_size"]


def quorum_size(host: Host, disk: Disk) -> int | None:
    """The size (bytes) that the guest sees of a quorum disk, None where nothing can be looked at.

    A format above the quorum has a size of its own, which only QEMU knows.
    """
    if not is_raw(disk.image):
        return None
    leaves = list(_leaves(disk.image))
    found = _by_qemu_img(disk, leaves) if host.is_local else None
    return found if found is not None else _by_libvirt(host, leaves)


def is_raw(image: Image) -> bool:
    """Whether an image is a quorum's bytes, and nothing else."""
    return isinstance(image.source, Quorum) and image.format in (None, "quorum", "raw")


def _leaves(image: Image) -> Iterator[Image]:
    """The members that hold the guest's bytes, those of a nested quorum among them."""
    rest = [image]
    while rest:
        one = rest.pop()
        if isinstance(one.source, Quorum):
            if is_raw(one):
                rest += [member for member in one.source.members if isinstance(member, Image)]
        else:
            yield one


def _by_qemu_img(disk: Disk, leaves: list[Image]) -> int | None:
    from virtquorum.images.program import QemuImg, Signals, find_qemu_img
    from virtquorum.images.survey import Survey

    with suppress(ImageError), Signals() as signals:
        survey = Survey(QemuImg(find_qemu_img(), signals))
        for found in survey.of([disk]):
            if found.size is not None and any(found.image is one for one in leaves):
                return found.size
    return None


def _by_libvirt(host: Host, leaves: list[Image]) -> int | None:
    """The capacity of a member that is a volume, or lies where a pool looks."""
    for leaf in leaves:
        path = local_path(leaf)
        if path is None:
            continue
        with suppress(HostError), asking(None):
            return int(host.connection.storageVolLookupByPath(path).info()[1])
    return None
