"""What is done to images by qemu-img while no guest has them open, and the look that none has."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from virtquorum.errors import HostError
from virtquorum.host.change import Step, Text
from virtquorum.host.definition import Define
from virtquorum.host.noted import without_note
from virtquorum.images.opened import (
    driver_of,
    encryption_of,
    graph,
    json_name,
    local_path,
    one_image,
)
from virtquorum.images.program import QemuImg, Signals, find_qemu_img
from virtquorum.model.image import Image, Quorum
from virtquorum.stock.lift import lift

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from virtquorum.host.change import Action, Course
    from virtquorum.host.domain import HostDomain
    from virtquorum.images.opened import Spelled
    from virtquorum.model.disk import Disk
    from virtquorum.model.image import AnyImage
    from virtquorum.xml.domain import Domain

__all__ = ["Copy", "QemuImgStep", "StillOff", "defined_off", "readable", "spelled"]


def spelled(disk: Disk, top: Image, refusal: Callable[[str], str]) -> Spelled:
    """An image of a disk, with all below it, as qemu-img opens it.

    Raises HostError for what qemu-img cannot open; ``refusal`` makes its
    message of the reason.
    """

    def spell(image: Image) -> Spelled:
        path, driver = local_path(image), driver_of(disk, image)
        if path is None or driver is None:
            raise HostError(refusal("it has an image that is no file of this machine"))
        if encryption_of(disk, image) is not None:
            raise HostError(refusal("it has an encrypted image"))
        return one_image(image, driver, path)

    return graph(top, spell)


def readable(top: Image) -> Image:
    """A quorum without the members of which a file is gone, if its threshold allows it.

    qemu-img opens all members, and the vote of those that are there is enough.
    """
    quorum = top.source
    if not isinstance(quorum, Quorum):
        return top
    there = tuple(one for one in quorum.members if not _is_gone(one))
    enough = isinstance(quorum.vote_threshold, int) and len(there) >= quorum.vote_threshold
    return replace(top, source=replace(quorum, members=there)) if enough else top


def _is_gone(member: AnyImage) -> bool:
    if not isinstance(member, Image):
        return False
    paths = (local_path(one) for one in member.walk() if not isinstance(one.source, Quorum))
    return any(path is not None and not os.path.exists(path) for path in paths)


class QemuImgStep(Step):
    """A step of qemu-img's, of which nothing has to be undone.

    ``words`` are its arguments, ``where`` is the image that messages name.
    """

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


class Copy(QemuImgStep):
    """Copy a disk onto an image that is to become a member; of a quorum every block is voted on.

    What is undone leaves the image as far as it was written: nobody votes with it.
    """

    def __init__(self, source: Spelled, target: Spelled, driver: str, where: str) -> None:
        self.where = where
        # qemu-img's own way with what it writes is never to have it flushed, and the definition
        # will name the image.
        cached = ["convert", "-p", "-n", "-t", "writeback"]
        self.words = [*cached, "-O", driver, json_name(source), json_name(target)]

    @property
    def title(self) -> str:
        """What it does."""
        return f"copy the disk to the new member '{self.where}'"


class StillOff(Step):
    """See that nobody has started a domain meanwhile: it may have written since the copy.

    ``otherwise`` is what is said, behind the domain's name, if somebody has.
    """

    def __init__(self, domain: HostDomain, otherwise: str) -> None:
        self.domain = domain
        self.otherwise = otherwise

    @property
    def title(self) -> str:
        """What it does."""
        return f"see that '{self.domain.name}' is still off"

    def do(self, course: Course) -> None:
        """Look; raises HostError where it runs."""
        if self.domain.is_active:
            raise self._started()

    def look_again(self) -> None:
        """See that it does not run by the old definition, now that there is a new one.

        Raises HostError where it does, or has ended since: from the new one on
        every start takes that.
        """
        if not self.domain.is_active:
            return
        text = self.domain.text()
        has_ended = "id" not in text.document.root.attributes
        if has_ended or _quorums(text) != _quorums(self.domain.text(inactive=True)):
            raise self._started()

    def _started(self) -> HostError:
        return HostError(f"{self.domain.where} {self.otherwise}")

    def undo(self) -> None:
        """Nothing was changed."""


def defined_off(still: StillOff, definition: Sequence[Step]) -> list[Step]:
    """The steps of the definition of a domain that is off, before and after which it is looked.

    A start between the look and the new definition is seen, and that undone.
    """
    for step in definition:
        if isinstance(step, Define):
            step.checks.append(still.look_again)
    return [still, *definition]


def _quorums(text: Domain) -> dict[str | None, object]:
    """What the quorum disks of a lowered domain are made of."""
    disks = lift(without_note(text), force=True).machine_disks
    return {one.name: (one.image, one.driver) for one in disks if one.quorums}
