"""How large a missing image is to be: as the others that hold the same bytes."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Final

from virtquorum.errors import ImageError
from virtquorum.images.size import human_size
from virtquorum.images.survey import problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from virtquorum.images.program import QemuImg
    from virtquorum.images.survey import Found, Group

__all__ = ["Sizes"]

_REMEDY: Final = "say how large the images are to be: --size 10G"


class Sizes:
    """The virtual sizes (bytes) of groups of images.

    In this order: what an image of the group has that is there; --size; what
    a backing image below has that is there; what the image above gets.  A
    member of another size than --size, or than most members, is a problem; a
    backing image may have its own.
    """

    def __init__(
        self,
        every: Sequence[Found],
        asked: int | None,
        qemu_img: QemuImg,
        problems: list[ImageError],
    ) -> None:
        self._every = every
        self._asked = asked
        self._qemu_img = qemu_img
        self._groups: dict[Group, int] = {}
        self._measured: dict[int, int] = {}
        for group in {one.group: None for one in every}:
            members = [one for one in every if one.group is group and one.size is not None]
            if members:
                problems += self._differing(group, members)
                self._groups[group] = _usual(members)[1]

    def _differing(self, group: Group, members: Sequence[Found]) -> list[ImageError]:
        """The images that are there and have another size than they should."""
        asked = self._asked if group.above is None and group.container is None else None
        example, usual = _usual(members)
        other = f"'{example.path}' has {human_size(usual)}"
        if asked is not None:
            other = f"--size is {human_size(asked)}"
        agree = all(one.size == usual for one in members)
        wanted = usual if asked is None else asked
        remedy = _size_remedy(members, doubted=wanted != usual, agree=agree)
        return [
            problem(one, f"is there with {human_size(one.size or 0)}, but {other}", remedy)
            for one in members
            if one.size != wanted
        ]

    def of(self, found: Found) -> int:
        """The size of a missing image; raises ImageError where nothing says it."""
        group = found.group
        size = self._groups.get(group)
        if size is None and group.container is not None:
            size = self._container(self.contained(found))
        if size is None:
            size = self._asked or self._below(group, found) or self._above(group)
        if size is None:
            raise problem(found, "nothing says how large it is to be", _REMEDY)
        self._groups[group] = size
        return size

    def contained(self, found: Found) -> int:
        """The size of the image inside the bytes that are voted on; raises ImageError."""
        if self._asked is None:
            raise problem(found, "nothing says how large the disk is to be", _REMEDY)
        return self._asked

    def _container(self, size: int) -> int:
        """How large a qcow2 file of this virtual size becomes when all of it is written."""
        if size not in self._measured:
            out = self._qemu_img.run(
                ("measure", "--output=json", "-O", "qcow2", "--size", str(size)), "qcow2", {}
            )
            self._measured[size] = int(json.loads(out)["fully-allocated"])
        return self._measured[size]

    def _below(self, group: Group, found: Found) -> int | None:
        """The size of the backing images that are there; they must agree."""
        sizes = {one.size: one for one in self._every if one.size and _is_below(one.group, group)}
        if len(sizes) > 1:
            said = ", ".join(f"'{one.path}' {human_size(one.size or 0)}" for one in sizes.values())
            raise problem(found, f"its backing images differ in size: {said}", _REMEDY)
        return next(iter(sizes), None)

    def _above(self, group: Group) -> int | None:
        above = group.above
        while above is not None:
            if above in self._groups:
                return self._groups[above]
            above = above.above
        return None


def _is_below(group: Group, other: Group) -> bool:
    above = group.above
    while above is not None:
        if above is other:
            return True
        above = above.above
    return False


def _usual(members: Sequence[Found]) -> tuple[Found, int]:
    """The size that most of them have, of equally many the first, with the first of that size."""
    ((size, _),) = Counter(one.size or 0 for one in members).most_common(1)
    return next(one for one in members if one.size == size), size


def _size_remedy(members: Sequence[Found], *, doubted: bool, agree: bool) -> str:
    """The way out for images that are there in another size than they should.

    ``doubted`` is whether --size is what most of them do not have, ``agree``
    whether all have one size.
    """
    if len(members) == 1 and members[0].role != "member":
        return "leave --size out, or resize the image yourself"
    rule = "the members of a quorum have one size; "
    anew = "move it away, and have it made anew: create --from MEMBER, of one that is good"
    if not doubted:
        return f"{rule}if one of them is damaged, {anew}"
    if not agree:
        return f"{rule}look at --size; if one of them is damaged, {anew}"
    if len(members) == 1:
        return f"{rule}leave --size out; or, if it is damaged, {anew}"
    return f"{rule}leave --size out, or resize them all yourself"
