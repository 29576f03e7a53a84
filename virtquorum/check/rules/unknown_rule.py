"""A comment that asks for what there is not."""

from __future__ import annotations

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Rule

__all__ = ["RULE"]

RULE = Rule(
    code="VQ020",
    name="unknown-rule",
    severity=Severity.WARNING,
    title="a comment names a rule that does not exist",
    documentation="""
`<!-- virtquorum: ignore RULE reason -->` keeps the findings of a rule back. RULE is a code
(`VQ107`), the beginning of codes (`VQ1`), a name (`threshold-one`) or `all`; several are parted by
commas. A word that no rule has keeps nothing back, and what it was to keep back is reported.

An unknown rule in a configuration file or in `--select` and `--ignore` stops the run, with exit
code 2. The rules that say that a file cannot be read (VQ001 to VQ004) cannot be ignored.
""",
    failing="""\
<!-- virtquorum: ignore VQ950 fifo, as COLO wants it -->
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-b/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-c/root.raw'/></backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    passing="""\
<!-- the data of the shop, one copy a rack -->
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
