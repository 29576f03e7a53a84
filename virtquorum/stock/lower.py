"""Lowering: a quorum domain becomes one that stock libvirt runs.

Each disk with a quorum in it gives its place to a placeholder; its block graph
becomes arguments in ``<qemu:commandline>``, ``<qemu:override>`` points the
placeholder's device at it, and the disk goes into the record in the metadata.
libvirt takes ``<qemu:override>`` since 8.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from virtquorum.errors import EditError, TranslationError
from virtquorum.qemu.blockdev import blockdev_arguments, json_object_arguments
from virtquorum.qemu.provided import NOTHING, Provided
from virtquorum.qemu.translate import translate
from virtquorum.stock.lift import lift
from virtquorum.stock.place import INDENT, behind, into, pad_in
from virtquorum.stock.placeholder import DIRECTORY, alias_of, placeholder, placeholder_path
from virtquorum.xml.format import escape, format_disk
from virtquorum.xml.layout import Splice, fitted, indentation, joined, line_end
from virtquorum.xml.record import NAMESPACE, QEMU, VERSION, Record, digest, namespace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from virtquorum.model.disk import Disk
    from virtquorum.qemu.build import Built
    from virtquorum.qemu.qapi import Version
    from virtquorum.xml.document import Element
    from virtquorum.xml.domain import Domain

__all__ = ["Lowering", "lower", "lowerings", "record_text"]

#: The buses whose devices libvirt makes with an option that an override can change.
_BUSES: Final = ("virtio", "scsi", "sata", "ide", "usb")
#: What comes before the metadata in a domain, as libvirt writes it.
_BEFORE_METADATA: Final = ("name", "uuid", "genid", "title", "description")


class Lowering(NamedTuple):
    """A quorum disk, and what becomes of it.

    ``arguments`` are options and values in turn; ``plugged`` says that the
    nodes came by the monitor, and no argument is written for them.
    """

    disk: Disk
    alias: str
    file: str
    built: Built
    arguments: tuple[str, ...]
    plugged: bool = False

    @property
    def drive(self) -> str:
        """The node that the device is pointed at."""
        assert self.built.top.node_name is not None
        return self.built.top.node_name

    @property
    def placeholder(self) -> Disk:
        """The stock disk that stands for it."""
        return placeholder(self.disk, self.file)


def lower(
    domain: Domain,
    *,
    directory: str = DIRECTORY,
    files: Mapping[str, str] | None = None,
    provided: Provided = NOTHING,
    version: Version | None = None,
) -> Domain:
    """The domain that stock libvirt runs in the place of a quorum domain.

    Placeholders are in ``directory``, or by target where ``files`` says.  A
    domain that is lowered already is lifted first, so that nothing stale is
    left; its placeholders stay where they are.  A domain without quorum disks
    comes back as it is.  Raises TranslationError for a disk that cannot be
    lowered, LoweredError for a lowered domain that was changed by hand,
    EditError for a document that is no ``<domain>``.
    """
    record = Record.of(_root(domain))
    kept = {one.target: one.file for one in record.disks} if record is not None else {}
    lifted = lift(domain)
    found = lowerings(
        lifted,
        directory=directory,
        files={**kept, **(files or {})},
        provided=provided,
        version=version,
    )
    if not found:
        return lifted
    return lifted.with_data(joined(lifted.document.data, _splices(lifted, found)))


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
    found: list[Lowering] = []
    given: set[str] = set()
    aliases: dict[str, Disk] = {}
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
        _check(one.disk, aliases)
        words: list[str] = []
        for made in one.built.objects:
            if made.id not in given:
                words += json_object_arguments(made)
                given.add(made.id)
        words += blockdev_arguments(one.built.top)
        path = (files or {}).get(one.disk.name or "")
        found.append(
            Lowering(
                disk=one.disk,
                alias=alias_of(one.disk),
                file=path or placeholder_path(directory, domain.domain_name, one.disk),
                built=one.built,
                arguments=tuple(words),
            )
        )
    return found


def _check(disk: Disk, aliases: dict[str, Disk]) -> None:
    """Refuse a disk whose device libvirt gives nobody a way to point elsewhere."""
    bus = disk.target.bus if disk.target is not None else None
    if bus not in (*_BUSES, None):
        raise TranslationError(
            f"libvirt makes a disk on the bus '{bus}' no device that could be pointed at a quorum",
            location=disk.location,
            disk=disk.name,
            remedy=f"take one of the buses {', '.join(_BUSES)}",
        )
    if disk.device not in (None, "disk", "cdrom"):
        raise TranslationError(
            f"device='{disk.device}' cannot stand for a quorum on stock libvirt",
            location=disk.location,
            disk=disk.name,
            remedy="use device='disk'",
        )
    alias = alias_of(disk)
    if aliases.setdefault(alias, disk) is not disk:
        raise TranslationError(
            f"the alias '{alias}' is that of the disk '{aliases[alias].name}' already",
            location=disk.location,
            disk=disk.name,
            remedy="give each disk an alias of its own, or none",
        )


def _root(domain: Domain) -> Element:
    root = domain.document.root
    if root.name != "domain":
        raise EditError(
            f"{domain.name}: its root element is <{root.name}>, and what libvirt runs is a <domain>"
        )
    return root


def _splices(domain: Domain, found: Sequence[Lowering]) -> list[Splice]:
    """All changes to the document."""
    root = _root(domain)
    adds: list[str] = []
    last = root.elements()[-1]
    # In reverse: what goes behind one element comes out in the order of the document.
    splices = [_replaced(domain, one) for one in found]
    tail = _added(root, "commandline", list(_command_line(found)), adds)
    tail += _added(root, "override", [_override(one) for one in found], adds)
    texts = [text for text in tail if isinstance(text, str)]
    splices += [one for one in tail if not isinstance(one, str)]
    if texts:
        splices.append((last.stop, last.stop, "".join(texts)))
    splices.append(_metadata(root, found, adds))
    return _together(splices)


def _together(splices: list[Splice]) -> list[Splice]:
    """Splices with those that insert at one offset made one, in their order."""
    inserted: dict[int, str] = {}
    others: list[Splice] = []
    for start, stop, text in splices:
        if start == stop:
            assert isinstance(text, str)
            inserted[start] = inserted.get(start, "") + text
        else:
            others.append((start, stop, text))
    return others + [(at, at, text) for at, text in inserted.items()]


def _replaced(domain: Domain, one: Lowering) -> Splice:
    """The placeholder in the place of the disk."""
    element: Element = one.disk.location  # type: ignore[assignment]
    pad = indentation(domain.document, element.start)
    text = fitted(format_disk(one.placeholder, pad), pad, line_end(domain.document))
    return element.start, element.stop, text


def _command_line(found: Sequence[Lowering]) -> Iterator[str]:
    for one in found:
        for word in () if one.plugged else one.arguments:
            yield f"<qemu:arg value='{escape(word)}'/>"


def _override(one: Lowering) -> str:
    return "\n".join(
        [
            f"<qemu:device alias='{escape(one.alias)}'>",
            f"{INDENT}<qemu:frontend>",
            f"{INDENT * 2}<qemu:property name='drive' type='string' value='{escape(one.drive)}'/>",
            f"{INDENT}</qemu:frontend>",
            "</qemu:device>",
        ]
    )


def _added(root: Element, name: str, children: list[str], adds: list[str]) -> list[Splice | str]:
    """Children for the (first) element of a name in QEMU's namespace, which is made if missing.

    An element that is made comes as text, to go behind the last one of the
    domain.
    """
    ending = line_end(root.document)
    for element in root.elements():
        if namespace(element) == (QEMU, name):
            prefix = element.name.partition(":")[0] if ":" in element.name else ""
            pad = pad_in(element)
            text = "\n".join(_indented(_prefixed(one, prefix), pad) for one in children)
            return [into(element, text.removeprefix(pad))]
    adds.append(name)
    bound = root.attributes.get("xmlns:qemu") == QEMU
    declared = "" if bound else f" xmlns:qemu='{QEMU}'"
    pad = pad_in(root)
    body = "\n".join(_indented(one, pad + INDENT) for one in children)
    text = f"\n{pad}<qemu:{name}{declared}>\n{body}\n{pad}</qemu:{name}>"
    return [text.replace("\n", ending)]


def _indented(text: str, pad: str) -> str:
    return "\n".join(pad + line for line in text.split("\n"))


def _prefixed(text: str, prefix: str) -> str:
    """Our elements with another prefix for QEMU's namespace; values hold no '<'."""
    there = f"{prefix}:" if prefix else ""
    return text.replace("<qemu:", f"<{there}").replace("</qemu:", f"</{there}")


