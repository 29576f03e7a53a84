"""The character device that leads to a vhost-user server, typed as ``-chardev`` has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from virtquorum.model.node import node
from virtquorum.qemu.qapi import Struct, integer, json_of, text

if TYPE_CHECKING:
    from virtquorum.json_text import Json

__all__ = ["SocketChardev", "chardev_add", "chardev_options"]


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class SocketChardev(Struct):
    """The client of a unix socket; ``reconnect`` in seconds, 0 for never."""

    backend: ClassVar[str] = "socket"

    id: str = text(required=True)
    path: str = text(required=True)
    reconnect: int | None = integer()


def chardev_options(chardev: SocketChardev) -> dict[str, Json]:
    """A character device as ``-chardev`` takes it: ``socket,id=…,path=…``, less the first word."""
    return json_of(chardev, lambda _: None)


def chardev_add(chardev: SocketChardev) -> dict[str, Json]:
    """The arguments of QMP's ``chardev-add``."""
    data: dict[str, Json] = {
        "addr": {"type": "unix", "data": {"path": chardev.path}},
        "server": False,
    }
    if chardev.reconnect is not None:
        data["reconnect"] = chardev.reconnect
    return {"id": chardev.id, "backend": {"type": chardev.backend, "data": data}}
