"""A format above a quorum: what the members agree on is an image of it, which QEMU opens.

The quorum is opened as QEMU would open it, votes and all, where all of its
members are plain files and devices of this host.  Nothing that a header names
is opened; what it names is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from virtquorum.check.image_info import backing_of, data_file_of, info
from virtquorum.check.image_look import FORMATS
from virtquorum.json_text import json_text
from virtquorum.model.image import Image, Quorum

if TYPE_CHECKING:
    from collections.abc import Mapping

    from virtquorum.check.image_info import Backing
    from virtquorum.check.image_look import Asked, Look
    from virtquorum.check.rule import Position

__all__ = ["Container", "container_look", "container_of", "driver_above", "is_mistaken"]

_SECTOR: Final = 512
#: How QEMU refuses what would name a qcow2's data file where the header names none.
_NO_DATA_FILE: Final = "'data-file' can only be set"


def driver_above(position: Position) -> str | None:
    """QEMU's driver for the format above a quorum; None for no format, or one QEMU lacks."""
    image = position.image
    if not isinstance(image.source, Quorum):
        return None
    if position.role == "disk" and position.disk.encryption is not None:
        return "luks" if image.format in (None, "quorum", "raw") else FORMATS.get(image.format)
    return FORMATS.get(image.format) if image.format not in (None, "quorum", "raw") else None


def container_of(position: Position) -> str | None:
    """The driver of the format that a member's bytes are of: that above its quorum."""
    at = position
    while at.role == "member" and at.parent is not None:
        at = at.parent
        driver = driver_above(at)
        if driver is not None:
            return driver
    return None


def is_mistaken(position: Position, look: Look) -> bool:
    """Whether a raw image begins as one of a format does, and that is not the one above it."""
    header = look.header
    return (
        look.asked.driver == "raw"
        and header is not None
        and FORMATS.get(header, header) != container_of(position)
    )


class Container(NamedTuple):
    """What QEMU makes of the format above a quorum.

    ``refused`` is why it does not open it, in its words, ``backing`` the
    backing file that the header names, and ``data_file`` the external one.
    """

    refused: str | None = None
    backing: Backing | None = None
    data_file: str | None = None


def container_look(position: Position, looks: Mapping[int, Look], program: str) -> Container | None:
    """Look at the format above a quorum; None where there is none, or it cannot be opened here.

    ``looks`` are what was seen of images, by their ids; ``program`` is
    qemu-img.
    """
    driver = driver_above(position)
    # A VMDK may be a list of other files that QEMU would open.
    voting = _voting(position.image, looks) if driver not in (None, "vmdk") else None
    if voting is None:
        return None
    graph = {"driver": driver, "file": voting}
    more = {"data-file": {"driver": "null-co"}} if driver == "qcow2" else {}
    found = _asked(graph | more, program)
    if isinstance(found, str) and _NO_DATA_FILE in found:
        found = _asked(graph, program)
    if isinstance(found, str):
        return Container(refused=found)
    return Container(backing=backing_of(found), data_file=data_file_of(found))


def _asked(graph: Mapping[str, Any], program: str) -> Mapping[str, Any] | str:
    try:
        return info(program, [f"json:{json_text(dict(graph), ascii_only=True)}"])
    except TimeoutError as error:
        return str(error)


def _voting(top: Image, looks: Mapping[int, Look]) -> dict[str, Any] | None:
    """The graph of a quorum without what is above it; None if it cannot be opened so."""
    done: dict[int, dict[str, Any]] = {}
    sizes = set()
    for image in reversed(list(top.walk())):
        if isinstance(image.source, Quorum):
            plain = image is top or image.format in (None, "quorum", "raw")
            node = _votes(image.source, done) if plain else None
        else:
            look = looks.get(id(image))
            node = _leaf(image, look)
            sizes.add(-(-look.size // _SECTOR) if look is not None and look.size else None)
        if node is None:
            return None
        done[id(image)] = node
    return done[id(top)] if len(sizes) == 1 else None


def _votes(quorum: Quorum, done: Mapping[int, dict[str, Any]]) -> dict[str, Any] | None:
    threshold, members = quorum.vote_threshold, quorum.members
    if not isinstance(threshold, int) or not 1 <= threshold <= len(members):
        return None
    if not all(isinstance(one, Image) for one in members):
        return None
    node: dict[str, Any] = {"driver": "quorum", "vote-threshold": threshold}
    if quorum.read_pattern == "fifo":
        node["read-pattern"] = "fifo"
    return node | {"children": [done[id(one)] for one in members]}


def _leaf(image: Image, look: Look | None) -> dict[str, Any] | None:
    """A member that is a file or device and opens nothing else."""
    if look is None or look.size is None or look.external or isinstance(image.backing, Image):
        return None
    if look.asked.driver == "raw":
        return _storage(look.asked)
    if look.asked.driver != "qcow2" or (look.backing is not None and image.backing is None):
        return None
    return {"driver": "qcow2", "backing": None, "file": _storage(look.asked)}


def _storage(asked: Asked) -> dict[str, Any]:
    node: dict[str, Any] = {
        "driver": "raw",
        "file": {"driver": "host_device" if asked.block else "file", "filename": asked.path},
    }
    if asked.size is not None:
        node |= {"offset": asked.offset, "size": asked.size}
    return node
