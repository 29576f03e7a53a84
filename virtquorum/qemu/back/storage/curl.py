"""What QEMU reads through libcurl, from its nodes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote

from virtquorum.model.parts import Host
from virtquorum.model.sources.ftp import FtpSource
from virtquorum.model.sources.ftps import FtpsSource
from virtquorum.model.sources.http import HttpSource
from virtquorum.model.sources.https import HttpsSource
from virtquorum.qemu import graph
from virtquorum.qemu.storage.curl import UNESCAPED

if TYPE_CHECKING:
    from virtquorum.qemu.back.storage.context import Context

    Curl = HttpSource | HttpsSource | FtpSource | FtpsSource

__all__ = ["source"]

_CLASSES: Final[dict[str, type[Any]]] = {
    "http": HttpSource, "https": HttpsSource, "ftp": FtpSource, "ftps": FtpsSource,
}  # fmt: skip
_URL: Final = re.compile(
    r"[A-Za-z]+://(\[[^\]/?]*\]|[^/?:@\[\]]+)(?::([0-9]{0,5}))?((?:/[^?]*)?)(?:\?(.*))?", re.DOTALL
)


def source(block: graph.Ftp, context: Context, more: dict[str, Any]) -> Curl:
    """The source that a node with an URL is."""
    cls = _CLASSES[block.driver]
    found = _URL.fullmatch(block.url)
    if found is None or not block.url.lower().startswith(f"{block.driver}://"):
        raise context.error(
            block,
            "url",
            f"is no address for the driver '{block.driver}'",
            f"it is {block.driver}://HOST:PORT/PATH",
        )
    host, port, path, query = found.groups()
    if isinstance(block, (graph.Https, graph.Ftps)):
        more = more | {"ssl_verify": block.sslverify}
    if cls in (HttpSource, HttpsSource):
        more = more | {"query": query}
    elif query is not None:
        path = f"{path}?{query}"
    if isinstance(block, graph.Http) and block.cookie_secret is not None:
        why = "write the cookies as <cookies><cookie name='…'>…</cookie></cookies>"
        context.leave(block, "cookie-secret", block.cookie_secret, why)
    made: Curl = cls(
        name=_name(block, path, context),
        hosts=(
            Host(
                name=host.removeprefix("[").removesuffix("]"),
                port=context.port(port or "0", cls.default_port, block),
            ),
        ),
        auth=context.auth(block, "username", block.username, block.password_secret, "iscsi"),
        readahead=block.readahead or None,
        timeout=block.timeout or None,
        **more,
    )
    return made


def _name(block: graph.Ftp, path: str, context: Context) -> str | None:
    """The path without the '/' that libvirt puts before it, unescaped."""
    name = unquote(path, errors="surrogateescape")
    escaped = re.sub("%[0-9a-fA-F]{2}", lambda one: one[0].upper(), path)
    if quote(name, safe=UNESCAPED, errors="surrogateescape") != escaped:
        context.notes.remark(
            context.place(block), f"the address '{block.url}' will be escaped in another way"
        )
    if not name.startswith("//") and name != "/":
        name = name.removeprefix("/")
    return name or None
