"""A disk's ``<iotune>`` as a throttle-group, and as the words of ``-drive``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.errors import TranslationError
from virtquorum.model.node import Malformed
from virtquorum.qemu.names import NODE_NAME
from virtquorum.qemu.objects import ThrottleGroup, ThrottleLimits
from virtquorum.qemu.qapi import properties

if TYPE_CHECKING:
    from collections.abc import Mapping

    from virtquorum.model.disk import Disk
    from virtquorum.model.location import Location

__all__ = ["LIMITS", "group_id", "throttling"]

_NAMES: Final = {
    "total_bytes_sec": "bps_total",
    "read_bytes_sec": "bps_read",
    "write_bytes_sec": "bps_write",
    "total_iops_sec": "iops_total",
    "read_iops_sec": "iops_read",
    "write_iops_sec": "iops_write",
}
#: QEMU's THROTTLE_VALUE_MAX.
_LARGEST: Final = 10**15
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
        if value:  # libvirt takes 0 for not said
            limits[qemus] = value
    _check(limits, disk, tune.location)
    if not limits and tune.group_name is None:
        return None
    assert limits.keys() <= properties(ThrottleLimits).keys()
    return ThrottleGroup(id=group_id(tune.group_name, name), limits=ThrottleLimits(**limits))


def _check(limits: Mapping[str, int], disk: Disk, place: Location | None) -> None:
    """Refuse what QEMU would (``throttle_is_valid``)."""

    def refused(message: str, remedy: str) -> TranslationError:
        return TranslationError(message, location=place, disk=disk.name, remedy=remedy)

    for unit, xml in (("bps", "bytes"), ("iops", "iops")):
        for ending in ("", "_max"):
            parts = [one for one in ("read", "write") if f"{unit}_{one}{ending}" in limits]
            if parts and f"{unit}_total{ending}" in limits:
                shown = f"total_{xml}_sec{ending}", f"{parts[0]}_{xml}_sec{ending}"
                raise refused(f"{shown[0]} and {shown[1]} cannot go together", "keep one of them")
    for ours, qemus in _NAMES.items():
        average, most, seconds = (
            limits.get(f"{qemus}{ending}") for ending in ("", "_max", "_max_length")
        )
        if most is not None and (average is None or most < average):
            raise refused(f"{ours}_max needs a {ours} that is not larger", f"add {ours}")
        if seconds is not None and seconds > 1 and most is None:
            raise refused(f"{ours}_max_length needs {ours}_max", f"add {ours}_max")
        largest = max(average or 0, (most or 0) * (seconds or 1))
        if largest > _LARGEST:
            raise refused(f"{ours} and its burst are {largest}", f"at most {_LARGEST} is possible")
    if "iops_size" in limits and not {"iops_total", "iops_read", "iops_write"} & limits.keys():
        raise refused("size_iops_sec needs a limit of operations", "add total_iops_sec")


def group_id(group: str | None, name: str) -> str:
    """The id of a group: its own name where QEMU takes it, else made of it or of the disk's."""
    if group is None:
        return f"{name}-limits"
    if NODE_NAME.fullmatch(group) is not None and not group.startswith("vq-"):
        return group
    return f"vq-group-{group.encode('utf-8', 'surrogatepass').hex()}"
