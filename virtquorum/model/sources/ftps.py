"""An image on an FTP server, over TLS."""

from __future__ import annotations

from typing import ClassVar

from virtquorum.model.node import node
from virtquorum.model.sources.network import CurlSource
from virtquorum.model.spelling import YesNo, attribute

__all__ = ["FtpsSource"]


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class FtpsSource(CurlSource):
    """A file on an FTP server, read only, over TLS."""

    protocol: ClassVar[str | None] = "ftps"
    default_port: ClassVar[int | None] = 990

    ssl_verify: YesNo = attribute("verify", of="yes-no", inside="ssl")
