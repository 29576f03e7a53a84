"""A threshold that QEMU cuts off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Rule
from virtquorum.check.vote import integer, possible, threshold_place
from virtquorum.model.image import LARGEST_THRESHOLD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.check.rule import Position

__all__ = ["RULE"]


def check(position: Position) -> Iterator[Problem]:
    """See RULE."""
    threshold = position.quorum.vote_threshold
    if threshold is None:
        return
    number = integer(threshold)
    if number is not None and number > LARGEST_THRESHOLD:
        element, attribute = threshold_place(position)
        # QEMU reads 64 bits with their sign, keeps 32 with theirs, and takes what is positive.
        lower = number % 2**32 if number < 2**63 else 0
        cut = f": QEMU cuts it off to {lower}" if 1 <= lower <= LARGEST_THRESHOLD else ""
        yield Problem(
            element,
            f"the threshold '{threshold}' is above {LARGEST_THRESHOLD}{cut}",
            attribute=attribute,
            expected=possible(position),
        )


RULE = Rule(
    code="VQ104",
    name="threshold-too-large",
    severity=Severity.ERROR,
    title="a threshold is too large for QEMU's 32 bits",
    documentation="""
QEMU keeps a threshold in 32 bits and cuts off what is above them without a word: 4294967297 becomes
1, and a single member decides. What is above 2147483647 becomes negative or another number, and
with more than 64 bits QEMU says "Invalid parameter type for 'vote-threshold', expected: integer".

Write a threshold from 1 to the number of members.
""",
    failing="""\
<disk type='quorum' threshold='4294967297' device='disk'>
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
