"""Files of Gluster volumes, from their nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from virtquorum.model.sources.gluster import GlusterSource
from virtquorum.qemu.storage.gluster import DEBUG

if TYPE_CHECKING:
    from virtquorum.qemu import graph
    from virtquorum.qemu.back.storage.context import Context

__all__ = ["source"]


def source(block: graph.Gluster, context: Context, more: dict[str, Any]) -> GlusterSource:
    """The source that a gluster node is."""
    if block.debug not in (None, DEBUG):
        context.leave(block, "debug", block.debug, "gluster_debug_level in libvirt's qemu.conf")
    if "/" in block.volume or not block.volume:
        raise context.error(block, "volume", f"is '{block.volume}', which is no volume")
    port = GlusterSource.default_port
    return GlusterSource(
        name=f"{block.volume}/{block.path}",
        hosts=tuple(context.host(server, port, block) for server in block.server),
        **more,
    )
