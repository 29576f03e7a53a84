"""A quorum of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Rule
from virtquorum.check.vote import compares, has_empty

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.check.rule import Position

__all__ = ["RULE"]


def check(position: Position) -> Iterator[Problem]:
    """See RULE."""
    quorum = position.quorum
    if len(quorum.members) != 1 or compares(quorum) or has_empty(quorum):
        return
    threshold = quorum.vote_threshold
    # A larger threshold speaks of members that are missing, and has a rule of its own.
    if not (isinstance(threshold, int) and threshold > 1):
        yield Problem(
            position.element,
            "the quorum has a single member, so there is nothing to vote on",
            expected="three members and a threshold of 2, or an ordinary image",
        )


RULE = Rule(
    code="VQ109",
    name="single-member",
    severity=Severity.WARNING,
    title="a quorum has a single member",
    documentation="""
QEMU takes a quorum with a single child. There is nothing to compare and nothing to repair from: the
disk is no safer than its one image.

Add members (three, with a threshold of 2, outvote a single bad one), or write the image as an
ordinary disk.
""",
    failing="""\
<disk type='quorum' threshold='1' device='disk'>
  <driver name='qemu' type='quorum'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
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
