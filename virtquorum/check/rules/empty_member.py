"""A member that is libvirt's mark for the end of a chain."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from virtquorum.check.changes import element_removed
from virtquorum.check.finding import Severity
from virtquorum.check.rule import Change, Problem, Repair, Rule
from virtquorum.model.image import Terminator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.check.rule import Position
    from virtquorum.xml.document import Element

__all__ = ["RULE"]

#: What a <source> of each type begins with.
_TYPES: Final = {
    "file": "file", "dev": "block", "dir": "dir", "protocol": "network", "pool": "volume",
}  # fmt: skip


def check(position: Position) -> Iterator[Problem]:
    """See RULE."""
    for member in position.quorum.members:
        if not isinstance(member, Terminator):
            continue
        element: Element = member.location  # type: ignore[assignment]
        if element.children or element.attributes:
            types = _types(element)
            yield Problem(
                element,
                "the member has no type: such a <backingStore> ends a chain, and what is in it is"
                " not read",
                expected=f"type='{types[0] if len(types) == 1 else '…'}'",
                # An attribute more may be the type, misspelled.
                fix=partial(_typed, element, types[0])
                if len(types) == 1 and not element.attributes.keys() - {"index", "nodename"}
                else None,
            )
        else:
            yield Problem(
                element,
                "an empty <backingStore/> is no member: it has no type, no <format> and no"
                " <source>",
                expected="a <backingStore type='…'> with <format> and <source>, or nothing",
                fix=partial(_removed, element),
            )


def _types(element: Element) -> list[str]:
    """The types that the element's <source> can have."""
    return [
        type
        for source in element.elements("source")
        for name, type in _TYPES.items()
        if name in source.attributes
    ]


def _typed(element: Element, type: str) -> Repair:
    offset = element.start + len("<backingStore")
    return Repair(f"write type='{type}'", (Change(offset, offset, f" type='{type}'"),))


def _removed(element: Element) -> Repair:
    return Repair("remove the empty <backingStore/>", (element_removed(element),))


RULE = Rule(
    code="VQ203",
    name="empty-member",
    severity=Severity.ERROR,
    title="a member of a quorum is empty",
    documentation="""
A `<backingStore>` without a `type` is libvirt's mark for the end of a backing chain, and what is
inside it is not read. Among the members of a quorum nothing ends: the element is no image, and
QEMU has no empty child.

An empty one is removed by `--fix`; the threshold stays as it is. One that holds a `<source>` needs
its `type`. To say that a *member's* chain ends, put the empty `<backingStore/>` inside the member.
""",
    failing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-b/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-c/root.raw'/></backingStore>
  <backingStore/>
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
