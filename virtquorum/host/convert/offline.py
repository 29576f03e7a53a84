"""Images copied, compared and made by qemu-img, while no guest has them open."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from virtquorum.errors import HostError, ImageError
from virtquorum.host.change import Step, Text
from virtquorum.images.make import commands, make
from virtquorum.images.opened import (
    driver_of,
    encryption_of,
    graph,
    json_name,
    local_path,
    one_image,
)
from virtquorum.images.plan import Request, plan_images
from virtquorum.images.program import QemuImg, Signals, find_qemu_img

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from virtquorum.host.change import Action, Course
    from virtquorum.host.domain import HostDomain
    from virtquorum.images.opened import Spelled
    from virtquorum.model.disk import Disk
    from virtquorum.model.image import Image
    from virtquorum.xml.domain import Domain

__all__ = [
    "Compare", "Copy", "MakeImages", "StillOff", "paths_of", "size_of_image", "spelled",
]  # fmt: skip

#: What is said of a qemu-img that says nothing and ends with 1: of 'compare', that images differ.
_DIFFER = "qemu-img failed with code 1"


def spelled(disk: Disk, top: Image) -> Spelled:
    """An image of a disk, with all below it, as qemu-img opens it; raises HostError."""

    def spell(image: Image) -> Spelled:
        path, driver = local_path(image), driver_of(disk, image)
        if path is None or driver is None:
            raise HostError(_refusal(disk, "it has an image that is no file of this machine"))
        if encryption_of(disk, image) is not None:
            raise HostError(_refusal(disk, "it has an encrypted image"))
        return one_image(image, driver, path)

    return graph(top, spell)


def _refusal(disk: Disk, why: str) -> str:
    return (
        f"the disk '{disk.name}' cannot be copied or compared while the domain is off: {why}; "
        "start it and convert it with --live, or copy it yourself and say --no-copy"
    )


def size_of_image(disk: Disk, image: Image) -> int:
    """The virtual size of an image (bytes); raises HostError and ImageError."""
    name = json_name(spelled(disk, image))
    with Signals() as signals:
        return QemuImg(find_qemu_img(), signals).virtual_size(name, _called(image))


def _called(image: Image) -> str:
    return local_path(image) or "the disk"


class _Offline(Step):
    """A step of qemu-img's, of which nothing has to be undone."""

    words: list[str]
    where: str

    @property
    def actions(self) -> tuple[Action, ...]:
        """The command."""
        return (Text(text=f"qemu-img {' '.join(self.words)}"),)

    def do(self, course: Course) -> None:
        """Run it; raises ImageError with qemu-img's words, or Interrupted."""
        with Signals() as signals:
            program = QemuImg(find_qemu_img(), signals)
            program.run(self.words, self.where, {}, lambda done: course.progress(done, 100))

    def undo(self) -> None:
        """Nothing."""


class Copy(_Offline):
    """Copy a disk onto an image that is to become a member.

    What is undone leaves the image as far as it was written: nobody votes with it.
    """

    def __init__(self, disk: Disk, source: Image, member_disk: Disk, member: Image) -> None:
        self.where = _called(member)
        driver = driver_of(member_disk, member)
        assert driver is not None
        names = json_name(spelled(disk, source)), json_name(spelled(member_disk, member))
        # Flushed at the end: the definition will name the image.
        self.words = ["convert", "-p", "-n", "-t", "writeback", "-O", driver, *names]

    @property
    def title(self) -> str:
        """What it does."""
        return f"copy the disk to the new member '{self.where}'"


class Compare(_Offline):
    """See that an image holds what another one holds, or a vote decides.

    ``otherwise`` is what is said if it does not.
    """

    def __init__(self, one: Spelled, other: Spelled, path: str, otherwise: str) -> None:
        self.where = path
        self.otherwise = otherwise
        self.words = ["compare", "-p", json_name(one), json_name(other)]

    @property
    def title(self) -> str:
        """What it does."""
        return f"compare '{self.where}' with the disk"

    def do(self, course: Course) -> None:
        """Compare them; raises HostError if they differ, ImageError if one cannot be read."""
        try:
            super().do(course)
        except ImageError as error:
            if error.message != _DIFFER:
                raise
            raise HostError(self.otherwise) from None


class StillOff(Step):
    """See that nobody has started the domain meanwhile."""

    def __init__(self, domain: HostDomain) -> None:
        self.domain = domain

    @property
    def title(self) -> str:
        """What it does."""
        return f"see that '{self.domain.name}' is still off"

    def do(self, course: Course) -> None:
        """Raise HostError if it runs: what was copied is not what the disk holds any more."""
        if self.domain.is_active:
            raise HostError(
                f"{self.domain.where} was started meanwhile, and may have written to the disk; "
                "convert it with --live --config, or shut it down and do it again"
            )

    def undo(self) -> None:
        """Nothing."""


class MakeImages(Step):
    """Make the images of new members that are missing, blank and as large as the disk."""

    def __init__(
        self, document: Domain, disk: Disk, size: int, owner: tuple[int, int] | None
    ) -> None:
        """Plan it; raises ImageError for an image that cannot be made."""
        with Signals() as signals:
            program = QemuImg(find_qemu_img(), signals)
            self.plan = plan_images([disk], Request(size=size), program, document.machine_disks)
        if self.plan.problems:
            raise self.plan.problems[0]
        self.owner = owner
        self._made: list[tuple[str, int, int]] = []

    @property
    def paths(self) -> list[str]:
        """What is made."""
        return [one.path for one in self.plan.images]

    @property
    def title(self) -> str:
        """What it does."""
        return f"make {', '.join(repr(path) for path in self.paths)}"

    @property
    def actions(self) -> tuple[Action, ...]:
        """The commands."""
        return tuple(Text(text=" ".join(words)) for words in commands(self.plan))

    def do(self, course: Course) -> None:
        """Make them, for QEMU's user; raises ImageError or Interrupted, and leaves none then."""
        with Signals() as signals:
            program = QemuImg(find_qemu_img(), signals)
            make(self.plan, program, signals, lambda _image, _percent: None)
        for path in self.paths:
            status = os.stat(path)
            self._made.append((path, status.st_dev, status.st_ino))
            if self.owner is not None:
                os.chown(path, *self.owner)

    def undo(self) -> None:
        """Remove those that were made, and no other that may be there."""
        for path, device, inode in self._made:
            with suppress(FileNotFoundError):
                status = os.lstat(path)
                if (status.st_dev, status.st_ino) == (device, inode):
                    os.unlink(path)


def paths_of(images: Sequence[Image]) -> Iterator[str]:
    """The paths of images of this machine, and of those below them."""
    for image in images:
        for one in image.walk():
            source: Any = one.source
            if source.type in ("file", "block") and (path := local_path(one)) is not None:
                yield path
