"""A member in storage that replicates by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Rule
from virtquorum.model.image import Image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.check.rule import Position

__all__ = ["RULE"]

_STORAGES: Final = {"gluster": "a replicated Gluster volume", "rbd": "Ceph"}


def check(position: Position) -> Iterator[Problem]:
    """See RULE."""
    for member in position.quorum.members:
        storage = _STORAGES.get(member.source.protocol or "") if isinstance(member, Image) else None
        if storage is not None:
            yield Problem(
                member.source.location,  # type: ignore[union-attr,arg-type]
                f"{storage} keeps several copies of this member on its own",
                attribute="protocol",
                expected="storage without copies, or members in clusters that fail apart",
            )


RULE = Rule(
    code="VQ209",
    name="source-votes-already",
    severity=Severity.NOTE,
    title="a member's storage keeps several copies already",
    documentation="""
Ceph keeps every object of an RBD image several times (three unless told otherwise), checks the
copies against each other and repairs them; a replicated or dispersed Gluster volume does the same
with its files. A quorum over such members multiplies the copies and the writes. If the members are
images of *one* cluster they also fail together, and a quorum of three is then no safer than one of
its members.

It makes sense across clusters, or over a Gluster volume without replicas. Otherwise use the one
image as an ordinary disk.
""",
    failing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-b/root.raw'/></backingStore>
  <backingStore type='network'>
    <format type='raw'/>
    <source protocol='rbd' name='vms/root'><host name='mon-1.example.org'/></source>
  </backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    passing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum'/>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-a/root.raw'/></backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-b/root.raw'/></backingStore>
  <backingStore type='network'>
    <format type='raw'/>
    <source protocol='nbd' name='root'><host name='rack-c.example.org'/></source>
  </backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    subject="quorum",
    check=check,
)
