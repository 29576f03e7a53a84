"""Lifting: the quorum domain behind a lowered one, as it was written or as libvirt dumps it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from virtquorum.errors import LoweredError
from virtquorum.stock.place import without
from virtquorum.stock.placeholder import carried, placeholder
from virtquorum.xml.format import format_disk
from virtquorum.xml.layout import Splice, fitted, indentation, joined, line_end
from virtquorum.xml.parse import parse_disk
from virtquorum.xml.record import QEMU, Record, namespace, troubles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.model.disk import Disk
    from virtquorum.xml.document import Element
    from virtquorum.xml.domain import Domain
    from virtquorum.xml.record import Lowered

__all__ = ["is_lowered", "lift", "lifted_disk"]

#: How libxml2, and so libvirt, writes the attributes of metadata.
_DUMPED: Final = re.compile(rb'\sxmlns="')


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
    what contradicts it is dropped.
    """
    root = domain.document.root
    record = Record.of(root) if root.name == "domain" else None
    if record is None:
        return domain
    for trouble in troubles(root):
        if force and trouble.kind not in ("newer", "record"):
            continue
        raise LoweredError(
            f"{trouble.message}; expected: {trouble.expected}",
            file=domain.name,
            line=trouble.element.line,
            column=trouble.element.column,
            remedy=None
            if trouble.kind == "newer"
            else "'virtquorum explain VQ601' says what can be done",
        )
    splices = [*_disks(record), *_record(record), *_arguments(record), *_overrides(record)]
    return domain.with_data(joined(domain.document.data, splices))


def lifted_disk(record: Record, one: Lowered) -> Disk:
    """A disk of a record, with what its placeholder has got since it was lowered."""
    element = record.placeholder(one)
    if element is None:
        return one.disk
    now = parse_disk(element)
    disk = carried(one.disk, placeholder(one.disk, one.file), now)
    is_live = "id" in record.domain.attributes
    if is_live and now.alias is not None and disk.alias != now.alias:
        disk = replace(disk, alias=now.alias)
    return disk


def _disks(record: Record) -> Iterator[Splice]:
    """The disks, each in the place of its placeholder, or behind all others if that is gone."""
    dumped = _DUMPED.search(record.element.tag) is not None
    document = record.element.document
    for one in record.disks:
        element = record.placeholder(one)
        disk = lifted_disk(record, one)
        as_written = disk is one.disk and not dumped
        if element is None:
            yield _put_back(record, disk)
            continue
        if as_written:
            source = one.disk_element
            yield element.start, element.stop, document.data[source.start : source.stop]
        else:
            pad = indentation(document, element.start)
            text = fitted(format_disk(disk, pad), pad, line_end(document))
            yield element.start, element.stop, text


def _put_back(record: Record, disk: Disk) -> Splice:
    from virtquorum.stock.place import into, pad_in

    devices = record.domain.elements("devices")[0]
    pad = pad_in(devices)
    return into(devices, format_disk(disk, pad).removeprefix(pad).removesuffix("\n"))


def _record(record: Record) -> Iterator[Splice]:
    metadata = record.element.parent
    alone = len(metadata.elements()) == 1  # type: ignore[union-attr]
    if alone and "metadata" in record.adds:
        yield without(metadata)  # type: ignore[arg-type]
    else:
        yield without(record.element)


def _arguments(record: Record) -> Iterator[Splice]:
    own = record.own_arguments()
    gone = {id(word) for one in own for word in one}
    for element in _elements(record.domain, "commandline"):
        if "commandline" in record.adds and all(id(one) in gone for one in element.elements()):
            yield without(element)
        else:
            for word in element.elements():
                if id(word) in gone:
                    yield without(word)


def _overrides(record: Record) -> Iterator[Splice]:
    """Take out our properties, and what held them if it holds nothing else."""
    own = {id(found) for one in record.disks if (found := record.override(one)) is not None}
    for element in _elements(record.domain, "override"):
        kept = [_without_own(device, own) for device in element.elements()]
        if "override" in record.adds and all(one is not None and one[0] for one in kept):
            yield without(element)
        else:
            for one in kept:
                if one is not None:
                    yield one[1]


def _without_own(device: Element, own: set[int]) -> tuple[bool, Splice] | None:
    """Whether a ``<qemu:device>`` goes wholly, and how; None if it has nothing of ours."""
    for frontend in device.elements():
        for property in frontend.elements():
            if id(property) in own:
                if len(frontend.elements()) > 1:
                    return False, without(property)
                if len(device.elements()) > 1:
                    return False, without(frontend)
                return True, without(device)
    return None


def _elements(domain: Element, name: str) -> list[Element]:
    return [one for one in domain.elements() if namespace(one) == (QEMU, name)]
