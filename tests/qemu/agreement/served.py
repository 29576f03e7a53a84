"""Images on storage servers that run here: what a source says to reach each, and what is there."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.servers.certificates import certificates, missing_for_certificates
from tests.servers.ftp import ftp
from tests.servers.iscsi import iscsi, missing_for_iscsi
from tests.servers.nbd import nbd_on_socket, nbd_on_tcp
from tests.servers.nfs import missing_for_nfs, nfs
from tests.servers.process import HERE, Reach, free_port, lacks_driver
from tests.servers.ssh import missing_for_ssh, ssh
from tests.servers.web import web
from virtquorum.qemu.provided import NOTHING, Provided, SecretFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.servers.certificates import Certificates

__all__ = ["PASSWORD", "PLACES", "SIZE", "USAGE", "Place", "Served", "provided"]

SIZE = 256 * 1024
#: CHAP wants at least 12 signs.
PASSWORD = "open sesame, please"  # noqa: S105
USAGE = "the storage's login"
_LOGIN = f"<auth username='ali'><secret type='iscsi' usage=\"{USAGE}\"/></auth>"


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """A served image: its ``<source>``, and the file behind it if it may be written to."""

    source: str
    file: Path | None = None
    reach: Reach = HERE
    provided: Provided = NOTHING


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A kind of server: ``missing`` says what it takes and is not here.

    ``serve(folder, content)`` runs one that has the image, of random bytes.
    ``reads`` is False where opening it is all that works.
    """

    protocol: str
    serve: Callable[[Path, bytes], AbstractContextManager[Served]]
    missing: Callable[[], Sequence[str]] = list
    reads: bool = True


def provided(folder: Path, tls: Certificates | None = None) -> Provided:
    """The password, and certificates."""
    file = folder / "password"
    file.write_text(PASSWORD)
    made = Provided(
        secrets={USAGE: SecretFile(path=str(file))}, secrets_directory=str(folder)
    )  # fmt: skip
    if tls is not None:
        made.tls_directory = str(tls.client)
    return made


def _source(protocol: str, name: str, inside: str, attributes: str = "") -> str:
    return f"<source protocol='{protocol}' name='{name}'{attributes}>{inside}</source>"


def _host(port: int) -> str:
    return f"<host name='127.0.0.1' port='{port}'/>"


def _image(folder: Path, content: bytes) -> Path:
    file = folder / "served image.raw"
    file.write_bytes(content)
    return file


@contextmanager
def _nbd_unix(folder: Path, content: bytes) -> Iterator[Served]:
    file, socket = _image(folder, content), folder / "nbd.sock"
    with nbd_on_socket({"an export": file}, socket):
        host = f"<host transport='unix' socket='{socket}'/>"
        yield Served(source=_source("nbd", "an export", host), file=file)


@contextmanager
def _nbd_tcp(folder: Path, content: bytes) -> Iterator[Served]:
    file, port = _image(folder, content), free_port()
    with nbd_on_tcp({"an export": file}, port, folder / "nbd.log"):
        yield Served(source=_source("nbd", "an export", _host(port)), file=file)


@contextmanager
def _nbd_tls(folder: Path, content: bytes) -> Iterator[Served]:
    file, port = _image(folder, content), free_port()
    made = certificates(folder / "tls", "disks.example.org")
    with nbd_on_tcp({"an export": file}, port, folder / "nbd.log", made):
        attributes = " tls='yes' tlsHostname='disks.example.org'"
        yield Served(
            source=_source("nbd", "an export", _host(port), attributes),
            file=file,
            provided=provided(folder, made),
        )


@contextmanager
def _http(folder: Path, content: bytes) -> Iterator[Served]:
    with web({"/disks/a%20b,c.raw?token=x%2Cy&z": content}) as server:
        attributes = " query='token=x%2Cy&amp;z'"
        more = "<readahead size='65536'/><timeout seconds='9'/>"
        yield Served(
            source=_source("http", "disks/a b,c.raw", _host(server.port) + more, attributes)
        )


@contextmanager
def _http_login(folder: Path, content: bytes) -> Iterator[Served]:
    with web({"/disk": content}, login=f"ali:{PASSWORD}") as server:
        cookies = "<cookies><cookie name='a'>b,c</cookie><cookie name='d'>e</cookie></cookies>"
        yield Served(
            source=_source("http", "/disk", _host(server.port) + cookies + _LOGIN),
            provided=provided(folder),
        )
        assert {one.cookie for one in server.requests} == {"a=b,c; d=e"}


