"""Images copied and compared by qemu-img, while no guest has them open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from virtquorum.errors import HostError, ImageError
from virtquorum.host import offline
from virtquorum.images.opened import driver_of, json_name, local_path
from virtquorum.images.program import QemuImg, Signals, find_qemu_img

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from virtquorum.host.change import Course, Step
    from virtquorum.host.domain import HostDomain
    from virtquorum.images.opened import Spelled
    from virtquorum.model.disk import Disk
    from virtquorum.model.image import Image

__all__ = ["Compare", "copy", "paths_of", "size_of_image", "spelled", "still_off"]

#: What is said of a qemu-img that says nothing and ends with 1: of 'compare', that images differ.
_DIFFER = "qemu-img failed with code 1"


def spelled(disk: Disk, top: Image) -> Spelled:
    """An image of a disk, with all below it, as qemu-img opens it; raises HostError."""
    return offline.spelled(disk, top, lambda why: _refusal(disk, why))


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


def copy(disk: Disk, source: Image, member_disk: Disk, member: Image) -> Step:
    """The step that copies a disk onto an image that is to become a member."""
    driver = driver_of(member_disk, member)
    assert driver is not None
    return offline.Copy(
        spelled(disk, source), spelled(member_disk, member), driver, _called(member)
    )


def still_off(domain: HostDomain) -> offline.StillOff:
    """The step that sees that what was copied is still what the disk holds."""
    return offline.StillOff(
        domain,
        "was started meanwhile, and may have written to the disk; convert it with --live --config, "
        "or shut it down and do it again",
    )


class Compare(offline.QemuImgStep):
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


def paths_of(images: Sequence[Image]) -> Iterator[str]:
    """The paths of images of this machine, and of those below them."""
    for image in images:
        for one in image.walk():
            source: Any = one.source
            if source.type in ("file", "block") and (path := local_path(one)) is not None:
                yield path
