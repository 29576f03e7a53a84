"""What a domain says of its machine, as far as the devices of its disks depend on it."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal

from virtquorum.errors import TranslationError
from virtquorum.model.disk import ADDRESSES, Address
from virtquorum.model.node import Described, Node, node
from virtquorum.model.spelling import Integer, OnOff, Text, attribute, child, text, variants
from virtquorum.qemu.objects import IoThread
from virtquorum.qemu.qapi import integer
from virtquorum.xml.parse import _parse_node as parse_node

if TYPE_CHECKING:
    from collections.abc import Iterable

    from virtquorum.model.location import Location
    from virtquorum.xml.document import Element
    from virtquorum.xml.domain import Domain

__all__ = [
    "Controller",
    "ControllerDriver",
    "IoThreadEntry",
    "Machine",
    "PooledIoThread",
    "Transport",
]

Transport = Literal["pci", "ccw", "device"]

#: The machine of a domain that names none: QEMU's and libvirt's own choice.
_DEFAULT: Final = {
    "s390x": "s390-ccw-virtio", "aarch64": "virt", "armv7l": "virt", "riscv64": "virt",
    "riscv32": "virt", "ppc64": "pseries", "ppc64le": "pseries",
}  # fmt: skip
#: More are not numbered; no disk needs the number of one of those.
_MOST_IOTHREADS: Final = 65536
_X86: Final = ("x86_64", "i686")
_FAMILIES: Final = (
    ("q35", re.compile(r"q35|pc-q35-.*")),
    ("pc", re.compile(r"pc|pc-[01]\..*|pc-i440fx-.*|rhel.*")),
    ("virt", re.compile(r"virt(-.*)?")),
    ("s390-ccw", re.compile(r"s390-ccw.*")),
    ("pseries", re.compile(r"pseries(-.*)?")),
)


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class ControllerDriver(Described):
    """How a controller is served."""

    queues: Integer = attribute(of="integer")
    cmd_per_lun: Integer = attribute(of="integer")
    max_sectors: Integer = attribute(of="integer")
    ioeventfd: OnOff = attribute(of="on-off")
    iothread: Integer = attribute(of="integer")
    iommu: OnOff = attribute(of="on-off")
    ats: OnOff = attribute(of="on-off")
    packed: OnOff = attribute(of="on-off")
    page_per_vq: OnOff = attribute(of="on-off")


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Controller(Described):
    """libvirt's ``<controller>``; what is not for disks stays in ``unmodelled``."""

    type: Text = attribute()
    index: Integer = attribute(of="integer")
    model: Text = attribute()
    ports: Integer = attribute(of="integer")
    driver: ControllerDriver | None = child(ControllerDriver, "driver")
    device: Text = attribute("name", inside="model")
    chassis_nr: Text = attribute("chassisNr", inside="target")
    chassis: Text = attribute(inside="target")
    port: Text = attribute(inside="target")
    bus_nr: Text = attribute("busNr", inside="target")
    hotplug: OnOff = attribute(of="on-off", inside="target")
    numa_node: Integer = text("node", of="integer", inside="target")
    start_port: Integer = attribute("startport", of="integer", inside="master")
    alias: Text = attribute("name", inside="alias")
    acpi_index: Integer = attribute("index", of="integer", inside="acpi")
    address: Address | None = variants("address", "type", ADDRESSES)

    @property
    def name(self) -> str:
        """What messages call it: ``scsi controller 0``."""
        return f"{self.type} controller {self.index or 0}"


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class IoThreadEntry(Node):
    """An I/O thread of the domain, and the bounds of its pool."""

    location: Location | None = None
    pool_min: int | None = None
    pool_max: int | None = None


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class PooledIoThread(IoThread):
    """An I/O thread whose pool of helpers has bounds."""

    thread_pool_min: int | None = integer(since=(7, 1))
    thread_pool_max: int | None = integer(since=(7, 1))


