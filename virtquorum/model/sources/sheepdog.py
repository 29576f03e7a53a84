"""A Sheepdog image."""

from __future__ import annotations

from typing import ClassVar

from virtquorum.model.node import node
from virtquorum.model.sources.network import CurlSource

__all__ = ["SheepdogSource"]


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class SheepdogSource(CurlSource):
    """An image of Sheepdog, which QEMU has dropped; libvirt still reads it."""

    protocol: ClassVar[str | None] = "sheepdog"
    default_port: ClassVar[int | None] = 7000
