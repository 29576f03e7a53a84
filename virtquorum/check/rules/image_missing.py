"""An image that does not exist."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from virtquorum.check.finding import Severity
from virtquorum.check.image_look import place_of
from virtquorum.check.rule import Problem, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.check.image_look import Look
    from virtquorum.check.rule import Position

__all__ = ["RULE", "check"]


def check(position: Position, look: Look) -> Iterator[Problem]:
    """See RULE."""
    element, attribute = place_of(position)
    if look.missing is not None:
        policy = getattr(position.image.source, "startup_policy", None)
        forgiven = position.role == "disk" and policy == "optional"
        yield Problem(
            element,
            f"'{look.asked.path}' {look.missing}",
            attribute=attribute,
            expected="an image that is there: correct the path, or mount what it is on; "
            "'virtquorum create' makes new ones",
            severity=Severity.NOTE if forgiven else None,
        )
    backing = look.backing
    # What the document says of the backing image is looked at by itself.
    if backing is not None and position.image.backing is None and _is_gone(backing.full):
        yield Problem(
            element,
            f"'{look.asked.path}' has the backing file '{backing.full}', which does not exist",
            attribute=attribute,
            expected="the backing file, or 'qemu-img rebase -u' to where it is now",
        )


def _is_gone(path: str) -> bool:
    return path.startswith("/") and not os.path.exists(path)


RULE = Rule(
    code="VQ501",
    name="image-missing",
    severity=Severity.ERROR,
    title="an image does not exist",
    documentation="""
QEMU does not start ("Could not open '…': No such file or directory"), and a quorum is no help: it
begins with all its members or not at all. libvirt says "Cannot access storage file" before that.

Only files and block devices of this host are looked at, and a relative path from the working
directory. Where the XML says nothing of a backing chain, the backing file that the image's own
header names must be there too. A disk that libvirt leaves out when it is missing
(`startupPolicy='optional'`) gets a note.

Create the image, mount what it is on, or correct the path. This rule runs with `--check-images`.
""",
    failing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-b/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-c/rot.raw'/></backingStore>
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
    subject="images",
)
