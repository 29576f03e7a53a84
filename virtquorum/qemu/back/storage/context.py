"""What the reading of a storage node needs of what is around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.errors import ArgumentError
from virtquorum.model.parts import Auth, Host
from virtquorum.qemu.graph import InetAddress, UnixServer

if TYPE_CHECKING:
    from virtquorum.model.location import Location
    from virtquorum.model.parts import Secret
    from virtquorum.qemu.back.graph import Nodes
    from virtquorum.qemu.back.notes import Notes
    from virtquorum.qemu.back.objects import Objects
    from virtquorum.qemu.graph import Block

__all__ = ["Context"]


class Context:
    """The objects and nodes of a reading, and its notes."""

    def __init__(self, nodes: Nodes, objects: Objects, notes: Notes) -> None:
        self.nodes = nodes
        self.objects = objects
        self.notes = notes

    def place(self, block: Block) -> Location:
        """Where a node was said."""
        return self.nodes.origin(block).place

    def path(self, block: Block, name: str) -> str:
        """A property of a node by its path in its argument."""
        above = self.nodes.origin(block).path
        return f"{above}.{name}" if above else name

    def error(
        self, block: Block, name: str, wrong: str, remedy: str | None = None
    ) -> ArgumentError:
        """The error about a property of a node."""
        message = f"'{self.path(block, name)}' {wrong}"
        return ArgumentError(message, place=self.place(block), remedy=remedy)

    def leave(self, block: Block, name: str, value: object, why: str | None = None) -> None:
        """Say that a property of a node has no XML."""
        origin = self.nodes.origin(block)
        self.notes.leave(origin.place, self.path(block, name), value, why)

    def host(self, server: InetAddress | UnixServer, default: int | None, block: Block) -> Host:
        """A host; a port that is the protocol's own is not written."""
        if isinstance(server, UnixServer):
            return Host(transport="unix", socket=server.path)
        return Host(name=server.host, port=self.port(server.port, default, block))

    def port(self, text: str, default: int | None, block: Block) -> int | None:
        """A port that is a number; None for the protocol's own, and for 0, which is none."""
        if not (text.isascii() and text.isdigit() and len(text) < 7 and int(text) < 65536):
            raise self.error(block, "server", f"has the port '{text[:60]}', which is no number")
        number = int(text)
        return None if number in (0, default) else number

    def auth(
        self, block: Block, name: str, user: str | None, id: str | None, type: str
    ) -> Auth | None:
        """Who logs in, with which secret; libvirt knows neither alone."""
        if user is None and id is None:
            return None
        if user is None or id is None:
            value = user if user is not None else id
            self.leave(block, name, value, "libvirt's <auth> takes a user with a secret")
            return None
        return Auth(username=user, secret=self.secret(block, id, type))

    def secret(self, block: Block, id: str, type: str) -> Secret:
        """The libvirt secret that an object stands for."""
        return self.objects.secret(id, type, self.place(block))
