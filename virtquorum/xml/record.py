"""What a lowered domain says of itself: the record in its metadata, and what belongs to it.

A lowered domain is one that stock libvirt runs.  Each quorum disk has become a
placeholder, whose device is pointed at the quorum by ``<qemu:override>``; the
quorum's block nodes are arguments in ``<qemu:commandline>``; and the disk, as
it was written, is kept in the metadata:

    <metadata>
      <virtquorum xmlns='urn:virtquorum:domain:1.0' version='1' adds='metadata'>
        <lowered target='vda' alias='ua-vq-vda' drive='vq-vda' file='/…/web-vda.placeholder'
                 arguments='3f2a9c0d1e4b5a67 …' disk='9b1d0c55aa7f1e20'>
          <disk type='quorum' threshold='2'>…</disk>
        </lowered>
      </virtquorum>
    </metadata>

``arguments`` are digests of the arguments' values, by which ours are told from
those of others, and ``disk`` is one of the disk, by which a change of it is
noticed (``virtquorum.xml.lowered``).  A disk that was plugged into a running
guest has ``plugged='yes'``, and its nodes came by the monitor.  One that was
no quorum when the guest was started has no placeholder either: libvirt's XML
has its former source, and ``kept`` the nodes that libvirt had for that (a JSON
list of BlockdevOptions).  ``adds`` names the elements, and the declaration
``xmlns:qemu``, that were not there before, and ``opens`` those that were there
as a single tag.

Reading is tolerant, of any prefix as well: what somebody has changed by hand
is for ``troubles`` to find.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple

from virtquorum.xml.document import Element
from virtquorum.xml.parse import parse_disk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from virtquorum.model.disk import Disk
    from virtquorum.xml.document import Document

__all__ = [
    "BUSES",
    "NAMESPACE",
    "QEMU",
    "VERSION",
    "WITHOUT_WRITE_CACHE",
    "Argument",
    "Lowered",
    "Record",
    "alias_in",
    "digest",
    "machine_elements",
    "namespace",
    "overrides",
    "qemu_arguments",
    "records",
    "with_own",
]

#: The namespace of the record.
NAMESPACE: Final = "urn:virtquorum:domain:1.0"
#: The namespace of what libvirt hands on to QEMU.
QEMU: Final = "http://libvirt.org/schemas/domain/qemu/1.0"
#: The version of the record that is written here; a newer one is not read.
VERSION: Final = 1
#: The buses on which libvirt makes a device with an option that an override can change.
BUSES: Final = ("virtio", "scsi", "sata", "ide", "usb")
#: The cache modes with which a device says that it has no write cache.
WITHOUT_WRITE_CACHE: Final = ("directsync", "writethrough")

_OPTIONS: Final = ("-blockdev", "-object")


class Argument(NamedTuple):
    """An option of ``<qemu:commandline>`` and its value, each an element."""

    option: Element
    value: Element

    @property
    def digest(self) -> str:
        """What a record calls the argument."""
        return digest(self.value.attributes.get("value", ""))


class Lowered(NamedTuple):
    """One disk of a record: ``<lowered>`` and its attributes, and the disk as it was written.

    ``verbatim`` says that the disk's own bytes are libvirt's XML: that no
    prefix has come to its names.  ``kept`` is JSON, None where libvirt has a
    placeholder.
    """

    element: Element
    target: str
    alias: str
    drive: str
    file: str
    arguments: tuple[str, ...]
    plugged: bool
    disk: Disk
    verbatim: bool = True
    kept: str | None = None

    @property
    def disk_element(self) -> Element:
        """The ``<disk>`` in the record."""
        return self.disk.location  # type: ignore[return-value]


class Record(NamedTuple):
    """The record of a ``<domain>`` element.

    ``by_alias`` and ``by_target`` are the domain's disks, ``drives`` by alias
    the properties that decide which node a device has.
    """

    domain: Element
    element: Element
    adds: tuple[str, ...]
    opens: tuple[str, ...]
    disks: tuple[Lowered, ...]
    by_alias: Mapping[str, Element]
    by_target: Mapping[str, Element]
    drives: Mapping[str, Element]

    @classmethod
    def of(cls, domain: Element) -> Record | None:
        """The record of a domain, None if it has none; what is wrong in it is left out."""
        element = next(records(domain), None)
        if element is None:
            return None
        said = element.attributes
        by_alias: dict[str, Element] = {}
        by_target: dict[str, Element] = {}
        for disk in machine_elements(domain, "disk"):
            by_alias.setdefault(alias_in(disk) or "", disk)
            for target in disk.elements("target")[:1]:
                by_target.setdefault(target.attributes.get("dev", ""), disk)
        return cls(
            domain,
            element,
            tuple(said.get("adds", "").split()),
            tuple(said.get("opens", "").split()),
            _disks(element),
            by_alias,
            by_target,
            _drives(domain),
        )

    @property
    def version(self) -> int | None:
        """The version of the record, None if it is no number."""
        text = self.element.attributes.get("version", "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None

    @property
    def is_live(self) -> bool:
        """Whether the domain is a running one's."""
        return "id" in self.domain.attributes

    def placeholder(self, one: Lowered) -> Element | None:
        """The ``<disk>`` that stands for a disk: the one with its alias, or else with its target.

        A disk with the target that has another alias and another source is
        somebody's own.
        """
        found = self.by_alias.get(one.alias)
        if found is None:
            found = self.by_target.get(one.target)
            if found is not None and alias_in(found) is not None and one.file not in _files(found):
                return None
        return found

    def arguments(self) -> list[Argument]:
        """Every option with a value, ours and others', in order."""
        return list(qemu_arguments(self.domain))

    def own_arguments(self) -> list[Argument]:
        """The arguments that lowering put there; of equal ones the last."""
        known = {text for one in self.disks for text in one.arguments}
        found = {text: one for one in self.arguments() if (text := one.digest) in known}
        return list(found.values())

    def override(self, one: Lowered) -> Element | None:
        """The property that decides which node a disk's device has; of several the last."""
        return self.drives.get(one.alias)

    def own_properties(self, one: Lowered) -> list[Element]:
        """The properties of a disk's device that lowering put there."""
        drive = self.override(one)
        return with_own(drive) if drive is not None else []


