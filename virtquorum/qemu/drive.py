"""The block graph spelled as ``-drive``: dotted keys, or json: where those cannot say it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from virtquorum.json_text import Json, json_text
from virtquorum.qemu.blockdev import blockdev_arguments
from virtquorum.qemu.devices.chardev import chardev_options
from virtquorum.qemu.devices.device import device_options
from virtquorum.qemu.graph import merged, options, uses_null
from virtquorum.qemu.objects import object_options
from virtquorum.qemu.qapi import json_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from virtquorum.model.disk import Disk
    from virtquorum.qemu.build import Built
    from virtquorum.qemu.devices.chardev import SocketChardev
    from virtquorum.qemu.devices.device import Device
    from virtquorum.qemu.objects import QemuObject, ThrottleGroup

__all__ = [
    "as_json",
    "chardev_arguments",
    "device_arguments",
    "dotted",
    "drive_arguments",
    "object_arguments",
    "option_list",
    "shell_lines",
]

_DRIVE_DEFAULTS = ("read-only", "cache", "discard", "detect-zeroes")


def drive_arguments(
    disk: Disk,
    built: Built,
    id: str,
    interface: Sequence[tuple[str, str]] = (("if", "none"),),
    by_device: Collection[str] = (),
) -> list[str]:
    """``-drive`` and its value for a disk's graph; ``id`` is what a ``-device`` will call it.

    A graph that ends a chain goes through ``file=json:…``: dotted keys have
    no null.  Throttling is the drive's own, and so are the write cache and
    the error policies, but for those that the device says: ``by_device``
    holds 'write_cache', 'werror' and 'rerror' then.
    """
    apart = merged(built.top)
    spelled = options(built.top, apart)
    pairs = as_json(spelled) if uses_null(built.top) else dotted(spelled)
    if "write_cache" not in by_device:
        pairs += _write_cache(disk)
    pairs += [one for one in _policies(disk) if one[0] not in by_device]
    pairs += _throttling(disk, built.throttle)
    pairs += [*interface, ("id", id)]
    before = [word for one in apart for word in blockdev_arguments(one)]
    return [*before, "-drive", option_list(pairs)]


def option_list(pairs: Iterable[tuple[str, str]]) -> str:
    """Options as QEMU splits them at commas: one inside a value is doubled."""
    return ",".join(f"{key}={value.replace(',', ',,')}" for key, value in pairs)


def object_arguments(one: QemuObject) -> list[str]:
    """``-object`` in key=value form, which every version takes."""
    return ["-object", _keyed("qom-type", object_options(one))]


def chardev_arguments(chardev: SocketChardev) -> list[str]:
    """``-chardev``, which has no other form."""
    return ["-chardev", _keyed("backend", {"backend": chardev.backend, **chardev_options(chardev)})]


def device_arguments(device: Device) -> list[str]:
    """``-device`` in key=value form."""
    return ["-device", _keyed("driver", device_options(device))]


def _keyed(first: str, spelled: dict[str, Json]) -> str:
    """JSON types as key=value, with the value of ``first`` in front and without its name."""
    pairs = dotted({key: value for key, value in spelled.items() if key != first})
    return f"{spelled[first]},{option_list(pairs)}"


def _write_cache(disk: Disk) -> list[tuple[str, str]]:
    """Whether the guest sees a write cache: what is left of the cache mode beside the nodes.

    libvirt says it to the device (write-cache); the drive hands it on.
    """
    cache = disk.driver.cache
    if cache in (None, "default"):
        return []
    return [("cache.writeback", "off" if cache in ("writethrough", "directsync") else "on")]


def _policies(disk: Disk) -> list[tuple[str, str]]:
    """What QEMU does on errors; as libvirt has it, error_policy is for both where it is alone."""
    spelled = {"enospace": "enospc"}
    on_write, on_read = disk.driver.error_policy, disk.driver.rerror_policy
    if on_read is None and on_write not in (None, "enospace"):
        on_read = on_write
    return [
        (key, spelled.get(value, value))
        for key, value in (("werror", on_write), ("rerror", on_read))
        if value is not None
    ]


def _throttling(disk: Disk, group: ThrottleGroup | None) -> list[tuple[str, str]]:
    if group is None or group.limits is None:
        return []
    limits = json_of(group.limits, lambda _: None)
    pairs = [(f"throttling.{name}", str(value)) for name, value in limits.items()]
    if disk.iotune is not None and disk.iotune.group_name is not None:
        pairs.append(("throttling.group", disk.iotune.group_name))
    return pairs


def as_json(spelled: dict[str, Json]) -> list[tuple[str, str]]:
    """BlockdevOptions as ``file=json:…``, and what has to stand beside it.

    What ``-drive`` has a default for it would put over the JSON's own
    (``blockdev_init``), so for the top node that stands outside.
    """
    beside = {key: value for key, value in spelled.items() if key in _DRIVE_DEFAULTS}
    inside = {key: value for key, value in spelled.items() if key not in _DRIVE_DEFAULTS}
    return [("file", f"json:{json_text(inside)}"), *dotted(beside)]


def dotted(value: dict[str, Json]) -> list[tuple[str, str]]:
    """JSON types as QEMU's dotted keys, in the same order."""
    pairs: list[tuple[str, str]] = []
    rest: list[tuple[str, Json]] = [("", value)]
    while rest:
        key, one = rest.pop()
        if isinstance(one, dict):
            inside = [(f"{key}.{name}" if key else name, below) for name, below in one.items()]
            rest.extend(reversed(inside))
        elif isinstance(one, list):
            rest.extend(reversed([(f"{key}.{number}", below) for number, below in enumerate(one)]))
        elif isinstance(one, bool):
            pairs.append((key, "on" if one else "off"))
        else:
            assert one is not None, f"dotted keys cannot say that {key} is null"
            pairs.append((key, str(one)))
    return pairs


def shell_lines(arguments: Sequence[str]) -> str:
    """Arguments for a shell: an option and its value a line, each line but the last continued."""
    pairs = [shlex.join(arguments[at : at + 2]) for at in range(0, len(arguments), 2)]
    return " \\\n".join(pairs) + "\n" if pairs else ""
