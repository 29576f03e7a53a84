"""A network block device."""

from __future__ import annotations

from typing import ClassVar

from virtquorum.model.node import node
from virtquorum.model.sources.network import NetworkSource
from virtquorum.model.spelling import Text, YesNo, attribute

__all__ = ["NbdSource"]


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class NbdSource(NetworkSource):
    """An export of an NBD server; ``name`` is the export, ``tls`` asks for encryption."""

    protocol: ClassVar[str | None] = "nbd"
    default_port: ClassVar[int | None] = 10809

    name: Text = attribute(qemu="export")
    tls: YesNo = attribute(of="yes-no")
    tls_hostname: Text = attribute("tlsHostname")
