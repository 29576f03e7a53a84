"""New members of a domain that is off are copied to by qemu-img, from the vote of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.errors import HostError
from virtquorum.host.change import Step, Text
from virtquorum.images.opened import (
    driver_of,
    encryption_of,
    graph,
    json_name,
    local_path,
    one_image,
)
from virtquorum.images.program import QemuImg, Signals, find_qemu_img
from virtquorum.model.image import Image

if TYPE_CHECKING:
    from virtquorum.host.change import Action, Course
    from virtquorum.host.domain import HostDomain
    from virtquorum.host.patch.words import Place
    from virtquorum.images.opened import Spelled
    from virtquorum.model.disk import Disk

__all__ = ["Fill", "StillOff"]


class Fill(Step):
    """Copy what a quorum holds onto an image that is to become a member.

    Raises HostError for images that only QEMU in the domain could open.
    """

    def __init__(self, place: Place, member: Image) -> None:
        self.member = member
        self.path = local_path(member)
        top = Image(source=place.quorum, format="quorum")
        source, target = _spelled(place.disk, top), _spelled(place.disk, member)
        driver = driver_of(place.disk, member)
        if driver is None:
            raise HostError(_refusal("it is a quorum itself"))
        # qemu-img's own way with what it writes is never to have it flushed.
        cached = ["convert", "-p", "-n", "-t", "writeback"]
        self.words = [*cached, "-O", driver, json_name(source), json_name(target)]

    @property
    def title(self) -> str:
        """What it does."""
        return f"copy the disk to the new member '{self.path}'"

    @property
    def actions(self) -> tuple[Action, ...]:
        """The command."""
        return (Text(text=f"qemu-img {' '.join(self.words)}"),)

    def do(self, course: Course) -> None:
        """Copy; every block is voted on.  Raises ImageError with qemu-img's words."""
        with Signals() as signals:
            program = QemuImg(find_qemu_img(), signals)
            program.run(self.words, str(self.path), {}, lambda done: course.progress(done, 100))

    def undo(self) -> None:
        """Nothing: what was written is in an image that nobody votes with."""


class StillOff(Step):
    """See that nobody has started a domain meanwhile: its new members would miss what it writes."""

    def __init__(self, domain: HostDomain) -> None:
        self.domain = domain

    @property
    def title(self) -> str:
        """What it does."""
        return f"see that '{self.domain.name}' is still off"

    def do(self, course: Course) -> None:
        """Look; raises HostError where it runs."""
        if self.domain.is_active:
            raise HostError(
                f"{self.domain.where} has been started meanwhile, and its new members have not "
                "what it writes; change it while it runs, with '--live --config'"
            )

    def undo(self) -> None:
        """Nothing was changed."""


def _spelled(disk: Disk, top: Image) -> Spelled:
    def spell(image: Image) -> Spelled:
        path, driver = local_path(image), driver_of(disk, image)
        if path is None or driver is None:
            raise HostError(_refusal("it has an image that is no file of this machine"))
        if encryption_of(disk, image) is not None:
            raise HostError(_refusal("it has an encrypted image"))
        return one_image(image, driver, path)

    return graph(top, spell)


def _refusal(why: str) -> str:
    return (
        f"the disk cannot be copied to its new member while the domain is off: {why}; start the "
        "domain and change it then, or copy it yourself and say --no-copy"
    )
