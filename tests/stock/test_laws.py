"""The laws of lowering: nothing is lost, nothing is left, nothing of others is touched."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.stock.lowerable import documents
from tests.strategies import quorum_disks
from virtquorum.errors import EditError
from virtquorum.model.disk import Target
from virtquorum.model.node import Node
from virtquorum.qemu import graph
from virtquorum.qemu.build import Built
from virtquorum.stock.lift import lift
from virtquorum.stock.lower import Lowering, lower, lowerings, with_lowerings
from virtquorum.stock.placeholder import alias_of
from virtquorum.xml.document import Element
from virtquorum.xml.domain import Domain
from virtquorum.xml.format import format_disk
from virtquorum.xml.record import Record, digest
from virtquorum.xml.troubles import troubles

MANY = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
#: What lowering writes, whatever else is there.
OURS = re.compile(rb"virtquorum|vq-|placeholder")


def outside(domain: Domain) -> list[bytes]:
    """The elements that are not ours, as they are written, in the order of the document."""
    record = Record.of(domain.document.root)
    ours: list[Element] = []
    if record is not None:
        ours = [record.element, *(word for one in record.own_arguments() for word in one)]
        ours += [found for one in record.disks for found in record.own_properties(one)]
        ours += [found for one in record.disks if (found := record.placeholder(one)) is not None]
    else:
        ours = [disk.location for disk in domain.disks if disk.quorums]  # type: ignore[misc]
    hidden = {id(one) for one in ours}
    kept: list[bytes] = []
    rest: list[Element] = [domain.document.root]
    while rest:
        one = rest.pop()
        if id(one) in hidden:
            continue
        below = one.elements()
        rest += reversed(below)
        if not below and not _is_frame(one):
            kept.append(domain.document.data[one.start : one.stop])
    return kept


def _is_frame(element: Element) -> bool:
    """Whether an element may be there for ours alone."""
    name = element.name.rpartition(":")[2]
    return name in ("metadata", "commandline", "override", "device", "frontend")


@MANY
@given(documents())
def test_lifting_what_was_lowered_gives_the_same_bytes(raw: bytes) -> None:
    domain = Domain.from_bytes(raw)
    lowered = lower(domain)
    assert lowered.to_bytes() != raw
    assert not any(disk.quorums for disk in lowered.disks)
    again = Domain.from_bytes(lowered.to_bytes())
    assert lift(again).to_bytes() == raw


@MANY
@given(documents())
def test_lowering_is_idempotent(raw: bytes) -> None:
    lowered = Domain.from_bytes(lower(Domain.from_bytes(raw)).to_bytes())
    assert lower(lowered).to_bytes() == lowered.to_bytes()
    assert lower(lowered, directory="/elsewhere").to_bytes() == lowered.to_bytes()
    assert [*troubles(lowered.document.root)] == []


@MANY
@given(documents())
def test_nothing_of_others_is_touched(raw: bytes) -> None:
    domain = Domain.from_bytes(raw)
    lowered = lower(domain)
    assert outside(domain)
    assert outside(lowered) == outside(domain)
    comments = re.findall(rb"<!--.*?-->", raw) if raw.isascii() else []
    assert all(one in lowered.document.data for one in comments)


@MANY
@given(documents(2), st.data())
def test_of_what_was_edited_nothing_old_is_left(raw: bytes, data: st.DataObject) -> None:
    domain = Domain.from_bytes(raw)

    def edited(one: Domain) -> Domain:
        """Without the first quorum disk, and with all members needed in the next one."""
        first, second, *_ = (disk for disk in one.disks if disk.quorum is not None)
        assert second.quorum is not None
        one = one.set_threshold(second, len(second.quorum.members))
        return one.remove(one.disk(first.name or ""))

    gone = next(disk for disk in domain.disks if disk.quorum is not None)
    try:
        new = edited(domain)
        there = edited(lift(lower(domain)))
    except EditError:  # a target that is there twice, under another bus
        return
    assert there.to_bytes() == new.to_bytes()
    assert lower(there).to_bytes() == lower(new).to_bytes()
    (before,) = (one for one in lowerings(domain) if one.disk.name == gone.name)
    after = lower(there).text
    left = {word for one in lowerings(new) for word in one.arguments}
    for word in [before.file, before.alias, f"'{before.drive}'", f"{before.drive}-"]:
        assert word not in after or word in new.text
    for value in before.arguments[1::2]:
        assert value in left or digest(value) not in after


@MANY
@given(documents())
def test_what_libvirt_would_write_lifts_to_the_same_disks(raw: bytes) -> None:
    """Formatting is what libvirt does to a domain, metadata included, but for what it fills in."""
    domain = Domain.from_bytes(raw)
    dumped = lower(domain).formatted()
    assert [*troubles(dumped.document.root)] == []
    lifted = lift(dumped)
    assert lifted.disks == domain.disks
    assert outside(lifted) == outside(domain.formatted())
    assert b"virtquorum" not in lifted.document.data
    assert lower(lift(lower(lifted))).to_bytes() == lower(lifted).to_bytes()


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    """Every value in a node by its way there; the order of unmodelled attributes is libxml2's."""
    if isinstance(value, Node):
        below = {name: getattr(value, name) for name in value.compared()}
    elif isinstance(value, tuple) and path.endswith(".attributes"):
        below = dict(value)
    elif isinstance(value, tuple):
        below = {str(number): one for number, one in enumerate(value)}
    else:
        return {path: value}
    found: dict[str, Any] = {path: type(value)}
    for name, one in below.items():
        found |= leaves(one, f"{path}.{name}")
    return found


