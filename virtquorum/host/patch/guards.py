"""What should be asked before a quorum is changed: votes that can end in a tie, lost data."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from virtquorum.errors import ImageError
from virtquorum.images.opened import local_path
from virtquorum.model.image import Image

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from virtquorum.model.image import AnyImage, Quorum

__all__ = ["holds_data", "overwritten", "spare", "ties"]

#: qemu-img writes zeros to the first block of a raw image, which file systems keep as data.
_FIRST = 1 << 16


def ties(word: str, before: Quorum, after: Quorum) -> Iterator[str]:
    """What to ask of a quorum whose threshold becomes half of its members or less."""
    if after.read_pattern == "fifo" or not _is_tied(after) or _is_tied(before):
        return
    count, threshold = len(after.members), after.vote_threshold
    yield (
        f"'{word}' would have a threshold of {threshold} with {count} members, which is no "
        "majority: two answers could both have votes enough, and the later members' would be "
        f"taken; a threshold of {count // 2 + 1} is one"
    )


def _is_tied(quorum: Quorum) -> bool:
    threshold, count = quorum.vote_threshold, len(quorum.members)
    return isinstance(threshold, int) and count > 1 and threshold * 2 <= count


def spare(word: str, before: Quorum, after: Quorum) -> Iterator[str]:
    """What is worth knowing of a quorum that gets into need of every member."""
    if _needs_all(after) and not _needs_all(before) and after.read_pattern != "fifo":
        count = len(after.members)
        yield f"'{word}' needs all of its {count} members now: the first bad one stops the guest"


def _needs_all(quorum: Quorum) -> bool:
    return quorum.vote_threshold == len(quorum.members)


def overwritten(members: Sequence[AnyImage], *, here: bool) -> Iterator[str]:
    """What to ask of new members that hold something; they are copied to."""
    for path in _paths(members):
        if here and holds_data(path[0], path[1]):
            yield (
                f"the image '{path[0]}' is not blank, and what it holds is overwritten by the "
                "disk's data"
            )


def _paths(members: Sequence[AnyImage]) -> Iterator[tuple[str, str]]:
    """The files and devices that are copied to, with their formats."""
    rest = list(members)
    while rest:
        one = rest.pop(0)
        if not isinstance(one, Image):
            continue
        path = local_path(one)
        if path is not None:
            yield path, one.format or "raw"
        elif one.source.type == "quorum":
            rest += one.below


def holds_data(path: str, format: str) -> bool:
    """Whether an image of this machine holds anything but zeros, as far as that is to be seen.

    A block device is said to hold something: nobody can tell without reading it.
    """
    with suppress(OSError):
        if format == "raw" and os.path.isfile(path):
            return _has_bytes(path)
        return _is_mapped(path, format)
    return False


def _has_bytes(path: str) -> bool:
    """Whether a file holds more than holes and the zeros with which qemu-img begins it."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        start = os.lseek(handle, 0, os.SEEK_DATA)
        if start > 0 or os.pread(handle, _FIRST, 0).strip(b"\0"):
            return True
        os.lseek(handle, _FIRST, os.SEEK_DATA)
    except OSError:  # ENXIO: a hole up to the end
        return False
    finally:
        os.close(handle)
    return True


def _is_mapped(path: str, format: str) -> bool:
    """Whether an image's own layer has clusters with data, by qemu-img."""
    from virtquorum.images.program import QemuImg, Signals, find_qemu_img

    words = ["map", "--force-share", "--output=json", "-f", format, path]
    with suppress(ImageError, ValueError), Signals() as signals:
        found = json.loads(QemuImg(find_qemu_img(), signals).run(words, path, {}))
        return any(one["depth"] == 0 and one["data"] and not one["zero"] for one in found)
    return False
