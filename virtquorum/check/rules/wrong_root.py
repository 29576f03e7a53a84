"""A document of another kind."""

from __future__ import annotations

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Rule

__all__ = ["RULE"]

RULE = Rule(
    code="VQ004",
    name="wrong-root",
    severity=Severity.ERROR,
    title="the root element is none of libvirt's",
    documentation="""
virtquorum looks for disks in a `<domain>`, in what holds a domain (`<domainsnapshot>`,
`<domaincheckpoint>`, `<domstatus>`) and in a bare `<disk>`, as `virsh attach-device` takes it.
`virtquorum validate` also checks the other documents of libvirt, a network or a pool, where
libvirt's grammars are installed; all other commands refuse them.

Look whether it is the right file. Another grammar is named with `--schema FILE.rng`. This finding
cannot be ignored, and the exit code is 3.
""",
    failing="""\
<machine>
  <disk type='file' device='disk'>
    <driver name='qemu' type='raw'/>
    <source file='/srv/rack-a/root.raw'/>
    <target dev='vda' bus='virtio'/>
  </disk>
</machine>
""",
    passing="""\
<domain type='kvm'>
  <name>web</name>
  <memory unit='MiB'>512</memory>
  <os>
    <type arch='x86_64'>hvm</type>
  </os>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file='/srv/rack-a/root.raw'/>
      <target dev='vda' bus='virtio'/>
    </disk>
  </devices>
</domain>
""",
    subject="input",
)
