"""Lifting: the quorum domain behind a lowered one, as it was written or as libvirt dumps it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from virtquorum.errors import LoweredError
from virtquorum.stock.place import closed, into, pad_in, without
from virtquorum.stock.placeholder import carried, placeholder
from virtquorum.xml.document import Element
from virtquorum.xml.format import format_disk
from virtquorum.xml.layout import Splice, fitted, indentation, joined, line_end
from virtquorum.xml.parse import parse_disk
from virtquorum.xml.record import (
    BUSES,
    NAMESPACE,
    QEMU,
    Record,
    namespace,
    overrides,
    with_own,
)
from virtquorum.xml.troubles import is_like_ours, troubles

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from virtquorum.model.disk import Disk
    from virtquorum.xml.domain import Domain
    from virtquorum.xml.record import Lowered
    from virtquorum.xml.troubles import Trouble

__all__ = ["is_lowered", "lift", "lifted_disk"]

#: How libxml2, and so libvirt, writes the attributes of metadata.
_DUMPED: Final = re.compile(rb'\sxmlns(:[^\s=]+)?="')
#: What no word of command overrides: there would be no telling what comes out.
_FATAL: Final = ("newer", "record")


def is_lowered(domain: Domain) -> bool:
    """Whether a document is a domain with a record of quorum disks."""
    root = domain.document.root
    return root.name == "domain" and Record.of(root) is not None


def lift(domain: Domain, *, force: bool = False) -> Domain:
    """The quorum domain behind a lowered one; any other document as it is.

    What was lowered comes back byte for byte.  What libvirt has dumped comes
    back with the addresses that it filled in, and on a running domain with
    the aliases.  Raises LoweredError for a domain that was changed by hand
    where that makes a difference; with ``force`` the record is believed, and
    what contradicts it is dropped (``troubles`` says what that is).
    """
    root = domain.document.root
    record = Record.of(root) if root.name == "domain" else None
    if record is None:
        return domain
    for trouble in troubles(root):
        if not force or trouble.kind in _FATAL:
            raise _refusal(domain.name, trouble, force=force)
    splices = [
        *_disks(record),
        *_record(record),
        *_arguments(record, force=force),
        *_overrides(record, force=force),
    ]
    return _undeclared(domain.with_data(joined(domain.document.data, splices)), record)


def _refusal(name: str, trouble: Trouble, *, force: bool) -> LoweredError:
    place = trouble.element
    remedy = f"'virtquorum explain {trouble.rule}' says what can be done"
    return LoweredError(
        f"{trouble.message}; expected: {trouble.expected}",
        file=name,
        line=place.line,
        column=place.column,
        remedy=None if trouble.kind == "newer" and not force else remedy,
    )


def lifted_disk(record: Record, one: Lowered) -> Disk:
    """A disk of a record, with what its placeholder has got since it was lowered."""
    element = record.placeholder(one)
    if element is None:
        return one.disk
    now = parse_disk(element)
    before = placeholder(one.disk, one.file)
    bus = now.target.bus if now.target is not None else None
    if now.name != one.target or bus not in (None, *BUSES):
        now = replace(now, target=before.target)
    disk = carried(one.disk, before, now)
    if record.is_live and now.alias is not None and disk.alias != now.alias:
        disk = replace(disk, alias=now.alias)
    return disk


def _disks(record: Record) -> Iterator[Splice]:
    """The disks, each in the place of its placeholder, or behind all others if that is gone."""
    dumped = _DUMPED.search(record.element.tag) is not None
    document = record.element.document
    ending = line_end(document)
    lost: list[Disk] = []
    for one in record.disks:
        element = record.placeholder(one)
        disk = lifted_disk(record, one)
        if element is None:
            lost.append(disk)
        elif disk is one.disk and one.verbatim and not dumped:
            source = one.disk_element
            yield element.start, element.stop, document.data[source.start : source.stop]
        else:
            pad = indentation(document, element.start)
            text = fitted(format_disk(disk, pad), pad, ending)
            yield element.start, element.stop, text
    if lost:
        yield _put_back(record, lost)


def _put_back(record: Record, disks: Sequence[Disk]) -> Splice:
    devices = record.domain.elements("devices")
    parent = devices[0] if devices else record.domain
    pad = pad_in(parent)
    text = "".join(format_disk(disk, pad) for disk in disks)
    return into(parent, fitted(text, pad, line_end(parent.document)))


def _record(record: Record) -> Iterator[Splice]:
    metadata = record.element.parent
    assert isinstance(metadata, Element)
    yield from _emptied(metadata, "metadata", [record.element], record)


def _emptied(
    parent: Element, name: str, gone: Sequence[Element], record: Record
) -> Iterator[Splice]:
    """Take children out, and their parent as well if it came with them and has nothing else."""
    ours = {id(one) for one in gone}
    empty = bool(ours) and all(id(one) in ours for one in parent.children)
    if empty and name in record.adds:
        yield without(parent)
    elif empty and name in record.opens:
        yield closed(parent)
    else:
        for one in gone:
            yield without(one)


def _arguments(record: Record, *, force: bool) -> Iterator[Splice]:
    own = record.own_arguments()
    if force:
        known = {id(one.value) for one in own}
        own += [
            one
            for one in record.arguments()
            if id(one.value) not in known and any(is_like_ours(one, disk) for disk in record.disks)
        ]
    gone = {id(word): word for one in own for word in one}
    for element in _elements(record.domain, "commandline"):
        words = [gone[id(word)] for word in element.elements() if id(word) in gone]
        yield from _emptied(element, "commandline", words, record)


def _overrides(record: Record, *, force: bool) -> Iterator[Splice]:
    """Take out our properties, and what held them if it holds nothing else."""
    own = {id(found) for one in record.disks for found in record.own_properties(one)}
    if force:
        own |= {id(one) for drive in _contrary(record) for one in with_own(drive)}
    for element in _elements(record.domain, "override"):
        whole: list[Element] = []
        for device in element.elements():
            gone = [*_gone(device, own)]
            if gone == [device]:
                whole.append(device)
            else:
                yield from map(without, gone)
        yield from _emptied(element, "override", whole, record)


def _contrary(record: Record) -> Iterator[Element]:
    """What points our devices elsewhere, other than what was there before our own override."""
    drives = {one.alias: one.drive for one in record.disks}
    found: dict[str, list[Element]] = {alias: [] for alias in drives}
    for alias, property in overrides(record.domain):
        if alias in found and property.attributes.get("name") == "drive":
            if property.attributes.get("value") == drives[alias]:
                found[alias].clear()
            found[alias].append(property)
    for properties in found.values():
        yield from properties


def _gone(element: Element, own: set[int]) -> Iterator[Element]:
    """The outermost elements in which all is ours."""
    if id(element) in own:
        yield element
        return
    below = [[*_gone(one, own)] for one in element.elements()]
    wholly = [found == [one] for found, one in zip(below, element.elements(), strict=True)]
    if wholly and all(wholly) and len(element.children) == len(wholly):
        yield element
    else:
        for found in below:
            yield from found


def _undeclared(lifted: Domain, record: Record) -> Domain:
    """Take declarations from the domain that others have put there, if nothing needs them."""
    ours = [NAMESPACE, *([QEMU] if "xmlns:qemu" in record.adds else [])]
    for name, space in lifted.document.root.attributes.items():
        prefix = name.removeprefix("xmlns:")
        if prefix != name and space in ours:
            data = lifted.document.data
            start, _, stop = lifted.document.root.attribute_spans()[name]
            rest = data[:start].rstrip() + data[stop:]
            if f"{prefix}:".encode() not in rest:
                lifted = lifted.with_data(rest)
    return lifted


def _elements(domain: Element, name: str) -> list[Element]:
    return [one for one in domain.elements() if namespace(one) == (QEMU, name)]
