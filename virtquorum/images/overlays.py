"""Which files have an overlay that is there: what such an image was made on is never made blank."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from virtquorum.images.opened import local_path
from virtquorum.images.survey import key_of
from virtquorum.model.image import Image, Quorum

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

    from virtquorum.model.disk import Disk

__all__ = ["Overlay", "overlays_of"]

#: What the system says of a name that no file has, or can have.
_NO_FILE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})


class Overlay(NamedTuple):
    """An image that is there, above another; ``state`` says so ('is there'), for messages."""

    path: str
    disk: Disk
    state: str


#: An image, and the nearest one above it that is there.
_Below: TypeAlias = tuple[Image, Overlay | None]


def overlays_of(disks: Sequence[Disk], copied: Container[int]) -> dict[str, Overlay]:
    """The overlays that are there, by the files (``key_of``) that they need, as the XML names them.

    An overlay needs all that is below it: where the image between is missing
    as well, also what that one was made on.  ``copied`` are the images (their
    identity) that get all their data anew and so need nothing.  A file may be
    below several; the first is told.
    """
    found: dict[str, Overlay] = {}
    for disk in disks:
        rest: list[_Below] = [(disk.image, None)]
        while rest:
            image, overlay = rest.pop()
            path = local_path(image) if not isinstance(image.source, Quorum) else None
            if path is not None and overlay is not None:
                found.setdefault(key_of(path), overlay)
            rest += _below(disk, image, path, overlay, copied)
    return found


def _below(
    disk: Disk, image: Image, path: str | None, overlay: Overlay | None, copied: Container[int]
) -> Iterator[_Below]:
    """What is directly below an image, with the overlay that needs it."""
    if isinstance(image.source, Quorum):
        yield from ((one, overlay) for one in image.source.members if isinstance(one, Image))
    if not isinstance(image.backing, Image):
        return
    state = _state(path) if path is not None else None
    if path is not None and state is not None:
        overlay = Overlay(path, disk, state)
    elif id(image) in copied:
        overlay = None
    yield image.backing, overlay


def _state(path: str) -> str | None:
    """Whether a file is there, in words; None if it is not."""
    try:
        os.stat(path)
    except UnicodeEncodeError:  # no name in the file system's encoding
        return None
    except OSError as error:
        return None if error.errno in _NO_FILE else "cannot be looked at"
    return "is there"
