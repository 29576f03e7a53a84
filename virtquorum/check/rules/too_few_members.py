"""A vote of two."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Rule
from virtquorum.check.vote import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.check.rule import Position

__all__ = ["RULE"]


def check(position: Position) -> Iterator[Problem]:
    """See RULE."""
    quorum = position.quorum
    if len(quorum.members) == 2 and counted(quorum) == 2:
        nothing = ", and rewrite_corrupted repairs nothing" if quorum.rewrite_corrupted else ""
        yield Problem(
            position.element,
            f"two members cannot outvote each other: where they differ, reads fail{nothing}",
            expected="a third member, or read_pattern='fifo' or blkverify='on' if no vote is meant",
        )


RULE = Rule(
    code="VQ108",
    name="too-few-members",
    severity=Severity.WARNING,
    title="two members cannot outvote each other",
    documentation="""
With two members and a threshold of 2 QEMU notices that they differ, and cannot tell which is right:
the read fails with "Input/output error", with `rewrite_corrupted='on'` as well, and nothing is
repaired. The loss of either member fails every read and write, so two members fail more often than
one.

Add a third member. If two are all there is: with `read_pattern='fifo'` and a threshold of 1 the
second takes over when the first fails, unseen differences included; with `blkverify='on'` QEMU
stops at the first difference, which is for tests.
""",
    failing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-b/root.raw'/></backingStore>
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
