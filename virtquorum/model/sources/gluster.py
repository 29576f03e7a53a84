"""An image on a Gluster volume."""

from __future__ import annotations

from typing import ClassVar

from virtquorum.model.node import node
from virtquorum.model.sources.network import NetworkSource

__all__ = ["GlusterSource"]


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class GlusterSource(NetworkSource):
    """A file on a Gluster volume; ``name`` is volume/path."""

    protocol: ClassVar[str | None] = "gluster"
    default_port: ClassVar[int | None] = 24007
