"""NBD: one qemu-storage-daemon that serves images on a unix socket, or on TCP, maybe with TLS."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.servers.process import listens, program

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.servers.certificates import Certificates

__all__ = ["nbd_on_socket", "nbd_on_tcp"]


@contextmanager
def nbd_on_socket(images: Mapping[str, Path], socket: Path) -> Iterator[None]:
    """Serve raw images on a unix socket, each writable under its export's name."""
    address = {"type": "unix", "path": str(socket)}
    with program(_argv(images, address), socket.with_suffix(".log"), socket.exists):
        yield
    socket.unlink(missing_ok=True)


@contextmanager
def nbd_on_tcp(
    images: Mapping[str, Path], port: int, log: Path, tls: Certificates | None = None
) -> Iterator[None]:
    """Serve raw images on a port of 127.0.0.1; with TLS, only clients with a certificate."""
    address = {"type": "inet", "host": "127.0.0.1", "port": str(port)}
    with program(_argv(images, address, tls), log, lambda: listens(port)):
        yield


def _argv(
    images: Mapping[str, Path], address: dict[str, str], tls: Certificates | None = None
) -> list[str]:
    server: dict[str, Any] = {"addr": address}
    argv = ["qemu-storage-daemon"]
    if tls is not None:
        argv += ["--object", f"tls-creds-x509,id=tls,endpoint=server,dir={tls.server}"]
        server["tls-creds"] = "tls"
    exports = []
    for number, (name, file) in enumerate(images.items()):
        node = f"image{number}"
        block = {"driver": "file", "node-name": node, "filename": str(file), "locking": "off"}
        argv += ["--blockdev", json.dumps(block)]
        export = {"type": "nbd", "id": f"export{number}", "node-name": node, "name": name}
        exports += ["--export", json.dumps({**export, "writable": True})]
    return [*argv, "--nbd-server", json.dumps(server), *exports]
