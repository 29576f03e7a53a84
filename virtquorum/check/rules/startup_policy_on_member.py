"""A ``startupPolicy`` that libvirt does not read."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from virtquorum.check.changes import attribute_removed
from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Repair, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.check.rule import Position
    from virtquorum.xml.document import Element

__all__ = ["RULE"]


def check(position: Position) -> Iterator[Problem]:
    """See RULE."""
    if position.role == "disk":
        return
    source = position.image.source
    if getattr(source, "startup_policy", None) is not None:
        element: Element = source.location  # type: ignore[assignment]
        yield Problem(
            element,
            "startupPolicy does nothing here: libvirt reads it on the disk's own <source> alone",
            attribute="startupPolicy",
            expected="no startupPolicy",
            fix=partial(_removed, element),
        )


def _removed(element: Element) -> Repair:
    return Repair("remove startupPolicy", (attribute_removed(element, "startupPolicy"),))


RULE = Rule(
    code="VQ213",
    name="startup-policy-on-member",
    severity=Severity.WARNING,
    title="a start-up policy on an image below the disk",
    documentation="""
libvirt's grammar takes `startupPolicy` on the `<source>` of every local image, but its parser
reads it on the disk's own `<source>` alone, and drops it elsewhere when the domain is defined. A
member or a backing image that is missing stops the start of the domain, whatever is written.

Remove it, as `--fix` does. A quorum that is to start with a member missing needs a domain without
that member; its threshold says how many must be left.
""",
    failing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-b/root.raw'/></backingStore>
  <backingStore type='file'>
    <format type='raw'/>
    <source file='/srv/rack-c/root.raw' startupPolicy='optional'/>
  </backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    passing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-b/root.raw'/></backingStore>
  <backingStore type='file'>
    <format type='raw'/>
    <source file='/srv/rack-c/root.raw'/>
  </backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    subject="image",
    check=check,
    fixable=True,
)
