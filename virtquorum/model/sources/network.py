"""What the network protocols have in common."""

from __future__ import annotations

from typing import ClassVar

from virtquorum.model.node import node
from virtquorum.model.parts import Host
from virtquorum.model.source import StoredSource
from virtquorum.model.spelling import Integer, Text, attribute, children

__all__ = ["CurlSource", "NetworkSource"]


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class NetworkSource(StoredSource):
    """A source reached over a network; ``name`` means what the protocol makes of it.

    ``tls_from_config`` is libvirt's own note in its status files.
    """

    type: ClassVar[str] = "network"
    default_port: ClassVar[int | None] = None

    name: Text = attribute()
    tls_from_config: Text = attribute("tlsFromConfig", tail=1)
    hosts: tuple[Host, ...] = children(Host, "host")


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class CurlSource(NetworkSource):
    """What is fetched, as QEMU does through libcurl: read ahead in bytes, time-out in seconds."""

    readahead: Integer = attribute("size", of="integer", inside="readahead", tail=1)
    timeout: Integer = attribute("seconds", of="integer", inside="timeout", tail=1)
