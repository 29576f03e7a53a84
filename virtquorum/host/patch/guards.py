"""What should be asked before a quorum is changed: votes that go wrong, lost data."""

from __future__ import annotations

import errno
import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from virtquorum.errors import ImageError
from virtquorum.images.opened import local_path
from virtquorum.model.image import Image
from virtquorum.report.location import where

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from virtquorum.model.image import AnyImage, Quorum

__all__ = [
    "fewer",
    "holds_data",
    "overwritten",
    "spare",
    "ties",
    "unvoted",
    "written_to",
]

#: qemu-img writes zeros to the first block of a raw image, which file systems keep as data.
_FIRST = 1 << 16


def ties(word: str, before: Quorum, after: Quorum) -> Iterator[str]:
    """What to ask of a quorum whose threshold becomes half of its members or less."""
    if not _is_tied(after) or _is_tied(before):
        return
    count, threshold = len(after.members), after.vote_threshold
    yield (
        f"'{word}' would have a threshold of {threshold} with {count} members, which is no "
        "majority: two answers could both have votes enough, and the later members' would be "
        f"taken; '--threshold {count // 2 + 1}' makes it one"
    )


def _is_tied(quorum: Quorum) -> bool:
    threshold, count = quorum.vote_threshold, len(quorum.members)
    votes = quorum.read_pattern != "fifo"
    return votes and isinstance(threshold, int) and count > 1 and threshold * 2 <= count


def unvoted(word: str, quorum: Quorum) -> Iterator[str]:
    """What to ask of a quorum that is copied from while a guest runs from it."""
    if quorum.read_pattern == "fifo":
        yield (
            f"'{word}' is read with read_pattern='fifo': what is copied to the new member is what "
            "the first member that answers holds, and is not voted on; it is, if 'set "
            f"{word} --read-pattern quorum' comes first"
        )


def fewer(word: str, before: Quorum, after: Quorum) -> Iterator[str]:
    """What to ask of a quorum that loses members, and with them what it is for."""
    count = len(after.members)
    if count >= len(before.members):
        return
    if count == 1:
        yield (
            f"'{word}' would have a single member: nothing is left that could take its place, or "
            "tell that what it returns is wrong"
        )
    elif _can_outvote(before) and not _can_outvote(after):
        yield (
            f"'{word}' could not outvote a bad member any more: with {count} members and a "
            f"threshold of {after.vote_threshold} one that returns wrong data can stop the guest, "
            f"or be believed{_way(count)}"
        )


def _way(members: int) -> str:
    """The threshold with which so many members outvote a bad one, by a majority."""
    threshold = members // 2 + 1
    return f"; with '--threshold {threshold}' they would outvote it" if members > 2 else ""


def _can_outvote(quorum: Quorum) -> bool:
    """Whether a single bad member loses against the rest."""
    threshold, good = quorum.vote_threshold, len(quorum.members) - 1
    votes = quorum.read_pattern != "fifo"
    return votes and isinstance(threshold, int) and good >= max(threshold, 2)


def spare(word: str, before: Quorum, after: Quorum) -> Iterator[str]:
    """What is worth knowing of a quorum that gets into need of every member it has."""
    if len(after.members) < len(before.members):  # that is asked about
        return
    if _needs_all(after) and not _needs_all(before) and after.read_pattern != "fifo":
        count = len(after.members)
        yield f"'{word}' needs all of its {count} members now: the first bad one stops the guest"


def _needs_all(quorum: Quorum) -> bool:
    return quorum.vote_threshold == len(quorum.members)


def overwritten(members: Sequence[AnyImage], *, here: bool) -> Iterator[str]:
    """What to ask of new members that hold something, or of which nobody knows.

    They are copied to; ``here`` is whether files are files of this machine.
    """
    for one in written_to(members):
        path = local_path(one)
        seen = _seen(path, one.format or "raw") if here and path is not None else None
        if seen is None:
            yield (
                f"what the image {_named(one)} holds cannot be seen from here, and it is "
                "overwritten by the disk's data"
            )
        elif seen:
            yield (
                f"the image '{path}' is not blank, and what it holds is overwritten by the "
                "disk's data"
            )


def _named(image: Image) -> str:
    """An image, for a message."""
    place = where(image.source)
    return f"'{place}'" if place is not None else "of the new member"


def written_to(members: Iterable[AnyImage]) -> Iterator[Image]:
    """The images that are copied to with these members: theirs, and those of quorums in them."""
    rest = list(members)
    while rest:
        one = rest.pop(0)
        if not isinstance(one, Image):
            continue
        if one.source.type == "quorum":
            rest += one.below
        else:
            yield one


def holds_data(path: str, format: str) -> bool:
    """Whether an image of this machine holds anything but zeros, as far as that is to be seen.

    A block device is said to hold something: nobody can tell without reading it.
    """
    return bool(_seen(path, format))


def _seen(path: str, format: str) -> bool | None:
    """Whether an image holds anything but zeros; None where that is not to be seen."""
    try:
        if format == "raw" and os.path.isfile(path):
            return _has_bytes(path)
        os.stat(path)
        return _is_mapped(path, format)
    except FileNotFoundError:  # there is nothing to be lost
        return False
    except OSError:
        return None


def _has_bytes(path: str) -> bool:
    """Whether a file holds more than holes and the zeros with which qemu-img begins it."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        start = os.lseek(handle, 0, os.SEEK_DATA)
        if start > 0 or os.pread(handle, _FIRST, 0).strip(b"\0"):
            return True
        os.lseek(handle, _FIRST, os.SEEK_DATA)
    except OSError as error:
        if error.errno != errno.ENXIO:  # a hole up to the end
            raise
        return False
    finally:
        os.close(handle)
    return True


def _is_mapped(path: str, format: str) -> bool | None:
    """Whether an image's own layer has clusters with data, by qemu-img; None if it cannot tell."""
    from virtquorum.images.program import QemuImg, Signals, find_qemu_img

    words = ["map", "--force-share", "--output=json", "-f", format, path]
    with suppress(ImageError, ValueError), Signals() as signals:
        found = json.loads(QemuImg(find_qemu_img(), signals).run(words, path, {}))
        return any(one["depth"] == 0 and one["data"] and not one["zero"] for one in found)
    return None
