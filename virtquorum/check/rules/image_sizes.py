"""Members of a quorum that have different sizes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from virtquorum.check.finding import Severity
from virtquorum.check.image_look import place_of
from virtquorum.check.rule import Position, Problem, Rule
from virtquorum.model.image import Image

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["RULE", "check"]

_SECTOR = 512


def check(position: Position, sizes: Sequence[int | None]) -> Iterator[Problem]:
    """See RULE; ``sizes`` are the members' virtual sizes in bytes, None where not known."""
    # QEMU counts a member's size in sectors, the last one rounded up.
    sectors = [None if size is None else -(-size // _SECTOR) for size in sizes]
    counts = Counter(size for size in sectors if size is not None)
    if len(counts) < 2:
        return
    usual = counts.most_common(1)[0][0]  # the first of them, where as many have another
    same = [str(number) for number, size in enumerate(sectors) if size == usual]
    others = f"member {same[0]} has" if len(same) == 1 else f"members {_listed(same)} have"
    usual_bytes = sizes[int(same[0])]
    for number, (size, image) in enumerate(zip(sizes, position.image.below, strict=True)):
        if size is None or sectors[number] == usual or not isinstance(image, Image):
            continue
        member = Position(position.disk, image, "member", position)
        element, attribute = place_of(member)
        yield Problem(
            element,
            f"member {number} of the quorum has {size:,} bytes, and {others} {usual_bytes:,}",
            attribute=attribute,
            expected="one virtual size for all members of a quorum",
        )


def _listed(words: Sequence[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


RULE = Rule(
    code="VQ504",
    name="image-sizes",
    severity=Severity.ERROR,
    title="members of a quorum have different sizes",
    documentation="""
QEMU's quorum does not start with members of different virtual size, and does not say which: "Could
not refresh total sector count: Input/output error". Sizes are compared as QEMU does, in sectors of
512 bytes, so that 16777000 and 16777216 bytes are one size.

Make the smaller images as large as the largest with `qemu-img resize`, then look at how their
contents differ. Do not shrink one without knowing what is in its end. Members that are not files or
block devices of this host are left out.

This rule runs with `--check-images`.
""",
    failing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-b/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-c/data.raw'/></backingStore>
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
