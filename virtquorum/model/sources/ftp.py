"""An image on an FTP server."""

from __future__ import annotations

from typing import ClassVar

from virtquorum.model.node import node
from virtquorum.model.sources.network import CurlSource

__all__ = ["FtpSource"]


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class FtpSource(CurlSource):
    """A file on an FTP server, read only."""

    protocol: ClassVar[str | None] = "ftp"
    default_port: ClassVar[int | None] = 21
