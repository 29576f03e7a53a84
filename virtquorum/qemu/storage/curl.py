"""What QEMU reads through libcurl: http, https, ftp, ftps."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from virtquorum.model.sources.ftps import FtpsSource
from virtquorum.model.sources.http import HttpSource
from virtquorum.model.sources.https import HttpsSource
from virtquorum.qemu import graph

if TYPE_CHECKING:
    from virtquorum.model.location import Location
    from virtquorum.model.parts import Cookie
    from virtquorum.model.sources.ftp import FtpSource
    from virtquorum.qemu.storage.context import Context

    Curl = HttpSource | HttpsSource | FtpSource | FtpsSource

__all__ = ["UNESCAPED", "storage"]

_CLASSES: Final = {
    "http": graph.Http, "https": graph.Https, "ftp": graph.Ftp, "ftps": graph.Ftps,
}  # fmt: skip
#: What stands for itself in a path, beside letters and digits, by libxml2's xmlSaveUri.
UNESCAPED: Final = "/;@&=+$,-_.!~*'()"
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_NO_QUERY: Final = re.compile(r"[\x00-\x20#\x7f]")


def storage(source: Curl, place: Location | None, name: str, context: Context) -> graph.Ftp:
    """The storage node of a file behind an URL."""
    assert source.protocol is not None
    more: dict[str, Any] = {}
    auth = context.auth(source)
    if auth is not None:
        more["username"] = auth.username
        more["password_secret"] = context.password(auth, source)
    if isinstance(source, (HttpsSource, FtpsSource)):
        more["sslverify"] = context.switch("verify", source.ssl_verify, place)
    if isinstance(source, (HttpSource, HttpsSource)) and source.cookies:
        text = "; ".join(_cookie(one, place, context) for one in source.cookies)
        more["cookie_secret"] = context.cookies(text, name, place)
    return _CLASSES[source.protocol](
        **context.common(name),
        url=_url(source, place, context),
        readahead=context.number("readahead", source.readahead, place) or None,
        timeout=context.number("timeout", source.timeout, place) or None,
        **more,
    )


def _cookie(cookie: Cookie, place: Location | None, context: Context) -> str:
    """A cookie that stays one; its value is in no message."""
    place = cookie.location or place
    name, value = cookie.name or "", cookie.value or ""
    if _CONTROL.search(name + value):
        raise context.refused("a cookie holds a line end or another control character", place)
    if not value.strip():
        raise context.refused(
            f"the cookie '{name}' has no value",
            place,
            "write what 'virsh dumpxml --security-info' shows",
        )
    shown = re.split(r"[\s;=]", name)[0]  # what follows may be a value
    if shown != name or not name or ";" in value:
        raise context.refused(
            f"the cookie '{shown}' is none that a server would take for one",
            place,
            "a name holds no white space, ';' or '=', and a value no ';'",
        )
    return f"{name}={value}"


def _url(source: Curl, place: Location | None, context: Context) -> str:
    """The URL as libvirt builds it: the port always, the path escaped, the query as it is."""
    host = context.one_host(source)
    name, port = context.tcp_host(source, host), context.port(source, host)
    if ":" in name:
        name = f"[{name}]"
    path = source.name
    if not path:
        raise context.refused(
            f"a source of {source.protocol} is named by its path", place, "name='/PATH'"
        )
    if not path.startswith("/"):
        path = f"/{path}"
    url = f"{source.protocol}://{name}:{port}{quote(path, safe=UNESCAPED)}"
    query = source.query if isinstance(source, (HttpSource, HttpsSource)) else None
    if query is None:
        return url
    if _NO_QUERY.search(query):
        raise context.refused(
            "the query holds white space or '#', which would end it",
            place,
            "write them as '%20' and '%23'",
        )
    return f"{url}?{query}"