def _metadata(root: Element, found: Sequence[Lowering], adds: list[str]) -> Splice:
    """The record, in the domain's metadata or in metadata of its own."""
    existing = root.elements("metadata")
    if existing:
        return into(existing[0], record_text(found, adds, pad_in(existing[0])))
    adds = ["metadata", *adds]
    pad = pad_in(root)
    record = record_text(found, adds, pad + INDENT)
    text = f"<metadata>\n{pad}{INDENT}{record}\n{pad}</metadata>"
    before = [one for one in root.elements() if one.name in _BEFORE_METADATA]
    if before:
        return behind(before[-1], text)
    ending = line_end(root.document)
    return root.content, root.content, f"\n{pad}{text}".replace("\n", ending)


def record_text(found: Sequence[Lowering], adds: Sequence[str] = (), pad: str = "") -> str:
    """The record of quorum disks, as it stands in a domain's metadata.

    It begins without indentation; its other lines begin with ``pad``.  The
    disks are written as they were.
    """
    said = f" adds='{' '.join(adds)}'" if adds else ""
    lines = [f"<virtquorum xmlns='{NAMESPACE}' version='{VERSION}'{said}>"]
    inner = pad + INDENT
    for one in found:
        digests = " ".join(digest(value) for value in one.arguments[1::2])
        words = {
            "target": one.disk.name or "",
            "alias": one.alias,
            "drive": one.drive,
            "file": one.file,
            "arguments": digests,
        }
        if one.plugged:
            words["plugged"] = "yes"
        spelled = "".join(f" {name}='{escape(value)}'" for name, value in words.items())
        lines += [
            f"{inner}<lowered{spelled}>",
            f"{inner}{INDENT}{_as_written(one.disk)}",
            f"{inner}</lowered>",
        ]
    return "\n".join([*lines, f"{pad}</virtquorum>"])


def _as_written(disk: Disk) -> str:
    """A disk's own text; that of a disk from elsewhere, as libvirt would write it."""
    element = disk.location
    document = getattr(element, "document", None)
    if document is None:
        return format_disk(disk).removesuffix("\n")
    data: bytes = document.data[element.start : element.stop]  # type: ignore[union-attr]
    return data.decode("utf-8")
