"""A comparison that would repair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Rule
from virtquorum.check.vote import compares, policy_place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.check.rule import Position

__all__ = ["RULE"]


_BOTH: Final = ("rewrite_corrupted", "blkverify")


def check(position: Position) -> Iterator[Problem]:
    """See RULE."""
    quorum = position.quorum
    if quorum.rewrite_corrupted is True and compares(quorum):
        element = policy_place(position)
        # The later one is pointed at: there a grammar finds that it is too much.
        _, later = (name for name in element.attributes if name in _BOTH)
        yield Problem(
            element,
            "rewrite_corrupted cannot go with blkverify, which stops at a difference",
            attribute=later,
            expected="one of the two",
        )


RULE = Rule(
    code="VQ116",
    name="blkverify-rewrite",
    severity=Severity.ERROR,
    title="blkverify and rewrite_corrupted exclude each other",
    documentation="""
`blkverify='on'` ends QEMU at the first difference, so there is nothing left to repair. QEMU does
not start with both: "rewrite-corrupted=on cannot be used with blkverify=on".

Leave one of them out.
""",
    failing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum' rewrite_corrupted='on' blkverify='on'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-b/root.raw'/></backingStore>
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