def drawn(disk: Any, number: int) -> Lowering:
    """A disk of any kind, lowered without regard for whether QEMU could make it."""
    top = graph.Quorum(node_name=f"vq-{number}", vote_threshold=1, children=())
    return Lowering(
        disk=disk,
        alias=alias_of(disk),
        file=f"/p/{number}",
        built=Built(top=top),
        arguments=("-blockdev", f'{{"node-name":"vq-{number}"}}'),
    )


def named(disk: Any) -> Any:
    """A disk with a target."""
    return disk if disk.name else replace(disk, target=Target(dev="vda", bus="virtio"))


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(quorum_disks(1).map(named))
def test_every_field_of_a_disk_comes_back(disk: Any) -> None:
    text = f"<domain>\n  <devices>\n{format_disk(disk, '    ')}  </devices>\n</domain>\n"
    domain = Domain.from_text(text)
    (read,) = domain.disks
    lowered = with_lowerings(domain, [drawn(read, 0)])
    record = Record.of(lowered.document.root)
    assert record is not None
    assert [one.disk for one in record.disks] == [read]
    forgiven = {"placeholder"}  # a bus or a target that no libvirt takes
    if {one.kind for one in troubles(lowered.document.root)} <= forgiven:
        assert lift(lowered, force=True).to_bytes() == domain.to_bytes()
        dumped = lowered.formatted()
        (lifted,) = lift(dumped, force=True).disks
        assert leaves(lifted) == leaves(read)


def test_a_domain_without_quorums_comes_out_as_it_is() -> None:
    domain = Domain.from_text("<domain><devices/></domain>")
    assert lower(domain) is domain
    assert lift(domain) is domain


@pytest.mark.parametrize("count", [1, 3])
def test_lowering_what_was_lifted_from_a_dump_is_stable(count: int) -> None:
    """So that define, dumpxml, lift, lower, define … comes to an end."""
    disks = "".join(
        f"<disk type='quorum' threshold='1'><backingStore type='file'><format type='raw'/>"
        f"<source file='/{number}'/></backingStore><target dev='vd{'abc'[number]}' bus='virtio'/>"
        "</disk>"
        for number in range(count)
    )
    domain = Domain.from_text(f"<domain><name>d</name><devices>{disks}</devices></domain>")
    dumped = lower(domain).formatted()
    once = lower(lift(dumped)).formatted()
    assert once.to_bytes() == dumped.to_bytes()
