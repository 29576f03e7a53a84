"""A Veritas HyperScale image."""

from __future__ import annotations

from typing import ClassVar

from virtquorum.model.node import node
from virtquorum.model.sources.network import NetworkSource
from virtquorum.model.spelling import YesNo, attribute

__all__ = ["VxhsSource"]


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class VxhsSource(NetworkSource):
    """An image of Veritas HyperScale, which QEMU has dropped; libvirt still reads it."""

    protocol: ClassVar[str | None] = "vxhs"
    default_port: ClassVar[int | None] = 9999

    tls: YesNo = attribute(of="yes-no")
