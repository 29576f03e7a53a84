"""A backing chain that libvirt does not start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Rule
from virtquorum.model.image import Image, Quorum

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.model.disk import Disk

__all__ = ["RULE"]

#: libvirt's QEMU driver counts so many.
_DEEPEST: Final = 200


def check(disk: Disk) -> Iterator[Problem]:
    """See RULE."""
    level = [disk.image]
    is_voted_on = False
    for _ in range(_DEEPEST):
        is_voted_on = is_voted_on or any(isinstance(one.source, Quorum) for one in level)
        level = [below for one in level for below in one.below if isinstance(below, Image)]
        if not level:
            return
    for image in level:
        yield Problem(
            image.location,  # type: ignore[arg-type]
            f"this is image {_DEEPEST + 1} of its chain, and libvirt takes {_DEEPEST}",
            expected="a shorter chain: 'virsh blockcommit' merges images",
            severity=Severity.WARNING if is_voted_on else None,
        )


def _disk(images: int) -> str:
    """A disk with a chain of so many images."""
    below = "".join(
        f"<backingStore type='file'><format type='qcow2'/><source file='/srv/root.{number}.qcow2'/>"
        for number in range(1, images)
    )
    return f"""<disk type='file' device='disk'>
  <driver name='qemu' type='qcow2'/>
  <source file='/srv/root.qcow2'/>
  {below}<backingStore/>{"</backingStore>" * (images - 1)}
  <target dev='vda' bus='virtio'/>
</disk>
"""


RULE = Rule(
    code="VQ214",
    name="chain-too-deep",
    severity=Severity.ERROR,
    title="a backing chain is deeper than 200 images",
    documentation="""
libvirt counts the images of a backing chain, from the disk's own down, and starts no domain with
more than 200: "backing chains more than 200 layers deep are not supported for disk 'vda'". It
keeps the chain in XML, one element inside the other, and its XML parser stops at 256 levels.

Below a quorum every level counts as one as well, the quorum itself too. libvirt does not see that
chain, so this is a warning there.

The place is the image that is one too deep. Shorten the chain: `virsh blockcommit`, or `qemu-img
commit` and `qemu-img rebase` while the domain is off.
""",
    failing=_disk(_DEEPEST + 1),
    passing=_disk(_DEEPEST),
    subject="disk",
    check=check,
)
