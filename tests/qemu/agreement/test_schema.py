"""Every driver, object and property that our classes describe is QEMU's own, of the same kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.qemu.agreement.monitor import NO_QEMU, started
from tests.qemu.agreement.schema import Member, Schema
from virtquorum.qemu import graph, objects
from virtquorum.qemu.build import build
from virtquorum.qemu.devices.chardev import SocketChardev, chardev_add
from virtquorum.qemu.drive import dotted, drive_arguments
from virtquorum.qemu.graph import BLOCKS, options
from virtquorum.qemu.names import domain_names
from virtquorum.qemu.objects import OBJECTS
from virtquorum.qemu.qapi import Property, Struct, properties
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Version = tuple[int, int]

_Class = type
_JSON_TYPE = {"text": "string", "integer": "int", "switch": "boolean"}


class Walk:
    """Our description of a type beside QEMU's; what differs is told with its place."""

    def __init__(self, schema: Schema, version: Version) -> None:
        self.schema = schema
        self.version = version

    def struct(
        self, cls: type[Struct], members: dict[str, Member], place: str, tag: str | None = None
    ) -> Iterator[str]:
        """What differs between a class and the members of an object; ``tag`` is written apart."""
        ours = {one.name: one for one in properties(cls).values() if self._is_there(one)}
        for name, property in ours.items():
            assert name is not None
            if name not in members:
                yield f"{place}: QEMU has no '{name}'"
                continue
            yield from self.property(property, members[name], f"{place}.{name}")
        for name, member in members.items():
            if not member.optional and name not in ours and name != tag:
                yield f"{place}: QEMU wants '{name}', which the class cannot say"

    def _is_there(self, property: Property) -> bool:
        return property.since is None or property.since <= self.version

    def property(self, property: Property, member: Member, place: str) -> Iterator[str]:
        """What differs between a property and a member."""
        if not member.optional and not property.required:
            yield f"{place}: QEMU wants it, and it can be left out"
        type = member.type
        if property.kind in ("choices", "structs", "unions", "children"):
            if self.schema.kind(type) != "array":
                yield f"{place}: it is no array"
                return
            type = self.schema.element(type)
        yield from self.value(property, type, place)

    def value(self, property: Property, type: str, place: str) -> Iterator[str]:
        """What differs between what a property holds, or holds many of, and a type."""
        kind = self.schema.kind(type)
        match property.kind:
            case "text" | "integer" | "switch":
                if self.schema.builtin(type) != _JSON_TYPE[property.kind]:
                    yield f"{place}: it is no {property.kind}, but {kind}"
            case "choice" | "choices":
                unknown = set(property.words) - (
                    self.schema.words(type) if kind == "enum" else set()
                )
                if unknown or not property.words:
                    yield f"{place}: QEMU does not know the words {sorted(unknown)}"
            case "struct" | "structs":
                assert isinstance(property.of, _Class)
                if kind != "object" or self.schema.tag(type) is not None:
                    yield f"{place}: it is no plain object"
                    return
                yield from self.struct(property.of, self.schema.members(type), place)
            case "union" | "unions":
                yield from self.union(property, type, place)
            case "child" | "children":
                yield from self.child(type, place)

    def union(self, property: Property, type: str, place: str) -> Iterator[str]:
        """What differs between the classes of a union and the variants of an object."""
        tag, of = property.tag, property.of
        assert not isinstance(of, _Class)
        assert of is not None
        assert tag is not None
        if self.schema.kind(type) != "object":
            yield f"{place}: it is no object"
            return
        members = self.schema.members(type)
        if tag not in members:
            yield f"{place}: it has no '{tag}'"
            return
        words = self.schema.words(members[tag].type)
        for word, cls in of.items():
            if word not in words:
                yield f"{place}: '{tag}' is never '{word}'"
            else:
                yield from self.struct(
                    cls, self.schema.members(type, word), f"{place}<{word}>", tag
                )

    def child(self, type: str, place: str) -> Iterator[str]:
        """Whether a type is BlockdevRef: a node's name, or a node."""
        if self.schema.kind(type) != "alternate":
            yield f"{place}: it is no block node"
            return
        taken = self.schema.alternatives(type)
        blocks = self.schema.argument("blockdev-add")
        if blocks not in taken or "string" not in map(self.schema.builtin, taken):
            yield f"{place}: it is no block node"


def differences(walk: Walk, cls: type[Struct], command: str, tag: str, word: str) -> list[str]:
    """What differs between a class and what a command takes under a word."""
    type = walk.schema.argument(command)
    assert walk.schema.tag(type) == tag
    if word not in walk.schema.words(walk.schema.members(type)[tag].type):
        return [f"QEMU has no '{word}'"]
    return list(walk.struct(cls, walk.schema.members(type, word), word, tag))


@pytest.mark.parametrize("driver", BLOCKS)
def test_a_driver_is_qemus(schema: Schema, version: Version, driver: str) -> None:
    walk = Walk(schema, version)
    assert differences(walk, BLOCKS[driver], "blockdev-add", "driver", driver) == []


@pytest.mark.parametrize("type", OBJECTS)
def test_an_object_is_qemus(schema: Schema, version: Version, type: str) -> None:
    walk = Walk(schema, version)
    assert differences(walk, OBJECTS[type], "object-add", "qom-type", type) == []


