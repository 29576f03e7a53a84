"""Policies for votes, where there is no vote."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from virtquorum.check.changes import attribute_removed
from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Repair, Rule
from virtquorum.check.vote import is_fifo, policy_place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.check.rule import Position
    from virtquorum.xml.document import Element

__all__ = ["RULE"]


def check(position: Position) -> Iterator[Problem]:
    """See RULE."""
    quorum = position.quorum
    if is_fifo(quorum):
        for name in ("rewrite_corrupted", "blkverify"):
            if getattr(quorum, name) is True:
                element = policy_place(position)
                yield Problem(
                    element,
                    f"{name} does nothing with read_pattern='fifo', which votes on nothing",
                    attribute=name,
                    expected=f"no {name}, or no read_pattern",
                    fix=partial(_without, element, name),
                )


def _without(element: Element, name: str) -> Repair:
    return Repair(f"remove {name}, which has no effect", (attribute_removed(element, name),))


RULE = Rule(
    code="VQ114",
    name="fifo-without-effect",
    severity=Severity.WARNING,
    title="a policy does nothing with read_pattern='fifo'",
    documentation="""
With `read_pattern='fifo'` QEMU reads the first member that answers and votes on nothing. It takes
`rewrite_corrupted='on'` and `blkverify='on'` beside it and does not even look at them: a quorum of
three with both starts, though blkverify is for two. Silent corruption is passed on to the guest,
and nothing is repaired.

Leave the policy out (the fix does), or vote: leave `read_pattern` out.
""",
    failing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum' read_pattern='fifo' rewrite_corrupted='on'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-b/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-c/root.raw'/></backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    passing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum' read_pattern='fifo'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-b/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-c/root.raw'/></backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    subject="quorum",
    check=check,
    fixable=True,
)
