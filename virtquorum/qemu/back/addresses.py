"""QEMU's addresses of storage on a network, each protocol as its driver reads it.

A password in an address is taken out at once: what stays is the id of a
secret that has to be defined.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote

from virtquorum.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable

    from virtquorum.qemu.back.notes import Notes
    from virtquorum.qemu.back.place import Place

__all__ = ["ADDRESSES", "hosts", "rbd", "take_password"]

_URI: Final = re.compile(
    r"([A-Za-z][A-Za-z0-9+.-]*)://(?:([^/?#]*)@)?(\[[^\]/?#]*\]|[^/?#:]*)(?::([0-9]{0,5}))?"
    r"((?:/[^?#]*)?)(?:\?([^#]*))?",
    re.DOTALL,
)
_LEGACY_NBD: Final = re.compile(r"(\[[^\]]*\]|[^:]*):([^:,]*)(.*)", re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)


class _Uri(NamedTuple):
    """An address taken apart; host, path and query values are unescaped."""

    scheme: str
    user: str | None
    host: str
    port: str
    path: str
    query: dict[str, str]


def _uri(text: str, place: Place, example: str) -> _Uri:
    found = _URI.fullmatch(text)
    if found is None:
        raise ArgumentError(
            "this is no address that QEMU takes", place=place, remedy=f"it is {example}"
        )
    scheme, user, host, port, path, query = found.groups()
    pairs = [one.partition("=") for one in (query or "").split("&") if one]
    return _Uri(
        scheme,
        user,
        unquote(host.removeprefix("[").removesuffix("]")),
        port or "",
        unquote(path or ""),
        {unquote(key): unquote(value) for key, _, value in pairs},
    )


def _unknown_query(uri: _Uri, known: tuple[str, ...], place: Place) -> None:
    for key in uri.query:
        if key not in known:
            raise ArgumentError(
                f"'{key}' means nothing in an address with '{uri.scheme}:'",
                place=place,
                remedy=f"known is: {', '.join(known) or 'nothing'}",
            )


def _nbd(text: str, place: Place, notes: Notes) -> dict[str, Any]:
    if "://" not in text:
        return _old_nbd(text, place)
    uri = _uri(text, place, "nbd://HOST:PORT/EXPORT or nbd+unix:///EXPORT?socket=PATH")
    options: dict[str, Any] = {"driver": "nbd"}
    if uri.scheme == "nbd+unix":
        if uri.host or uri.port or uri.query.keys() != {"socket"}:
            raise ArgumentError(
                "a socket is not named so", place=place, remedy="nbd+unix:///EXPORT?socket=PATH"
            )
        options |= {"server.type": "unix", "server.path": uri.query["socket"]}
    else:
        _unknown_query(uri, (), place)
        if not uri.host:
            raise ArgumentError("the address names no host", place=place)
        options |= _inet("server", uri.host, uri.port or "10809")
    if export := uri.path.lstrip("/"):
        options["export"] = export
    return options


def _old_nbd(text: str, place: Place) -> dict[str, Any]:
    """``nbd:HOST:PORT`` and ``nbd:unix:PATH``, with ``:exportname=…`` behind."""
    where, named, export = text.removeprefix("nbd:").partition(":exportname=")
    options: dict[str, Any] = {"driver": "nbd"}
    if where.startswith("unix:"):
        options |= {"server.type": "unix", "server.path": where.removeprefix("unix:")}
    else:
        found = _LEGACY_NBD.fullmatch(where)
        if found is None or not found[1] or not found[2] or found[3]:
            raise ArgumentError(
                f"'{where}' is no host and port",
                place=place,
                remedy="it is nbd:HOST:PORT or nbd:unix:PATH",
            )
        options |= _inet("server", found[1].removeprefix("[").removesuffix("]"), found[2])
    if named:
        options["export"] = export
    return options


def _inet(key: str, host: str, port: str, *, type: str = "inet") -> dict[str, Any]:
    return {f"{key}.type": type, f"{key}.host": host, f"{key}.port": port}


def take_password(url: str, place: Place, notes: Notes) -> tuple[str, dict[str, Any]]:
    """An URL without user and password, and the options that say them instead."""
    found = _URI.fullmatch(url)
    if found is None or found[2] is None:
        return url, {}
    start, stop = found.span(2)
    name, given, _ = found[2].partition(":")
    options: dict[str, Any] = {"username": unquote(name)}
    if given:
        options["password-secret"] = notes.password(f"{unquote(name)} at {found[3]}")
    return url[:start] + url[stop + 1 :], options


def _curl(text: str, place: Place, notes: Notes) -> dict[str, Any]:
    scheme = text.partition(":")[0]
    more: dict[str, Any] = {}
    if old := re.search(r":readahead=([0-9]+[kKmMgG]?):\Z", text):
        text, more["readahead"] = text[: old.start()], old[1]
    url, login = take_password(text, place, notes)
    if _URI.match(url) is None:
        raise ArgumentError(
            "this is no address that QEMU takes", place=place, remedy=f"it is {scheme}://HOST/PATH"
        )
    return {"driver": scheme, "url": url, **login, **more}


def _iscsi(text: str, place: Place, notes: Notes) -> dict[str, Any]:
    uri = _uri(text, place, "iscsi://[USER%PASSWORD@]HOST[:PORT]/IQN/LUN")
    target, _, lun = uri.path.lstrip("/").rpartition("/")
    if not uri.host or not target or not re.fullmatch(r"[0-9]{1,9}", lun):
        raise ArgumentError(
            "this is no address of an iSCSI unit",
            place=place,
            remedy="it is iscsi://[USER%PASSWORD@]HOST[:PORT]/IQN/LUN",
        )
    host = f"[{uri.host}]" if ":" in uri.host else uri.host
    options: dict[str, Any] = {
        "driver": "iscsi",
        "transport": "iser" if uri.scheme == "iser" else "tcp",
        "portal": f"{host}:{uri.port or 3260}",
        "target": target,
        "lun": lun,
    }
    if uri.user is not None:
        user, given, _ = uri.user.partition("%")
        options["user"] = user
        if given:
            options["password-secret"] = notes.password(f"{user} at {uri.host}")
    for key in uri.query:
        notes.leave(place, f"file: {key}", uri.query[key])
    return options


def _gluster(text: str, place: Place, notes: Notes) -> dict[str, Any]:
    example = "gluster[+tcp|+unix]://[HOST[:PORT]]/VOLUME/PATH[?socket=PATH]"
    uri = _uri(text, place, example)
    volume, _, path = uri.path.lstrip("/").partition("/")
    if not volume or not path:
        raise ArgumentError(
            "the address names no volume and path", place=place, remedy=f"it is {example}"
        )
    options: dict[str, Any] = {"driver": "gluster", "volume": volume, "path": path}
    if uri.scheme == "gluster+unix":
        if not uri.query.get("socket"):
            raise ArgumentError(
                "the address names no socket", place=place, remedy=f"it is {example}"
            )
        options |= {"server.0.type": "unix", "server.0.path": uri.query["socket"]}
    else:
        options |= _inet("server.0", uri.host or "localhost", uri.port or "24007")
        if uri.scheme == "gluster+rdma":
            notes.remark(place, "QEMU has no RDMA for Gluster any more, and takes TCP")
    for key in uri.query.keys() - {"socket"}:
        options[key] = uri.query[key]
    return options


def _nfs(text: str, place: Place, notes: Notes) -> dict[str, Any]:
    uri = _uri(text, place, "nfs://HOST/EXPORT/FILE[?uid=NUMBER&gid=NUMBER]")
    if not uri.host or not uri.path:
        raise ArgumentError("the address names no host and path", place=place)
    options: dict[str, Any] = {
        "driver": "nfs", "server.type": "inet", "server.host": uri.host, "path": uri.path,
    }  # fmt: skip
    names = {
        "uid": "user", "gid": "group", "tcp-syncnt": "tcp-syn-count", "readahead": "readahead-size",
        "pagecache": "page-cache-size", "debug": "debug",
    }  # fmt: skip
    _unknown_query(uri, tuple(names), place)
    return options | {names[key]: value for key, value in uri.query.items()}


def _ssh(text: str, place: Place, notes: Notes) -> dict[str, Any]:
    uri = _uri(text, place, "ssh://[USER@]HOST[:PORT]/PATH[?host_key_check=no]")
    _unknown_query(uri, ("host_key_check",), place)
    if not uri.host or not uri.path:
        raise ArgumentError("the address names no host and path", place=place)
    options: dict[str, Any] = {
        "driver": "ssh", "path": uri.path, "server.host": uri.host, "server.port": uri.port or "22",
    }  # fmt: skip
    if uri.user is not None:
        user, given, _ = uri.user.partition(":")
        options["user"] = unquote(user)
        if given:
            notes.remark(place, "QEMU takes no password in an address of SSH; it is left out")
    return options | host_key_check(uri.query.get("host_key_check"), place)


def host_key_check(said: str | None, place: Place) -> dict[str, Any]:
    """The older word for how a host's key is checked, as options."""
    if said is None:
        return {}
    if said in ("no", "yes"):
        return {"host-key-check.mode": "none" if said == "no" else "known_hosts"}
    kind, colon, digest = said.partition(":")
    if not colon or kind not in ("md5", "sha1", "sha256"):
        raise ArgumentError(
            f"host_key_check is '{said}'",
            place=place,
            remedy="it is 'no', 'yes', 'md5:…', 'sha1:…' or 'sha256:…'",
        )
    return {
        "host-key-check.mode": "hash", "host-key-check.type": kind, "host-key-check.hash": digest,
    }  # fmt: skip


