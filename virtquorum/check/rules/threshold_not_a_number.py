"""A threshold that is no integer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Rule
from virtquorum.check.vote import integer, possible, threshold_place
from virtquorum.model.image import LARGEST_THRESHOLD
from virtquorum.model.node import Malformed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.check.rule import Position

__all__ = ["RULE"]


def check(position: Position) -> Iterator[Problem]:
    """See RULE."""
    threshold = position.quorum.vote_threshold
    # A long integer that is out of bounds is for the rules about these.
    if isinstance(threshold, Malformed) and (
        (number := integer(threshold)) is None or 1 <= number <= LARGEST_THRESHOLD
    ):
        element, attribute = threshold_place(position)
        yield Problem(
            element,
            f"the threshold '{threshold}' is not an integer",
            attribute=attribute,
            expected=possible(position),
        )


RULE = Rule(
    code="VQ102",
    name="threshold-not-a-number",
    severity=Severity.ERROR,
    title="a threshold is not an integer",
    documentation="""
QEMU counts votes and takes nothing but an integer: `-blockdev` and QMP say "Invalid parameter type
for 'vote-threshold', expected: integer", `-drive` says "Parameter 'vote-threshold' expects a
number". virtquorum reads digits alone: no plus sign, fraction, unit or white space.

Write the number of members that must agree, in digits. The same holds for the element `<threshold
value='…'/>` of 2014.
""",
    failing="""\
<disk type='quorum' threshold='two' device='disk'>
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
