"""An image on an NFS server, reached by QEMU itself."""

from __future__ import annotations

from typing import ClassVar

from virtquorum.model.node import node
from virtquorum.model.sources.network import NetworkSource
from virtquorum.model.spelling import Text, attribute

__all__ = ["NfsSource"]


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class NfsSource(NetworkSource):
    """A file on an NFS server, reached by QEMU itself as ``user`` and ``group``."""

    protocol: ClassVar[str | None] = "nfs"

    user: Text = attribute(inside="identity")
    group: Text = attribute(inside="identity")
