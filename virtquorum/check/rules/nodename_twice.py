"""A node name that another node or drive has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Rule
from virtquorum.check.sharing import by_domain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from virtquorum.model.disk import Disk
    from virtquorum.xml.document import Element

__all__ = ["RULE"]

_RESERVED: Final = {"libvirt-": "libvirt", "vq-": "virtquorum"}
_EXPECTED: Final = "a name of its own for each image of the domain"


def check(disks: Sequence[Disk]) -> Iterator[Problem]:
    """See RULE."""
    # Most disks have nothing below them that could have a name.
    if any(disk.image.below for disk in disks):
        for own in by_domain(disks):
            yield from _check_domain(own)


def _check_domain(disks: Sequence[Disk]) -> Iterator[Problem]:
    named = [
        image
        for disk in disks
        if disk.image.below
        for image in disk.image.walk()
        if image.nodename is not None and image is not disk.image
    ]
    if not named:
        return
    drives = {f"drive-{disk.name}": disk for disk in reversed(disks) if disk.name}
    first: dict[str, Element] = {}
    for image in named:
        name, element = image.nodename, image.location
        assert name is not None
        taken = _taken(name, first, drives)
        if taken is not None:
            yield Problem(element, taken, attribute="nodename", expected=_EXPECTED)  # type: ignore[arg-type]
        else:
            for beginning, whose in _RESERVED.items():
                if name.startswith(beginning):
                    yield Problem(
                        element,  # type: ignore[arg-type]
                        f"names that begin with '{beginning}' are those that {whose} gives",
                        attribute="nodename",
                        expected="a name that begins with something else",
                        severity=Severity.WARNING,
                    )
        first.setdefault(name, element)  # type: ignore[arg-type]


def _taken(name: str, first: dict[str, Element], drives: dict[str, Disk]) -> str | None:
    """By whom a name is taken, in words."""
    if name in first:
        return f"the node name '{name}' is taken, in line {first[name].line}"
    if name in drives:
        disk = drives[name]
        line = disk.location.line  # type: ignore[union-attr]
        return f"'{name}' is the id of the drive of disk '{disk.name}', in line {line}"
    return None


RULE = Rule(
    code="VQ212",
    name="nodename-twice",
    severity=Severity.ERROR,
    title="a node name is taken, or is kept for other nodes",
    documentation="""
A node name is one node's in the whole domain: "Duplicate nodes with node-name='rack-a'". It shares
its space with the ids of drives, which are `drive-` and the target of the disk:
"node-name=drive-vda is conflicting with a device id". Upper and lower case differ.

Names that begin with `libvirt-` are those that libvirt gives to the nodes of its own disks
(`libvirt-1-format`, `libvirt-1-storage`), and names that begin with `vq-` those that virtquorum
derives. Such a `nodename` is a warning: it works until a node of that name comes to be.
""",
    failing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum'/>
  <backingStore type='file' nodename='rack-a'>
    <format type='raw'/><source file='/srv/rack-a/root.raw'/>
  </backingStore>
  <backingStore type='file' nodename='rack-a'>
    <format type='raw'/><source file='/srv/rack-b/root.raw'/>
  </backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-c/root.raw'/></backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    passing="""\
<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='quorum'/>
  <backingStore type='file' nodename='rack-a'>
    <format type='raw'/><source file='/srv/rack-a/root.raw'/>
  </backingStore>
  <backingStore type='file' nodename='rack-b'>
    <format type='raw'/><source file='/srv/rack-b/root.raw'/>
  </backingStore>
  <backingStore type='file'><format type='raw'/><source file='/srv/rack-c/root.raw'/></backingStore>
  <target dev='vda' bus='virtio'/>
</disk>
""",
    subject="disks",
    check=check,
)
