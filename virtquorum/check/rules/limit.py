"""An input beyond the bounds."""

from __future__ import annotations

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Rule

__all__ = ["RULE"]

RULE = Rule(
    code="VQ003",
    name="limit",
    severity=Severity.ERROR,
    title="a file is larger or deeper than the bound",
    documentation="""
A document may have 16 MiB, 256 levels of elements and a million elements. libvirt takes no more
than 16 MiB either, and libxml2 stops at 256 levels. Beyond that a text is more likely an attack, or
not a domain at all, than a disk that somebody wants.

If you trust the input, give larger bounds with `--max-size BYTES` and `--max-depth LEVELS`. The
example is one for `--max-depth 2`. This finding cannot be ignored, and the exit code is 3.
""",
    failing="""\
<disk type='file' device='disk'>
  <source file='/srv/rack-a/root.raw'>
    <seclabel model='dac' relabel='no'/>
  </source>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    passing="""\
<disk type='file' device='disk'>
  <source file='/srv/rack-a/root.raw'/>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    subject="input",
)