def _nvme(text: str, place: Place, notes: Notes) -> dict[str, Any]:
    device, slash, namespace = text.removeprefix("nvme://").partition("/")
    if not slash or not text.startswith("nvme://"):
        raise ArgumentError(
            "this is no NVMe namespace", place=place, remedy="it is nvme://0000:01:00.0/1"
        )
    return {"driver": "nvme", "device": device, "namespace": namespace}


#: Protocols, and what reads their addresses.
ADDRESSES: Final[dict[str, Callable[[str, Place, Notes], dict[str, Any]]]] = {
    "nbd": _nbd, "nbd+tcp": _nbd, "nbd+unix": _nbd,
    "http": _curl, "https": _curl, "ftp": _curl, "ftps": _curl,
    "iscsi": _iscsi, "iser": _iscsi,
    "gluster": _gluster, "gluster+tcp": _gluster, "gluster+unix": _gluster,
    "gluster+rdma": _gluster,
    "nfs": _nfs, "ssh": _ssh, "nvme": _nvme,
}  # fmt: skip


# Ceph


def rbd(text: str, place: Place, notes: Notes) -> dict[str, Any]:
    """``rbd:POOL/[NAMESPACE/]IMAGE[@SNAPSHOT][:KEY=VALUE]…``, escaped by backslashes."""
    pool, rest = _until(text.removeprefix("rbd:"), "/")
    if rest is None:
        raise ArgumentError(
            "the address names no pool and image",
            place=place,
            remedy="it is rbd:POOL/IMAGE[@SNAPSHOT][:id=USER][:conf=FILE]",
        )
    options: dict[str, Any] = {"driver": "rbd", "pool": pool}
    snapshot = None
    if "@" in rest:
        image, behind = _until(rest, "@", keep=True)
        snapshot, pairs = _until(behind or "", ":")
    else:
        image, pairs = _until(rest, ":", keep=True)
    namespace, own = _until(image, "/", keep=True)
    if own is not None:
        options["namespace"] = _unescaped(namespace)
    options["image"] = _unescaped(image if own is None else own)
    if snapshot:
        options["snapshot"] = snapshot
    while pairs:
        name, behind = _until(pairs, "=")
        if behind is None:
            raise ArgumentError(f"'{name}' in the address has no value", place=place)
        value, pairs = _until(behind, ":")
        options |= _ceph_option(name, value, place, notes)
    return options


