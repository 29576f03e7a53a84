"""Whatever the description table has occurs in a document here: else this names what is missing.

A new protocol, field or choice is exercised by writing a golden with it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from virtquorum.model.sources import SOURCES
from virtquorum.xml.domain import Domain
from virtquorum.xml.plan import fields_of

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
