"""A node name that does not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.check.rule import Position

__all__ = ["RULE"]

_LONGEST: Final = 31


def check(position: Position) -> Iterator[Problem]:
    """See RULE."""
    name = position.image.nodename
    if name is not None and len(name) > _LONGEST:
        yield Problem(
            position.element,
            f"the node name has {len(name)} characters, and QEMU takes {_LONGEST}",
            attribute="nodename",
            expected=f"at most {_LONGEST} characters",
        )


RULE = Rule(
    code="VQ211",
    name="nodename-too-long",
    severity=Severity.ERROR,
    title="a node name is longer than 31 characters",
    documentation="""
QEMU keeps node names in 32 bytes, the last of which ends the name: one of 32 characters or more is
"Node name too long".

Choose a shorter name, or leave `nodename` out: virtquorum derives one from the image.
""",
    failing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum'/>
  <backingStore type='file' nodename='root-disk-on-rack-a-in-the-second-hall'>
    <format type='raw'/><source file='/srv/rack-a/root.raw'/>
  </backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-b/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-c/root.raw'/></backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    passing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum'/>
  <backingStore type='file' nodename='root-on-rack-a-in-hall-2'>
    <format type='raw'/><source file='/srv/rack-a/root.raw'/>
  </backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-b/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-c/root.raw'/></backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    subject="image",
    check=check,
)
