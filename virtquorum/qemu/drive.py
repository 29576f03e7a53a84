"""The block graph spelled as ``-drive``: dotted keys, or json: where those cannot say it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from virtquorum.errors import TranslationError
from virtquorum.json_text import Json, json_text
from virtquorum.model.node import Malformed
from virtquorum.qemu.graph import AnyBlock, options, uses_null

if TYPE_CHECKING:
    from collections.abc import Sequence

    from virtquorum.model.disk import Disk

__all__ = ["as_json", "dotted", "drive_arguments", "shell_lines"]

_DRIVE_DEFAULTS = ("read-only", "cache", "discard", "detect-zeroes")


#: QEMU's names for libvirt's limits; each has the ending '-max' and '-max-length' as well.
_LIMITS = {
    "total_bytes_sec": "bps-total",
    "read_bytes_sec": "bps-read",
    "write_bytes_sec": "bps-write",
    "total_iops_sec": "iops-total",
    "read_iops_sec": "iops-read",
    "write_iops_sec": "iops-write",
}


def drive_arguments(disk: Disk, top: AnyBlock, id: str) -> list[str]:
    """``-drive`` and its value for a disk's graph; ``id`` is what a ``-device`` will call it.

    A graph that ends a chain goes through ``file=json:…``: dotted keys have
    no null.  Throttling and error policies are the drive's own.  Raises
    TranslationError for a limit that is no number.
    """
    spelled = options(top)
    pairs = as_json(spelled) if uses_null(top) else dotted(spelled)
    pairs += _write_cache(disk) + _policies(disk) + _throttling(disk)
    pairs += [("if", "none"), ("id", id)]
    return ["-drive", ",".join(f"{key}={value.replace(',', ',,')}" for key, value in pairs)]


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


def _throttling(disk: Disk) -> list[tuple[str, str]]:
    tune = disk.iotune
    if tune is None:
        return []
    named = {"size_iops_sec": "iops-size", "group_name": "group"}
    for ours, qemus in _LIMITS.items():
        named |= {ours: qemus, f"{ours}_max": f"{qemus}-max"}
        named[f"{ours}_max_length"] = f"{qemus}-max-length"
    pairs = []
    for field, name in named.items():
        value = getattr(tune, field)
        if isinstance(value, Malformed):
            raise TranslationError(
                f"{field} is '{value}', which is no number",
                location=tune.location,
                disk=disk.name,
                remedy="it is a whole number, without a unit",
            )
        if value is not None:
            pairs.append((f"throttling.{name}", str(value)))
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
