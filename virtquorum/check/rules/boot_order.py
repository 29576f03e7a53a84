"""Devices that boot in the same place, or beside what the operating system says."""

from __future__ import annotations

import re
from itertools import count
from typing import TYPE_CHECKING, Final

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from virtquorum.xml.document import Element

__all__ = ["RULE"]


#: The devices whose <boot> libvirt reads; of others it takes no notice.
_DEVICES: Final = frozenset({"disk", "filesystem", "hostdev", "interface", "redirdev"})
#: As C reads a number: white space and a plus sign may stand before it.
_ORDER: Final = re.compile(r"[ \t\n\r]*\+?0*([1-9][0-9]{,9})")


def check(root: Element) -> Iterator[Problem]:
    """See RULE."""
    for domain in [root] if root.name == "domain" else root.elements():
        # The first device of each order.
        first: dict[int, Element] = {}
        twice = []
        for device in _devices(domain):
            boot = device.elements("boot")[:1]
            order = _order(boot[0]) if boot else None
            if order is not None and first.setdefault(order, device) is not device:
                twice.append((boot[0], order))
        if first:
            yield from _beside_os(domain, next(iter(first.values())))
        yield from _twice(twice, first)


def _devices(domain: Element) -> Iterator[Element]:
    for devices in domain.elements("devices"):
        yield from (one for one in devices.elements() if one.name in _DEVICES)


def _order(boot: Element) -> int | None:
    """The place in the order of boot; None for what is none, which the grammar finds."""
    found = _ORDER.fullmatch(boot.attributes.get("order", ""))
    return int(found[1]) if found is not None else None


def _twice(twice: list[tuple[Element, int]], first: Mapping[int, Element]) -> Iterator[Problem]:
    if not twice:
        return
    free = next(number for number in count(1) if number not in first)
    for boot, order in twice:
        yield Problem(
            boot,
            f"the boot order '{order}' is that of {first[order].path} already",
            attribute="order",
            expected=f"an order of its own; '{free}' is free",
        )


def _beside_os(domain: Element, device: Element) -> Iterator[Problem]:
    """That a domain says in both ways what to boot from, at the first device that has an order."""
    for system in domain.elements("os"):
        # Of other types libvirt does not read <boot>.
        if not any(one.text.strip() == "hvm" for one in system.elements("type")):
            continue
        for boot in system.elements("boot")[:1]:
            yield Problem(
                device.elements("boot")[0],
                f"<os> names '{boot.attributes.get('dev', '')}' to boot from,"
                " and libvirt takes no order of the devices beside it",
                attribute="order",
                expected="<boot order='…'/> on devices, or <boot dev='…'/> in <os>, and not both",
            )
            return


RULE = Rule(
    code="VQ305",
    name="boot-order",
    severity=Severity.ERROR,
    title="two devices have the same boot order, or <os> names one as well",
    documentation="""
`<boot order='1'/>` gives a device its place among those that the firmware tries: a disk, an
interface, a hostdev, a redirdev or a filesystem. No two have the same place. libvirt refuses the
domain: "boot order '1' used for more than one device". The kind of device does not matter: the
disks and the interfaces are counted together.

The older way is `<boot dev='hd'/>` in `<os>`, which names a kind of device. libvirt takes one way
or the other: "per-device boot elements cannot be used together with os/boot elements".

Give each device an order of its own; the numbers need not follow each other. Where devices have an
order, take `<boot dev='…'/>` out of `<os>`; `<bootmenu>` can stay.
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
      <boot order='1'/>
    </disk>
    <interface type='user'>
      <model type='virtio'/>
      <boot order='1'/>
    </interface>
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
      <boot order='1'/>
    </disk>
    <interface type='user'>
      <model type='virtio'/>
      <boot order='2'/>
    </interface>
  </devices>
</domain>
""",
    subject="document",
    check=check,
    hint=b"<boot",
)
