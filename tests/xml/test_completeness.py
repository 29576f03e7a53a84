"""Whatever the description table has occurs in a document here: else this names what is missing.

A new protocol, field or choice is exercised by writing a golden with it.
The table itself is held against libvirt's own grammar: what that allows in a
``<disk>`` is in the table, or stands here as an exception.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from lxml import etree

from tests.strategies import described_classes
from virtquorum.model.disk import ADDRESSES
from virtquorum.model.image import Terminator
from virtquorum.model.node import (
    Comment,
    ForeignAttribute,
    ForeignElement,
    Instruction,
    Malformed,
    Node,
    StrayText,
)
from virtquorum.model.source import ForeignSource
from virtquorum.model.sources import SOURCES, source_class
from virtquorum.xml.domain import Domain
from virtquorum.xml.plan import (
    Plan,
    backing_plan,
    disk_plan,
    fields_of,
    node_plan,
    source_plan,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path(__file__).resolve().parents[2]
_FOLDERS = (
    "tests/corpus/stock", "tests/corpus/status", "tests/corpus/snapshot", "tests/corpus/config",
    "samples", "tests/xml/golden",
)  # fmt: skip


def nodes(node: Node) -> Iterator[Node]:
    """A node and all below it."""
    rest: list[object] = [node]
    while rest:
        one = rest.pop()
        if isinstance(one, tuple):
            rest.extend(one)
        elif isinstance(one, Node):
            yield one
            rest.extend(getattr(one, name) for name in one.compared())


@cache
def seen() -> tuple[frozenset[tuple[str, str]], frozenset[tuple[str, str, object]]]:
    """Every (class, field) that is set in some document, and every value of it."""
    fields: set[tuple[str, str]] = set()
    held: set[tuple[str, str, object]] = set()
    for folder in _FOLDERS:
        for path in sorted((_ROOT / folder).glob("*.xml")):
            for disk in Domain.from_bytes(path.read_bytes(), str(path)).disks:
                for one in nodes(disk):
                    name = type(one).__name__
                    fields.add((name, ""))
                    for field in one.compared():
                        value = getattr(one, field)
                        if value is not None and value != ():
                            fields.add((name, field))
                        if isinstance(value, (str, int)):
                            held.add((name, field, value))
    return frozenset(fields), frozenset(held)


def table() -> tuple[set[tuple[str, str]], set[tuple[str, str, object]]]:
    """Every (class, field) of the description table, and every value that it lists."""
    fields: set[tuple[str, str]] = set()
    listed: set[tuple[str, str, object]] = set()
    for cls in described_classes():
        fields.add((cls.__name__, ""))
        for field, spelling in fields_of(cls).items():
            fields.add((cls.__name__, field))
            values: tuple[Any, ...] = spelling.choices
            if spelling.codec in ("yes-no", "on-off"):
                values = (True, False)
            listed |= {(cls.__name__, field, value) for value in values}
    return fields, listed


def test_every_class_and_field_occurs() -> None:
    missing = table()[0] - seen()[0]
    assert not missing, sorted(missing)


def test_every_choice_occurs() -> None:
    missing = table()[1] - seen()[1]
    assert not missing, sorted(map(str, missing))


def test_every_address_type_occurs() -> None:
    fields, held = seen()
    by_class = {key for key, cls in ADDRESSES.items() if (cls.__name__, "") in fields}
    bare = {str(value) for name, _, value in held if name == "BareAddress"}
    others = {key for key in by_class if ADDRESSES[key].__name__ != "BareAddress"}
    assert others | bare == set(ADDRESSES)


def test_every_kind_of_what_is_not_modelled_occurs() -> None:
    names = {name for name, _ in seen()[0]}
    kinds = (ForeignAttribute, ForeignElement, Comment, Instruction, StrayText)
    assert {cls.__name__ for cls in (*kinds, ForeignSource, Terminator)} <= names


def test_the_table_has_nineteen_sources_and_no_malformed_choice() -> None:
    assert len(SOURCES) == 19
    assert not any(isinstance(value, Malformed) for _, _, value in table()[1])


# The table and libvirt's grammar

_SCHEMAS = Path("/usr/share/libvirt/schemas")
_RNG = "{http://relaxng.org/ns/structure/1.0}"
#: What an element may hold: the way to it, 'attribute' or 'element', and a name.  The way begins
#: anew at each disk, backing image and source.  A source is named by its protocol or its type, and
#: a disk's address by its type.
Fact = tuple[tuple[str, ...], str, str]

#: What the table leaves out; it is kept all the same, as what is not modelled.
_EXCEPTIONS: set[Fact] = {
    # A copy job that is running: libvirt's own note, ignored when it defines a domain.
    (("disk",), "element", "mirror"),
    # The grammar has one address for all devices; no disk can be plugged in at these.
    (("disk",), "element", "address ccid"),
    (("disk",), "element", "address dimm"),
    (("disk",), "element", "address isa"),
    (("disk",), "element", "address virtio-serial"),
}


def grammar() -> dict[str, list[Any]]:
    """The defines of libvirt's grammar for domains, and of all that it includes, by name."""
    found: dict[str, list[Any]] = {}
    files = ["domainoverrides.rng"]
    for file in files:
        root = etree.parse(str(_SCHEMAS / file)).getroot()
        for one in root.iter(f"{_RNG}define", f"{_RNG}include"):
            if one.tag == f"{_RNG}define":
                found.setdefault(str(one.get("name")), []).append(one)
            elif (file_name := str(one.get("href"))) not in files:
                files.append(file_name)
    return found


