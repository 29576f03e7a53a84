"""A disk without a name for the guest's side."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.model.disk import Disk
    from virtquorum.xml.document import Element

__all__ = ["RULE"]


def check(disk: Disk) -> Iterator[Problem]:
    """See RULE."""
    target = disk.target
    if target is not None and target.dev:
        return
    place = cast("Element", disk.location if target is None else target.location)
    yield Problem(
        place,
        "the disk has no <target>" if target is None else "the <target> has no dev",
        attribute="dev" if "dev" in place.attributes else None,
        expected="<target dev='…'/> with a name that no other disk of the domain has, as 'vda'",
    )


RULE = Rule(
    code="VQ302",
    name="target-missing",
    severity=Severity.ERROR,
    title="a disk has no target",
    documentation="""
libvirt calls a disk by its `<target dev='…'/>` and takes none without: "missing target information
for device …", and for an empty name "Unknown disk name '' and no address specified".

Write `<target dev='vda' bus='virtio'/>`, with a name that no other disk of the domain has.
""",
    failing="""\
<disk type='file' device='disk'>
  <driver name='qemu' type='raw'/>
  <source file='/srv/rack-a/root.raw'/>
</disk>
""",
    passing="""\
<disk type='file' device='disk'>
  <driver name='qemu' type='raw'/>
  <source file='/srv/rack-a/root.raw'/>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    subject="disk",
    check=check,
)
