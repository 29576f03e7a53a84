"""A quorum that is to be repaired and must not be written to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Rule
from virtquorum.check.vote import compares, is_fifo, policy_place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.check.rule import Position

__all__ = ["RULE"]


def check(position: Position) -> Iterator[Problem]:
    """See RULE."""
    quorum = position.quorum
    if quorum.rewrite_corrupted is not True or is_fifo(quorum) or compares(quorum):
        return
    why = _read_only(position)
    if why is not None:
        yield Problem(
            policy_place(position),
            f"rewrite_corrupted on a quorum that is never written to: {why}",
            attribute="rewrite_corrupted",
            expected="no rewrite_corrupted, or a quorum that is written to",
        )


def _read_only(position: Position) -> str | None:
    """Why nothing is written to an image; None if something may be."""
    disk = position.disk
    if disk.readonly:
        return "the disk is <readonly/>"
    if disk.device == "cdrom":
        return "the disk is a CD-ROM"
    one: Position | None = position
    while one is not None:
        if one.role == "backing":
            return "it is a backing image" if one is position else "it is below a backing image"
        one = one.parent
    return None


RULE = Rule(
    code="VQ117",
    name="readonly-rewrite",
    severity=Severity.ERROR,
    title="rewrite_corrupted on a quorum that is never written to",
    documentation="""
QEMU opens the members of a read-only quorum read-only, and refuses to repair them: "Block node is
read-only". A quorum is read-only where the disk has `<readonly/>` or is a CD-ROM, and wherever it
is a backing image, which is opened read-only.

Leave `rewrite_corrupted` out; a bad member is outvoted all the same. To have a backing image
repaired, do it while nothing lies above it.
""",
    failing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum' rewrite_corrupted='on'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-b/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-c/root.raw'/></backingStore>
  <target dev='vda' bus='virtio'/>
  <readonly/>
</disk>
""",
    passing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-b/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-c/root.raw'/></backingStore>
  <target dev='vda' bus='virtio'/>
  <readonly/>
</disk>
""",
    subject="quorum",
    check=check,
)
