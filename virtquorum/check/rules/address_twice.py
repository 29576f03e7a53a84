"""Two devices in one place of the guest's hardware."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Problem, Rule
from virtquorum.xml.document import SPACE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.xml.document import Element

__all__ = ["RULE"]


class _Kind(NamedTuple):
    """A type of address: the attributes that are the place, their base, and how it is written.

    Base 0 is C's: '0x1f' is hexadecimal and '017' octal.
    """

    attributes: tuple[str, ...]
    base: int
    words: str


_KINDS: Final = {
    "pci": _Kind(
        ("domain", "bus", "slot", "function"), 0, "PCI address '{:04x}:{:02x}:{:02x}.{:d}'"
    ),
    "drive": _Kind(
        ("controller", "bus", "target", "unit"),
        10,
        "address controller='{}' bus='{}' target='{}' unit='{}' on {}",
    ),
    "usb": _Kind(("bus",), 10, "port '{1}' of the USB bus '{0}'"),
    "ccw": _Kind(("cssid", "ssid", "devno"), 0, "CCW address '{:x}.{:x}.{:04x}'"),
    "virtio-serial": _Kind(
        ("controller", "port"), 10, "port '{1}' of the virtio-serial controller '{0}'"
    ),
}
#: The types of domains whose devices libvirt gives addresses on QEMU's buses. It compares the
#: addresses of drives in domains of every type.
_QEMU: Final = frozenset({"hvf", "kvm", "qemu"})
#: The bus of a disk that names none, by the beginning of its target; IDE for all others.
_BUSES: Final = {"sd": "scsi", "vd": "virtio", "xvd": "xen", "ubd": "uml"}
_MOST: Final = 2**32 - 1

#: The type of an address, and the numbers (and the bus of a drive, the port of USB) in it.
_Place: TypeAlias = tuple[str, tuple[int | str, ...]]


def check(root: Element) -> Iterator[Problem]:
    """See RULE."""
    for domain in [root] if root.name == "domain" else root.elements():
        qemu = domain.attributes.get("type") in _QEMU
        first: dict[_Place, Element] = {}
        for devices in domain.elements("devices"):
            for device in devices.elements():
                for address in device.elements("address")[:1]:
                    place = _place(device, address, qemu=qemu)
                    if place is None or _is_none(device):
                        continue
                    other = first.setdefault(place, device)
                    if other is not device:
                        yield _problem(address, place, other)


def _problem(address: Element, place: _Place, other: Element) -> Problem:
    kind, numbers = place
    names = [one.attributes.get("dev") for one in other.elements("target")]
    name = f" ('{names[0]}')" if names and names[0] else ""
    return Problem(
        address,
        f"the {_KINDS[kind].words.format(*numbers)} is that of {other.path}{name} already",
        expected="an address of its own, or no <address>, and libvirt assigns one",
    )


def _is_none(device: Element) -> bool:
    """Whether a device is not there at all, or is there by another name as well."""
    if device.name == "console":
        # A serial port of the guest is dumped twice, as <serial> and as <console>.
        types = [one.attributes.get("type") for one in device.elements("target")]
        return types in ([], [None], ["serial"])
    models = [one.attributes.get("type") for one in device.elements("model")]
    return "none" in (device.attributes.get("model"), *models)


def _place(device: Element, address: Element, *, qemu: bool) -> _Place | None:
    """The place that an address names; None where libvirt chooses one, or takes no such address."""
    kind = address.attributes.get("type", "")
    if kind not in _KINDS or not (qemu or kind == "drive"):
        return None
    numbers: list[int | str] = []
    for name in _KINDS[kind].attributes:
        number = _number(address.attributes.get(name, "0"), _KINDS[kind].base)
        if number is None:
            return None
        numbers.append(number)
    match kind:
        case "drive" if (bus := _drive_bus(device)) is not None:
            return kind, (*numbers, bus)
        case "usb" if port := _port(address.attributes.get("port", "")):
            return kind, (*numbers, port)
        case "pci" if any(numbers[:3]):
            return kind, tuple(numbers)
        case "ccw" if {*_KINDS[kind].attributes} <= {*address.attributes}:
            return kind, tuple(numbers)
        case "virtio-serial" if numbers[1]:
            return kind, tuple(numbers)
    return None


def _drive_bus(device: Element) -> str | None:
    """The bus whose controllers an address names: SATA's number 0 is not that of SCSI."""
    if device.name == "hostdev":
        return "scsi" if device.attributes.get("type") == "scsi" else None
    if device.name != "disk":
        return None
    targets = device.elements("target")
    target = targets[0].attributes if targets else {}
    if "bus" in target:
        return target["bus"]
    if device.attributes.get("device") == "floppy":
        return "fdc"
    name = target.get("dev", "")
    return next((bus for prefix, bus in _BUSES.items() if name.startswith(prefix)), "ide")


def _port(text: str) -> str:
    """A USB port without zeros that say nothing ('01.0' is '1'); '' where libvirt chooses one."""
    numbers = [_number(one, 10) for one in text.split(".")]
    if None in numbers:
        return ""
    if 0 in numbers:
        del numbers[numbers.index(0) :]
    return ".".join(map(str, numbers))


def _number(text: str, base: int) -> int | None:
    """A number as C reads it; None for what is none, which the grammar finds."""
    digits = text.lstrip(SPACE).removeprefix("+").lower()
    if base == 0:
        base = 16 if digits.startswith("0x") else 8 if digits.startswith("0") else 10
        digits = digits.removeprefix("0x")
    if not (digits.isascii() and digits.isalnum() and len(digits) <= 64):
        return None
    try:
        number = int(digits, base)
    except ValueError:
        return None
    return number if number <= _MOST else None


RULE = Rule(
    code="VQ306",
    name="address-twice",
    severity=Severity.ERROR,
    title="two devices of a domain have the same address",
    documentation="""
An `<address>` is a device's place in the guest's hardware, and libvirt refuses a domain that has
two devices in one. Of PCI it says "Attempted double use of PCI Address 0000:00:07.0"; of disks
"Found duplicate drive address for disk with target name 'sda' controller='0' bus='0' target='0'
unit='1'"; of a SCSI hostdev that its address is "in use by a SCSI disk" or "in use by another SCSI
host device"; of USB "Duplicate USB address bus 0 port 1"; of channels "virtio serial port 1 on
controller 0 is already occupied"; and of CCW "The CCW devno 'fe.0.0001' is in use already".

The functions of one PCI slot are different places. The number of a drive's controller counts for
its bus alone: SATA and SCSI both have a controller 0. Numbers are compared, not their spelling: of
PCI and CCW `0x0a`, `012` and `10` are the same.

What is written is compared, and nothing else. A device without `<address>` gets one when the domain
is defined; a drive's follows from its target then, and libvirt can still find it in use.

Give one of the two another address, or none, and libvirt assigns one.
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
      <address type='pci' domain='0x0000' bus='0x00' slot='0x07' function='0x0'/>
    </disk>
    <interface type='user'>
      <model type='virtio'/>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x07' function='0x0'/>
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
      <address type='pci' domain='0x0000' bus='0x00' slot='0x07' function='0x0'/>
    </disk>
    <interface type='user'>
      <model type='virtio'/>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x08' function='0x0'/>
    </interface>
  </devices>
</domain>
""",
    subject="document",
    check=check,
    hint=b"<address",
)
