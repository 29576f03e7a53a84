"""The block graph spelled as ``-blockdev``: flat nodes in JSON, those below first.

QEMU takes ``-device`` in JSON since 6.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.json_text import json_text
from virtquorum.qemu.devices.device import device_options
from virtquorum.qemu.graph import flat
from virtquorum.qemu.objects import object_options

if TYPE_CHECKING:
    from virtquorum.qemu.devices.device import Device
    from virtquorum.qemu.graph import Block
    from virtquorum.qemu.objects import QemuObject

__all__ = ["blockdev_arguments", "json_device_arguments", "json_object_arguments"]


def blockdev_arguments(top: Block) -> list[str]:
    """``-blockdev`` and its value for each node of a graph."""
    return [word for node in flat(top) for word in ("-blockdev", json_text(node))]


def json_object_arguments(one: QemuObject) -> list[str]:
    """``-object`` with the object in JSON."""
    return ["-object", json_text(object_options(one))]


def json_device_arguments(device: Device) -> list[str]:
    """``-device`` with the device in JSON."""
    return ["-device", json_text(device_options(device))]
