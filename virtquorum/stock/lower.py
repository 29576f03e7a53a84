"""Lowering: a quorum domain becomes one that stock libvirt runs.

Each disk with a quorum in it gives its place to a placeholder; its block graph
becomes arguments in ``<qemu:commandline>``, ``<qemu:override>`` points the
placeholder's device at it, and the disk goes into the record in the metadata.
libvirt takes ``<qemu:override>`` since 8.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.errors import WrongRootError
from virtquorum.qemu.provided import NOTHING, Provided
from virtquorum.stock.lift import lift
from virtquorum.stock.lowering import Lowering, lowerings
from virtquorum.stock.place import INDENT, behind, into, is_closed, pad_in
from virtquorum.stock.placeholder import DIRECTORY
from virtquorum.xml.document import Element
from virtquorum.xml.format import escape, format_disk
from virtquorum.xml.layout import Splice, fitted, indentation, joined, line_end
from virtquorum.xml.lowered import disk_digest, lowered_tag
from virtquorum.xml.record import NAMESPACE, QEMU, VERSION, Record, digest, namespace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from virtquorum.model.disk import Disk
    from virtquorum.qemu.qapi import Version
    from virtquorum.xml.domain import Domain

__all__ = ["Lowering", "kept_files", "lower", "lowerings", "record_text", "with_lowerings"]

#: What comes before the metadata in a domain, as libvirt writes it.
_BEFORE_METADATA: Final = ("name", "uuid", "genid", "title", "description")


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
    WrongRootError for a document that is no ``<domain>``.
    """
    _root(domain)
    lifted = lift(domain)
    found = lowerings(
        lifted,
        directory=directory,
        files={**kept_files(domain), **(files or {})},
        provided=provided,
        version=version,
    )
    return with_lowerings(lifted, found)


def kept_files(domain: Domain) -> dict[str, str]:
    """Where the placeholders of a lowered domain are, by the disks' targets; of others nothing."""
    record = Record.of(_root(domain))
    disks = record.disks if record is not None else ()
    return {one.target: one.file for one in disks if one.kept is None}


def with_lowerings(domain: Domain, found: Sequence[Lowering]) -> Domain:
    """A domain that is not lowered, with some of its disks as ``lowerings`` has them."""
    if not found:
        return domain
    return domain.with_data(joined(domain.document.data, _splices(domain, found)))


def _root(domain: Domain) -> Element:
    root = domain.document.root
    if root.name != "domain":
        inside = root.elements("domain")
        raise WrongRootError(
            f"the root element is <{root.name}>, and what libvirt runs is a <domain>",
            root=root.name,
            file=domain.name,
            line=root.line,
            column=root.column,
            remedy="give the <domain> in it alone" if inside else "give the domain that it is of",
        )
    return root


class _Edits:
    """All changes to the document, and what the record has to say of them."""

    def __init__(self, root: Element) -> None:
        self.root = root
        self.splices: list[Splice] = []
        self.tail: list[str] = []
        self.ending = line_end(root.document)
        #: The elements, and the declaration, that are new.
        self.adds: list[str] = []
        #: Those that were a single tag.
        self.opens: list[str] = []
        if "xmlns:qemu" not in root.attributes:
            self.adds.append("xmlns:qemu")

    def add(self, name: str, children: list[list[str]]) -> None:
        """Children for the last element of a name in QEMU's namespace, which is made if missing.

        Each is its lines.
        """
        there = [one for one in self.root.elements() if namespace(one) == (QEMU, name)]
        if there:
            element = there[-1]
            prefix = element.name.rpartition(":")[0]
            pad = pad_in(element)
            lines = [f"{pad}{line}" for one in children for line in _prefixed(one, prefix)]
            text = self.ending.join(lines)
            self.put_into(element, name, text.removeprefix(pad))
            return
        self.adds.append(name)
        bound = self.root.attributes.get("xmlns:qemu") == QEMU
        declared = "" if bound else f" xmlns:qemu='{QEMU}'"
        pad = pad_in(self.root)
        lines = [
            f"<qemu:{name}{declared}>",
            *(f"{INDENT}{line}" for one in children for line in one),
            f"</qemu:{name}>",
        ]
        self.tail += [f"{self.ending}{pad}{line}" for line in lines]

    def put_into(self, element: Element, name: str, text: str) -> None:
        """A child more for an element that is there."""
        if is_closed(element):
            self.opens.append(name)
        self.splices.append(into(element, text))

    def joined(self) -> list[Splice]:
        """The changes, those that insert at one offset made one."""
        at = self.root.elements()[-1].stop
        return _together([*self.splices, (at, at, "".join(self.tail))])


