"""iSCSI units, from their nodes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from virtquorum.model.parts import Host
from virtquorum.model.sources.iscsi import IscsiSource

if TYPE_CHECKING:
    from virtquorum.qemu import graph
    from virtquorum.qemu.back.storage.context import Context

__all__ = ["source"]

_PORTAL: Final = re.compile(r"\[([^\]]*)\](?::([0-9]+))?|([^:]*)(?::([0-9]+))?")


def source(block: graph.Iscsi, context: Context, more: dict[str, Any]) -> IscsiSource:
    """The source that an iscsi node is."""
    if block.transport != "tcp":
        context.leave(block, "transport", block.transport, "libvirt reaches iSCSI over TCP")
    return IscsiSource(
        name=f"{block.target}/{block.lun}" if block.lun else block.target,
        hosts=(_host(block, context),),
        initiator=block.initiator_name,
        auth=context.auth(block, "user", block.user, block.password_secret, "iscsi"),
        **more,
    )


def _host(block: graph.Iscsi, context: Context) -> Host:
    found = _PORTAL.fullmatch(block.portal)
    if found is None:
        raise context.error(
            block, "portal", f"is '{block.portal}'", "it is HOST:PORT, IPv6 in brackets"
        )
    port = found[2] or found[4] or "0"
    return Host(
        name=found[1] or found[3] or "", port=context.port(port, IscsiSource.default_port, block)
    )
