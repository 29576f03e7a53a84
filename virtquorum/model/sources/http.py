"""An image on a web server."""

from __future__ import annotations

from typing import ClassVar

from virtquorum.model.node import node
from virtquorum.model.parts import Cookie
from virtquorum.model.sources.network import CurlSource
from virtquorum.model.spelling import Text, attribute, children

__all__ = ["HttpSource"]


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class HttpSource(CurlSource):
    """A file on a web server, read only."""

    protocol: ClassVar[str | None] = "http"
    default_port: ClassVar[int | None] = 80

    query: Text = attribute()
    cookies: tuple[Cookie, ...] = children(Cookie, "cookie", inside="cookies")
