"""What our frontends of a domain give, in JSON types."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from virtquorum.qemu.build import is_empty
from virtquorum.qemu.devices.chardev import chardev_options
from virtquorum.qemu.devices.device import device_options
from virtquorum.qemu.devices.frontend import Frontends
from virtquorum.qemu.objects import object_options
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from virtquorum.json_text import Json

__all__ = ["Devices", "devices_of"]


class Devices(NamedTuple):
    """The frontends of all disks of a domain, one behind the other."""

    devices: list[dict[str, Json]]
    objects: list[dict[str, Json]]
    chardevs: list[dict[str, Json]]
    global_options: list[tuple[str, str, str]]
    machine_options: list[tuple[str, str]]
    cards: list[str]
    notes: list[str]


def devices_of(xml: str) -> Devices:
    """The frontends of a domain; each disk's drive is called 'drive-' and its target."""
    domain = Domain.from_text(xml)
    frontends = Frontends.of_domain(domain)
    found = Devices([], [], [], [], [], [], [])
    for disk in domain.disks:
        one = frontends.of(disk, None if is_empty(disk) else f"drive-{disk.name}")
        found.devices.extend(map(device_options, one.devices))
        spelled = map(object_options, one.objects)
        found.objects.extend(this for this in spelled if this not in found.objects)
        found.chardevs.extend(map(chardev_options, one.chardevs))
        found.global_options.extend(one.global_options)
        found.machine_options.extend(one.machine_options)
        if one.interface == "sd":
            found.cards.append(str(one.index))
        found.notes.extend(one.notes)
    return found
