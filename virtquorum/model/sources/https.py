"""An image on a web server, over TLS."""

from __future__ import annotations

from typing import ClassVar

from virtquorum.model.node import node
from virtquorum.model.parts import Cookie
from virtquorum.model.sources.network import CurlSource
from virtquorum.model.spelling import Text, YesNo, attribute, children

__all__ = ["HttpsSource"]


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class HttpsSource(CurlSource):
    """A file on a web server, read only, over TLS."""

    protocol: ClassVar[str | None] = "https"
    default_port: ClassVar[int | None] = 443

    query: Text = attribute()
    ssl_verify: YesNo = attribute("verify", of="yes-no", inside="ssl")
    cookies: tuple[Cookie, ...] = children(Cookie, "cookie", inside="cookies")
