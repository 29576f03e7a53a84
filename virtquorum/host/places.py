"""What a block node is, as QEMU shows it, against the options with which it was to be opened.

QEMU spells where a node's data is as a URL if its options fit into one, and
else as 'json:{…}' with the options that matter for it.  What it does not show
(how a connection is encrypted, caches, passwords) cannot be compared.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from virtquorum.host.compare import name_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from virtquorum.host.compare import Options

__all__ = ["node_differences"]

#: Bytes of a file's name that QEMU shows.
_LONGEST: Final = 4095
#: A quorum's options that QEMU shows, and what it has for one that was not given.
_POLICIES: Final[Mapping[str, object]] = {
    "vote-threshold": None,
    "read-pattern": "quorum",
    "rewrite-corrupted": False,
    "blkverify": False,
}
#: By driver, where its data is: the options, in 'json:{…}', that are there in both or in none.
_PLACES: Final[Mapping[str, tuple[str, ...]]] = {
    "file": ("filename",),
    "host_device": ("filename",),
    "host_cdrom": ("filename",),
    "nbd": ("export", "server.host", "server.path", "server.port"),
    "http": ("url",),
    "https": ("url",),
    "ftp": ("url",),
    "ftps": ("url",),
    "ssh": ("path", "server.host", "server.port"),
    "nfs": ("path", "server.host"),
    "iscsi": ("lun", "portal", "target"),
    "rbd": ("image", "namespace", "pool", "server.", "snapshot"),
    "gluster": ("path", "server.", "volume"),
    "nvme": ("device", "namespace"),
    "raw": ("offset", "size"),
}
#: What QEMU takes for an option of a place that was not given.
_DEFAULTS: Final[Mapping[tuple[str, str], str]] = {
    ("iscsi", "lun"): "0",
    ("raw", "offset"): "0",
    ("rbd", "namespace"): "",
    ("ssh", "server.port"): "22",
}
_SSH: Final = re.compile(r"ssh://(?P<user>[^/]*)@(?P<server>[^/]*)(?P<path>/[^?]*)")


def node_differences(one: Options, seen: Mapping[str, Any]) -> list[str]:
    """What of a node's driver and options QEMU shows, and has otherwise."""
    name, driver = name_of(one), one["driver"]
    if seen["drv"] != driver:
        return [f"the node '{name}' is of the driver '{seen['drv']}', not '{driver}'"]
    return [
        f"{key} of the node '{name}' is {_spelled(found)}, not {_spelled(wanted)}"
        for key, wanted, found in _compared(one, seen)
        if wanted != found
    ]


def _spelled(value: object) -> str:
    return "none" if value is None else str(value)


def _compared(one: Options, seen: Mapping[str, Any]) -> Iterator[tuple[str, object, object]]:
    """What can be compared of a node: its name, what it should be, what QEMU has."""
    if "read-only" in one:
        yield "read-only", one["read-only"], seen["ro"]
    file, driver = str(seen["file"]), str(one["driver"])
    shown = _shown_options(file)
    if driver == "raw" and not file.startswith("json:"):
        shown = {}  # a slice does not fit into a name
    if driver == "quorum" and (shown := _shown_options(str(seen["image"]["filename"]))) is not None:
        for key, default in _POLICIES.items():
            yield key, one.get(key, default), shown.get(key, default)
    elif driver in _PLACES and shown is not None:
        yield from _options(driver, _flat(one), _flat(shown))
    elif "json:" not in file and (place := _place(one, file)) is not None:
        yield "place", place, file


def _options(
    driver: str, wanted: Mapping[str, str], shown: Mapping[str, str]
) -> Iterator[tuple[str, object, object]]:
    for key in sorted({*wanted, *shown}):
        of_place = next((one for one in _PLACES[driver] if _is(key, one)), None)
        if of_place is not None:
            default = _DEFAULTS.get((driver, of_place))
            yield key, wanted.get(key, default), shown.get(key, default)


def _is(key: str, option: str) -> bool:
    return key.startswith(option) if option.endswith(".") else key == option


def _flat(options: Mapping[str, Any]) -> dict[str, str]:
    """Options as QEMU flattens them: {'server.0.host': …}."""
    found: dict[str, str] = {}
    for key, value in options.items():
        listed = isinstance(value, list)
        below = {str(at): one for at, one in enumerate(value)} if listed else value
        if isinstance(below, dict):
            found |= {f"{key}.{name}": text for name, text in _flat(below).items()}
        else:
            found[key] = str(value)
    return found


def _shown_options(filename: str) -> dict[str, Any] | None:
    """The options of a node as its file name has them; QEMU cuts a name after 4095 bytes."""
    kind, _, text = filename.partition(":")
    try:
        found = json.loads(text) if kind == "json" else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _place(one: Options, file: str) -> str | None:
    """Where a storage node has its data, as QEMU spells it; None where that is not known here."""
    match one["driver"]:
        case "file" | "host_device" | "host_cdrom":
            place = str(one["filename"])
        case "http" | "https" | "ftp" | "ftps":
            place = str(one["url"])
        case "nbd":
            place = _nbd(_flat(one))
        case "ssh":
            place = _ssh(_flat(one), file)
        case "nfs":
            place = _nfs(_flat(one))
        case "nvme":
            place = f"nvme://{one['device']}/{one['namespace']}"
        case _:
            return None
    return place[:_LONGEST]


def _nbd(one: Mapping[str, str]) -> str:
    export = f"/{one['export']}" if "export" in one else ""
    if "server.path" in one:
        return f"nbd+unix://{export}?socket={one['server.path']}"
    return f"nbd://{one['server.host']}:{one['server.port']}{export}"


def _ssh(one: Mapping[str, str], file: str) -> str:
    """Without a user it is QEMU's own, and that of ``file``."""
    found = _SSH.match(file)
    user = one.get("user", found["user"] if found is not None else "")
    server = f"{one['server.host']}:{one.get('server.port', '22')}"
    ending = file[found.end() :] if found is not None else ""
    return f"ssh://{user}@{server}{one['path']}{ending}"


def _nfs(one: Mapping[str, str]) -> str:
    given = {key: one.get(option) for key, option in (("uid", "user"), ("gid", "group"))}
    words = "&".join(f"{key}={value}" for key, value in given.items() if value not in (None, "0"))
    return f"nfs://{one['server.host']}{one['path']}" + (f"?{words}" if words else "")
