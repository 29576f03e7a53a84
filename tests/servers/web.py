"""HTTP and HTTPS: files served with ranges, and what clients said to get them."""

from __future__ import annotations

import base64
import re
import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.servers.certificates import Certificates

__all__ = ["Request", "Web", "web"]


class Request(NamedTuple):
    """What a client asked for; ``path`` has the query, both as they came over the wire."""

    method: str
    path: str
    cookie: str | None
    login: str | None


class Web:
    """A running server: its port, and the requests that it answered."""

    def __init__(self, files: Mapping[str, bytes], login: str | None) -> None:
        self.files = files
        self.login = login
        self.port = 0
        self.requests: list[Request] = []


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    web: Web

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is none of the server's trouble."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        web = self.server.web
        login = _login(self.headers.get("Authorization"))
        web.requests.append(Request(self.command, self.path, self.headers.get("Cookie"), login))
        if web.login is not None and login != web.login:
            self._head(401, 0, ("WWW-Authenticate", 'Basic realm="disks"'))
            return
        content = web.files.get(self.path)
        if content is None:
            self._head(404, 0)
            return
        part, status, extra = _range(content, self.headers.get("Range"))
        self._head(status, len(part), ("Accept-Ranges", "bytes"), *extra)
        if body:
            self.wfile.write(part)

    def _head(self, status: int, length: int, *fields: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (("Content-Length", str(length)), *fields):
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing on standard error."""


def _login(field: str | None) -> str | None:
    scheme, _, coded = (field or "").partition(" ")
    return base64.b64decode(coded).decode() if scheme == "Basic" else None


def _range(content: bytes, field: str | None) -> tuple[bytes, int, list[tuple[str, str]]]:
    found = re.fullmatch(r"bytes=(\d+)-(\d*)", field or "")
    if found is None:
        return content, 200, []
    first = int(found[1])
    last = min(int(found[2]) if found[2] else len(content) - 1, len(content) - 1)
    return (
        content[first : last + 1], 206,
        [("Content-Range", f"bytes {first}-{last}/{len(content)}")],
    )  # fmt: skip


@contextmanager
def web(
    files: Mapping[str, bytes], *, login: str | None = None, tls: Certificates | None = None
) -> Iterator[Web]:
    """Serve files by their paths (with their queries) on a port of 127.0.0.1.

    ``login`` is 'user:password', without which nothing is given out.
    """
    served = Web(files, login)
    server = _Server(("127.0.0.1", 0), _Handler)
    server.web = served
    served.port = server.server_address[1]
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls.chain, tls.key)
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
