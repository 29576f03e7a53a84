"""A threshold of no votes, or of less than none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Rule
from virtquorum.check.vote import integer, possible, threshold_place

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
    if number is not None and number < 1:
        element, attribute = threshold_place(position)
        yield Problem(
            element,
            f"the threshold '{threshold}' is below 1",
            attribute=attribute,
            expected=possible(position),
        )


RULE = Rule(
    code="VQ103",
    name="threshold-below-one",
    severity=Severity.ERROR,
    title="a threshold is below 1",
    documentation="""
QEMU does not start: "Parameter 'vote-threshold' expects a value >= 1". A vote without votes would
decide nothing.

Write the number of members that must agree. For three members, 2 is what outvotes a single bad one.
""",
    failing="""\
<disk type='quorum' threshold='0' device='disk'>
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
