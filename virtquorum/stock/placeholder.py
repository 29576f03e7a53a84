"""The placeholder: the stock disk that stands for a quorum disk, and what it says of the device.

The guest's device belongs to libvirt, and so does all that is said of it:
target, address, boot order, serial, I/O threads, error policies, limits.  What
is said of images (cache, I/O mode, discard) belongs to the quorum's nodes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from virtquorum.model.disk import Disk, Driver
from virtquorum.model.image import Image
from virtquorum.model.sources.file import FileSource

if TYPE_CHECKING:
    from virtquorum.model.node import Node

__all__ = ["DIRECTORY", "alias_of", "carried", "placeholder", "placeholder_path"]

#: Where placeholders are, if nobody says otherwise.
DIRECTORY: Final = "/var/lib/libvirt/virtquorum"

#: Aliases that libvirt keeps begin so; it makes its own for others.
_USERS_ALIAS: Final = "ua-"
#: What a disk says of the guest's device.
_DEVICE: Final = (
    "device", "model", "rawio", "sgio", "domain_name", "geometry", "blockio", "target", "iotune",
    "readonly", "shareable", "serial", "wwn", "vendor", "product", "boot", "acpi_index", "address",
)  # fmt: skip
#: What a driver says of it.
_DEVICE_DRIVER: Final = (
    "error_policy", "rerror_policy", "ioeventfd", "event_idx", "iothread", "queues", "queue_size",
    "iommu", "ats", "packed", "page_per_vq",
)  # fmt: skip
#: A cache mode decides whether the device says that it has a write cache; the rest is the nodes'.
_CACHES: Final = {
    "none": "writeback",
    "writeback": "writeback",
    "unsafe": "writeback",
    "directsync": "writethrough",
    "writethrough": "writethrough",
}


def alias_of(disk: Disk) -> str:
    """The alias of a disk's placeholder: the disk's own if libvirt keeps it, else one of ours."""
    if disk.alias is not None and disk.alias.startswith(_USERS_ALIAS):
        return disk.alias
    return f"{_USERS_ALIAS}vq-{disk.name}"


def placeholder_path(directory: str, domain: str | None, disk: Disk) -> str:
    """Where a disk's placeholder is: a file in a directory, named by domain and target."""
    return f"{directory.rstrip('/')}/{domain or 'domain'}-{disk.name}.placeholder"


def placeholder(disk: Disk, path: str) -> Disk:
    """The stock disk that stands for a quorum disk; its image is the raw file at ``path``."""
    said = disk.driver
    driver = Driver(
        name="qemu",
        cache=_CACHES.get(said.cache or ""),
        **{name: getattr(said, name) for name in _DEVICE_DRIVER},
    )
    words = {name: getattr(disk, name) for name in _DEVICE}
    image = Image(source=FileSource(file=path), format="raw")
    return Disk(image=image, driver=driver, snapshot="no", alias=alias_of(disk), **words)


def carried(disk: Disk, before: Disk, now: Disk) -> Disk:
    """A quorum disk with what has come to its placeholder, or changed there, since it was written.

    ``before`` is the placeholder as it was written, ``now`` as it is: libvirt
    fills in addresses, and people change a boot order.
    """
    driver = _changed(disk.driver, before.driver, now.driver, _DEVICE_DRIVER)
    words = _changed(disk, before, now, _DEVICE)
    if driver:
        words["driver"] = replace(disk.driver, **driver)
    return replace(disk, **words) if words else disk


def _changed(node: Node, before: Node, now: Node, names: tuple[str, ...]) -> dict[str, Any]:
    """The fields of a node that changed between two others."""
    return {
        name: getattr(now, name)
        for name in names
        if getattr(now, name) != getattr(before, name) and getattr(now, name) != getattr(node, name)
    }