class Machine:
    """A machine: its kind, its controllers, its I/O threads, what it boots from.

    ``iothreads`` is None where no domain says which there are, and any may be
    named; ``iothreads_wrong`` is what is wrong where the domain does not say
    it in legible words.  ``has_mmio`` says that some device has an address on a board's own
    virtio bus.  ``boot`` holds the words of ``<os><boot dev=…/>`` in order;
    ``orders_elsewhere`` says that devices other than disks have a boot order.
    """

    __slots__ = ("arch", "boot", "boot_element", "controllers", "family", "has_mmio", "iothreads",
                 "iothreads_wrong", "name", "orders_elsewhere")  # fmt: skip

    def __init__(
        self,
        name: str | None = None,
        arch: str = "x86_64",
        *,
        controllers: Iterable[Controller] = (),
        iothreads: dict[int, IoThreadEntry] | None = None,
        boot: tuple[str, ...] = (),
        boot_element: Element | None = None,
        orders_elsewhere: bool = False,
        has_mmio: bool = False,
        iothreads_wrong: TranslationError | None = None,
    ) -> None:
        self.arch = arch
        self.name = name or _DEFAULT.get(arch, "pc")
        self.family = _family(self.name, arch)
        self.controllers = tuple(controllers)
        self.iothreads = iothreads
        self.iothreads_wrong = iothreads_wrong
        self.boot = boot
        self.boot_element = boot_element
        self.orders_elsewhere = orders_elsewhere
        self.has_mmio = has_mmio

    @classmethod
    def of(cls, domain: Domain, name: str | None = None) -> Machine:
        """The machine of a (first) domain; ``name`` says it otherwise, as ``-M`` does.

        A domain that names no machine has libvirt's default, which for x86 is
        'pc', and so has a bare ``<disk>``: it is also what QEMU takes when
        nothing is said.
        """
        root = domain.document.root
        if root.name == "disk":
            return cls(name)
        element = root if root.name == "domain" else next(iter(root.elements("domain")), root)
        type = next((one for os in element.elements("os") for one in os.elements("type")), None)
        words = type.attributes if type is not None else {}
        boots = [one for os in element.elements("os") for one in os.elements("boot")]
        devices = [one for devices in element.elements("devices") for one in devices.elements()]
        elsewhere = any(one.name != "disk" and one.elements("boot") for one in devices)
        addresses = [one for device in devices for one in device.elements("address")]
        threads, wrong = _iothreads_or_why(element)
        return cls(
            name or words.get("machine"),
            words.get("arch", "x86_64"),
            controllers=[_controller(one) for one in devices if one.name == "controller"],
            iothreads=threads,
            boot=tuple(one.attributes.get("dev", "") for one in boots) or ("hd",),
            boot_element=boots[0] if boots else None,
            orders_elsewhere=elsewhere,
            has_mmio=any(one.attributes.get("type") == "virtio-mmio" for one in addresses),
            iothreads_wrong=wrong,
        )

    @property
    def root_bus(self) -> str | None:
        """The name of the PCI bus that is there from the start, None without PCI."""
        if self.transport != "pci" and self.family not in ("s390-ccw", "virt"):
            return None
        return "pcie.0" if self.family in ("q35", "virt") else "pci.0"

    @property
    def transport(self) -> Transport:
        """How virtio devices reach the guest where their address does not say."""
        if self.family == "s390-ccw":
            return "ccw"
        if self.family in ("microvm", "isapc") or (self.family == "virt" and self.has_mmio):
            return "device"
        arm = self.arch in ("armv6l", "armv7l", "aarch64") or self.arch.startswith("riscv")
        return "device" if arm and self.family not in ("virt", "versatilepb") else "pci"

    @property
    def has_ide(self) -> bool:
        """Whether an IDE controller is built in."""
        return self.family in ("pc", "malta", "sun4u", "g3beige")


def _family(name: str, arch: str) -> str:
    for family, pattern in _FAMILIES:
        if pattern.fullmatch(name) and (family not in ("q35", "pc") or arch in _X86):
            return family
    return name


def _controller(element: Element) -> Controller:
    one = parse_node(element, Controller)
    assert isinstance(one, Controller)
    return one


def _iothreads_or_why(
    domain: Element,
) -> tuple[dict[int, IoThreadEntry], TranslationError | None]:
    """The I/O threads, or what is wrong with them: only disks that use one need know."""
    try:
        return _iothreads(domain), None
    except TranslationError as error:
        return {}, error


def _iothreads(domain: Element) -> dict[int, IoThreadEntry]:
    """The I/O threads by their numbers: those that are listed, filled up to how many there are."""
    found: dict[int, IoThreadEntry] = {}
    for ids in domain.elements("iothreadids"):
        for one in ids.elements("iothread"):
            number = _count(one, one.attributes.get("id"), "the id of an iothread", least=1)
            if number in found:
                raise TranslationError(
                    f"there are two iothreads of the id {number}",
                    location=one,
                    remedy="give each its own",
                )
            pools = [
                _count(one, one.attributes[name], name) if name in one.attributes else None
                for name in ("thread_pool_min", "thread_pool_max")
            ]
            found[number] = IoThreadEntry(location=one, pool_min=pools[0], pool_max=pools[1])
    for one in domain.elements("iothreads"):
        count = _count(one, one.text.strip(), "the number of iothreads")
        free = (number for number in range(1, count + 1) if number not in found)
        for number in islice(free, max(0, min(count, _MOST_IOTHREADS) - len(found))):
            found[number] = IoThreadEntry()
    return found


def _count(element: Element, text: str | None, what: str, least: int = 0) -> int:
    if text is None or re.fullmatch(r"[0-9]{1,9}", text) is None or int(text) < least:
        raise TranslationError(
            f"{what} is '{text or ''}'",
            location=element,
            remedy=f"it is a whole number from {least}",
        )
    return int(text)
