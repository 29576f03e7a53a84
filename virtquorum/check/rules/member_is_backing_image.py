"""An image that is a member, and the base of another member."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Rule
from virtquorum.check.sharing import Use, clashes, place, voters, votes_apart, writable
from virtquorum.model.identity import identity
from virtquorum.model.image import Quorum

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.check.rule import Position

__all__ = ["RULE"]


def check(position: Position) -> Iterator[Problem]:
    """See RULE."""
    if not votes_apart(position):
        return  # the quorum above looks at these members too
    members = {id(image) for image in voters(position.image)}
    images = [image for image in position.image.walk() if not isinstance(image.source, Quorum)]
    if len(images) == len(members):
        return
    writes = writable(position)
    uses = []
    for image in images:
        found = identity(image.source)
        if found is not None:
            is_member = id(image) in members
            uses.append(Use(image.source, found, is_member, writes and is_member))
    for first, again, same in clashes(uses, readers_clash=True):
        line = place(first).line
        if same == "file":
            message = f"another slice of this file is {_other(again)}, in line {line}, and QEMU"
            message += " locks the whole file"
        elif again.user:
            message = f"this member is a backing image of another member, in line {line}"
        else:
            message = f"this backing image is a member of the same quorum, in line {line}"
        yield Problem(
            place(again),
            message,
            expected="an image that no member writes to"
            if not again.user
            else "an image of its own, with nothing on it",
            severity=None if writes else Severity.WARNING,
        )


def _other(again: Use) -> str:
    return "a backing image of another member" if again.user else "a member of the same quorum"


RULE = Rule(
    code="VQ207",
    name="member-is-backing-image",
    severity=Severity.ERROR,
    title="a member is another member's backing image",
    documentation="""
A member that is the backing image of another one changes below it with every write: what that
overlay does not hold itself is no longer what it was made on. QEMU does not start with a writer
and a file or block device: `Failed to get "write" lock`.

In a read-only quorum both can be opened, and this is a warning: they fail together, since the
overlay has the member's data wherever it has none of its own.

One backing image below *several* members is fine: nobody writes to it. Images are compared as for
VQ205.
""",
    failing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'>
    <format type='qcow2'/>
    <source file='/srv/rack-b/root.qcow2'/>
    <backingStore type='file'>
      <format type='raw'/>
      <source file='/srv/rack-a/root.raw'/>
    </backingStore>
  </backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-c/root.raw'/></backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    passing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'>
    <format type='qcow2'/>
    <source file='/srv/rack-b/root.qcow2'/>
    <backingStore type='file'>
      <format type='raw'/>
      <source file='/srv/rack-b/base.raw'/>
    </backingStore>
  </backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-c/root.raw'/></backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    subject="quorum",
    check=check,
)