def _splices(domain: Domain, found: Sequence[Lowering]) -> list[Splice]:
    edits = _Edits(_root(domain))
    edits.splices += [_replaced(one, edits.ending) for one in found]
    given = list(_command_line(found))
    if given:
        edits.add("commandline", given)
    edits.add("override", [_override(one) for one in found])
    _add_metadata(edits, found)
    return edits.joined()


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


def _replaced(one: Lowering, ending: str) -> Splice:
    """The placeholder in the place of the disk."""
    element: Element = one.disk.location  # type: ignore[assignment]
    pad = indentation(element.document, element.start)
    return element.start, element.stop, fitted(format_disk(one.placeholder, pad), pad, ending)


def _command_line(found: Sequence[Lowering]) -> Iterator[list[str]]:
    for one in found:
        for word in () if one.plugged else one.arguments:
            yield [f"<qemu:arg value='{escape(word)}'/>"]


def _override(one: Lowering) -> list[str]:
    properties = [("drive", "string", one.drive)]
    if not one.disk.shareable:  # it is the placeholder's own; the guest's device is as it was
        properties.append(("share-rw", "bool", "false"))
    if one.device_id is not None:
        properties.append(("device_id", "string", one.device_id))
    return [
        f"<qemu:device alias='{escape(one.alias)}'>",
        f"{INDENT}<qemu:frontend>",
        *(
            f"{INDENT * 2}<qemu:property name='{name}' type='{type}' value='{escape(value)}'/>"
            for name, type, value in properties
        ),
        f"{INDENT}</qemu:frontend>",
        "</qemu:device>",
    ]


def _prefixed(lines: list[str], prefix: str) -> list[str]:
    """Our elements with another prefix for QEMU's namespace; values hold no '<'."""
    there = f"{prefix}:" if prefix else ""
    return [line.replace("<qemu:", f"<{there}").replace("</qemu:", f"</{there}") for line in lines]


def _add_metadata(edits: _Edits, found: Sequence[Lowering]) -> None:
    """The record, in the domain's metadata or in metadata of its own."""
    root, ending = edits.root, edits.ending
    existing = root.elements("metadata")
    if existing:
        if is_closed(existing[0]):
            edits.opens.append("metadata")
        pad = pad_in(existing[0])
        text = record_text(found, edits.adds, pad, opens=edits.opens, ending=ending)
        edits.splices.append(into(existing[0], text))
        return
    pad = pad_in(root)
    adds = ["metadata", *edits.adds]
    record = record_text(found, adds, pad + INDENT, opens=edits.opens, ending=ending)
    text = f"<metadata>{ending}{pad}{INDENT}{record}{ending}{pad}</metadata>"
    before = [one for one in root.elements() if one.name in _BEFORE_METADATA]
    if before:
        edits.splices.append(behind(before[-1], text))
    else:
        edits.splices.append((root.content, root.content, f"{ending}{pad}{text}"))


def record_text(
    found: Sequence[Lowering],
    adds: Sequence[str] = (),
    pad: str = "",
    *,
    opens: Sequence[str] = (),
    ending: str = "\n",
) -> str:
    """The record of quorum disks, as it stands in a domain's metadata.

    It begins without indentation; its other lines begin with ``pad``.  The
    disks are written as they were.
    """
    said = f" adds='{' '.join(adds)}'" if adds else ""
    said += f" opens='{' '.join(opens)}'" if opens else ""
    lines = [f"<virtquorum xmlns='{NAMESPACE}' version='{VERSION}'{said}>"]
    for one in found:
        lines += [f"{pad}{INDENT}{line}" for line in _recorded(one)]
    return ending.join([*lines, f"{pad}</virtquorum>"])


def _recorded(one: Lowering) -> Iterator[str]:
    words = {
        "target": one.disk.name or "",
        "alias": one.alias,
        "drive": one.drive,
        "file": one.file,
        "arguments": " ".join(digest(value) for value in one.arguments[1::2]),
    }
    if one.plugged:
        words["plugged"] = "yes"
    if one.kept is not None:
        words["kept"] = one.kept
    element = one.disk.location
    text = _as_written(one.disk)
    yield lowered_tag(words, disk_digest(element if isinstance(element, Element) else text))
    yield f"{INDENT}{text}"
    yield "</lowered>"


def _as_written(disk: Disk) -> str:
    """A disk's own text; that of a disk from elsewhere, as libvirt would write it."""
    element = disk.location
    if not isinstance(element, Element):
        return format_disk(disk).removesuffix("\n")
    return element.document.data[element.start : element.stop].decode("utf-8")
