"""A Ceph block device."""

from __future__ import annotations

from typing import ClassVar

from virtquorum.model.node import node
from virtquorum.model.sources.network import NetworkSource
from virtquorum.model.spelling import Text, attribute

__all__ = ["RbdSource"]


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class RbdSource(NetworkSource):
    """An image of a Ceph pool; ``name`` is pool/image."""

    protocol: ClassVar[str | None] = "rbd"

    snapshot: Text = attribute("name", inside="snapshot")
    config: Text = attribute("file", inside="config")
