"""An image below another one whose format is not written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Rule
from virtquorum.model.image import Quorum

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.check.rule import Position

__all__ = ["RULE"]


def check(position: Position) -> Iterator[Problem]:
    """See RULE."""
    image = position.image
    if position.role == "disk" or image.format is not None or isinstance(image.source, Quorum):
        return
    what = "member" if position.role == "member" else "backing image"
    element = position.format_element
    yield Problem(
        element or position.element,
        f"the {what} has no <format>, and QEMU would believe the first bytes of its data"
        if element is None
        else f"the <format> of the {what} has no type",
        expected="<format type='…'/>: 'raw', or what 'qemu-img info' says of an image you trust",
    )


RULE = Rule(
    code="VQ204",
    name="member-format-missing",
    severity=Severity.ERROR,
    title="a member or backing image has no format",
    documentation="""
libvirt takes no backing store without its format ("missing disk backing store format"), and
neither does virtquorum take such a member. QEMU would probe: it reads the first bytes of the image
and believes them. The guest writes those bytes. In a raw member it can write the header of a qcow2
image that names any file of the host as its backing file, and reads that file after the next
start.

Write `<format type='…'/>`. What to write is known to whoever made the image; `qemu-img info` says
it of an image that no guest has written to.

A member that is a quorum needs none. This is said of every `<backingStore>`: members, what is
below them, and the backing chains of other disks. The disk's own image is raw where its `<driver>`
says nothing.
""",
    failing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum'/>
  <backingStore type='file'><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-b/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-c/root.raw'/></backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    passing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-b/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-c/root.raw'/></backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    subject="image",
    check=check,
)
