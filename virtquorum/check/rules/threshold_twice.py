"""Two thresholds that contradict each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.check.rule import Position

__all__ = ["RULE"]


def check(position: Position) -> Iterator[Problem]:
    """See RULE."""
    quorum = position.quorum
    one, other = quorum.threshold, quorum.threshold_element
    # An attribute that is no number is reported as that.
    if other is not None and one != other and isinstance(one, int):
        yield Problem(
            position.element.elements("threshold")[0],
            f"the threshold is '{one}' by the attribute and '{other}' by the element",
            attribute="value",
            expected="one threshold, written as the attribute",
        )


RULE = Rule(
    code="VQ111",
    name="threshold-twice",
    severity=Severity.ERROR,
    title="a quorum has two thresholds that differ",
    documentation="""
The threshold can be written as an attribute, or as the element `<threshold value='…'/>` of 2014.
Here both are there and say different things. virtquorum would read the attribute, another program
the element, and `virtquorum args` refuses the disk.

Keep the one that is meant, as the attribute.
""",
    failing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum'/>
  <threshold value='3'/>
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
