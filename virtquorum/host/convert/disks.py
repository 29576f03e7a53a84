"""A disk as XML before and after a conversion: what is the image's goes along, the device stays."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from virtquorum.errors import HostError
from virtquorum.model.image import Image, Quorum, Terminator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from virtquorum.model.disk import Disk
    from virtquorum.xml.domain import Domain

__all__ = ["alone", "quorum_of", "stock_disk", "stock_of"]


def stock_disk(domain: Domain, target: str, name: str) -> Disk:
    """The disk of a target, which must be no quorum disk yet; ``name`` is the domain's.

    Raises HostError for a disk that cannot become a quorum.
    """
    disks = {one.name: one for one in domain.machine_disks}
    disk = disks.get(target)
    if disk is None:
        known = ", ".join(f"'{one}'" for one in disks if one) or "none"
        raise HostError(f"domain '{name}' has no disk '{target}'; its disks are: {known}")
    where = f"domain '{name}': the disk '{target}'"
    if disk.quorums:
        raise HostError(
            f"{where} is a quorum already; 'virtquorum patch {name} member add {target} …' gives "
            "it members more"
        )
    if disk.device not in (None, "disk"):
        raise HostError(
            f"{where} is a {disk.device}, and only a device='disk' becomes a quorum; attach a "
            "quorum disk instead"
        )
    if disk.transient is not None:
        raise HostError(
            f"{where} is <transient/>: libvirt runs it on an overlay that it throws away; take "
            "<transient/> out of its definition"
        )
    if disk.image.source.type == "vhostuser":
        raise HostError(f"{where} is another program's (vhost-user); QEMU has no image of it")
    return disk


def quorum_of(disk: Disk, members: Sequence[Image], threshold: int) -> Disk:
    """A stock disk as a quorum, with its own image as the first member."""
    quorum = Quorum(threshold=threshold, members=(_first(disk), *members))
    return replace(disk, image=Image(source=quorum, format="quorum"), auth=None, encryption=None)


def _first(disk: Disk) -> Image:
    """A disk's image as a member: what stands beside the source in a disk stands in it."""
    image = disk.image
    source: Any = image.source
    words: dict[str, Any] = {}
    if disk.auth is not None and getattr(source, "auth", None) is None:
        words["auth"] = disk.auth
    if disk.encryption is not None and getattr(source, "encryption", None) is None:
        words["encryption"] = disk.encryption
    if getattr(source, "startup_policy", None) is not None:
        words["startup_policy"] = None  # libvirt's, for the top source of a disk
    image = replace(image, source=replace(source, **words)) if words else image
    found = _unnumbered(image)
    return found if found.format is not None else replace(found, format="raw")


def _unnumbered(top: Image) -> Image:
    """A chain without the numbers that libvirt gives the images of a running guest."""
    chain = list(top.walk())
    below: Image | Terminator | None = chain[-1].backing
    if len(chain) == 1 and top.format in (None, "raw"):
        below = None  # there is nothing to be looked for below
    for image in reversed(chain):
        below = replace(image, index=None, nodename=None, backing=below)
    assert isinstance(below, Image)
    return below


def stock_of(disk: Disk, member: Image) -> Disk:
    """A quorum disk as a stock disk of one of its members."""
    image = replace(member, index=None, nodename=None)
    return replace(disk, image=image)


def alone(disk: Disk, member: Image) -> Disk:
    """A quorum disk with one of its members alone, which decides everything."""
    return replace(disk, image=replace(disk.image, source=Quorum(threshold=1, members=(member,))))
