"""The threshold of the proposal of 2014."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from virtquorum.check.changes import attribute_added, element_removed
from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Repair, Rule
from virtquorum.model.image import LARGEST_THRESHOLD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.check.rule import Position
    from virtquorum.xml.document import Element

__all__ = ["RULE"]


def check(position: Position) -> Iterator[Problem]:
    """See RULE."""
    quorum = position.quorum
    written = quorum.threshold_element
    if written is None or quorum.threshold not in (None, written):
        return  # nothing, or for the rule about two thresholds
    top = position.element
    old = top.elements("threshold")[0]
    fix = None
    usable = isinstance(written, int) and 1 <= written <= LARGEST_THRESHOLD
    if isinstance(written, int) and usable and len(old.attributes) == 1 and not old.children:
        fix = partial(_attribute_instead, top, old, written if quorum.threshold is None else None)
    value = written if usable else "N"
    yield Problem(
        old,
        "the threshold is an element, as in the proposal of 2014",
        expected=f"threshold='{value}' on the <{top.name}>, and no <threshold>",
        fix=fix,
    )


def _attribute_instead(top: Element, old: Element, threshold: int | None) -> Repair:
    """The fix; ``threshold`` is None where the attribute is there already."""
    changes = [element_removed(old)]
    if threshold is not None:
        changes.insert(0, attribute_added(top, "threshold", threshold, after="type"))
        return Repair("write the threshold as an attribute", tuple(changes))
    return Repair("remove the <threshold> element, which repeats the attribute", tuple(changes))


RULE = Rule(
    code="VQ110",
    name="threshold-element",
    severity=Severity.WARNING,
    title="a threshold is written as an element, as in 2014",
    documentation="""
The first proposal of the format wrote `<threshold value='2'/>` inside of `<disk>`; libvirt's
reviewers moved it to an attribute. virtquorum reads the element where there is no attribute; other
programs need not.

Write `threshold='2'` on the element that has `type='quorum'`, and remove the element. The fix does
that; it leaves alone what is no integer that QEMU takes.
""",
    failing="""\
<disk type='quorum' device='disk'>
  <driver name='qemu' type='quorum'/>
  <threshold value='2'/>
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
    fixable=True,
)
