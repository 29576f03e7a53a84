"""An ``<auth>`` that is written in both places where it may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.check.both_places import in_both
from virtquorum.check.finding import Severity
from virtquorum.check.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.check.rule import Problem
    from virtquorum.model.disk import Disk

__all__ = ["RULE"]


def check(disk: Disk) -> Iterator[Problem]:
    """See RULE."""
    if disk.auth is not None:
        inner = getattr(disk.image.source, "auth", None)
        if inner is not None:
            yield in_both(disk, disk.auth, inner, "auth")


RULE = Rule(
    code="VQ216",
    name="auth-twice",
    severity=Severity.ERROR,
    title="<auth> is written on the disk and in its source",
    documentation="""
`<auth>` may stand on the disk or in its `<source>`, and says the same in both places: who logs in
to the storage. libvirt's grammar takes both at once, its parser does not: "unsupported
configuration: an <auth> definition already found for disk source".

Leave one of them; in the `<source>` it is next to what it speaks of, and there it can be written
for backing images and members as well. Where both say the same, `--fix` removes the later one.

A second `<auth>` in *one* place is found by the grammar.
""",
    failing="""\
<disk type='network' device='disk'>
  <driver name='qemu' type='raw'/>
  <auth username='libvirt'><secret type='ceph' usage='vms'/></auth>
  <source protocol='rbd' name='vms/root'>
    <host name='mon-1.example.org'/>
    <auth username='libvirt'><secret type='ceph' usage='vms'/></auth>
  </source>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    passing="""\
<disk type='network' device='disk'>
  <driver name='qemu' type='raw'/>
  <auth username='libvirt'><secret type='ceph' usage='vms'/></auth>
  <source protocol='rbd' name='vms/root'>
    <host name='mon-1.example.org'/>
  </source>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    subject="disk",
    check=check,
    fixable=True,
)
