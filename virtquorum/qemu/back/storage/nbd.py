"""Exports of NBD servers, from their nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from virtquorum.model.sources.nbd import NbdSource

if TYPE_CHECKING:
    from virtquorum.qemu import graph
    from virtquorum.qemu.back.storage.context import Context

__all__ = ["source"]


def source(block: graph.Nbd, context: Context, more: dict[str, Any]) -> NbdSource:
    """The source that an nbd node is."""
    if block.tls_creds is not None:
        context.objects.tls(block.tls_creds, context.place(block))
    elif block.tls_hostname is not None:
        context.leave(block, "tls-hostname", block.tls_hostname, "there are no tls-creds")
    tls = True if block.tls_creds is not None else None
    return NbdSource(
        name=block.export,
        hosts=(context.host(block.server, NbdSource.default_port, block),),
        tls=tls,
        tls_hostname=block.tls_hostname if tls else None,
        **more,
    )
