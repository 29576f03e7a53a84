"""One image that votes twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Rule
from virtquorum.check.sharing import Use, clashes, place, voters, votes_apart, writable
from virtquorum.model.identity import identity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.check.rule import Position

__all__ = ["RULE"]


def check(position: Position) -> Iterator[Problem]:
    """See RULE."""
    if not votes_apart(position):
        return  # the quorum above looks at these members too
    writes = writable(position)
    uses = [
        Use(image.source, found, number, writes)
        for number, image in enumerate(voters(position.image))
        if (found := identity(image.source)) is not None
    ]
    for first, again, same in clashes(uses, readers_clash=True):
        line = place(first).line
        yield Problem(
            place(again),
            f"this image is a member already, in line {line}, and would vote twice"
            if same == "image"
            else f"a member already is in another slice of this file, in line {line}, and QEMU"
            " locks the whole file",
            expected="an image of its own for each member",
        )


RULE = Rule(
    code="VQ205",
    name="image-twice-in-quorum",
    severity=Severity.ERROR,
    title="one image is a member twice",
    documentation="""
An image that is a member twice has two votes: what is wrong in it outvotes a third, sound member.
With a writer QEMU does not start (`Failed to get "write" lock`). It takes such a quorum as long as
nothing writes, and over a network, where no lock is taken, always.

Members of members count: an image may stand once in a quorum and the quorums that are its members.

Two slices of one file that have no byte in common are two images, but QEMU locks a file or block
device as a whole, so they are members together of a read-only quorum alone.

Images are compared as they are written: paths without `.`, `..` and doubled slashes, files and
block devices by their path, servers by name and port. Symbolic links are not followed, and host
names are not resolved.
""",
    failing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-b/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
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
