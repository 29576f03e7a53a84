"""A disk's ``<iotune>`` as a throttle-group, and as the words of ``-drive``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.errors import TranslationError
from virtquorum.model.node import Malformed
from virtquorum.qemu.names import NODE_NAME
from virtquorum.qemu.objects import ThrottleGroup, ThrottleLimits
from virtquorum.qemu.qapi import properties

if TYPE_CHECKING:
    from virtquorum.model.disk import Disk

__all__ = ["LIMITS", "group_id", "throttling"]

_NAMES: Final = {
    "total_bytes_sec": "bps_total",
    "read_bytes_sec": "bps_read",
    "write_bytes_sec": "bps_write",
    "total_iops_sec": "iops_total",
    "read_iops_sec": "iops_read",
    "write_iops_sec": "iops_write",
}
#: libvirt's limits, and the fields of ThrottleLimits that they are.
LIMITS: Final = {
    **{
        f"{ours}{ending}": f"{qemus}{ending}"
        for ours, qemus in _NAMES.items()
        for ending in ("", "_max", "_max_length")
    },
    "size_iops_sec": "iops_size",
}


def throttling(disk: Disk, name: str) -> ThrottleGroup | None:
    """A disk's limits, None if it has none; ``name`` is that of the disk's top node.

    Disks of one ``group_name`` share a group.  Raises TranslationError for a
    limit that is no number.
    """
    tune = disk.iotune
    if tune is None:
        return None
    limits: dict[str, int] = {}
    for ours, qemus in LIMITS.items():
        value = getattr(tune, ours)
        if isinstance(value, Malformed) or (value is not None and value < 0):
            raise TranslationError(
                f"{ours} is '{value}', which is no number",
                location=tune.location,
                disk=disk.name,
                remedy="it is a whole number, without a unit",
            )
        if value is not None:
            limits[qemus] = value
    if not limits and tune.group_name is None:
        return None
    assert limits.keys() <= properties(ThrottleLimits).keys()
    return ThrottleGroup(id=group_id(tune.group_name, name), limits=ThrottleLimits(**limits))


def group_id(group: str | None, name: str) -> str:
    """The id of a group: its own name where QEMU takes it, else made of it or of the disk's."""
    if group is None:
        return f"{name}-limits"
    if NODE_NAME.fullmatch(group) is not None and not group.startswith("vq-"):
        return group
    return f"vq-group-{group.encode('utf-8', 'surrogatepass').hex()}"
