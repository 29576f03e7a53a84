"""One image in two disks of a domain, at least one of which writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Rule
from virtquorum.check.sharing import by_domain, clashes, place, uses

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from virtquorum.model.disk import Disk

__all__ = ["RULE"]


def check(disks: Sequence[Disk]) -> Iterator[Problem]:
    """See RULE."""
    if len(disks) < 2:
        return
    for own in by_domain(disks):
        every = [use for number, disk in enumerate(own) for use in uses(number, disk)]
        for first, again, same in clashes(every):
            name = own[first.user].name  # type: ignore[call-overload]
            other = f"disk '{name}'" if name else "another disk"
            line = place(first).line
            yield Problem(
                place(again),
                f"{other} uses this image as well, in line {line}, and only readers can share it"
                if same == "image"
                else f"{other} uses another slice of this file, in line {line}, and QEMU locks the"
                " whole file for a writer",
                expected="an image of its own for each disk, or <readonly/> on both",
            )


RULE = Rule(
    code="VQ206",
    name="image-in-two-disks",
    severity=Severity.ERROR,
    title="two disks of a domain use one image, and one writes",
    documentation="""
Two disks of a domain that use one image damage it as soon as one of them writes. With a file or a
block device QEMU does not start: `Failed to get "write" lock`, or `Failed to get shared "write"
lock` where the one that reads is opened last. Over a network nothing stops them.

It is fine where all of them only read (`<readonly/>`, a CD-ROM, a backing image), and where all
have `<shareable/>` and a raw image of their own, for a guest with a file system that is made for
it. `<shareable/>` does nothing for the members of a quorum: QEMU's driver lets nobody else write
to them, since they would come to differ.

Give each disk an image of its own. Images are compared as for VQ205; all disks of the domain are
looked at, with or without a quorum.
""",
    failing="""\
<domain type='kvm'>
  <name>build-runner</name>
  <memory unit='MiB'>512</memory>
  <os><type arch='x86_64'>hvm</type></os>
  <devices>
    <disk type='quorum' threshold='2' device='disk'>
      <driver name='qemu' type='quorum'/>
      <backingStore type='file'><format type='raw'/><source file='/srv/a/root.raw'/></backingStore>
      <backingStore type='file'><format type='raw'/><source file='/srv/b/root.raw'/></backingStore>
      <backingStore type='file'><format type='raw'/><source file='/srv/c/root.raw'/></backingStore>
      <target dev='vda' bus='virtio'/>
    </disk>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file='/srv/a/root.raw'/>
      <target dev='vdb' bus='virtio'/>
    </disk>
  </devices>
</domain>
""",
    passing="""\
<domain type='kvm'>
  <name>build-runner</name>
  <memory unit='MiB'>512</memory>
  <os><type arch='x86_64'>hvm</type></os>
  <devices>
    <disk type='quorum' threshold='2' device='disk'>
      <driver name='qemu' type='quorum'/>
      <backingStore type='file'><format type='raw'/><source file='/srv/a/root.raw'/></backingStore>
      <backingStore type='file'><format type='raw'/><source file='/srv/b/root.raw'/></backingStore>
      <backingStore type='file'><format type='raw'/><source file='/srv/c/root.raw'/></backingStore>
      <target dev='vda' bus='virtio'/>
    </disk>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file='/srv/d/root.raw'/>
      <target dev='vdb' bus='virtio'/>
    </disk>
  </devices>
</domain>
""",
    subject="disks",
    check=check,
)
