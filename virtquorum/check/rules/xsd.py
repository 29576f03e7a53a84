"""What the XML Schema does not allow."""

from __future__ import annotations

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Rule

__all__ = ["RULE"]

RULE = Rule(
    code="VQ011",
    name="xsd",
    severity=Severity.ERROR,
    title="a disk is not what the XML Schema allows",
    documentation="""
With `--grammar xsd` (or `both`) the disks are held against virtquorum's XML Schema 1.1, the one for
tools that do not know RELAX NG. It needs no libvirt, and knows disks only.

It is to refuse what the RELAX NG grammar refuses in a disk; in addition it compares the threshold
with the number of members, which no RELAX NG can do. If the two differ otherwise, that is a mistake
in virtquorum, and worth a report.
""",
    failing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum' blkverify='maybe'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-b/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-c/root.raw'/></backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    passing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum' blkverify='off'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-b/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-c/root.raw'/></backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    subject="input",
)
