"""In a few words, where an image's data is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.model.image import Quorum
from virtquorum.model.source import ForeignSource

if TYPE_CHECKING:
    from virtquorum.model.image import AnySource
    from virtquorum.model.parts import Host, PciAddress

__all__ = ["other_hosts", "where"]


def where(source: AnySource) -> str | None:
    """A source's location as people say it, None if the document does not give one.

    Files and devices by their path; network sources by a URL as QEMU and the
    protocol's own tools take it, with the first host: ``nbd://host:port/name``,
    ``nbd+unix:///name?socket=PATH``.
    """
    if isinstance(source, Quorum):
        return None
    if isinstance(source, ForeignSource):
        if source.element is None:
            return None
        return " ".join(f"{name}='{value}'" for name, value in source.element.attributes) or None
    if source.protocol is not None:
        return _url(source, source.protocol)
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
            number = "?" if namespace is None else namespace
            return f"{bus}.{_hex(address.function)} namespace {number}"
        case "file":
            path, group = getattr(source, "file", None), getattr(source, "fdgroup", None)
            return path or (f"fdgroup {group}" if group else None)
        case "block":
            return getattr(source, "dev", None) or None
        case "vhostuser":
            return getattr(source, "path", None) or None
        case kind:
            return getattr(source, kind, None) or None


def other_hosts(source: AnySource) -> list[str]:
    """The hosts beyond the one in ``where``: the storage is reached by any of them."""
    hosts: tuple[Host, ...] = getattr(source, "hosts", ())
    return [_host(one) if one.socket is None else f"unix:{one.socket}" for one in hosts[1:]]


def _url(source: AnySource, protocol: str) -> str | None:
    hosts: tuple[Host, ...] = getattr(source, "hosts", ())
    name = getattr(source, "name", None) or ""
    query = (getattr(source, "query", None) or "").removeprefix("?")
    if not hosts and not name:
        return None
    end = f"/{name.removeprefix('/')}" if name else ""
    if hosts and hosts[0].socket is not None:
        return f"{protocol}+unix://{end or '/'}?socket={hosts[0].socket}"
    at = _host(hosts[0]) if hosts else ""
    if hosts and hosts[0].transport not in (None, "tcp"):
        protocol = f"{protocol}+{hosts[0].transport}"
    return f"{protocol}://{at}{end}" + (f"?{query}" if query else "")


def _hex(text: str | None) -> str:
    return (text or "?").removeprefix("0x")


def _host(host: Host) -> str:
    name = host.name or "?"
    if ":" in name:
        name = f"[{name}]"
    return name if host.port is None else f"{name}:{host.port}"
