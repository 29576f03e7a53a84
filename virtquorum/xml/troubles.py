"""What is not as lowering left it: for rules to report, and for lifting to refuse."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from virtquorum.xml.lowered import is_as_written
from virtquorum.xml.record import (
    BUSES,
    VERSION,
    Argument,
    Record,
    alias_in,
    records,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.xml.document import Element
    from virtquorum.xml.record import Lowered

__all__ = ["RULES", "Trouble", "TroubleKind", "is_like_ours", "node_name", "troubles"]

TroubleKind: TypeAlias = Literal[
    "record", "newer", "disk", "placeholder", "source", "override", "argument"
]

#: The rule that speaks of each kind of trouble.
RULES: Final[dict[TroubleKind, str]] = {
    "record": "VQ601",
    "newer": "VQ602",
    "disk": "VQ601",
    "placeholder": "VQ603",
    "source": "VQ604",
    "override": "VQ605",
    "argument": "VQ606",
}


class Trouble(NamedTuple):
    """What is not as it was written, and what is expected there.

    ``kind`` is 'record' (the record itself), 'newer' (a newer version's),
    'disk' (a disk in it reads well, and is not the one that was written),
    'placeholder' (gone, or without its alias), 'source' (a placeholder with
    another source), 'override' or 'argument'.
    """

    kind: TroubleKind
    element: Element
    message: str
    expected: str
    attribute: str | None = None

    @property
    def rule(self) -> str:
        """The code of the rule that speaks of it."""
        return RULES[self.kind]


def troubles(domain: Element) -> Iterator[Trouble]:
    """What is not as lowering left it, in a ``<domain>`` element; nothing without a record."""
    found = list(records(domain))
    if not found:
        return
    record = Record.of(domain)
    assert record is not None
    if record.version != VERSION:
        yield _other_version(record)
        return
    for extra in found[1:]:
        yield Trouble(
            "record", extra, "this is a second record of quorum disks", "one record a domain"
        )
    yield from _strange(record)
    for one in record.disks:
        yield from _disk(one)
        yield from _placeholder(record, one)
    yield from _arguments(record)


def _other_version(record: Record) -> Trouble:
    said = record.element.attributes.get("version", "")
    if record.version is None or record.version < VERSION:
        return Trouble(
            "record",
            record.element,
            f"the record's version is '{said}', which there never was",
            f"version='{VERSION}'",
            "version" if "version" in record.element.attributes else None,
        )
    return Trouble(
        "newer",
        record.element,
        f"the domain was lowered by a newer virtquorum: its record has version {said}",
        f"at most version {VERSION}; upgrade virtquorum, which reads the older ones as well",
        "version",
    )


def _strange(record: Record) -> Iterator[Trouble]:
    """What of a record could not be read."""
    known = {id(one.element): one for one in record.disks}
    targets = {one.target for one in record.disks}
    if not record.disks and not record.element.elements():
        yield Trouble("record", record.element, "the record holds no disk", "a <lowered> or more")
    for element in record.element.elements():
        if id(element) in known:
            continue
        target = element.attributes.get("target")
        name = element.name.rpartition(":")[2]
        if name == "lowered" and target in targets:
            yield Trouble("record", element, f"the record has '{target}' twice", "each disk once")
        else:
            yield Trouble(
                "record",
                element,
                f"the record's <{element.name}> is not as virtquorum writes it",
                "<lowered target='…' alias='…' drive='…' file='…'> with one quorum disk in it, "
                "which has this target",
            )


def _disk(one: Lowered) -> Iterator[Trouble]:
    written = one.disk_element
    if not is_as_written(one.element, written):
        yield Trouble(
            "disk",
            written,
            f"the quorum disk '{one.target}' in the record was changed by hand, and its arguments "
            "were not: the guest's quorum is still the one that was written",
            "the disk as virtquorum wrote it; 'virtquorum edit' and 'patch' change both",
        )


def _placeholder(record: Record, one: Lowered) -> Iterator[Trouble]:
    element = record.placeholder(one)
    if element is None:
        other = record.by_target.get(one.target)
        taken = "" if other is None else ", and another disk has its target"
        yield Trouble(
            "placeholder",
            one.element if other is None else other,
            f"the placeholder of the quorum disk '{one.target}' is gone{taken}",
            f"a <disk> with <target dev='{one.target}'/> and <alias name='{one.alias}'/>",
        )
        return
    if alias_in(element) != one.alias:
        yield Trouble(
            "placeholder",
            element,
            f"the placeholder of the quorum disk '{one.target}' has lost its alias, so nothing "
            "points its device at the quorum",
            f"<alias name='{one.alias}'/>",
        )
    yield from _target(element, one)
    if one.kept is None or not record.is_live:
        yield from _source(element, one)
    # A definition needs them even so: the next start has no monitor's help.
    if not (one.plugged and record.is_live):
        yield from _override(record, one)


def _target(element: Element, one: Lowered) -> Iterator[Trouble]:
    for target in element.elements("target")[:1]:
        dev, bus = (target.attributes.get(name) for name in ("dev", "bus"))
        if dev != one.target:
            yield Trouble(
                "placeholder",
                target,
                f"the placeholder of the quorum disk '{one.target}' has the target '{dev or ''}' "
                "now, and the quorum's nodes and its record have the old one",
                f"dev='{one.target}' here, and the new target in the quorum disk",
                "dev" if dev is not None else None,
            )
        if bus not in (None, *BUSES):
            yield Trouble(
                "placeholder",
                target,
                f"the placeholder of the quorum disk '{one.target}' is on the bus '{bus}' now, "
                "where libvirt makes no device that could be pointed at a quorum",
                f"one of {', '.join(BUSES)}",
                "bus",
            )
    if not element.elements("target"):
        yield Trouble(
            "placeholder",
            element,
            f"the placeholder of the quorum disk '{one.target}' has no target",
            f"<target dev='{one.target}'/>",
        )


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
            f"nothing points the device '{one.alias}' at the quorum",
            f"<qemu:override> with the property 'drive' of the device '{one.alias}': '{one.drive}'",
        )
        return
    said = property.attributes
    if said.get("value") != one.drive or said.get("type") != "string":
        attribute = "type" if said.get("value") == one.drive else "value"
        yield Trouble(
            "override",
            property,
            f"the device '{one.alias}' is pointed at another node than the quorum"
            if attribute == "value"
            else f"what points the device '{one.alias}' at the quorum is no string",
            f"type='string' value='{one.drive}'",
            attribute if attribute in said else None,
        )


def _arguments(record: Record) -> Iterator[Trouble]:
    every = record.arguments()
    digests = [one.digest for one in every]
    places = {text: place for place, text in enumerate(digests)}
    known = {text for disk in record.disks for text in disk.arguments}
    others = [word for word, text in zip(every, digests, strict=True) if text not in known]
    for one in record.disks:
        if one.plugged and record.is_live:
            continue
        missing = [text for text in one.arguments if text not in places]
        there = [places[text] for text in one.arguments if text in places]
        if missing:
            changed = next((word for word in others if is_like_ours(word, one)), None)
            what = "argument is" if len(missing) == 1 else "arguments are"
            yield Trouble(
                "argument",
                changed.value if changed is not None else one.element,
                f"{len(missing)} {what} gone or changed by hand of those for the quorum disk "
                f"'{one.target}'",
                "what virtquorum wrote there; change the quorum disk instead",
                "value" if changed is not None else None,
            )
        elif there != sorted(there):
            wrong = next(b for a, b in pairwise(there) if b < a)
            yield Trouble(
                "argument",
                every[wrong].value,
                f"the arguments for the quorum disk '{one.target}' are not in their order, and "
                "QEMU makes no node before those that are below it",
                "the order in which virtquorum wrote them",
            )


def is_like_ours(argument: Argument, one: Lowered) -> bool:
    """Whether an argument makes a node or an object by a name such as those of a disk have."""
    name = node_name(argument)
    top = one.drive.removesuffix("-c")  # that of a disk with copy_on_read
    return name == top or name.startswith((f"{top}-", "vq-secret-", "vq-usage-"))


def node_name(argument: Argument) -> str:
    """What an argument calls the node or the object that it makes, '' if it is no JSON."""
    try:
        said = json.loads(argument.value.attributes.get("value", ""))
    except (ValueError, RecursionError):
        return ""
    if not isinstance(said, dict):
        return ""
    name = said.get("node-name", said.get("id"))
    return name if isinstance(name, str) else ""
