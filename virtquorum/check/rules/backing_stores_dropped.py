"""Several ``<backingStore>`` where one is read."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from virtquorum.check.changes import element_removed
from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Repair, Rule
from virtquorum.xml.parse import foreign_element

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.check.rule import Position
    from virtquorum.xml.document import Element

__all__ = ["RULE"]


def check(position: Position) -> Iterator[Problem]:
    """See RULE."""
    if position.image.backing is None:
        return
    first, *others = position.element.elements("backingStore")
    if others:
        same = foreign_element(first)
        repeated = all(foreign_element(one) == same for one in others)
        dropped = "this one" if len(others) == 1 else f"this one and {len(others) - 1} more"
        yield Problem(
            others[0],
            f"the <{position.element.name}> is no quorum: libvirt keeps the first <backingStore>,"
            f" in line {first.line}, and drops {dropped}",
            expected="one <backingStore>, or type='quorum' and threshold='N' on what holds them",
            fix=partial(_removed, others) if repeated else None,
        )


def _removed(others: list[Element]) -> Repair:
    return Repair(
        "remove the <backingStore> that is written twice",
        tuple(element_removed(one) for one in others),
    )


RULE = Rule(
    code="VQ202",
    name="backing-stores-dropped",
    severity=Severity.ERROR,
    title="several backing stores on what is no quorum",
    documentation="""
An image has one backing image. libvirt's grammar takes one `<backingStore>` ("Extra element
devices in interleave"); without validation libvirt keeps the first and drops every further one in
silence, with all that is below it.

Members need `type='quorum'` and `threshold='N'` on the element that holds them. Otherwise leave
the one `<backingStore>` that is the backing image.
""",
    failing="""\
<disk type='file' device='disk'>
  <driver name='qemu' type='qcow2'/>
  <source file='/srv/overlay.qcow2'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-b/root.raw'/></backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    passing="""\
<disk type='file' device='disk'>
  <driver name='qemu' type='qcow2'/>
  <source file='/srv/overlay.qcow2'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    subject="image",
    check=check,
)
