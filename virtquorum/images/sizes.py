"""How large a missing image is to be: as the others that hold the same bytes."""

from __future__ import annotations

import json
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
    member of another size than --size, or than another member, is a problem;
    a backing image may have its own.
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
            problems += self._differing(group, members)
            if members and members[0].size is not None:
                self._groups[group] = members[0].size

    def _differing(self, group: Group, members: Sequence[Found]) -> list[ImageError]:
        """The images that are there and have another size than they should."""
        asked = self._asked if group.above is None and group.container is None else None
        if asked is not None:
            return [
                _other_size(one, f"--size is {human_size(asked)}")
                for one in members
                if one.size != asked
            ]
        first = members[0] if members else None
        return [
            _other_size(one, f"'{first.path}' has {human_size(first.size or 0)}")
            for one in members
            if first is not None and one.size != first.size
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


def _other_size(found: Found, other: str) -> ImageError:
    return problem(
        found,
        f"is there with {human_size(found.size or 0)}, but {other}",
        "the members of a quorum have one size; leave --size out, or resize the image yourself",
    )
