"""An image on a TFTP server."""

from __future__ import annotations

from typing import ClassVar

from virtquorum.model.node import node
from virtquorum.model.sources.network import CurlSource

__all__ = ["TftpSource"]


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class TftpSource(CurlSource):
    """A file on a TFTP server, which QEMU has dropped; libvirt still reads it."""

    protocol: ClassVar[str | None] = "tftp"
    default_port: ClassVar[int | None] = 69