@contextmanager
def _https(folder: Path, content: bytes) -> Iterator[Served]:
    made = certificates(folder / "tls", "127.0.0.1")
    with web({"/disk": content}, login=f"ali:{PASSWORD}", tls=made) as server:
        inside = _host(server.port) + "<ssl verify='no'/>" + _LOGIN
        yield Served(source=_source("https", "disk", inside), provided=provided(folder))


@contextmanager
def _ftp(folder: Path, content: bytes) -> Iterator[Served]:
    with ftp({"/disks/a b.raw": content}) as server:
        yield Served(source=_source("ftp", "disks/a b.raw", _host(server.port)))


@contextmanager
def _ftps(folder: Path, content: bytes) -> Iterator[Served]:
    made = certificates(folder / "tls", "127.0.0.1")
    with ftp({"/disk": content}, login=f"ali:{PASSWORD}", tls=made) as server:
        inside = _host(server.port) + "<ssl verify='no'/>" + _LOGIN
        yield Served(source=_source("ftps", "disk", inside), provided=provided(folder))


@contextmanager
def _ssh(folder: Path, content: bytes) -> Iterator[Served]:
    file = _image(folder, content)
    with ssh(folder) as server:
        yield Served(
            source=_source("ssh", str(file), _host(server.port)), file=file, reach=server.reach
        )


@contextmanager
def _iscsi(folder: Path, content: bytes) -> Iterator[Served]:
    file = _image(folder, content)
    with iscsi({1: file}, folder) as server:
        yield Served(source=_source("iscsi", f"{server.target}/1", _host(server.port)), file=file)


@contextmanager
def _iscsi_login(folder: Path, content: bytes) -> Iterator[Served]:
    file = _image(folder, content)
    with iscsi({2: file}, folder, login=("ali", PASSWORD)) as server:
        initiator = "<initiator><iqn name='iqn.2020-01.org.example:client'/></initiator>"
        inside = _host(server.port) + initiator + _LOGIN
        yield Served(
            source=_source("iscsi", f"{server.target}/2", inside),
            file=file,
            provided=provided(folder),
        )


@contextmanager
def _nfs(folder: Path, content: bytes) -> Iterator[Served]:
    exported = folder / "exported"
    exported.mkdir()
    file = _image(exported, content)
    own = f"<identity user='+{os.geteuid()}' group='+{os.getegid()}'/>"
    with nfs(exported, folder) as server:
        inside = "<host name='127.0.0.1'/>" + own
        yield Served(source=_source("nfs", str(file), inside), file=file, reach=server.reach)


def _missing_for_curl() -> list[str]:
    return lacks_driver("https")


def _missing_for_curl_with_tls() -> list[str]:
    return [*_missing_for_curl(), *missing_for_certificates()]


PLACES = {
    "nbd, unix": Place(protocol="nbd", serve=_nbd_unix),
    "nbd, tcp": Place(protocol="nbd", serve=_nbd_tcp),
    "nbd, tls": Place(protocol="nbd", serve=_nbd_tls, missing=missing_for_certificates),
    "http": Place(protocol="http", serve=_http, missing=_missing_for_curl),
    "http, login and cookies": Place(protocol="http", serve=_http_login, missing=_missing_for_curl),
    "https": Place(protocol="https", serve=_https, missing=_missing_for_curl_with_tls),
    "ftp": Place(protocol="ftp", serve=_ftp, missing=_missing_for_curl),
    # libcurl 7.88, as Debian 12 has it, does not tell QEMU to wait for the control connection
    # once there is one for data: every answer that is not there already is waited for in vain.
    "ftps": Place(protocol="ftps", serve=_ftps, missing=_missing_for_curl_with_tls, reads=False),
    "ssh": Place(protocol="ssh", serve=_ssh, missing=missing_for_ssh),
    "iscsi": Place(protocol="iscsi", serve=_iscsi, missing=missing_for_iscsi),
    "iscsi, login": Place(protocol="iscsi", serve=_iscsi_login, missing=missing_for_iscsi),
    "nfs": Place(protocol="nfs", serve=_nfs, missing=missing_for_nfs),
}
