"""The block graph spelled as QMP commands, and the commands that take it away again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.qemu.devices.chardev import chardev_add
from virtquorum.qemu.devices.device import device_options
from virtquorum.qemu.graph import flat
from virtquorum.qemu.objects import object_options

if TYPE_CHECKING:
    from virtquorum.json_text import Json
    from virtquorum.qemu.devices.chardev import SocketChardev
    from virtquorum.qemu.devices.device import Device
    from virtquorum.qemu.graph import Block
    from virtquorum.qemu.objects import QemuObject

__all__ = [
    "Command",
    "add_chardev",
    "add_device",
    "add_nodes",
    "add_object",
    "command",
    "is_shared",
    "undo",
]

Command = dict[str, "Json"]


def command(name: str, arguments: dict[str, Json]) -> Command:
    """A command as a monitor takes it."""
    return {"execute": name, "arguments": arguments}


def add_nodes(top: Block) -> list[Command]:
    """``blockdev-add`` for each node of a graph, those below first."""
    return [command("blockdev-add", node) for node in flat(top)]


def add_object(one: QemuObject) -> Command:
    """``object-add``."""
    return command("object-add", object_options(one))


def add_chardev(chardev: SocketChardev) -> Command:
    """``chardev-add``."""
    return command("chardev-add", chardev_add(chardev))


def add_device(device: Device) -> Command:
    """``device_add``."""
    return command("device_add", device_options(device))


#: What takes away what a command adds, and the argument that names it.
_REVERSE = {
    "object-add": ("object-del", "id", "id"),
    "blockdev-add": ("blockdev-del", "node-name", "node-name"),
    "device_add": ("device_del", "id", "id"),
    "chardev-add": ("chardev-remove", "id", "id"),
}


def undo(commands: list[Command]) -> list[Command]:
    """The commands that take away what these add, the last first.

    ``device_del`` only asks the guest: DEVICE_DELETED has to be awaited
    before the nodes below can go.
    """
    taken = []
    for one in reversed(commands):
        name, arguments = _parts(one)
        reverse, key, named = _REVERSE[name]
        taken.append(command(reverse, {key: arguments[named]}))
    return taken


def is_shared(one: Command) -> bool:
    """Whether other disks may need what a command adds: a controller, or an object."""
    name, arguments = _parts(one)
    is_controller = name == "device_add" and not {"drive", "chardev"} & arguments.keys()
    return is_controller or name == "object-add"


def _parts(one: Command) -> tuple[str, dict[str, Json]]:
    name, arguments = one["execute"], one["arguments"]
    assert isinstance(name, str)
    assert isinstance(arguments, dict)
    return name, arguments
