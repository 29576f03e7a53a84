"""The names that QEMU gives nodes: a file's, a URL, or ``json:`` with options.

It names in ``json:`` what decides on the content of an image, where no name
alone says it.
"""

from __future__ import annotations

import getpass
import json
from typing import TYPE_CHECKING, Any

from virtquorum.qemu.graph import options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from virtquorum.qemu.graph import Block

__all__ = ["filename_differs"]

#: The options that QEMU has to name if we say them, by the driver; its ``strong_runtime_opts``.
_STRONG = {
    "file": ("filename",),
    "host_device": ("filename",),
    "nbd": ("server", "export", "tls-creds", "tls-hostname"),
    "vvfat": ("dir", "floppy", "rw"),
    **dict.fromkeys(
        ("http", "https", "ftp", "ftps"),
        ("url", "sslverify", "username", "password-secret", "cookie-secret"),
    ),
    "ssh": ("path", "server", "user"),
    "nfs": ("server", "path", "user", "group"),
    "iscsi": ("portal", "target", "lun", "transport", "user", "password-secret", "initiator-name"),
    "raw": ("offset", "size"),
    "luks": ("key-secret",),
    "qcow2": ("encrypt",),
    "throttle": ("throttle-group",),
    "quorum": ("vote-threshold", "blkverify", "rewrite-corrupted", "read-pattern", "children"),
}  # fmt: skip
#: What QEMU may leave out, or say where we do not, because it is the default.
_DEFAULTS = {
    "blkverify": "off", "rewrite-corrupted": "off", "read-pattern": "quorum", "offset": "0",
    "floppy": "off", "rw": "off",
}  # fmt: skip


def filename_differs(block: Block, filename: str) -> Iterator[str]:
    """Where the name that QEMU gives a node, or an option in it, is not what ours says."""
    ours = options(block)
    plain = _plain(ours)
    if filename.startswith("json:") and filename != plain:
        yield from _options(ours, _unflattened(filename), "")
    elif plain is None:
        yield f": '{filename}' says nothing of its options"
    elif filename not in (plain, f"file:{plain}"):
        yield f": the name is '{filename}', not '{plain}'"


def _plain(spelled: dict[str, Any]) -> str | None:
    """The name of a node that a name alone describes, None where it needs options."""
    while spelled["driver"] not in _STORAGE:
        below = spelled.get("file")
        if not isinstance(below, dict) or set(_STRONG.get(spelled["driver"], ())) & spelled.keys():
            return None
        spelled = below
    return _STORAGE[spelled["driver"]](spelled)


def _none(_: dict[str, Any]) -> None:
    return None


def _file(spelled: dict[str, Any]) -> str:
    return str(spelled["filename"])


def _nbd(spelled: dict[str, Any]) -> str:
    server, export = spelled["server"], spelled.get("export", "")
    if server["type"] == "unix":
        return f"nbd+unix:///{export}?socket={server['path']}"
    return f"nbd://{server['host']}:{server['port']}/{export}"


def _curl(spelled: dict[str, Any]) -> str | None:
    hidden = {"username", "cookie-secret"} & spelled.keys()
    return None if hidden or spelled.get("sslverify") is False else str(spelled["url"])


def _ssh(spelled: dict[str, Any]) -> str:
    server, user = spelled["server"], spelled.get("user", getpass.getuser())
    return f"ssh://{user}@{server['host']}:{server['port']}{spelled['path']}"


def _nfs(spelled: dict[str, Any]) -> str:
    said = {"uid": spelled.get("user"), "gid": spelled.get("group")}
    query = "&".join(f"{key}={value}" for key, value in said.items() if value)
    return f"nfs://{spelled['server']['host']}{spelled['path']}{'?' if query else ''}{query}"


#: How a storage node is named where QEMU makes a name.
_STORAGE: dict[str, Callable[[dict[str, Any]], str | None]] = {
    "file": _file, "host_device": _file, "nbd": _nbd, "http": _curl, "https": _curl, "ftp": _curl,
    "ftps": _curl, "ssh": _ssh, "nfs": _nfs, "iscsi": _none, "vvfat": _none, "quorum": _none,
}  # fmt: skip


def _unflattened(filename: str) -> Any:
    """The options in a ``json:`` name; QEMU writes some of their names with dots."""
    found = json.loads(filename.removeprefix("json:"))
    rest = [found]
    while rest:
        one = rest.pop()
        if isinstance(one, list):
            rest += one
        elif isinstance(one, dict):
            for key in [key for key in one if "." in key]:
                first, _, tail = key.partition(".")
                one.setdefault(first, {})[tail] = one.pop(key)
            rest += one.values()
    return found


def _word(value: object) -> str:
    """A value as a word: what came by ``-drive`` QEMU keeps as text."""
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


def _options(ours: Any, theirs: Any, place: str) -> Iterator[str]:
    """Where options that QEMU names are not ours, and where strong ones of ours are missing."""
    if isinstance(theirs, list) and isinstance(ours, list) and len(ours) == len(theirs):
        for at, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from _options(one, other, f"{place}.{at}")
    elif isinstance(theirs, dict) and isinstance(ours, dict):
        yield from _members(ours, theirs, place)
    elif (
        isinstance(ours, dict | list)
        or isinstance(theirs, dict | list)
        or _word(ours) != _word(theirs)
    ):
        yield f"{place}: QEMU says {theirs!r}, we said {ours!r}"


def _members(ours: dict[str, Any], theirs: dict[str, Any], place: str) -> Iterator[str]:
    for key, value in theirs.items():
        if key in ours:
            yield from _options(ours[key], value, f"{place}.{key}")
        elif _DEFAULTS.get(key) != _word(value):
            yield f"{place}.{key}: QEMU says {value!r}, we said nothing"
    strong = (*_STRONG.get(str(ours.get("driver")), ()), "driver", "file")
    for key in ours.keys() - theirs.keys():
        if key in strong and _DEFAULTS.get(key) != _word(ours[key]):
            yield f"{place}.{key}: we said {ours[key]!r}, QEMU does not"