def with_own(drive: Element) -> list[Element]:
    """A property 'drive' of ours, and those beside it that came with it."""
    frontend: Element = drive.parent  # type: ignore[assignment]
    return [one for one in _of(frontend, "property") if one is drive or _is_own(one)]


def _is_own(property: Element) -> bool:
    """Whether a property beside our 'drive' is one that comes with it."""
    name, value = (property.attributes.get(word, "") for word in ("name", "value"))
    return (name, value) == ("share-rw", "false") or (
        name == "device_id" and value.startswith("drive-")
    )


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
    while isinstance(one, Element):
        if declaration in one.attributes:
            return one.attributes[declaration], name
        one = one.parent
    return "", name


def records(domain: Element) -> Iterator[Element]:
    """The records in a domain's metadata, of which there should be one."""
    for metadata in domain.elements("metadata"):
        yield from _of(metadata, "virtquorum", NAMESPACE)


def machine_elements(domain: Element, name: str | None = None) -> Iterator[Element]:
    """The devices of a domain, of one name or all."""
    for devices in domain.elements("devices"):
        yield from devices.elements(name)


def alias_in(device: Element) -> str | None:
    """The alias of a device."""
    for alias in device.elements("alias"):
        return alias.attributes.get("name")
    return None


def qemu_arguments(domain: Element) -> Iterator[Argument]:
    """Two words after each other of which the first is an option for a node or an object."""
    for line in _of(domain, "commandline"):
        option: Element | None = None
        for word in _of(line, "arg"):
            if option is not None:
                yield Argument(option, word)
                option = None
            elif word.attributes.get("value") in _OPTIONS:
                option = word


def overrides(domain: Element) -> Iterator[tuple[str, Element]]:
    """The alias of a device and each property that ``<qemu:override>`` gives it, in order."""
    for override in _of(domain, "override"):
        for device in _of(override, "device"):
            alias = device.attributes.get("alias", "")
            for frontend in _of(device, "frontend"):
                for property in _of(frontend, "property"):
                    yield alias, property


def _drives(domain: Element) -> dict[str, Element]:
    found = overrides(domain)
    return {alias: one for alias, one in found if one.attributes.get("name") == "drive"}


def _files(disk: Element) -> list[str | None]:
    return [source.attributes.get("file") for source in disk.elements("source")]


def _of(parent: Element, name: str, space: str = QEMU) -> list[Element]:
    return [one for one in parent.elements() if _is(one, name, space)]


def _is(element: Element, name: str, space: str) -> bool:
    return element.name.endswith(name) and namespace(element) == (space, name)


def _disks(element: Element) -> tuple[Lowered, ...]:
    """The disks of a record, each target once."""
    found: dict[str, Lowered] = {}
    for one in map(_lowered, element.elements()):
        if one is not None:
            found.setdefault(one.target, one)
    return tuple(found.values())


def _lowered(element: Element) -> Lowered | None:
    """One ``<lowered>``, None if it is not as it is written."""
    if not _is(element, "lowered", NAMESPACE):
        return None
    said = element.attributes
    disks = [one for one in element.elements() if one.name.endswith("disk")]
    words = [said.get(name) for name in ("target", "alias", "drive", "file")]
    if len(disks) != 1 or not all(words):
        return None
    space, name = namespace(disks[0])
    if name != "disk" or space not in ("", NAMESPACE):
        return None
    target, alias, drive, file = (word or "" for word in words)
    written = disks[0]
    plain = written if ":" not in written.name else _unprefixed(written)
    disk = parse_disk(plain)
    if disk.name != target or not disk.quorums:
        return None
    return Lowered(
        element,
        target,
        alias,
        drive,
        file,
        tuple(said.get("arguments", "").split()),
        said.get("plugged") == "yes",
        disk,
        plain is written,
        said.get("kept"),
    )


def _unprefixed(top: Element) -> Element:
    """A copy of an element in which the names of the record's namespace have no prefix."""
    copy = _renamed(top, top.parent)
    rest = [(top, copy)]
    while rest:
        element, copied = rest.pop()
        children = []
        for one in element.children:
            child = _renamed(one, copied) if isinstance(one, Element) else one
            children.append(child)
            if isinstance(one, Element) and isinstance(child, Element):
                rest.append((one, child))
        copied.children = children
    return copy


def _renamed(element: Element, parent: Element | Document) -> Element:
    space, name = namespace(element)
    name = name if space == NAMESPACE else element.name
    found = Element(name, element.attributes, element.start, parent)
    found.close = element.close
    return found
