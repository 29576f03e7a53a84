"""Images that are missing are made for a change, blank, and go again if it fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.errors import HostError
from virtquorum.host.change import Step, Text
from virtquorum.images.make import commands, make
from virtquorum.images.place import Workplace
from virtquorum.images.plan import Request, plan_images
from virtquorum.images.program import QemuImg, Signals, find_qemu_img
from virtquorum.images.secrets import KeyFile, Secrets
from virtquorum.qemu.provided import SecretFile

if TYPE_CHECKING:
    from virtquorum.host.change import Action, Course
    from virtquorum.model.disk import Disk
    from virtquorum.qemu.provided import Provided
    from virtquorum.xml.domain import Domain

__all__ = ["MakeImages"]


class MakeImages(Step):
    """Make the images of a disk that are missing, blank.

    ``size`` is their virtual size in bytes, None for that of an image that is
    there; ``document`` holds the disks that may have files in common with
    this one, ``provided`` the secrets of encrypted images.
    """

    def __init__(
        self,
        document: Domain,
        disk: Disk,
        size: int | None,
        owner: tuple[int, int] | None,
        provided: Provided | None = None,
    ) -> None:
        """Plan it; raises ImageError for an image that cannot be made."""
        # Whoever plans this copies to them, or has refused to make them beside others.
        request = Request(size=size, secrets=_secrets(provided), blank=True)
        with Signals() as signals:
            program = QemuImg(find_qemu_img(), signals)
            self.plan = plan_images([disk], request, program, document.machine_disks)
        if self.plan.problems:
            raise self.plan.problems[0]
        self._workplace = Workplace(owner)

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
            make(self.plan, program, signals, lambda _image, _percent: None, self._workplace)

    def undo(self) -> None:
        """Remove those that were made, and no other that may be there."""
        if left := self._workplace.undo():
            raise HostError(f"remove by hand what could not be removed: {', '.join(left)}")


def _secrets(provided: Provided | None) -> Secrets:
    """The files with secrets; an object of QEMU's is none that qemu-img has."""
    found = provided.secrets.items() if provided is not None else ()
    return Secrets(
        {key: KeyFile(one.path, one.base64) for key, one in found if isinstance(one, SecretFile)}
    )
