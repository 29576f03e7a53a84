"""Blank members beside others that have data: whether those would win the vote.

Members that are blank agree with one another.  Those that are there are
taken to agree as well; and those that are not made here, because they are not
of this host, are taken to be there and to have the data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from virtquorum.images.survey import key_of, problem
from virtquorum.model.image import Image, Quorum

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from virtquorum.errors import ImageError
    from virtquorum.images.plan import Planned
    from virtquorum.images.survey import Found
    from virtquorum.model.disk import Disk

    Holds: TypeAlias = Literal["data", "blank", "elsewhere"]

__all__ = ["outvoting"]


def outvoting(
    disks: Sequence[Disk], every: Sequence[Found], images: Sequence[Planned]
) -> Iterator[ImageError]:
    """An error for each disk in whose quorum blank members would take the place of data.

    ``every`` is what was found of the disks' images, ``images`` what is to be
    made of them.
    """
    by_image = {id(one.image): one for one in every}
    blank = {key_of(one.path) for one in images if one.source is None}
    holds: dict[int, Holds] = {key: _held_by(one, blank) for key, one in by_image.items()}
    for disk in disks:
        # Those below first: a quorum may be a member of another one.
        for image in reversed(list(disk.image.walk())):
            if not isinstance(image.source, Quorum):
                continue
            error = _outvoted(image.source, holds, by_image)
            holds[id(image)] = _held(image.source, holds)
            if error is not None:
                yield error
                break


def _held_by(found: Found, blank: Collection[str]) -> Holds:
    """What an image holds once all is made; ``blank`` are the files that are made so."""
    if found.path is None:
        return "elsewhere"
    is_new = found.state == "missing" and key_of(found.path) in blank
    return "blank" if is_new else "data"


def _outvoted(
    quorum: Quorum, holds: Mapping[int, Holds], by_image: Mapping[int, Found]
) -> ImageError | None:
    """What is wrong with one quorum, told at the first of its own members that is to be made."""
    threshold = quorum.vote_threshold
    members = [one for one in quorum.members if isinstance(one, Image)]
    held = [holds.get(id(one), "elsewhere") for one in members]
    blank = held.count("blank")
    if blank in (0, len(members)) or not isinstance(threshold, int):
        return None
    number = f"{blank} of {len(members)} members would be blank"
    if quorum.read_pattern == "fifo":
        why = f"{number}, and members are read in their order, without a vote"
    elif blank >= threshold:
        why = f"{number}, and with the threshold {threshold} they can win the vote"
    elif len(members) - blank < threshold:
        why = f"{number}, and the others do not reach the threshold {threshold}"
    else:
        return None
    first = members[held.index("blank")]
    found = by_image.get(id(first)) or by_image[id(_first_image(first, by_image))]
    if "data" in held:
        beside, way = "members that are there", "copy one of them with --from MEMBER, or say"
    else:
        beside = "members that are not of this host and may have the data"
        way = "bring a copy of one of them to its place (qemu-img convert), or say"
    return problem(
        found, f"is not made blank beside {beside}: {why}",
        f"{way} --blank if none of them has anything to lose",
    )  # fmt: skip


def _first_image(top: Image, by_image: Mapping[int, Found]) -> Image:
    return next(one for one in top.walk() if id(one) in by_image)


def _held(quorum: Quorum, holds: Mapping[int, Holds]) -> Holds:
    """What a quorum holds as a member of another one: data, if any of its members has it."""
    held = {holds.get(id(one), "elsewhere") for one in quorum.members}
    return "data" if "data" in held else "elsewhere" if "elsewhere" in held else "blank"
