"""One file under two names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.check.finding import Severity
from virtquorum.check.image_look import place_of
from virtquorum.check.rule import Problem, Rule
from virtquorum.check.sharing import writable
from virtquorum.model.identity import identity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from virtquorum.check.image_look import Look
    from virtquorum.check.rule import Position

__all__ = ["RULE", "check"]


def check(found: Sequence[Position], seen: Mapping[int, Look]) -> Iterator[Problem]:
    """The images, by their ids seen, that are a file which an earlier one is by another name."""
    first: dict[tuple[int, int], Position] = {}
    for one in found:
        look = seen.get(id(one.image))
        if look is None or look.inode is None:
            continue
        other = first.setdefault(look.inode, one)
        if other is one or identity(other.image.source) == identity(one.image.source):
            continue  # VQ205 to VQ207 speak of one name
        if _vote_together(one, other) or writable(one) or writable(other):
            element, attribute = place_of(one)
            place, name = place_of(other)
            path = place.attributes.get(name or "", "")
            yield Problem(
                element,
                f"this is the file '{path}' of line {place.line} by another name",
                attribute=attribute,
                expected="an image of its own",
            )


def _vote_together(one: Position, other: Position) -> bool:
    """Whether two images are members of one quorum."""
    return (
        one.role == other.role == "member"
        and one.parent is not None
        and other.parent is not None
        and one.parent.image is other.parent.image
    )


RULE = Rule(
    code="VQ507",
    name="image-under-two-names",
    severity=Severity.ERROR,
    title="two images are one file, by a symbolic or hard link",
    documentation="""
By `--check-images`. Two paths lead to one file, or two names to one block device. As members of one
quorum they vote twice with the same data, so a single bad disk wins; and QEMU refuses a second
writer: "Failed to get \"write\" lock". The rules VQ205 to VQ207 say the same of one path, without
looking at any file.

Give each member an image of its own, on storage that fails by itself.
""",
    failing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/link.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/other.raw'/></backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    passing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/second.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/other.raw'/></backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    subject="images",
)
