"""Text that is no XML."""

from __future__ import annotations

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Rule

__all__ = ["RULE"]

RULE = Rule(
    code="VQ002",
    name="not-well-formed",
    severity=Severity.ERROR,
    title="a file is no well-formed XML",
    documentation="""
Every XML reader refuses such a text, libvirt's included. The message says at which place, and
what a person would see there: an attribute without quotes, a tag that is not closed, a bare `&`,
bytes that are no UTF-8, the end of a file that was cut off.

A DOCTYPE is refused as well, since libvirt's XML has none and it can define entities; and so is a
prefix that is not declared, which libvirt passes over together with what carries it.

The threshold of libvirt's proposal of 2014, `<threshold value=2/>`, was no XML. It is
`threshold='2'`, an attribute of the disk. This finding cannot be ignored, and the exit code is 3.
""",
    failing="""\
<disk type='quorum' threshold=2 device='disk'>
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
    subject="input",
)
