"""A comparison of other than two members."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Rule
from virtquorum.check.vote import compares, policy_place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.check.rule import Position

__all__ = ["RULE"]


def check(position: Position) -> Iterator[Problem]:
    """See RULE."""
    quorum = position.quorum
    if not compares(quorum):
        return
    members, threshold = len(quorum.members), quorum.vote_threshold
    if members == 2:
        if threshold != 1:  # it is right, or reported for itself
            return
        found = "the threshold is 1"
    elif members == 0 or (members, threshold) == (1, 2):
        return  # members are missing, which is reported for itself
    else:
        found = "there is 1 member" if members == 1 else f"there are {members} members"
    yield Problem(
        policy_place(position),
        f"blkverify compares two members, and both must agree, but {found}",
        attribute="blkverify",
        expected="two members and threshold='2', or no blkverify",
    )


RULE = Rule(
    code="VQ115",
    name="blkverify-members",
    severity=Severity.ERROR,
    title="blkverify without exactly two members and a threshold of 2",
    documentation="""
`blkverify='on'` compares two images and ends QEMU at the first difference; it is for testing block
drivers. With any other number of members or another threshold QEMU does not start: "blkverify=on
can only be set if there are exactly two files and vote-threshold is 2".

Leave it out to have the members voted on, or give the quorum two members and `threshold='2'`.
""",
    failing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum' blkverify='on'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-b/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-c/root.raw'/></backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    passing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum' blkverify='on'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-b/root.raw'/></backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    subject="quorum",
    check=check,
)