def test_null_ends_a_chain_just_where_a_class_can_say_so(schema: Schema) -> None:
    blocks = schema.argument("blockdev-add")
    for driver, cls in BLOCKS.items():
        members = schema.members(blocks, driver)
        takes_null = {
            name
            for name, member in members.items()
            if schema.kind(member.type) == "alternate"
            and "null" in map(schema.builtin, schema.alternatives(member.type))
        }
        ours = {one.name for one in properties(cls).values() if one.kind == "child"} - {"file"}
        assert ours == takes_null, driver


def test_a_character_device_is_qemus(schema: Schema) -> None:
    for reconnect in (None, 5):
        added = chardev_add(SocketChardev(id="a", path="/b", reconnect=reconnect))
        assert list(schema.problems(added, schema.argument("chardev-add"))) == []
    added["backend"]["data"]["reconect"] = 5  # type: ignore[index,call-overload]
    assert list(schema.problems(added, schema.argument("chardev-add"))) == [
        ".backend.data: there is no 'reconect' in it"
    ]


# What is described is in the tables


def _classes(module: object, base: type[Struct]) -> set[type[Struct]]:
    """The classes of a module that describe one driver or object each."""
    own = [one for one in vars(module).values() if isinstance(one, type) and issubclass(one, base)]
    tag = "driver" if base is graph.Block else "qom_type"
    return {one for one in own if tag in vars(one)}


def test_no_driver_and_no_object_is_left_out() -> None:
    assert _classes(graph, graph.Block) == set(BLOCKS.values())
    assert _classes(objects, objects.QemuObject) == set(OBJECTS.values())
    assert all(cls.driver == name for name, cls in BLOCKS.items())
    assert all(cls.qom_type == name for name, cls in OBJECTS.items())


# What -drive says beside the graph


DRIVE = (
    "<domain><devices><disk type='file' device='disk'><driver name='qemu' type='raw' {more}/>"
    "<source file='/a'/><target dev='vda'/><iotune>{limits}<group_name>g</group_name></iotune>"
    "</disk></devices></domain>"
)


@pytest.mark.skipif(bool(NO_QEMU), reason=f"not installed: {NO_QEMU}")
def test_what_a_drive_says_beside_its_graph_is_qemus(tmp_path: Path) -> None:
    keys, inside = set(), set()
    for kinds in (("total",), ("read", "write")):  # which exclude each other
        names = [f"{kind}_{unit}_sec{tail}" for kind in kinds
                 for unit in ("bytes", "iops") for tail in ("", "_max", "_max_length")]  # fmt: skip
        limits = "".join(f"<{name}>2</{name}>" for name in (*names, "size_iops_sec"))
        more = "cache='none' error_policy='stop' rerror_policy='report'"
        disk = Domain.from_text(DRIVE.format(more=more, limits=limits)).disks[0]
        (named,) = domain_names([disk])
        interface = [("if", "none"), ("index", "1")]
        _, said = drive_arguments(disk, build(disk, named), "drive-vda", interface)
        keys |= {word.partition("=")[0] for word in said.split(",")}
        inside |= {key for key, _ in dotted(options(build(disk, named).top))}
    assert {"if", "id", "index", "werror", "rerror", "cache.writeback", "throttling.group"} <= keys
    assert len([key for key in keys if key.startswith("throttling.")]) == 20
    with started([], tmp_path) as running:
        taken = running.command("query-command-line-options", option="drive")[0]["parameters"]
    # The drive's own id is every option's.
    assert keys - inside - {one["name"] for one in taken} == {"id"}


# These tests see what is altered


def described(cls: type[Struct]) -> Iterator[Property]:
    """Every property of a class and of the classes inside it."""
    for property in properties(cls).values():
        yield property
        of = property.of
        inside = [of] if isinstance(of, type) else (of or {}).values()
        for one in inside:
            yield from described(one)


def alterations(property: Property) -> Iterator[tuple[str, object]]:
    """What of a property is altered, and to what."""
    yield "name", f"{property.name}x"
    if property.words:
        yield "words", (*property.words, "other")
    if isinstance(property.of, dict):
        yield "of", {**property.of, "other": next(iter(property.of.values()))}
        yield "tag", f"{property.tag}x"
    if property.kind in ("text", "integer", "switch"):
        yield "kind", {"text": "integer", "integer": "switch", "switch": "text"}[property.kind]


EVERY = [("blockdev-add", "driver", name, cls) for name, cls in BLOCKS.items()] + [
    ("object-add", "qom-type", name, cls) for name, cls in OBJECTS.items()
]


@pytest.mark.parametrize(("command", "tag", "word", "cls"), EVERY, ids=[one[2] for one in EVERY])
def test_what_is_altered_is_seen(
    command: str,
    tag: str,
    word: str,
    cls: type[Struct],
    schema: Schema,
    version: Version,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    walk = Walk(schema, version)
    every = list(described(cls))
    assert every
    for property in every:
        for field, other in alterations(property):
            with monkeypatch.context() as patch:
                patch.setattr(property, field, other)
                assert differences(walk, cls, command, tag, word), (property.name, field)
    assert differences(walk, cls, command, tag, f"{word}x") == [f"QEMU has no '{word}x'"]
    assert differences(walk, cls, command, tag, word) == []
