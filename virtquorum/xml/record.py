"""What a lowered domain says of itself: the record in its metadata, and what belongs to it.

A lowered domain is one that stock libvirt runs.  Each quorum disk has become a
placeholder, whose device is pointed at the quorum by ``<qemu:override>``; the
quorum's block nodes are arguments in ``<qemu:commandline>``; and the disk, as
it was written, is kept in the metadata:

    <metadata>
      <virtquorum xmlns='urn:virtquorum:domain:1.0' version='1' adds='metadata override'>
        <lowered target='vda' alias='ua-vq-vda' drive='vq-vda' file='/…/web-vda.placeholder'
                 arguments='3f2a9c0d1e4b5a67 …'>
          <disk type='quorum' threshold='2'>…</disk>
        </lowered>
      </virtquorum>
    </metadata>

``arguments`` are digests of the arguments' values, by which ours are told from
those of others; a disk that was plugged into a running guest has
``plugged='yes'``, and its nodes came by the monitor.  ``adds`` names the
elements that were not there before.

Reading is tolerant: what somebody has changed by hand comes as ``Trouble``s.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from virtquorum.xml.parse import parse_disk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.model.disk import Disk
    from virtquorum.xml.document import Element

__all__ = [
    "NAMESPACE",
    "QEMU",
    "VERSION",
    "Argument",
    "Lowered",
    "Record",
    "Trouble",
    "TroubleKind",
    "digest",
    "namespace",
    "troubles",
]

#: The namespace of the record.
NAMESPACE: Final = "urn:virtquorum:domain:1.0"
#: The namespace of what libvirt hands on to QEMU.
QEMU: Final = "http://libvirt.org/schemas/domain/qemu/1.0"
#: The version of the record that is written here; a newer one is not read.
VERSION: Final = 1

TroubleKind: TypeAlias = Literal["record", "newer", "placeholder", "source", "override", "argument"]


class Trouble(NamedTuple):
    """What is not as it was written, and what is expected there.

    ``kind`` is 'record' (the record itself), 'newer' (a newer version's),
    'placeholder' (gone, or without its alias), 'source' (a placeholder with
    another source), 'override' or 'argument'.
    """

    kind: TroubleKind
    element: Element
    message: str
    expected: str
    attribute: str | None = None


class Argument(NamedTuple):
    """An option of ``<qemu:commandline>`` and its value, each an element."""

    option: Element
    value: Element

    @property
    def digest(self) -> str:
        """What a record calls the argument."""
        return digest(self.value.attributes.get("value", ""))


class Lowered(NamedTuple):
    """One disk of a record: ``<lowered>`` and its attributes, and the disk as it was written."""

    element: Element
    target: str
    alias: str
    drive: str
    file: str
    arguments: tuple[str, ...]
    plugged: bool
    disk: Disk

    @property
    def disk_element(self) -> Element:
        """The ``<disk>`` in the record."""
        return self.disk.location  # type: ignore[return-value]


class Record(NamedTuple):
    """The record of a ``<domain>`` element."""

    domain: Element
    element: Element
    adds: tuple[str, ...]
    disks: tuple[Lowered, ...]

    @classmethod
    def of(cls, domain: Element) -> Record | None:
        """The record of a domain, None if it has none; what is wrong in it is left out."""
        element = next(_record_elements(domain), None)
        if element is None:
            return None
        disks = [one for one in map(_lowered, element.elements()) if one is not None]
        adds = tuple(element.attributes.get("adds", "").split())
        return cls(domain, element, adds, tuple(disks))

    @property
    def version(self) -> int | None:
        """The version of the record, None if it is no number."""
        text = self.element.attributes.get("version", "")
        return int(text) if text.isascii() and text.isdigit() else None

    def placeholder(self, one: Lowered) -> Element | None:
        """The ``<disk>`` that stands for a disk: the one with its target."""
        for devices in self.domain.elements("devices"):
            for disk in devices.elements("disk"):
                for target in disk.elements("target"):
                    if target.attributes.get("dev") == one.target:
                        return disk
        return None

    def arguments(self) -> list[Argument]:
        """Every option with a value, ours and others', in order."""
        return list(_arguments(self.domain))

    def own_arguments(self) -> list[Argument]:
        """The arguments that lowering put there."""
        known = {text for one in self.disks for text in one.arguments}
        return [one for one in _arguments(self.domain) if one.digest in known]

    def override(self, one: Lowered) -> Element | None:
        """The property that decides which node a disk's device has; of several the last."""
        found = None
        for device in _devices(self.domain):
            if device.attributes.get("alias") == one.alias:
                for frontend in _of(device, "frontend"):
                    for property in _of(frontend, "property"):
                        if property.attributes.get("name") == "drive":
                            found = property
        return found


def digest(value: str) -> str:
    """What a record calls an argument: 16 hexadecimal digits of its value's SHA-256."""
    return sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def namespace(element: Element) -> tuple[str, str]:
    """The namespace of an element ('' without) and its name in it."""
    prefix, colon, name = element.name.partition(":")
    if not colon:
        prefix, name = "", element.name
    declaration = f"xmlns:{prefix}" if prefix else "xmlns"
    one: object = element
    while hasattr(one, "attributes"):
        if declaration in one.attributes:
            return one.attributes[declaration], name
        one = one.parent  # type: ignore[attr-defined]
    return "", name


def _of(parent: Element, name: str, space: str = QEMU) -> list[Element]:
    return [one for one in parent.elements() if _is(one, name, space)]


def _is(element: Element, name: str, space: str) -> bool:
    return element.name.endswith(name) and namespace(element) == (space, name)


def _record_elements(domain: Element) -> Iterator[Element]:
    for metadata in domain.elements("metadata"):
        yield from _of(metadata, "virtquorum", NAMESPACE)


def _lowered(element: Element) -> Lowered | None:
    """One ``<lowered>``, None if it is not as it is written."""
    said = element.attributes
    disks = element.elements("disk")
    words = [said.get(name) for name in ("target", "alias", "drive", "file")]
    if element.name != "lowered" or len(disks) != 1 or not all(words):
        return None
    target, alias, drive, file = (word or "" for word in words)
    disk = parse_disk(disks[0])
    if disk.name != target or not disk.quorums:
        return None
    arguments = tuple(said.get("arguments", "").split())
    return Lowered(
        element, target, alias, drive, file, arguments, said.get("plugged") == "yes", disk
    )


def _arguments(domain: Element) -> Iterator[Argument]:
    """Two words after each other of which the first is an option for a node or an object."""
    for line in _of(domain, "commandline"):
        option: Element | None = None
        for word in _of(line, "arg"):
            if option is not None:
                yield Argument(option, word)
                option = None
            elif word.attributes.get("value") in ("-blockdev", "-object"):
                option = word


def _devices(domain: Element) -> Iterator[Element]:
    for override in _of(domain, "override"):
        yield from _of(override, "device")


def troubles(domain: Element) -> Iterator[Trouble]:
    """What is not as lowering left it, in a ``<domain>`` element; nothing without a record."""
    elements = list(_record_elements(domain))
    if not elements:
        return
    record = Record.of(domain)
    assert record is not None
    if record.version != VERSION:
        yield _other_version(record)
        return
    for extra in elements[1:]:
        yield Trouble(
            "record", extra, "this is a second record of quorum disks", "one record a domain"
        )
    known = {one.element.start for one in record.disks}
    targets: set[str] = set()
    for element in record.element.elements():
        if element.start not in known:
            yield Trouble(
                "record",
                element,
                f"the record's <{element.name}> is not as virtquorum writes it",
                "<lowered target='…' alias='…' drive='…' file='…'> with one quorum disk in it",
            )
    for one in record.disks:
        if one.target in targets:
            yield Trouble(
                "record", one.element, f"the record has '{one.target}' twice", "each disk once"
            )
            continue
        targets.add(one.target)
        yield from _placeholder(record, one)
    yield from _missing_arguments(record)


def _other_version(record: Record) -> Trouble:
    said = record.element.attributes.get("version", "")
    if record.version is None or record.version < VERSION:
        return Trouble(
            "record",
            record.element,
            f"the record's version is '{said}', which there never was",
            f"version='{VERSION}'",
            "version",
        )
    return Trouble(
        "newer",
        record.element,
        f"the domain was lowered by a newer virtquorum: its record has version {said}",
        f"at most version {VERSION}; upgrade virtquorum, which reads the older ones as well",
        "version",
    )


def _placeholder(record: Record, one: Lowered) -> Iterator[Trouble]:
    element = record.placeholder(one)
    if element is None:
        yield Trouble(
            "placeholder",
            one.element,
            f"the placeholder of the quorum disk '{one.target}' is gone",
            f"a <disk> with <target dev='{one.target}'/> and <alias name='{one.alias}'/>",
        )
        return
    aliases = [alias.attributes.get("name") for alias in element.elements("alias")]
    if one.alias not in aliases:
        yield Trouble(
            "placeholder",
            element,
            f"the placeholder of the quorum disk '{one.target}' has lost its alias, so the guest "
            "gets the placeholder",
            f"<alias name='{one.alias}'/>",
        )
    yield from _source(element, one)
    if not one.plugged:
        yield from _override(record, one)


def _source(element: Element, one: Lowered) -> Iterator[Trouble]:
    files = [source.attributes.get("file") for source in element.elements("source")]
    formats = [driver.attributes.get("type") for driver in element.elements("driver")]
    if element.attributes.get("type") != "file" or files != [one.file] or formats != ["raw"]:
        yield Trouble(
            "source",
            element,
            f"the placeholder of the quorum disk '{one.target}' has another source",
            f"type='file', <driver type='raw'/> and <source file='{one.file}'/>",
        )


def _override(record: Record, one: Lowered) -> Iterator[Trouble]:
    property = record.override(one)
    if property is None:
        yield Trouble(
            "override",
            one.element,
            f"nothing points the device '{one.alias}' at the quorum, so the guest gets the "
            "placeholder",
            f"<qemu:override> with the property 'drive' of the device '{one.alias}': '{one.drive}'",
        )
    elif property.attributes.get("value") != one.drive:
        yield Trouble(
            "override",
            property,
            f"the device '{one.alias}' is pointed at another node than the quorum",
            f"value='{one.drive}'",
            "value",
        )


def _missing_arguments(record: Record) -> Iterator[Trouble]:
    every = record.arguments()
    there = {one.digest for one in every}
    for one in record.disks:
        missing = [text for text in one.arguments if text not in there]
        if missing and not one.plugged:
            known = {text for disk in record.disks for text in disk.arguments}
            changed = _alike(one, [word for word in every if word.digest not in known])
            what = "argument is" if len(missing) == 1 else "arguments are"
            yield Trouble(
                "argument",
                changed.value if changed is not None else one.element,
                f"{len(missing)} {what} gone or changed by hand of those for the quorum disk "
                f"'{one.target}'",
                "what virtquorum wrote there; change the disk itself instead",
            )


def _alike(one: Lowered, arguments: list[Argument]) -> Argument | None:
    """An argument that is not ours, and makes a node by a name such as ours have."""
    for argument in arguments:
        try:
            said = json.loads(argument.value.attributes.get("value", ""))
        except ValueError:
            continue
        name = str(said.get("node-name") or said.get("id")) if isinstance(said, dict) else ""
        if name == one.drive or name.startswith((f"{one.drive}-", "vq-secret-", "vq-usage-")):
            return argument
    return None
