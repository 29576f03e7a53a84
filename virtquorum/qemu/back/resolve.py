"""What QEMU adds to the tree of a -drive before it opens it.

``file=NAME`` goes down to the storage node, where the protocol in it is
found; what is said of that node beside it wins.  A storage node with only a
``filename`` is a file or a device of the host.  A format that is not named
would be probed; here the file's name is all there is to go by.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from virtquorum.errors import ArgumentError
from virtquorum.qemu.back.addresses import host_key_check, take_password
from virtquorum.qemu.back.filename import local_driver, parse_filename
from virtquorum.qemu.back.graph import known_driver
from virtquorum.qemu.back.notes import Common
from virtquorum.qemu.back.optionlist import as_strings, crumple, flatten, json_object
from virtquorum.qemu.graph import CopyOnRead, Format, Quorum, Throttle

if TYPE_CHECKING:
    from virtquorum.qemu.back.notes import Notes
    from virtquorum.qemu.back.place import Place

__all__ = ["resolve", "without_passwords"]

_ABOVE: Final = (Format, CopyOnRead, Throttle, Quorum)
_ENDINGS: Final = {
    "qcow2": "qcow2", "qcow": "qcow", "qed": "qed", "vmdk": "vmdk", "vdi": "vdi", "vhdx": "vhdx",
    "vhd": "vpc", "vpc": "vpc", "dmg": "dmg", "hdd": "parallels", "raw": "raw", "img": "raw",
    "iso": "raw", "luks": "luks",
}  # fmt: skip
_GUESSED: Final = Common(
    "the format of '{name}' is not named, and QEMU would guess it from what is in it; taken is "
    "'{value}', by the file's name: see 'qemu-img info'",
    "the formats of these images are not named, and QEMU would guess them from what is in them, "
    "see 'qemu-img info'; taken is, by the files' names",
    valued=True,
)
_FLAT_SERVER: Final = ("host", "port", "path")


def resolve(
    tree: dict[str, Any], filename: str | None, place: Place, notes: Notes
) -> dict[str, Any]:
    """The tree of a drive with every driver in it; raises ArgumentError."""
    top: dict[str, Any] = {"": tree}
    rest: list[tuple[dict[str, Any] | list[Any], Any, str | None, bool]] = [
        (top, "", filename or None, False)
    ]
    order: list[tuple[dict[str, Any] | list[Any], Any]] = []
    while rest:
        holder, key, name, storage = rest.pop()
        node = holder[key]
        if not isinstance(node, dict):
            if name is not None:
                raise ArgumentError("'file' names a node and a file", place=place)
            continue
        if name is not None and name.startswith("json:"):
            node = _merged(node, name, place)
            name = None
        holder[key] = node
        order.append((holder, key))
        if _is_storage(node, storage, place):
            holder[key] = _storage(node, name, place, notes)
            if isinstance(holder[key].get("children"), list):  # the syntax of 2012
                rest.extend(
                    (holder[key]["children"], at, None, False)
                    for at in range(len(holder[key]["children"]))
                )
            continue
        if name is not None:
            node.setdefault("file", {})
        if "driver" not in node and "file" not in node:
            raise ArgumentError("the drive has no driver and no file", place=place)
        members = node.get("children")
        if isinstance(members, list):
            rest.extend((members, at, None, False) for at in range(len(members)))
        if isinstance(node.get("backing"), dict):
            rest.append((node, "backing", None, False))
        if "file" in node:
            rest.append((node, "file", name, True))
    for holder, key in reversed(order):
        holder[key] = _formatted(holder[key], place, notes)
    resolved = top[""]
    assert isinstance(resolved, dict)
    return resolved


def _merged(node: dict[str, Any], name: str, place: Place) -> dict[str, Any]:
    """What ``json:`` holds, under what was said beside it, as QEMU joins the two."""
    remedy = "a comma in a value of -drive is doubled: ',,'"
    inside = as_strings(flatten(json_object(name.removeprefix("json:"), place, remedy)))
    return crumple(inside | flatten(node), place)


def _is_storage(node: dict[str, Any], expected: bool, place: Place) -> bool:
    """Whether a node is storage: by its driver, or by where it stands."""
    if "driver" not in node:
        return expected
    return not issubclass(known_driver(node["driver"], place), _ABOVE)


def _storage(node: dict[str, Any], name: str | None, place: Place, notes: Notes) -> dict[str, Any]:
    driver = node.get("driver")
    if name is not None:
        if "filename" in node:
            raise ArgumentError("'file' and 'filename' are both given", place=place)
        found = parse_filename(name, driver, place, notes)
        if driver in (None, "file") or found["driver"] != driver:
            _check_same(driver, found["driver"], place)
        node = crumple(found | flatten(node) | {"driver": driver or found["driver"]}, place)
    elif driver is None:
        if "filename" not in node:
            raise ArgumentError(
                "a storage node has no driver and no file name",
                place=place,
                remedy="name them: file.driver=file,file.filename=…",
            )
        node = {"driver": local_driver(str(node["filename"])), **node}
    elif "filename" in node and driver not in ("file", "host_device", "host_cdrom"):
        raise ArgumentError(f"the driver '{driver}' takes no 'filename' inside", place=place)
    return without_passwords(_modern(node, place), place, notes)


def _check_same(said: str | None, found: str, place: Place) -> None:
    local = ("file", "host_device", "host_cdrom")
    if said is not None and said != found and not (said in local and found in local):
        raise ArgumentError(
            f"the driver is '{said}', but the file name is one for '{found}'", place=place
        )


def _modern(node: dict[str, Any], place: Place) -> dict[str, Any]:
    """Older words for a server, as QEMU still takes them beside the new ones."""
    driver = node["driver"]
    server: dict[str, Any] = {}
    if driver in ("nbd", "ssh") and "server" not in node:
        server = {key: node[key] for key in _FLAT_SERVER if key in node}
        if driver == "ssh":
            server.pop("path", None)
    if server:
        node = {key: value for key, value in node.items() if key not in server}
        if driver == "nbd":
            server = {"type": "unix" if "path" in server else "inet", **server}
        default = {"port": "10809" if driver == "nbd" else "22"}
        node["server"] = server if "path" in server else default | server
    if driver == "ssh" and "host_key_check" in node:
        more = host_key_check(node.pop("host_key_check"), place)
        node |= crumple(more, place)
    if driver == "gluster" and isinstance(node.get("server"), list):
        for one in node["server"]:
            if isinstance(one, dict) and one.get("type") == "tcp":
                one["type"] = "inet"
    return node


def without_passwords(node: dict[str, Any], place: Place, notes: Notes) -> dict[str, Any]:
    """A node whose URL holds no login; what it held is said by options and a secret."""
    url = node.get("url")
    if not isinstance(url, str):
        return node
    clean, login = take_password(url, place, notes)
    return {**node, "url": clean, **{key: node.get(key, value) for key, value in login.items()}}


def _formatted(node: Any, place: Place, notes: Notes) -> Any:
    """A node with a driver; one that says nothing above a quorum is no node of its own."""
    if not isinstance(node, dict) or "driver" in node:
        return node
    file = node.get("file")
    if isinstance(file, dict) and file.get("driver") == "quorum":
        return {**{key: value for key, value in node.items() if key != "file"}, **file}
    name = _name(file)
    ending = re.search(r"\.([A-Za-z0-9]+)\Z", name)
    driver = _ENDINGS.get(ending[1].lower() if ending else "", "raw")
    if isinstance(file, dict) and file.get("driver") == "vvfat":
        driver = "raw"
    else:
        notes.gather(_GUESSED, place, name, driver)
    return {"driver": driver, **node}


def _name(file: Any) -> str:
    """What a storage node is called for people."""
    while isinstance(file, dict) and isinstance(file.get("file"), dict):
        file = file["file"]
    if isinstance(file, str):
        return file
    if not isinstance(file, dict):
        return ""
    for key in ("filename", "url", "path", "image", "export", "target", "dir", "device"):
        if isinstance(file.get(key), str):
            return str(file[key])
    return str(file.get("driver", ""))
