"""A backing image where there can be none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Rule
from virtquorum.model.image import Image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.check.rule import Position

__all__ = ["RULE"]

#: libvirt's formats that have no backing images.
_WITHOUT: Final = frozenset(
    {"raw", "bochs", "cloop", "dir", "dmg", "fat", "iso", "luks", "ploop", "vdi", "vhd", "vpc"}
)
_OTHERWISE: Final = frozenset({"volume", "vhostuser"})


def check(position: Position) -> Iterator[Problem]:
    """See RULE."""
    image = position.image
    backing = image.backing
    if not isinstance(backing, Image):
        return
    format = image.format
    # libvirt looks up a volume's own format, and has other words against vhost-user.
    if format is None and position.role == "disk" and image.source.type not in _OTHERWISE:
        said = "the disk names no format, so it is 'raw', which has no backing images"
    elif format in _WITHOUT:
        said = f"the format '{format}' has no backing images"
    else:
        return
    if len(position.element.elements("backingStore")) > 1:
        return  # most likely members: see backing-stores-dropped
    yield Problem(
        backing.location,  # type: ignore[arg-type]
        said,
        expected="a format above that has: 'cow', 'qcow', 'qcow2', 'qed', 'vmdk'",
    )


RULE = Rule(
    code="VQ215",
    name="backing-below-format",
    severity=Severity.ERROR,
    title="a backing image below a format that has none",
    documentation="""
Only `cow`, `qcow`, `qcow2`, `qed` and `vmdk` images can have a backing image. Below any other
format libvirt takes the XML, and refuses to start the domain: "storage format 'raw' does not
support backing store". A disk whose `<driver>` names no format is raw.

If the image is an overlay, write its format; otherwise remove the `<backingStore>`. An empty
`<backingStore/>` is right below any format.
""",
    failing="""\
<disk type='file' device='disk'>
  <driver name='qemu' type='raw'/>
  <source file='/srv/root.qcow2'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/base.raw'/></backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    passing="""\
<disk type='file' device='disk'>
  <driver name='qemu' type='qcow2'/>
  <source file='/srv/root.qcow2'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/base.raw'/></backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    subject="image",
    check=check,
)
