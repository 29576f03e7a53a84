"""FTP and FTPS (TLS from the first byte): files that can be read from any offset.

A small server of our own: pyftpdlib has no implicit TLS, which is what
``ftps://`` means to libcurl.
"""

from __future__ import annotations

import socket
import socketserver
import ssl
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.servers.certificates import Certificates

__all__ = ["Ftp", "ftp"]


class Ftp:
    """A running server: its port, and the commands that it was given."""

    def __init__(
        self, files: Mapping[str, bytes], login: str | None, tls: ssl.SSLContext | None
    ) -> None:
        self.files = files
        self.login = login
        self.tls = tls
        self.port = 0
        self.commands: list[str] = []


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    ftp: Ftp

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is none of the server's trouble."""


class _Session(socketserver.StreamRequestHandler):
    server: _Server

    def setup(self) -> None:
        if self.server.ftp.tls is not None:
            self.request = self.server.ftp.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def handle(self) -> None:
        self.user, self.offset, self.folder = "", 0, "/"
        self.allowed = self.server.ftp.login is None
        self.data: socket.socket | None = None
        self._say("220 ready")
        while line := self.rfile.readline():
            text = line.decode().rstrip("\r\n")
            self.server.ftp.commands.append(text)
            word, _, rest = text.partition(" ")
            if word.upper() == "QUIT":
                break
            self._command(word.upper(), rest)
        self._close_data()

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())

    def _command(self, word: str, rest: str) -> None:
        match word:
            case "USER":
                self.user = rest
                self._say("331 password?")
            case "PASS":
                login = self.server.ftp.login
                self.allowed = login in (None, f"{self.user}:{rest}")
                self._say("230 welcome" if self.allowed else "530 no")
            case "PBSZ" | "PROT" | "TYPE" | "NOOP" | "ABOR":
                self._say("200 so be it")
            case _ if not self.allowed:
                self._say("530 log in first")
            case "PWD":
                self._say(f'257 "{self.folder}"')
            case "CWD":
                self.folder = self._path(rest).rstrip("/") + "/"
                self._say("250 there")
            case "EPSV" | "PASV":
                self._listen(word)
            case "REST":
                self.offset = int(rest)
                self._say("350 from there")
            case "SIZE" | "RETR":
                self._file(word, self.server.ftp.files.get(self._path(rest)))
            case _:
                self._say("502 not here")

    def _path(self, name: str) -> str:
        return name if name.startswith("/") else self.folder + name

    def _listen(self, word: str) -> None:
        self._close_data()
        self.data = socket.create_server(("127.0.0.1", 0))
        port = self.data.getsockname()[1]
        if word == "EPSV":
            self._say(f"229 passive (|||{port}|)")
        else:
            self._say(f"227 passive (127,0,0,1,{port >> 8},{port & 255})")

    def _file(self, word: str, content: bytes | None) -> None:
        if content is None:
            self._say("550 no such file")
        elif word == "SIZE":
            self._say(f"213 {len(content)}")
        elif self.data is None:
            self._say("425 passive first")
        else:
            self._say("150 here it comes")
            self._send(content[self.offset :])
            self.offset = 0

    def _send(self, content: bytes) -> None:
        assert self.data is not None
        connection, _ = self.data.accept()
        if self.server.ftp.tls is not None:
            connection = self.server.ftp.tls.wrap_socket(connection, server_side=True)
        with connection:
            try:
                connection.sendall(content)
                if isinstance(connection, ssl.SSLSocket):
                    connection.unwrap()
            except OSError:  # the client had enough
                self._say("426 cut short")
            else:
                self._say("226 done")
        self._close_data()

    def _close_data(self) -> None:
        if self.data is not None:
            self.data.close()
            self.data = None

    def finish(self) -> None:
        with suppress(OSError):
            super().finish()
        self.request.close()


@contextmanager
def ftp(
    files: Mapping[str, bytes], *, login: str | None = None, tls: Certificates | None = None
) -> Iterator[Ftp]:
    """Serve files by their paths on a port of 127.0.0.1; ``login`` is 'user:password'."""
    context = None
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls.chain, tls.key)
    served = Ftp(files, login, context)
    server = _Server(("127.0.0.1", 0), _Session)
    server.ftp = served
    served.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
