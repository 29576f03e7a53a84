"""In a few words, where an image's data is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.model.image import ForeignSource, Quorum

if TYPE_CHECKING:
    from virtquorum.model.parts import Host, PciAddress
    from virtquorum.model.sources import AnySource

__all__ = ["where"]


def where(source: AnySource) -> str | None:
    """A source's location as people say it, None if the document does not give one.

    Files and devices by their path; network sources as
    ``protocol://host:port/name``, with ``unix:SOCKET`` for a socket.
    """
    if isinstance(source, Quorum):
        return None
    if isinstance(source, ForeignSource):
        if source.element is None:
            return None
        return " ".join(f"{name}='{value}'" for name, value in source.element.attributes) or None
    protocol = source.protocol
    if protocol is not None:
        hosts: tuple[Host, ...] = getattr(source, "hosts", ())
        name = getattr(source, "name", None) or ""
        query = getattr(source, "query", None)
        end = f"/{name.removeprefix('/')}" if name else ""
        return f"{protocol}://{','.join(_host(one) for one in hosts)}{end}" + (
            f"?{query.removeprefix('?')}" if query else ""
        )
    match source.type:
        case "volume":
            pool, volume = getattr(source, "pool", None), getattr(source, "volume", None)
            return f"{pool or '?'}/{volume or '?'}" if pool or volume else None
        case "nvme":
            address: PciAddress | None = getattr(source, "address", None)
            namespace = getattr(source, "namespace", None)
            if address is None:
                return None
            bus = ":".join(_hex(one) for one in (address.domain, address.bus, address.slot))
            return f"{bus}.{_hex(address.function)} namespace {namespace}"
        case "block":
            return getattr(source, "dev", None)
        case "vhostuser":
            return getattr(source, "path", None)
        case kind:
            return getattr(source, kind, None)


def _hex(text: str | None) -> str:
    return (text or "?").removeprefix("0x")


def _host(host: Host) -> str:
    if host.socket is not None:
        return f"unix:{host.socket}"
    name = host.name or "?"
    if ":" in name:
        name = f"[{name}]"
    return name if host.port is None else f"{name}:{host.port}"
