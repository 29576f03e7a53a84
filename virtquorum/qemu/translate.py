"""A whole domain's disks as arguments or commands for QEMU, in one of three spellings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from virtquorum.errors import TranslationError
from virtquorum.model.node import Node, node
from virtquorum.qemu.blockdev import (
    blockdev_arguments,
    json_device_arguments,
    json_object_arguments,
)
from virtquorum.qemu.build import Built, build, has_node
from virtquorum.qemu.drive import (
    chardev_arguments,
    device_arguments,
    drive_arguments,
    object_arguments,
)
from virtquorum.qemu.leftover import (
    check_quorum_words,
    left_to_libvirt,
    not_understood,
    without_effect,
)
from virtquorum.qemu.names import domain_names
from virtquorum.qemu.provided import NOTHING, Provided
from virtquorum.qemu.qmp import Command, add_chardev, add_device, add_nodes, add_object
from virtquorum.qemu.version import lacking

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from virtquorum.model.disk import Disk
    from virtquorum.qemu.devices.frontend import Frontend, Frontends
    from virtquorum.qemu.names import Names
    from virtquorum.qemu.objects import QemuObject
    from virtquorum.qemu.qapi import Struct, Version
    from virtquorum.xml.domain import Domain

__all__ = ["STYLES", "Style", "Translated", "arguments", "commands", "translate"]

Style: TypeAlias = Literal["drive", "blockdev", "qmp"]
STYLES: Final[tuple[Style, ...]] = ("drive", "blockdev", "qmp")


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Translated(Node):
    """A disk in QEMU's terms.

    ``built`` is None for a drive without a medium and for a vhost-user
    server, which have no block node; ``frontend`` is None where no devices
    were asked for.  ``remarks`` say what a person should know of it: what is
    without effect, what was not understood.
    """

    disk: Disk
    drive: str
    built: Built | None = None
    frontend: Frontend | None = None
    remarks: tuple[str, ...] = ()


def translate(
    domain: Domain,
    *,
    style: Style = "drive",
    chosen: Collection[Disk] | None = None,
    frontends: bool = True,
    provided: Provided = NOTHING,
    version: Version | None = None,
) -> Iterator[Translated | TranslationError]:
    """Each disk of a (first) domain, or each ``chosen`` one, translated; or why it cannot be.

    Nothing is emitted that QEMU ``version`` lacks; None is the newest known.
    """
    makes = _frontends(domain) if frontends else None
    shared: dict[str, QemuObject] = {}
    disks = domain.machine_disks
    for disk, names in zip(disks, domain_names(disks), strict=True):
        if chosen is not None and not any(disk is one for one in chosen):
            continue
        try:
            one, commit = _translated(disk, names, style, makes, provided)
            _check_version(one, version)
            _check_shared(one, shared)
        except TranslationError as error:
            yield error
        else:
            # Not before: of a disk that is refused no other one may rely on a controller.
            commit()
            shared |= {made.id: made for made in _objects(one)}
            yield one


def _frontends(domain: Domain) -> Frontends:
    from virtquorum.qemu.devices.frontend import Frontends
    from virtquorum.qemu.devices.machine import Machine

    return Frontends(Machine.of(domain), domain.machine_disks)


def _translated(
    disk: Disk, names: Names, style: Style, makes: Frontends | None, provided: Provided
) -> tuple[Translated, Callable[[], None]]:
    """A disk, and what has to be called if it is taken."""
    if disk.name is None:
        raise TranslationError(
            "the disk has no target, so its drive has no name",
            location=disk.location,
            remedy="write <target dev='vda' bus='virtio'/>",
        )
    if disk.driver.name not in (None, "qemu"):
        raise TranslationError(
            f"the driver is '{disk.driver.name}', which is not QEMU",
            location=disk.driver.location,
            disk=disk.name,
            remedy="it is <driver name='qemu'>",
        )
    remarks = []
    built = None
    drive = names.drive
    if has_node(disk):
        built = build(disk, names, provided)
        if style == "drive" and drive != f"drive-{disk.name}":
            remarks.append(f"is called '{drive}'")
        if style != "drive":
            assert built.filtered.node_name is not None
            drive = built.filtered.node_name
    else:
        check_quorum_words(disk)  # which build does for the others
        if makes is None:
            remarks.append("has no block node, so nothing is said of it without its device")
    frontend, commit = None, _nothing
    if makes is not None:
        frontend, commit = makes.draft(disk, drive if built is not None else None)
        remarks += _not_said(disk, frontend, style)
    remarks += without_effect(disk)
    if left := left_to_libvirt(disk):
        remarks.append(f"left to libvirt: {', '.join(left)}")
    if left := not_understood(disk):
        remarks.append(f"not understood and left out: {', '.join(left)}")
    one = Translated(disk=disk, drive=drive, built=built, frontend=frontend, remarks=tuple(remarks))
    return one, commit


def _nothing() -> None:
    """Nothing is kept for other disks where no devices were asked for."""


def _not_said(disk: Disk, frontend: Frontend, style: Style) -> list[str]:
    """What of a frontend is for the user to say; raises TranslationError for what cannot be."""
    if frontend.interface == "sd" and style != "drive":
        raise TranslationError(
            "an SD card is no device that could be named",
            location=disk.location,
            disk=disk.name,
            remedy="only --style drive can say it",
        )
    left = [f"needs -machine {name}={value}" for name, value in frontend.machine_options]
    if style == "qmp":
        left += _needed_at_start(disk, frontend)
        left += [
            f"needs -global {driver}.{name}={value} when QEMU is started"
            for driver, name, value in frontend.global_options
        ]
    return [*frontend.notes, *left]


def _needed_at_start(disk: Disk, frontend: Frontend) -> list[str]:
    """The controllers that QEMU must be started with; refuses a disk that cannot be plugged in."""
    needed = []
    for place, why in frontend.at_start:
        device = frontend.devices[place]
        if device is frontend.devices[-1]:
            raise TranslationError(
                why,
                location=disk.location,
                disk=disk.name,
                remedy="another bus may do, or an address behind a port that QEMU was started "
                "with; --style blockdev is for a QEMU that is started with the disk, and "
                "--no-frontend gives its nodes alone",
            )
        words = [
            word
            for made in frontend.objects
            if made.id == getattr(device, "iothread", None)
            for word in object_arguments(made)
        ]
        needed.append(f"needs {' '.join(words + device_arguments(device))} when QEMU is started")
    return needed


def _check_version(one: Translated, version: Version | None) -> None:
    """Refuse what a version of QEMU lacks."""
    if version is None:
        return
    structs: list[Struct] = []
    if one.built is not None:
        structs += [one.built.filtered, *one.built.objects]
    if one.frontend is not None:
        structs += [*one.frontend.objects, *one.frontend.chardevs, *one.frontend.devices]
    for name, property, since in lacking(structs, version):
        raise TranslationError(
            f"QEMU {version[0]}.{version[1]} has no '{property}' of {name}: "
            f"it came with {since[0]}.{since[1]}",
            location=one.disk.location,
            disk=one.disk.name,
            remedy="take a newer QEMU, or leave out what needs it",
        )


def _check_shared(one: Translated, shared: dict[str, QemuObject]) -> None:
    """Refuse two objects of one name that differ: two disks of a group with different limits."""
    own: dict[str, QemuObject] = {}
    for made in _objects(one):
        if own.setdefault(made.id, shared.get(made.id, made)) != made:
            raise TranslationError(
                f"the object '{made.id}' ({made.qom_type}) is another one for an earlier disk",
                location=one.disk.iotune.location if one.disk.iotune else one.disk.location,
                disk=one.disk.name,
                remedy="disks of one <group_name> have the same limits",
            )


def _objects(one: Translated) -> list[QemuObject]:
    objects: list[QemuObject] = []
    if one.built is not None:
        objects += one.built.objects
        if one.built.throttle is not None:
            objects.append(one.built.throttle)
    if one.frontend is not None:
        objects += one.frontend.objects
    return objects


def arguments(disks: Iterable[Translated], style: Style) -> list[str]:
    """The arguments for QEMU's command line, an option and its value after each other."""
    words: list[str] = []
    given: set[str] = set()
    for one in disks:
        spelled = object_arguments if style == "drive" else json_object_arguments
        for made in _objects(one):
            is_drives_own = style == "drive" and made.qom_type == "throttle-group"
            if made.id not in given and not is_drives_own:
                words += spelled(made)
                given.add(made.id)
        if one.built is not None:
            words += _drive(one) if style == "drive" else blockdev_arguments(one.built.filtered)
        if one.frontend is not None:
            for chardev in one.frontend.chardevs:
                words += chardev_arguments(chardev)
            for device in one.frontend.devices:
                words += (
                    device_arguments(device) if style == "drive" else json_device_arguments(device)
                )
            for driver, name, value in one.frontend.global_options:
                words += ["-global", f"{driver}.{name}={value}"]
    return words