def values_of(pattern: Any) -> list[str]:
    """The values that an attribute's pattern lists."""
    return [one.text.strip() for one in pattern.iter(f"{_RNG}value")]


def own_attribute(pattern: Any, name: str) -> list[str]:
    """The values of an attribute that a define or an element has itself, [] if it has none."""
    rest = list(pattern)
    while rest:
        one = rest.pop()
        if one.tag == f"{_RNG}attribute" and one.get("name") == name:
            return values_of(one)
        if one.tag in [f"{_RNG}{tag}" for tag in ("optional", "choice", "group", "interleave")]:
            rest.extend(one)
    return []


def allowed() -> set[Fact]:
    """All that libvirt's grammar allows in a disk, the exceptions' contents aside."""
    defines = grammar()
    facts: set[Fact] = set()
    done: set[tuple[Any, tuple[str, ...], str]] = set()
    rest: list[tuple[Any, tuple[str, ...], str]] = [(one, (), "") for one in defines["disk"]]
    while rest:
        pattern, way, type = rest.pop()
        if not isinstance(pattern.tag, str) or (pattern, way, type) in done:
            continue
        done.add((pattern, way, type))
        if pattern.tag == f"{_RNG}ref":
            rest += [(one, way, type) for one in defines[pattern.get("name")]]
            continue
        below = [way]
        if pattern.tag == f"{_RNG}define":
            type = next(iter(own_attribute(pattern, "type")), type)
        elif pattern.tag == f"{_RNG}group" and way == ("disk", "address"):
            names = {f"address {one}" for one in own_attribute(pattern, "type")}
            facts |= {(("disk",), "element", name) for name in names}
            below = [
                ("disk", name) for name in names if (("disk",), "element", name) not in _EXCEPTIONS
            ]
        elif pattern.tag == f"{_RNG}attribute":
            facts.add((way, "attribute", pattern.attrib["name"]))
            continue
        elif pattern.tag == f"{_RNG}element":
            if pattern.find(f"{_RNG}notAllowed") is not None:
                continue  # <privateData>, which libvirt writes into its status files only
            name = pattern.attrib["name"]
            if way:
                facts.add((way, "element", name))
            if (way, "element", name) in _EXCEPTIONS:
                continue
            if name in ("disk", "backingStore"):
                below = [(name,)]
            elif name == "source" and len(way) == 1:
                kinds = own_attribute(pattern, "protocol") or [type]
                below = [(f"source {kind}",) for kind in kinds]
            else:
                below = [(*way, name)]
        rest += [(one, two, type) for one in pattern for two in below]
    return facts


def known() -> set[Fact]:
    """All that the plans know."""
    facts: set[Fact] = set()
    rest: list[tuple[Plan, tuple[str, ...]]] = [
        (disk_plan(False), ("disk",)),
        (disk_plan(True), ("disk",)),
        (backing_plan(False), ("backingStore",)),
        (backing_plan(True), ("backingStore",)),
    ]
    for source_type, protocol in SOURCES:
        source = source_class(source_type, protocol)
        assert source is not None
        name = f"source {protocol or source_type}"
        rest += [(source_plan(source, "disk"), (name,))]
        rest += [(source_plan(source, "backingStore"), (name,))]
    while rest:
        plan, way = rest.pop()
        facts |= {(way, "attribute", name) for name in plan.attributes}
        for name, one in plan.children.items():
            facts.add((way, "element", name))
            if isinstance(one, Plan):
                rest.append((one, (*way, name)))
            elif one.kind not in ("source", "image", "images"):
                classes = one.of if isinstance(one.of, dict) else {"": one.of}
                for key, cls in classes.items():
                    assert isinstance(cls, type)
                    full = f"{name} {key}".rstrip()
                    facts.add((way, "element", full))
                    rest.append((node_plan(cls, one.key), (*way, full)))
    return facts


@pytest.mark.skipif(not _SCHEMAS.is_dir(), reason=f"libvirt's grammar is not at {_SCHEMAS}")
def test_what_libvirts_grammar_allows_is_in_the_table() -> None:
    facts = allowed()
    assert len(facts) > 600, "the walk through the grammar has gone astray"
    missing = facts - known() - set(_EXCEPTIONS)
    assert not missing, "\n".join(map(str, sorted(missing)))


@pytest.mark.skipif(not _SCHEMAS.is_dir(), reason=f"libvirt's grammar is not at {_SCHEMAS}")
def test_every_exception_is_one() -> None:
    assert not set(_EXCEPTIONS) & known()
    assert set(_EXCEPTIONS) <= allowed()
