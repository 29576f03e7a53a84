"""QEMU's devices, typed: what all of them have, and how they are spelled.

A class is one driver of QEMU's with the properties that a disk can need; a
property that the driver does not have has no field, and so cannot be written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from virtquorum.model.node import node
from virtquorum.qemu.qapi import Struct, integer, json_of, switch, text

if TYPE_CHECKING:
    from virtquorum.json_text import Json

__all__ = ["Device", "OnOffAuto", "PciDevice", "Zpci", "derived", "device_options"]

OnOffAuto: TypeAlias = Literal["on", "off", "auto"]


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Device(Struct):
    """What every device has; one without an ``id`` cannot be unplugged."""

    driver: ClassVar[str]

    id: str | None = text()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class PciDevice(Device):
    """A device on a PCI bus; ``addr`` is its slot, '0x3', or slot and function, '0x3.0x1'."""

    bus: str | None = text()
    addr: str | None = text()
    multifunction: bool | None = switch()
    acpi_index: int | None = integer()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Zpci(Device):
    """What s390 knows of a PCI device beside it; ``target`` is that device's id."""

    driver: ClassVar[str] = "zpci"

    uid: int | None = integer()
    fid: int | None = integer()
    target: str = text(required=True)


def derived(base: type[Device], driver: str) -> type[Device]:
    """The class of a driver with the very properties of another class."""
    name = "".join(word.capitalize() for word in driver.split("-"))
    return type(name, (base,), {"driver": driver, "__slots__": (), "__doc__": f"QEMU's {driver}."})


def device_options(device: Device) -> dict[str, Json]:
    """A device as ``-device`` and ``device_add`` take it, in JSON types."""
    return {"driver": device.driver, **json_of(device, lambda _: None)}