def _ceph_option(name: str, value: str, place: Place, notes: Notes) -> dict[str, Any]:
    match name:
        case "id":
            return {"user": value}
        case "conf":
            return {"conf": value}
        case "key":
            return {"key-secret": notes.password("the Ceph user of this image")}
        case "auth_supported" | "auth_client_required":
            words = [word for word in re.split(r"[;,\s]+", value) if word]
            return {f"auth-client-required.{at}": word for at, word in enumerate(words)}
        case "mon_host":
            found: dict[str, Any] = {}
            for at, (host, port) in enumerate(hosts(value)):
                found |= {f"server.{at}.host": host, f"server.{at}.port": port}
            return found
    notes.leave(place, f"file: {name}", value)
    return {}


def hosts(text: str) -> list[tuple[str, str]]:
    """Hosts and ports, separated by ';' or ','; a port that is not given is '0'."""
    found = []
    for one in re.split(r"[;,\s]+", text):
        split = re.fullmatch(r"\[([^\]]*)\](?::([0-9]+))?|([^:]*)(?::([0-9]+))?|(.*)", one)
        if one and split is not None:
            host = split[1] or split[3] or split[5] or ""
            found.append((host, split[2] or split[4] or "0"))
    return found


def _until(text: str, separator: str, *, keep: bool = False) -> tuple[str, str | None]:
    """What stands before a separator that has no backslash, and what behind; None without one."""
    found = re.match(rf"((?:\\.|[^\\{separator}])*)(?:({separator})(.*))?", text, re.DOTALL)
    assert found is not None
    before = found[1] if keep else _unescaped(found[1])
    return before, found[3] if found[2] else None


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)
