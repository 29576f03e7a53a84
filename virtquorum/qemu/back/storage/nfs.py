"""Files on NFS servers, from their nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from virtquorum.model.parts import Host
from virtquorum.model.sources.nfs import NfsSource

if TYPE_CHECKING:
    from virtquorum.qemu import graph
    from virtquorum.qemu.back.storage.context import Context

__all__ = ["source"]


def source(block: graph.Nfs, context: Context, more: dict[str, Any]) -> NfsSource:
    """The source that an nfs node is; a user or group of a number is '+0', as libvirt has it."""
    return NfsSource(
        name=block.path,
        hosts=(Host(name=block.server.host),),
        user=None if block.user is None else f"+{block.user}",
        group=None if block.group is None else f"+{block.group}",
        **more,
    )
