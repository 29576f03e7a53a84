"""More votes asked for than there are members."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Rule
from virtquorum.check.vote import threshold_place
from virtquorum.model.image import LARGEST_THRESHOLD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.check.rule import Position

__all__ = ["RULE"]


def check(position: Position) -> Iterator[Problem]:
    """See RULE."""
    threshold = position.quorum.vote_threshold
    members = len(position.image.below)
    if isinstance(threshold, int) and 0 < members < threshold <= LARGEST_THRESHOLD:
        element, attribute = threshold_place(position)
        are = "is 1 member" if members == 1 else f"are {members} members"
        yield Problem(
            element,
            f"the threshold is {threshold}, but there {are}",
            attribute=attribute,
            expected=f"a threshold of at most {members}, or more members",
        )


RULE = Rule(
    code="VQ105",
    name="threshold-above-members",
    severity=Severity.ERROR,
    title="a threshold is above the number of members",
    documentation="""
QEMU does not start: "threshold may not exceed children count". So many members could never agree.

Lower the threshold, or add the members that are missing; each is a `<backingStore type='…'>`. For
three members, 2 is what outvotes a single bad one; 3 of 3 finds differences and repairs none.
""",
    failing="""\
<disk type='quorum' threshold='4' device='disk'>
  <driver name='qemu' type='quorum'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
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
    subject="quorum",
    check=check,
)
