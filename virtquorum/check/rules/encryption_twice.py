"""An ``<encryption>`` that is written in both places where it may be."""

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
    if disk.encryption is not None:
        inner = getattr(disk.image.source, "encryption", None)
        if inner is not None:
            yield in_both(disk, disk.encryption, inner, "encryption")


RULE = Rule(
    code="VQ217",
    name="encryption-twice",
    severity=Severity.ERROR,
    title="<encryption> is written on the disk and in its source",
    documentation="""
`<encryption>` may stand on the disk or in its `<source>`, and says the same in both places: how
the image is encrypted. libvirt's grammar takes both at once, its parser does not: "unsupported
configuration: an <encryption> definition already found for disk source".

Leave one of them; in the `<source>` it is next to what it speaks of, and there it can be written
for backing images and members as well. Where both say the same, `--fix` removes the later one.

A second `<encryption>` in *one* place is found by the grammar.
""",
    failing="""\
<disk type='file' device='disk'>
  <driver name='qemu' type='qcow2'/>
  <source file='/srv/root.qcow2'>
    <encryption format='luks'><secret type='passphrase' usage='root'/></encryption>
  </source>
  <target dev='vda' bus='virtio'/>
  <encryption format='luks'><secret type='passphrase' usage='root'/></encryption>
</disk>
""",
    passing="""\
<disk type='file' device='disk'>
  <driver name='qemu' type='qcow2'/>
  <source file='/srv/root.qcow2'>
    <encryption format='luks'><secret type='passphrase' usage='root'/></encryption>
  </source>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    subject="disk",
    check=check,
    fixable=True,
)
