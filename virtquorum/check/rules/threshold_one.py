"""A vote in which one voice is enough."""

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
    members = len(quorum.members)
    if counted(quorum) == 1 and members > 1:
        element, attribute = threshold_place(position)
        loss = " and overwrites the others" if quorum.rewrite_corrupted is True else ""
        yield Problem(
            element,
            f"a threshold of 1: where all {members} members differ, the last one wins{loss}",
            attribute=attribute,
            expected=f"threshold='{members // 2 + 1}', or read_pattern='fifo' if no vote is meant",
        )


RULE = Rule(
    code="VQ107",
    name="threshold-one",
    severity=Severity.WARNING,
    title="a threshold of 1 lets any single member decide",
    documentation="""
With a threshold of 1 a read never fails for want of agreement. Where all members differ, the last
one wins, right or wrong; with `rewrite_corrupted='on'` its data is written over all others. A write
counts as done when a single member has taken it.

Write a threshold above half of the members. If the members are to be tried one after the other, say
so: with `read_pattern='fifo'` the first that answers is read, and a threshold of 1 only says that a
write must reach one of them.
""",
    failing="""\
<disk type='quorum' threshold='1' device='disk'>
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
