"""Two disks by one name."""

from __future__ import annotations

from string import ascii_lowercase
from typing import TYPE_CHECKING, Final, cast

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from virtquorum.model.disk import Disk
    from virtquorum.xml.document import Element

__all__ = ["RULE"]


#: What libvirt's names of disks begin with, a letter or more behind it.
_PREFIXES: Final = ("vd", "sd", "hd", "xvd", "fd", "ubd")


def check(disks: Sequence[Disk]) -> Iterator[Problem]:
    """See RULE."""
    # A snapshot holds two domains.
    first: dict[tuple[int, str], Element] = {}
    names: set[str | None] = set()
    for disk in disks:
        name = disk.name
        if not name:
            continue
        element = cast("Element", disk.location)
        other = first.setdefault((id(element.parent), name), element)
        if other is not element:
            assert disk.target is not None
            names = names or {one.name for one in disks}
            yield Problem(
                cast("Element", disk.target.location),
                f"the target '{name}' is that of the disk in line {other.line} already",
                attribute="dev",
                expected=_free(name, names),
            )


def _free(taken: str, names: set[str | None]) -> str:
    """A name beside those that are taken, in words."""
    for prefix in _PREFIXES:
        if taken.startswith(prefix):
            for letter in ascii_lowercase:
                if prefix + letter not in names:
                    return f"a name of its own; '{prefix}{letter}' is free"
    return "a name of its own"


RULE = Rule(
    code="VQ303",
    name="target-twice",
    severity=Severity.ERROR,
    title="two disks of a domain have the same target",
    documentation="""
libvirt refuses the domain: "target 'vda' duplicated for disk sources '/srv/rack-a/root.raw' and
'/srv/rack-b/data.raw'". The bus does not matter: `vda` on virtio and `vda` on SCSI are the same
name.

Give each disk a target of its own. The name is libvirt's, and no promise of what the guest calls
the disk.
""",
    failing="""\
<domain type='kvm'>
  <name>build-runner</name>
  <memory unit='MiB'>512</memory>
  <os><type>hvm</type></os>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file='/srv/rack-a/root.raw'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file='/srv/rack-b/data.raw'/>
      <target dev='vda' bus='virtio'/>
    </disk>
  </devices>
</domain>
""",
    passing="""\
<domain type='kvm'>
  <name>build-runner</name>
  <memory unit='MiB'>512</memory>
  <os><type>hvm</type></os>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file='/srv/rack-a/root.raw'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file='/srv/rack-b/data.raw'/>
      <target dev='vdb' bus='virtio'/>
    </disk>
  </devices>
</domain>
""",
    subject="disks",
    check=check,
)
