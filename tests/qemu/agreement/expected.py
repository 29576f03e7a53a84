"""What QEMU has to report of disks, held against what it does report.

What it does not report is not judged here: see docs/agreement.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.qemu.agreement.filenames import filename_differs
from tests.qemu.agreement.opening import built, top
from virtquorum.qemu.graph import Block, lowest_first
from virtquorum.qemu.objects import ThrottleGroup, object_options
from virtquorum.qemu.qapi import json_of, properties

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.qemu.agreement.monitor import Running
    from tests.qemu.agreement.opening import Disks
    from virtquorum.qemu.objects import QemuObject
    from virtquorum.qemu.translate import Translated

__all__ = ["agreement"]

Edge = tuple[str, str, str]

#: Drivers whose auto-read-only makes a node read only at once.
_NEVER_WRITABLE = ("vvfat", "http", "https", "ftp", "ftps")


def agreement(disks: Disks, running: Running) -> Iterator[str]:
    """Where QEMU's report differs from our graphs; nothing where they agree."""
    tops = [top(one, disks.style) for one in disks.every]
    nodes = running.nodes()
    yield from _shape(tops, nodes, running.edges())
    apart = disks.apart
    for one in tops:
        yield from _nodes(one, nodes, apart)
    yield from _objects(disks, running)
    if disks.style == "drive":
        yield from _drives(disks.every, running)


# Nodes and edges


def _shape(tops: list[Block], nodes: dict[str, Any], edges: set[Edge]) -> Iterator[str]:
    """Where there are other nodes than ours, or ours are otherwise connected."""
    ours: dict[str, Block] = {}
    wanted: set[Edge] = set()
    for one in tops:
        for block in lowest_first(one):
            name = _name(block)
            if name in ours:
                yield f"{name}: two nodes are called so"
            ours[name] = block
            wanted |= set(_edges(block))
    hidden = _internal(nodes, ours)
    yield from (f"{name}: QEMU has no such node" for name in ours.keys() - nodes.keys())
    yield from (f"{name}: it is not ours" for name in nodes.keys() - ours.keys() - hidden)
    reported = {edge for edge in edges if edge[2] not in hidden}
    yield from (f"{edge}: not in QEMU's graph" for edge in wanted - reported)
    yield from (f"{edge}: only in QEMU's graph" for edge in reported - wanted)


def _name(block: Block) -> str:
    assert block.node_name is not None
    return block.node_name


def _internal(nodes: dict[str, Any], ours: dict[str, Block]) -> set[str]:
    """Nodes that QEMU makes for itself: vvfat has a qcow of its own to write to, if at all."""
    if not any(block.driver == "vvfat" for block in ours.values()):
        return set()
    return {
        name for name, node in nodes.items()
        if name.startswith("#") and node["drv"] in ("qcow", "vvfat")
    }  # fmt: skip


def _edges(block: Block) -> Iterator[Edge]:
    for field, property in properties(type(block)).items():
        value = getattr(block, field)
        if property.kind == "child" and isinstance(value, Block):
            yield _name(block), field, _name(value)
        elif property.kind == "children":
            for at, one in enumerate(value):
                yield _name(block), f"children.{at}", _name(one)


def _nodes(highest: Block, nodes: dict[str, Any], apart: set[str]) -> Iterator[str]:
    """Where the nodes of a graph differ in their options; those not ``apart`` inherit some."""
    rest: list[tuple[Block, bool]] = [(highest, False)]
    while rest:
        block, above_read_only = rest.pop()
        # Alone, auto-read-only lets a node follow its use.
        inline = _name(block) not in apart
        inherited = (above_read_only and inline) or block.driver in _NEVER_WRITABLE
        read_only = inherited if block.read_only is None else block.read_only
        if _name(block) in nodes:
            yield from _node(block, read_only, nodes[_name(block)])
        below = [getattr(block, field, None) for field in ("file", "backing")]
        for child in (*below, *getattr(block, "children", ())):
            if isinstance(child, Block):
                rest.append((child, read_only))


