"""A vote that can end in a tie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Rule
from virtquorum.check.vote import counted, threshold_place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.check.rule import Position

__all__ = ["RULE"]


def check(position: Position) -> Iterator[Problem]:
    """See RULE."""
    quorum = position.quorum
    threshold = counted(quorum)
    members = len(quorum.members)
    if threshold is not None and 1 < threshold <= members // 2:
        element, attribute = threshold_place(position)
        loss = ", and overwrite the others" if quorum.rewrite_corrupted is True else ""
        yield Problem(
            element,
            f"{threshold} of {members} members are no majority: in a tie the later ones win{loss}",
            attribute=attribute,
            expected=f"a threshold of at least {members // 2 + 1}",
        )


RULE = Rule(
    code="VQ106",
    name="threshold-half-or-less",
    severity=Severity.WARNING,
    title="a threshold is at most half of the members",
    documentation="""
With a threshold of at most half of the members two different answers can both have votes enough.
QEMU then takes the one that the later members give: with the first two of four members right, the
last two wrong and a threshold of 2, a read returns the wrong data. With `rewrite_corrupted='on'`
the wrong data is then written over the right.

Write a threshold above half of the members: 2 of 3, 3 of 4, 3 of 5. `read_pattern='fifo'` and
`blkverify='on'` vote on nothing, and this rule says nothing of them.
""",
    failing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-b/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-c/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-d/root.raw'/></backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    passing="""\
<disk type='quorum' threshold='3' device='disk'>
  <driver name='qemu' type='quorum'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-b/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-c/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-d/root.raw'/></backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    subject="quorum",
    check=check,
)
