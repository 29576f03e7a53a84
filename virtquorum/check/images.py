"""The images themselves: whether they are what the document says of them.

Only images that this host reaches as files and block devices are looked at,
and only when it is asked for.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

from virtquorum.check.container import container_look
from virtquorum.check.image_look import asked_of, look_at
from virtquorum.check.rule import positions
from virtquorum.check.rules import (
    image_backing,
    image_format,
    image_missing,
    image_sizes,
    image_under_two_names,
    image_unreadable,
    one_filesystem,
)
from virtquorum.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from virtquorum.check.image_look import Asked, Look
    from virtquorum.check.rule import Position, Problem, Rule
    from virtquorum.model.disk import Disk

__all__ = ["image_problems"]

#: So many qemu-img run at once.
_AT_ONCE: Final = 4


def image_problems(
    disks: Sequence[Disk], *, progress: Callable[[str], None] | None = None
) -> Iterator[tuple[Rule, Problem]]:
    """Look at the local images of the disks; each is opened once.

    ``progress`` is called with a line now and then.  Raises UsageError
    if there are such images and qemu-img is not installed.
    """
    found = [one for disk in disks for one in positions(disk)]
    asked = {id(one.image): what for one in found if (what := asked_of(one)) is not None}
    looks = _looks(list(dict.fromkeys(asked.values())), progress)
    seen = {image: looks[what] for image, what in asked.items()}
    # In another format than its own an image has another size, and another backing file.
    mistaken = {
        id(one.image)
        for one in found
        if (look := seen.get(id(one.image))) is not None
        and any(True for _ in image_format.check(one, look))
    }
    program = shutil.which("qemu-img") or ""  # without it nothing was seen
    sizes = _sizes(found, {key: look for key, look in seen.items() if key not in mistaken})
    for problem in image_under_two_names.check(found, seen):
        yield image_under_two_names.RULE, problem
    for one in found:
        look = seen.get(id(one.image))
        if look is not None:
            for module in (image_missing, image_unreadable, image_format, image_backing):
                if module is image_backing and id(one.image) in mistaken:
                    continue
                for problem in module.check(one, look):
                    yield module.RULE, problem
        if one.image.source.type == "quorum":
            yield from _of_container(one, seen, program)
            for problem in image_sizes.check(one, [sizes.get(id(it)) for it in one.image.below]):
                yield image_sizes.RULE, problem
            for problem in one_filesystem.check(one, [seen.get(id(it)) for it in one.image.below]):
                yield one_filesystem.RULE, problem


def _of_container(
    one: Position, seen: Mapping[int, Look], program: str
) -> Iterator[tuple[Rule, Problem]]:
    """What is wrong with the format above a quorum."""
    found = container_look(one, seen, program)
    if found is None:
        return
    if found.refused is not None:
        for problem in image_format.check_container(one, found.refused):
            yield image_format.RULE, problem
    for name in (found.backing.full if found.backing is not None else None, found.data_file):
        if name is not None:
            for problem in image_backing.check_container(one, name):
                yield image_backing.RULE, problem


def _looks(asked: Sequence[Asked], progress: Callable[[str], None] | None) -> Mapping[Asked, Look]:
    if not asked:
        return {}
    program = shutil.which("qemu-img")
    if program is None:
        raise UsageError(
            "qemu-img is not installed, and without it images cannot be looked at;"
            " install the package qemu-utils (or qemu-img), or leave out --check-images"
        )
    from concurrent.futures import ThreadPoolExecutor

    looks: dict[Asked, Look] = {}
    pool = ThreadPoolExecutor(max_workers=_AT_ONCE)
    try:
        for look in pool.map(lambda one: look_at(one, program), asked):
            looks[look.asked] = look
            if progress is not None:
                progress(f"{len(looks)} of {len(asked)} images")
    finally:
        pool.shutdown(cancel_futures=True)
    return looks


def _sizes(found: Sequence[Position], seen: Mapping[int, Look]) -> dict[int, int]:
    """The virtual size in bytes of each image, by its id, as far as it is known.

    A quorum has the size of its members, if they have one.
    """
    sizes: dict[int, int] = {}
    for one in reversed(found):  # so that what lies below comes first
        image = one.image
        look = seen.get(id(image))
        if look is not None and look.size is not None:
            sizes[id(image)] = look.size
        elif image.source.type == "quorum" and image.format in (None, "quorum"):
            below = {sizes.get(id(member)) for member in image.below}
            if len(below) == 1 and (size := below.pop()) is not None:
                sizes[id(image)] = size
    return sizes
