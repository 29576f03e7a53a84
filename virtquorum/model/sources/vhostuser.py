"""A vhost-user-blk server."""

from __future__ import annotations

from typing import ClassVar

from virtquorum.model.node import node
from virtquorum.model.source import Source
from virtquorum.model.spelling import Integer, Text, YesNo, attribute

__all__ = ["VhostUserSource"]


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class VhostUserSource(Source):
    """A disk served by another process over a vhost-user socket; QEMU has no block node for it."""

    type: ClassVar[str] = "vhostuser"

    socket_type: Text = attribute("type", choices=("unix",))
    path: Text = attribute()
    reconnect_enabled: YesNo = attribute("enabled", of="yes-no", inside="reconnect")
    reconnect_timeout: Integer = attribute("timeout", of="integer", inside="reconnect")
