"""A node name that QEMU refuses for its characters."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.check.rule import Position

__all__ = ["RULE"]

_NODE_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9._-]*")
#: Characters of a name that a message shows.
_SHOWN: Final = 60


def check(position: Position) -> Iterator[Problem]:
    """See RULE."""
    name = position.image.nodename
    if name is None or _NODE_NAME.fullmatch(name) is not None:
        return
    shown = name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…"
    yield Problem(
        position.element,
        f"'{shown}' is no node name that QEMU takes" if name else "the node name is empty",
        attribute="nodename",
        expected="a letter, then letters, digits, '.', '_' or '-', at most 31 characters in all",
    )


RULE = Rule(
    code="VQ210",
    name="nodename-illegal",
    severity=Severity.ERROR,
    title="a node name is none that QEMU takes",
    documentation="""
QEMU's node names begin with a letter (A to Z, a to z) and go on with letters, digits, `.`, `_` and
`-`; anything else is "Invalid node-name: '1a'". Names that begin with `#` are QEMU's own, for
nodes that nobody named.

Choose another name, or leave `nodename` out: virtquorum derives one from the image.
""",
    failing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum'/>
  <backingStore type='file' nodename='1st-rack'>
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
  <backingStore type='file' nodename='rack-1'>
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
