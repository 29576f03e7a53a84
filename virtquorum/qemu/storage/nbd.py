"""Network block devices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.qemu import graph
from virtquorum.qemu.storage.context import properties_of

if TYPE_CHECKING:
    from virtquorum.model.location import Location
    from virtquorum.model.sources.nbd import NbdSource
    from virtquorum.qemu.storage.context import Context

__all__ = ["storage"]


def storage(source: NbdSource, place: Location | None, name: str, context: Context) -> graph.Nbd:
    """The storage node of an export."""
    tls = context.switch("tls", source.tls, place)
    if source.tls_hostname is not None and not tls:
        raise context.refused("tlsHostname says nothing without TLS", place, "add tls='yes'")
    return graph.Nbd(
        **context.common(name),
        **properties_of(source),
        server=context.server(source, context.one_host(source)),
        tls_creds=context.tls(place) if tls else None,
        tls_hostname=source.tls_hostname,
    )