def _node(block: Block, read_only: bool, node: dict[str, Any]) -> Iterator[str]:
    place = f"{block.node_name} ({block.driver})"
    cache = block.cache
    wanted = {
        "drv": block.driver,
        "ro": read_only,
        "direct": bool(cache and cache.direct),
        "no-flush": bool(cache and cache.no_flush),
        "detect_zeroes": block.detect_zeroes or "off",
        "encrypted": block.driver == "luks" or getattr(block, "encrypt", None) is not None,
    }
    reported = node | node["cache"]
    for key, value in wanted.items():
        if reported[key] != value:
            yield f"{place}: {key} is {reported[key]!r}, not {value!r}"
    size = getattr(block, "size", None)
    if size is not None and node["image"]["virtual-size"] != size:
        yield f"{place}: the slice is {node['image']['virtual-size']} bytes long, not {size}"
    for said in filename_differs(block, node["image"]["filename"]):
        yield f"{place}{said}"


# What is not in the nodes


def _objects(disks: Disks, running: Running) -> Iterator[str]:
    """Where the objects that disks lean on are others, or say something else."""
    wanted: dict[str, QemuObject] = {}
    for one in disks.every:
        wanted |= {thing.id: thing for thing in built(one).objects}
        group = built(one).throttle
        if group is not None and disks.style != "drive":  # there it is the drive's own
            wanted[group.id] = group
    reported = running.objects()
    kinds = {id: thing.qom_type for id, thing in wanted.items()}
    if disks.style == "drive":
        reported = {id: kind for id, kind in reported.items() if kind != "throttle-group"}
    if reported != kinds:
        yield f"the objects are {reported}, not {kinds}"
        return
    for id, thing in wanted.items():
        yield from _object(id, thing, running)


def _object(id: str, thing: QemuObject, running: Running) -> Iterator[str]:
    path = f"/objects/{id}"
    if isinstance(thing, ThrottleGroup):
        said = json_of(thing.limits, lambda _: None) if thing.limits is not None else {}
        theirs = running.command("qom-get", path=path, property="limits")
        for key, value in theirs.items():
            if value != said.get(key, 1 if key.endswith("-length") else 0):
                yield f"{id}: {key} is {value}, not {said.get(key)}"
        yield from (f"{id}: QEMU knows no {key}" for key in said.keys() - theirs.keys())
        return
    for key, ours in object_options(thing).items():
        if key not in ("id", "qom-type"):
            value = running.command("qom-get", path=path, property=key)
            if value != ours:
                yield f"{id}: {key} is {value!r}, not {ours!r}"


def _drives(every: list[Translated], running: Running) -> Iterator[str]:
    """Where drives differ: what they are on, their write cache and their limits."""
    drives = {one["device"]: one.get("inserted") for one in running.command("query-block")}
    if drives.keys() != {one.drive for one in every}:
        yield f"the drives are {sorted(drives)}"
        return
    for one in every:
        inserted = drives[one.drive]
        if inserted is None or inserted["node-name"] != built(one).top.node_name:
            yield f"{one.drive}: it is not on {built(one).top.node_name}, but on {inserted}"
            continue
        writeback = one.disk.driver.cache not in ("writethrough", "directsync")
        if inserted["cache"]["writeback"] != writeback:
            yield f"{one.drive}: writeback is {not writeback}"
        yield from _limits(one, inserted)


_KINDS = {"total": "", "read": "_rd", "write": "_wr"}


def _limits(one: Translated, inserted: dict[str, Any]) -> Iterator[str]:
    group = built(one).throttle
    said = json_of(group.limits, lambda _: None) if group is not None and group.limits else {}
    for unit in ("bps", "iops"):
        for kind, ending in _KINDS.items():
            for tail in ("", "-max", "-max-length"):
                ours = said.get(f"{unit}-{kind}{tail}")
                theirs = inserted.get(f"{unit}{ending}{tail.replace('-', '_')}")
                if tail == "-max-length" and theirs == 1:
                    theirs = ours if ours == 1 else None  # its default
                if (ours or None) != (theirs or None):
                    yield f"{one.drive}: {unit}-{kind}{tail} is {theirs}, not {ours}"
    if (said.get("iops-size") or 0) != (inserted.get("iops_size") or 0):
        yield f"{one.drive}: iops-size is {inserted.get('iops_size')}"
    # A drive's group is named freely, and by the drive where nobody names it.
    named = one.disk.iotune.group_name if one.disk.iotune is not None else None
    if said and inserted.get("group") != (named or one.drive):
        yield f"{one.drive}: its group is {inserted.get('group')}, not {named or one.drive}"
