"""What the grammar does not allow."""

from __future__ import annotations

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Rule

__all__ = ["RULE"]

RULE = Rule(
    code="VQ010",
    name="grammar",
    severity=Severity.ERROR,
    title="an element or attribute is not what the grammar allows",
    documentation="""
The document is held against the grammar of the libvirt that is installed, to which only the quorum
disk is added; without libvirt, the disks are held against a grammar of their own. `virsh define
--validate` and `virt-xml-validate` use libvirt's grammar too, and say no more of such a mistake
than "Extra element devices in interleave".

The finding is at the element or attribute that does not fit, and lists what does: the values, the
attributes, the elements that could stand there. Where a rule knows better what is meant, only the
rule speaks.

`virsh define` without `--validate` drops what it does not know, in silence. So an attribute that is
misspelled is lost, and the disk works without it.
""",
    failing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum' cache='nonee'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-b/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-c/root.raw'/></backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    passing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum' cache='none'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-b/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-c/root.raw'/></backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    subject="input",
)
