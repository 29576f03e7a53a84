"""An image that is there, spelled as QEMU opens it: a block graph in ``json:``.

In a graph a file name is a file name: it cannot be a protocol or an option,
and no format is guessed.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from virtquorum.images.formats import FORMATS
from virtquorum.json_text import json_text
from virtquorum.model.image import Image, Quorum, Terminator

if TYPE_CHECKING:
    from collections.abc import Callable

    from virtquorum.json_text import Json
    from virtquorum.model.disk import Disk
    from virtquorum.model.parts import Encryption

__all__ = ["Spelled", "driver_of", "encryption_of", "graph", "json_name", "local_path", "one_image"]

#: The driver of an image's own layer, and the graph's text where there is one.
Spelled = dict[str, "Json"]


def local_path(image: Image) -> str | None:
    """The absolute path of the file or block device that an image is; None if it is none."""
    source: Any = image.source
    path = None
    if source.type == "block":
        path = source.dev
    elif source.type == "file" and source.fdgroup is None:
        path = source.file
    # No abspath: what is before '..' may be a link, which the system follows first.
    return os.path.join(os.getcwd(), path) if path else None


def encryption_of(disk: Disk, image: Image) -> Encryption | None:
    """The encryption of an image; the one that stands on the disk is the top image's."""
    own: Encryption | None = getattr(image.source, "encryption", None)
    return disk.encryption if own is None and image is disk.image else own


def driver_of(disk: Disk, image: Image) -> str | None:
    """QEMU's driver for an image that is no quorum; None where the format is none or not given."""
    name = image.format
    if name is None and image is disk.image:
        name = "raw"  # libvirt's default for a disk; it probes nothing either
    format = FORMATS.get(name or "")
    if format is None:
        return None
    raw_luks = format.driver == "raw" and encryption_of(disk, image) is not None
    return "luks" if raw_luks else format.driver


def one_image(image: Image, driver: str, path: str, secret: str | None = None) -> Spelled:
    """The graph of one image without what is below it; ``secret`` is the id of its secret."""
    storage: Spelled = {
        "driver": "host_device" if image.source.type == "block" else "file",
        "filename": path,
    }
    node: Spelled = {"driver": driver}
    part = next(iter(getattr(image.source, "slices", ())), None)
    if part is not None:
        limits: Spelled = {"offset": part.offset, "size": part.size}
        if driver == "raw":
            node |= limits
        else:
            storage = {"driver": "raw", **limits, "file": storage}
    node["file"] = storage
    if secret is not None:
        node |= (
            {"key-secret": secret}
            if driver == "luks"
            else {"encrypt": {"format": "luks", "key-secret": secret}}
        )
    return node


def graph(top: Image, spell: Callable[[Image], Spelled]) -> Spelled:
    """The graph of an image and all that the document says to be below it.

    ``spell`` gives an image's own layer.  Chains may be as deep as the
    document: there is no recursion.
    """
    done: dict[int, Json] = {}
    for image in reversed(list(top.walk())):
        if isinstance(image.source, Quorum):
            members = [done[id(one)] for one in image.below if isinstance(one, Image)]
            done[id(image)] = {
                "driver": "quorum",
                "vote-threshold": image.source.vote_threshold,
                "children": members,
            }
            continue
        node = dict(spell(image))
        match image.backing:
            case Terminator():
                if any(one.backing and one.driver == node["driver"] for one in FORMATS.values()):
                    node["backing"] = None
            case Image() as below:
                node["backing"] = done[id(below)]
        done[id(image)] = node
    found = done[id(top)]
    assert isinstance(found, dict)
    return found


def json_name(node: Spelled) -> str:
    """A graph as a file name."""
    return "json:" + json_text(node, ascii_only=True)
