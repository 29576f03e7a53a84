"""The placeholder: the stock disk that stands for a quorum disk, and what it says of the device.

The guest's device belongs to libvirt, and so does all that is said of it:
target, address, boot order, serial, I/O threads, error policies, limits.  What
is said of images (cache, I/O mode, discard) belongs to the quorum's nodes.

What libvirt would do with the placeholder's file must fail, since it is not
the disk's data.  ``<shareable/>`` makes libvirt refuse snapshots, whose overlay
could not be shared.  The guard, a second opening of the file in the same QEMU,
grants nobody else anything, and so makes copies, resizes and backups fail.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from virtquorum.model.disk import Disk, Driver
from virtquorum.model.image import Image
from virtquorum.model.sources.file import FileSource
from virtquorum.xml.record import WITHOUT_WRITE_CACHE

if TYPE_CHECKING:
    from virtquorum.json_text import Json
    from virtquorum.model.node import Node

__all__ = [
    "DIRECTORY",
    "OWN_ALIAS",
    "alias_of",
    "carried",
    "guard",
    "placeholder",
    "placeholder_path",
]

#: Where placeholders are, if nobody says otherwise.
DIRECTORY: Final = "/var/lib/libvirt/virtquorum"

#: Aliases that libvirt keeps begin so; it makes its own for others.
_USERS_ALIAS: Final = "ua-"
#: How the aliases of placeholders begin whose disks have none that libvirt keeps.
OWN_ALIAS: Final = "ua-vq-"
#: What a disk says of the guest's device.  Whether that is read-only the quorum's node says:
#: libvirt would leave a read-only placeholder out of snapshots in silence.
_DEVICE: Final = (
    "device", "model", "rawio", "sgio", "domain_name", "geometry", "blockio", "target", "iotune",
    "serial", "wwn", "vendor", "product", "boot", "acpi_index", "address",
)  # fmt: skip
#: What a driver says of it.
_DEVICE_DRIVER: Final = (
    "error_policy", "rerror_policy", "ioeventfd", "event_idx", "iothread", "queues", "queue_size",
    "iommu", "ats", "packed", "page_per_vq",
)  # fmt: skip
#: The longest name of a file, in bytes, and what a name that would be longer is cut to.
_LONGEST: Final = 255
_CUT: Final = 180
_ENDING: Final = ".placeholder"


def alias_of(disk: Disk) -> str:
    """The alias of a disk's placeholder: the disk's own if libvirt keeps it, else one of ours."""
    if disk.alias is not None and disk.alias.startswith(_USERS_ALIAS):
        return disk.alias
    return f"{OWN_ALIAS}{disk.name}"


def placeholder_path(directory: str, domain: str | None, disk: Disk) -> str:
    """Where a disk's placeholder is: a file in a directory, named by domain and target."""
    name = f"{domain or 'domain'}-{disk.name}".replace("/", "_").replace("\0", "_")
    if len(name.encode()) > _LONGEST - len(_ENDING):
        digest = sha256(name.encode()).hexdigest()[:16]
        name = f"{name.encode()[:_CUT].decode('utf-8', 'ignore')}-{digest}"
    return f"{directory.rstrip('/')}/{name}{_ENDING}"


def placeholder(disk: Disk, path: str) -> Disk:
    """The stock disk that stands for a quorum disk; its image is the raw file at ``path``."""
    said = disk.driver
    driver = Driver(
        name="qemu",
        # Never left open: a shareable disk would be opened past the page cache.
        cache="writethrough" if said.cache in WITHOUT_WRITE_CACHE else "writeback",
        **{name: getattr(said, name) for name in _DEVICE_DRIVER},
    )
    words = {name: getattr(disk, name) for name in _DEVICE}
    image = Image(source=FileSource(file=path), format="raw")
    return Disk(image=image, driver=driver, shareable=True, alias=alias_of(disk), **words)


def guard(name: str, path: str) -> tuple[dict[str, Json], ...]:
    """The block nodes, the last called ``name``, that keep others from the placeholder at ``path``.

    Taking 'resize' stops backups, whose filter asks for nothing but refuses to
    share it; taking 'write' would keep a guest from being saved.
    """
    storage = f"{name}-s"
    return (
        {"driver": "file", "node-name": storage, "read-only": True, "filename": path},
        {
            "driver": "blkdebug",
            "node-name": name,
            "read-only": True,
            "image": storage,
            "take-child-perms": ["resize"],
            "unshare-child-perms": ["consistent-read", "write", "write-unchanged", "resize"],
        },
    )


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