def _drive(one: Translated) -> list[str]:
    assert one.built is not None
    interface = [("if", "none")]
    if one.frontend is not None:
        interface = [("if", one.frontend.interface)]
        if one.frontend.index is not None:
            interface.append(("index", str(one.frontend.index)))
    return drive_arguments(one.disk, one.built, one.drive, interface, _by_device(one))


def _by_device(one: Translated) -> set[str]:
    """What the guest's device says, and its drive would say as well."""
    devices = one.frontend.devices if one.frontend is not None else ()
    words = ("write_cache", "werror", "rerror")
    return {
        word
        for device in devices
        if getattr(device, "drive", None) is not None
        for word in words
        if getattr(device, word, None) is not None
    }


def commands(disks: Iterable[Translated]) -> list[Command]:
    """The commands that add the disks to a running QEMU, in their order."""
    disks = list(disks)
    found: list[Command] = []
    given = _given_at_start(disks)
    for one in disks:
        for made in _objects(one):
            if made.id not in given:
                found.append(add_object(made))
                given.add(made.id)
        if one.built is not None:
            found += add_nodes(one.built.filtered)
        if one.frontend is not None:
            found += [add_chardev(chardev) for chardev in one.frontend.chardevs]
            at_start = {place for place, _ in one.frontend.at_start}
            found += [
                add_device(device)
                for place, device in enumerate(one.frontend.devices)
                if place not in at_start
            ]
    return found


def _given_at_start(disks: Iterable[Translated]) -> set[str]:
    """The ids of the objects that come with the controllers that QEMU is started with."""
    return {
        str(getattr(one.frontend.devices[place], "iothread", None))
        for one in disks
        if one.frontend is not None
        for place, _ in one.frontend.at_start
    }
