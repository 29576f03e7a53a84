"""Node names: deterministic, and the same for a member when other members come and go.

QEMU takes 1 to 31 characters, first a letter, then letters, digits, '.', '_'
and '-', and no name that is a drive's id.  An image that has a ``nodename``
keeps it.  Any other name is made of the disk's target and a hash of what the
image is, so it leads back to the image wherever that stands in the list:

    vq-vda            the disk's top node
    vq-vda-1a2b3c4d   the format node of an image, or the node of a quorum
    vq-vda-1a2b3c4d-s its storage node

The hash is that of the image's source; a backing image's is that of the
images above it as well, since two members may stand on one golden image.  A
quorum inside a quorum has no source of its own: its hash comes from the least
of its members' hashes.  Give such a member a ``nodename`` if its own members
may be exchanged.

Two images that hash alike are told apart by '.2', in the order of the
document; so are a derived name and a ``nodename`` that is spelled like one.
"""

from __future__ import annotations

import re
from collections import Counter
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from virtquorum.errors import TranslationError
from virtquorum.model.image import Image, Quorum
from virtquorum.xml.format import format_image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from virtquorum.model.disk import Disk

__all__ = ["NODE_NAME", "Names", "domain_names"]

NODE_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,30}")
_LONGEST: Final = 31


def domain_names(disks: Sequence[Disk]) -> list[Names]:
    """The names of all disks of a domain, in their order; they differ across the whole domain."""
    used = _Used()
    drives = []
    for number, disk in enumerate(disks):
        target = disk.name or ""
        drive = f"drive-{target}"
        if NODE_NAME.fullmatch(drive) is None or drive in used:
            drive = _free(f"drive-disk{number}", used)
        used.add(drive)
        drives.append(drive)
    # Names that people gave come before names that are made.
    given = Counter(
        name
        for disk in disks
        for image in disk.image.walk()
        if (name := image.nodename) is not None and image is not disk.image
    )
    taken = {name for name, count in given.items() if count > 1 or name in used}
    used.update(given)
    return [
        Names(disk, number, drive, used, taken)
        for number, (disk, drive) in enumerate(zip(disks, drives, strict=True))
    ]


class Names:
    """The names of one disk's nodes.

    ``drive`` is the drive's id, as libvirt has it: 'drive-vda'.  Images are
    told apart by identity: two members may be equal.
    """

    def __init__(self, disk: Disk, number: int, drive: str, used: _Used, taken: set[str]) -> None:
        """Name the disk that is the ``number``-th of its domain.

        ``used`` holds the domain's names and grows; ``taken`` holds the given
        ones that two images share, or an image and a drive.
        """
        self.drive = drive
        self._disk = disk
        self._used = used
        self._taken = taken
        target = re.sub(r"[^A-Za-z0-9._-]", "", disk.name or "") or f"disk{number}"
        prefix = f"vq-{target}"
        if len(prefix) > 15:  # so that two long targets with one beginning stay apart
            prefix = f"vq-{target[:6]}-{_digest(target)[:5]}"
        self.top = _free(prefix, used)
        self._names = {id(disk.image): self.top}
        hashes = _hashes(disk.image)
        for image in disk.image.walk():
            if image is not disk.image and image.nodename is None:
                self._names[id(image)] = _free(f"{prefix}-{hashes[id(image)]}", used)

    def of(self, image: Image) -> str:
        """The name of an image's format node, or of its quorum node.

        Raises TranslationError for a ``nodename`` that cannot be one.
        """
        if image is not self._disk.image and image.nodename is not None:
            return self._given(image, image.nodename)
        return self._names[id(image)]

    def beside(self, name: str, layer: str) -> str:
        """The name of another layer of the same image: '-s' storage, '-l' slice or another."""
        if len(name) + 1 + len(layer) > _LONGEST:
            name = f"{name[:18]}-{_digest(name)}"
        return _free(f"{name}-{layer}", self._used)

    def _given(self, image: Image, name: str) -> str:
        if NODE_NAME.fullmatch(name) is None:
            raise TranslationError(
                f"the node name '{name}' is none that QEMU takes",
                location=image.location,
                disk=self._disk.name,
                remedy="1 to 31 characters: a letter, then letters, digits, '.', '_' or '-'",
            )
        if name in self._taken:
            raise TranslationError(
                f"the node name '{name}' is taken by another image, or is a drive's id",
                location=image.location,
                disk=self._disk.name,
                remedy="give each image a name of its own",
            )
        return name


class _Used(set[str]):
    """Names that are taken, and how often each was asked for, so that no search begins anew."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()


def _free(name: str, used: _Used) -> str:
    free = name
    while free in used:
        used.asked[name] += 1
        ending = f".{used.asked[name] + 1}"
        free = name[: _LONGEST - len(ending)] + ending
    used.add(free)
    return free


def _digest(text: str) -> str:
    """Eight hexadecimal digits for a text."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _hashes(top: Image) -> dict[int, str]:
    """For each image, by its identity: eight digits for what it is, its place in a list aside."""
    # Chains are hashed from the top down, quorums from the members up, and each may hold the
    # other; what a chain passes down is text, so all texts come first.
    own: dict[int, str] = {}
    images = list(top.walk())
    for image in reversed(images):
        if isinstance(image.source, Quorum):
            below = [own[id(one)] for one in image.below if isinstance(one, Image)]
            own[id(image)] = _digest(f"quorum {min(below, default='')}")
        else:
            own[id(image)] = _digest(format_image(Image(source=image.source)))
    found: dict[int, str] = {id(top): own[id(top)]}
    for image in images:
        chained = not isinstance(image.source, Quorum)
        for one in image.below:
            if isinstance(one, Image):
                above = found[id(image)]
                found[id(one)] = _digest(f"{above} {own[id(one)]}") if chained else own[id(one)]
    return found
