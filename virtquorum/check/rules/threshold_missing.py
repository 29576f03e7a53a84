"""A quorum that does not say how many members must agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Rule
from virtquorum.check.words import stray_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.check.rule import Position

__all__ = ["RULE"]


def check(position: Position) -> Iterator[Problem]:
    """See RULE."""
    if position.quorum.vote_threshold is None and not any(
        one.word == "threshold"
        for one in stray_words(position)  # another rule's
    ):
        members = len(position.image.below)
        yield Problem(
            position.element,
            "the quorum has no threshold",
            expected=f"threshold='N', the number of members (of {members}) that must agree",
        )


RULE = Rule(
    code="VQ101",
    name="threshold-missing",
    severity=Severity.ERROR,
    title="a quorum does not say how many members must agree",
    documentation="""
QEMU's quorum driver has no default for `vote-threshold` and does not start without it ("Parameter
'vote-threshold' is missing"), with `read_pattern='fifo'` either.

Write `threshold='N'` on the element that has `type='quorum'`. For three members, 2 is what outvotes
a single bad one.
""",
    failing="""\
<disk type='quorum' device='disk'>
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
