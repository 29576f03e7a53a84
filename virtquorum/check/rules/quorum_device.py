"""A quorum behind something other than a hard disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.check.rule import Position

__all__ = ["RULE"]


def check(position: Position) -> Iterator[Problem]:
    """See RULE."""
    device = position.disk.device
    if position.role != "disk" or device in (None, "disk"):
        return
    if device == "lun":
        yield Problem(
            position.element,
            "device='lun' passes SCSI commands to one real device, and a quorum is none",
            attribute="device",
            expected="device='disk'",
        )
    elif device in ("cdrom", "floppy"):
        yield Problem(
            position.element,
            f"a quorum is the medium of a {device}: libvirt cannot change or insert it",
            attribute="device",
            expected="device='disk', or an ordinary image as the medium",
            severity=Severity.NOTE,
        )


RULE = Rule(
    code="VQ301",
    name="quorum-device",
    severity=Severity.ERROR,
    title="a quorum for a device that cannot use it as a disk",
    documentation="""
`device='lun'` hands the guest's SCSI commands to one real device, and a quorum is none. QEMU does
not start: "cannot get SG_IO version number: Operation not supported" and "Is this a SCSI device?".
libvirt takes it for block devices, volumes and iSCSI, and says of a file: "disk device='lun' is
only valid for block type disk source". That is an error; write `device='disk'`.

A CD-ROM or floppy drive takes a quorum as its medium: QEMU starts and votes. libvirt knows no such
medium, so `virsh change-media` cannot insert it again once it has been ejected. For this there is a
note.
""",
    failing="""\
<disk type='quorum' threshold='2' device='lun'>
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
    subject="quorum",
    check=check,
)
