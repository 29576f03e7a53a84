"""The names that are QEMU's and not ours: of its command line, and of its block drivers."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.programs import QEMU
from tests.qemu.agreement.monitor import NO_QEMU, started
from tests.qemu.agreement.schema import Schema
from virtquorum.qemu.back.lacking import (
    FOREIGN_SERVERS,
    LACKING,
    NEWER,
    SWITCHES_LACKING,
    lacks,
)
from virtquorum.qemu.back.options import WITH_VALUE, WITHOUT_VALUE
from virtquorum.qemu.graph import BLOCKS
from virtquorum.qemu.qapi import Struct, properties

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.qemu.agreement.schema import Member

pytestmark = pytest.mark.skipif(bool(NO_QEMU), reason=f"not installed: {NO_QEMU}")
#: Of what version the tables are.
TABLES = (7, 2)

_Found = tuple[type[Struct], str, str]


@pytest.fixture(scope="module")
def qemus(tmp_path_factory: pytest.TempPathFactory) -> Schema:
    with started([], tmp_path_factory.mktemp("schema")) as running:
        version = running.command("query-version")["qemu"]
        if (version["major"], version["minor"]) != TABLES:
            pytest.skip("the tables are those of QEMU 7.2")
        return Schema(running.command("query-qmp-schema"))


def _found(
    schema: Schema, cls: type[Struct], members: dict[str, Member], tag: str | None
) -> Iterator[_Found]:
    """Each member of a type with the class that stands for it; and those of types inside."""
    ours = {one.name: one for one in properties(cls).values()}
    for name, member in members.items():
        if name == tag:
            continue
        yield cls, name, member.type
        property = ours.get(name)
        if property is None or property.kind not in ("struct", "structs", "union", "unions"):
            continue
        type = schema.element(member.type) if property.kind.endswith("s") else member.type
        if isinstance(property.of, dict):
            for word, below in property.of.items():
                yield from _found(schema, below, schema.members(type, word), property.tag)
        else:
            assert isinstance(property.of, _CLASS)
            yield from _found(schema, property.of, schema.members(type), None)


_CLASS = type


@pytest.mark.parametrize("driver", BLOCKS)
def test_what_qemus_driver_takes_is_known(qemus: Schema, driver: str) -> None:
    members = qemus.members(qemus.argument("blockdev-add"), driver)
    for cls, name, _ in _found(qemus, BLOCKS[driver], members, "driver"):
        assert not lacks(cls, name), (driver, name)


def _everything(schema: Schema) -> list[_Found]:
    blocks = schema.argument("blockdev-add")
    return [
        one
        for driver, cls in BLOCKS.items()
        for one in _found(schema, cls, schema.members(blocks, driver), "driver")
    ]


def test_nothing_is_known_that_qemu_does_not_have(qemus: Schema) -> None:
    everything = {(cls, name) for cls, name, _ in _everything(qemus)}
    for cls, names in LACKING.items():
        for name in names:
            assert (cls, name) in everything
    assert not {name for _, name in everything} & NEWER


def test_every_part_of_a_node_is_in_the_table(qemus: Schema) -> None:
    assert {cls for cls, _, _ in _everything(qemus)} <= set(LACKING)
    assert all(lacks(cls, "no-such-name") for cls in LACKING)


def test_the_switches_among_them_are_switches(qemus: Schema) -> None:
    ours = {name for names in LACKING.values() for name in names}
    theirs = {
        name for _, name, type in _everything(qemus)
        if name in ours and qemus.kind(type) == "builtin" and qemus.builtin(type) == "boolean"
    }  # fmt: skip
    # This one may also be automatic.
    assert theirs | {"locking"} == SWITCHES_LACKING - NEWER


def test_the_servers_without_xml_are_qemus(qemus: Schema) -> None:
    server = qemus.members(qemus.argument("blockdev-add"), "nbd")["server"].type
    words = qemus.words(qemus.members(server)["type"].type)
    assert words == {"inet", "unix", *FOREIGN_SERVERS}


def test_every_option_of_the_installed_qemu_is_known() -> None:
    said = subprocess.run(
        [QEMU, "-help"], check=True, capture_output=True, text=True, timeout=60
    ).stdout
    names: dict[str, str] = {}
    for line in said.splitlines():
        found = re.match(r"(-\S+)((?:(?: or |/)-\S+)*)(.*)", line)
        if found is not None:
            for name in re.findall(r"-(-?[A-Za-z0-9][\w-]*)", found[1] + found[2]):
                names[name] = found[3]
    assert len(names) > 100
    for name, behind in names.items():
        assert name in WITH_VALUE | WITHOUT_VALUE, name
        # A value stands one space behind the name, what is said of the option further off.
        if re.match(r" [^ e]", behind):
            assert name in WITH_VALUE, name
    assert not WITH_VALUE & WITHOUT_VALUE
