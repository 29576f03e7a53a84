"""Files reached over SSH, from their nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from virtquorum.model.parts import Auth
from virtquorum.model.sources.ssh import SshSource
from virtquorum.qemu import graph

if TYPE_CHECKING:
    from virtquorum.qemu.back.storage.context import Context

__all__ = ["source"]


def source(block: graph.Ssh, context: Context, more: dict[str, Any]) -> SshSource:
    """The source that an ssh node is."""
    check = block.host_key_check
    if check is not None and not isinstance(check, graph.SshKnownHosts):
        said = check.hash if isinstance(check, graph.SshHash) else "none"
        why = "QEMU will look into ~/.ssh/known_hosts"
        context.leave(block, "host-key-check", said, why)
    return SshSource(
        name=block.path,
        hosts=(context.host(block.server, SshSource.default_port, block),),
        auth=Auth(username=block.user) if block.user is not None else None,
        **more,
    )
