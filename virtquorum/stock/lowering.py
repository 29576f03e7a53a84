"""What becomes of each quorum disk when its domain is lowered."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from virtquorum.errors import TranslationError
from virtquorum.json_text import json_text
from virtquorum.qemu.blockdev import blockdev_arguments, json_object_arguments
from virtquorum.qemu.devices.checks import bus_of, check
from virtquorum.qemu.devices.frontend import Frontends
from virtquorum.qemu.devices.machine import Machine
from virtquorum.qemu.devices.reading import Reading
from virtquorum.qemu.graph import flat
from virtquorum.qemu.provided import NOTHING, Provided
from virtquorum.qemu.translate import translate
from virtquorum.stock.placeholder import (
    DIRECTORY,
    OWN_ALIAS,
    alias_of,
    guard,
    placeholder,
    placeholder_path,
)
from virtquorum.xml.record import BUSES, alias_in, machine_elements

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from virtquorum.json_text import Json
    from virtquorum.model.disk import Disk
    from virtquorum.qemu.build import Built
    from virtquorum.qemu.qapi import Version
    from virtquorum.xml.domain import Domain

__all__ = ["Lowering", "lowerings"]


class Lowering(NamedTuple):
    """A quorum disk, and what becomes of it.

    ``arguments`` are options and values in turn, the guard's last; ``guard``
    has the options of the guard's nodes, the last of which names it.
    ``plugged`` says that the nodes came by the monitor, and no argument is
    written for them.  ``remarks`` say what a person should know.
    ``device_id`` is by which name a SCSI disk without a serial is known to the
    guest, which libvirt would make of the placeholder's alias.  ``kept`` is as
    in the record: for a disk that is no placeholder in libvirt's eyes.
    """

    disk: Disk
    alias: str
    file: str
    built: Built
    arguments: tuple[str, ...]
    plugged: bool = False
    guard: tuple[Mapping[str, Json], ...] = ()
    remarks: tuple[str, ...] = ()
    device_id: str | None = None
    kept: str | None = None

    @property
    def drive(self) -> str:
        """The node that the device is pointed at."""
        assert self.built.top.node_name is not None
        return self.built.top.node_name

    @property
    def placeholder(self) -> Disk:
        """The stock disk that stands for it."""
        return placeholder(self.disk, self.file)


def lowerings(
    domain: Domain,
    *,
    directory: str = DIRECTORY,
    files: Mapping[str, str] | None = None,
    provided: Provided = NOTHING,
    version: Version | None = None,
) -> list[Lowering]:
    """What becomes of each quorum disk of a domain that is not lowered.

    Raises TranslationError for the first that cannot be lowered.
    """
    chosen = [one for one in domain.machine_disks if one.quorums]
    if not chosen:
        return []
    _check(domain, chosen)
    made: list[Lowering] = []
    given: set[str] = set()
    nodes = {name for disk in domain.machine_disks for name in _given_names(disk)}
    for one in translate(
        domain,
        style="blockdev",
        chosen=chosen,
        frontends=False,
        provided=provided,
        version=version,
    ):
        if isinstance(one, TranslationError):
            raise one
        assert one.built is not None
        words: list[str] = []
        for wanted in one.built.objects:
            if wanted.id not in given:
                words += json_object_arguments(wanted)
                given.add(wanted.id)
        words += blockdev_arguments(one.built.top)
        nodes.update(str(node["node-name"]) for node in flat(one.built.top))
        path = (files or {}).get(one.disk.name or "")
        made.append(
            Lowering(
                disk=one.disk,
                alias=alias_of(one.disk),
                file=path or placeholder_path(directory, domain.domain_name, one.disk),
                built=one.built,
                arguments=tuple(words),
                remarks=one.remarks,
            )
        )
    return _known_as(domain, [_guarded(one, nodes) for one in made])


def _known_as(domain: Domain, made: list[Lowering]) -> list[Lowering]:
    """Lowerings with the names that guests know disks by: those of stock disks."""
    wanted = [one for one in made if one.disk.serial is None and _bus(one.disk) == "scsi"]
    if not wanted:
        return made
    disks = tuple(_without_own_alias(one) for one in domain.machine_disks)
    places = {id(old): new for old, new in zip(domain.machine_disks, disks, strict=True)}
    known: dict[int, str | None] = {}
    try:
        frontends = Frontends(Machine.of(domain), disks)
    except TranslationError:
        return made
    for one in wanted:
        # What stands against the device is libvirt's to say: it makes it.
        with suppress(TranslationError):
            device = frontends.of(places[id(one.disk)], one.drive).devices[-1]
            known[id(one)] = getattr(device, "device_id", None)
    return [one._replace(device_id=known.get(id(one))) for one in made]


def _without_own_alias(disk: Disk) -> Disk:
    """A disk without the alias that lowering gives to disks that have none."""
    own = disk.alias is not None and disk.alias.startswith(OWN_ALIAS)
    return replace(disk, alias=None) if own else disk


def _bus(disk: Disk) -> str:
    return bus_of(Reading(disk))


def _guarded(one: Lowering, nodes: set[str]) -> Lowering:
    """A lowering with the guard of its placeholder; ``nodes`` are names that are taken."""
    name = first = f"{one.drive.removesuffix('-c')}-guard"
    number = 1
    while not nodes.isdisjoint((name, f"{name}-s")):
        number += 1
        name = f"{first}.{number}"
    nodes.update((name, f"{name}-s"))
    made = guard(name, one.file)
    words = [word for node in made for word in ("-blockdev", json_text(node))]
    return one._replace(guard=made, arguments=(*one.arguments, *words))


def _given_names(disk: Disk) -> Iterator[str]:
    for image in disk.image.walk():
        if image.nodename is not None:
            yield image.nodename


def _check(domain: Domain, chosen: list[Disk]) -> None:
    """Refuse disks whose devices libvirt gives nobody a way to point elsewhere."""
    aliases: dict[str, str] = {}
    own = {id(disk.location) for disk in chosen}
    for device in machine_elements(domain.document.root):
        if id(device) not in own and (alias := alias_in(device)) is not None:
            aliases[alias] = f"a <{device.name}>"
    for disk in chosen:
        _check_device(disk)
        alias = alias_of(disk)
        if alias in aliases:
            raise TranslationError(
                f"the alias '{alias}' is that of {aliases[alias]} already",
                location=disk.location,
                disk=disk.name,
                remedy="give each device an alias of its own, or none",
            )
        aliases[alias] = f"the disk '{disk.name}'"


def _check_device(disk: Disk) -> None:
    bus = _bus(disk)
    if disk.device not in (None, "disk", "cdrom"):
        raise TranslationError(
            f"device='{disk.device}' cannot stand for a quorum on stock libvirt",
            location=disk.location,
            disk=disk.name,
            remedy="use device='disk'",
        )
    if bus not in BUSES:
        raise TranslationError(
            f"libvirt makes a disk on the bus '{bus}' no device that could be pointed at a quorum",
            location=disk.location,
            disk=disk.name,
            remedy=f"take one of the buses {', '.join(BUSES)}",
        )
    check(Reading(disk), bus, vhost=False, empty=False)
