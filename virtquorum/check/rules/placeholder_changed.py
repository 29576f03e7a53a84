"""A placeholder that is gone, or is no longer the one that the quorum stands behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.check.finding import Severity
from virtquorum.check.lowered import HINT, PLUGGED, problems
from virtquorum.check.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.check.rule import Problem
    from virtquorum.xml.document import Element

__all__ = ["RULE"]


def check(root: Element) -> Iterator[Problem]:
    """See RULE."""
    return problems(root, "placeholder")


RULE = Rule(
    code="VQ603",
    name="placeholder-changed",
    severity=Severity.ERROR,
    title="the placeholder of a quorum disk is gone or has become another disk",
    documentation="""
In a lowered domain a placeholder stands for each quorum disk: a raw file, whose device
`<qemu:override>` points at the quorum by its alias. Without that alias the device is at the
placeholder, which the guard keeps from it: QEMU does not start, `Failed to get "consistent read"
lock`. Where the arguments with the guard are gone as well, the guest gets an empty disk. Without
the placeholder there is no device, and QEMU still opens the members and keeps them from others.
With another target the quorum's node names and its record no longer say which disk it is; on a bus
such as `fdc` or `sd` there is no device that could be pointed anywhere.

To take the quorum disk out, or to give it another target, change the quorum domain and not the
lowered one: `virtquorum edit --force DOMAIN`, or `virtquorum lift --force` (either puts a
placeholder's quorum disk back as the record has it), then your change, then `virtquorum lower`.
Another boot order, serial, address or bus of those that work (virtio, scsi, sata, ide, usb) may be
changed on the placeholder; it comes along.
""",
    failing=PLUGGED.replace("      <alias name='ua-vq-vdb'/>\n", ""),
    passing=PLUGGED,
    subject="lowered",
    check=check,
    hint=HINT,
)
