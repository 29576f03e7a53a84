"""A comment that keeps nothing back."""

from __future__ import annotations

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Rule

__all__ = ["RULE"]

RULE = Rule(
    code="VQ021",
    name="unused-ignore",
    severity=Severity.NOTE,
    title="a comment keeps no finding back",
    documentation="""
`<!-- virtquorum: ignore RULE reason -->` speaks of the element that follows it, with all inside; as
the last thing in an element, of that element; before or behind the root element, of the document.
There is no finding of this rule there: what was wrong has been put right, or the comment stands at
the wrong place. It would hide the next mistake of its kind.

Remove the comment, or put it before the element that it is about. Rules that find something on some
machines only (the grammar of the installed libvirt, `--check-images`) are not held to this.
""",
    failing="""\
<!-- virtquorum: ignore threshold-one one rack has to be enough -->
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-b/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-c/root.raw'/></backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    passing="""\
<!-- virtquorum: ignore threshold-one one rack has to be enough -->
<disk type='quorum' threshold='1' device='disk'>
  <driver name='qemu' type='quorum'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-b/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-c/root.raw'/></backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    subject="input",
)
