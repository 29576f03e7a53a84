"""Node names: deterministic, and the same for a member when other members come and go.

QEMU takes 1 to 31 characters, first a letter, then letters, digits, '.', '_'
and '-'.  An image that has a ``nodename`` keeps it.  Any other name is made of
the disk's target and a hash of the image's source, so it leads back to the
image wherever that stands in the list:

    vq-vda            the disk's top node
    vq-vda-1a2b3c4d   the format node of an image
    vq-vda-1a2b3c4d-s its storage node

The hash of a quorum inside a quorum is that of its first image that is no
quorum: give such a member a ``nodename`` if that one may be exchanged.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from virtquorum.errors import TranslationError
from virtquorum.model.image import Image, Quorum
from virtquorum.xml.format import format_image

if TYPE_CHECKING:
    from virtquorum.model.disk import Disk

__all__ = ["NODE_NAME", "Names"]

NODE_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,30}")


class Names:
    """The node names of one disk's images; ``used`` are those of the whole domain."""

    def __init__(self, disk: Disk, number: int, used: set[str]) -> None:
        """Name the disk that is the ``number``-th of its domain."""
        target = re.sub(r"[^A-Za-z0-9._-]", "", disk.name or "") or f"disk{number}"
        self._disk = disk
        self._prefix = f"vq-{target[:12]}"
        self._used = used
        self.top = self._free(self._prefix)

    def of(self, image: Image) -> str:
        """The name of an image's format node, or of its quorum node."""
        if image is self._disk.image:
            return self.top
        if image.nodename is not None:
            return self._given(image, image.nodename)
        return self._free(f"{self._prefix}-{_hash(image)}")

    def beside(self, name: str, layer: str) -> str:
        """The name of another layer of the same image: '-s' storage, '-l' slice, '-q' quorum."""
        return self._free(f"{name[:29]}-{layer}")

    def _given(self, image: Image, name: str) -> str:
        if NODE_NAME.fullmatch(name) is None:
            raise TranslationError(
                f"the node name '{name}' is none that QEMU takes",
                location=image.location,
                disk=self._disk.name,
                remedy="1 to 31 characters: a letter, then letters, digits, '.', '_' or '-'",
            )
        if name in self._used:
            raise TranslationError(
                f"the node name '{name}' is taken by another image",
                location=image.location,
                disk=self._disk.name,
                remedy="give each image a name of its own",
            )
        self._used.add(name)
        return name

    def _free(self, name: str) -> str:
        free, number = name, 1
        while free in self._used:
            number += 1
            ending = f".{number}"
            free = name[: 31 - len(ending)] + ending
        self._used.add(free)
        return free


def _hash(image: Image) -> str:
    """Eight hexadecimal digits for what an image's source is, its place aside."""
    leaf = next((one for one in image.walk() if not isinstance(one.source, Quorum)), None)
    spelled = format_image(Image(source=leaf.source)) if leaf is not None else "quorum"
    return sha256(spelled.encode("utf-8", "surrogatepass")).hexdigest()[:8]
