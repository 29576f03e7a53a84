"""From the model's descriptions to plans that the parser and the formatter follow.

A ``Plan`` says what one element may hold: which attribute fills which field,
which child element has a node of its own, and in which order all is written.
One element can fill the fields of several nodes: ``<disk>`` is a Disk, its
Driver, its Image and, with type='quorum', a Quorum.  Each of these is a
*slot*, numbered as they are handed to the plan.

Plans are made when first needed and kept.
"""

from __future__ import annotations

import re
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from virtquorum.model.disk import Disk, Driver
from virtquorum.model.image import Image, Quorum
from virtquorum.model.node import Malformed
from virtquorum.model.spelling import Codec, Spelling

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    _F = TypeVar("_F")

    def cache(function: _F) -> _F:
        """functools.cache wants Hashable, which mypy denies to a class that has a __hash__."""
        return function
else:
    from functools import cache

__all__ = [
    "SPELL",
    "Plan",
    "Run",
    "Step",
    "backing_plan",
    "disk_plan",
    "fields_of",
    "node_plan",
    "source_plan",
]

Context = Literal["disk", "backingStore"]
_V = TypeVar("_V")

_INTEGER: Final = re.compile(r"-?[0-9]{1,20}")


def _integer(text: str) -> object:
    return int(text) if _INTEGER.fullmatch(text) else Malformed(text)


def _yes_no(text: str) -> object:
    return True if text == "yes" else False if text == "no" else Malformed(text)


def _on_off(text: str) -> object:
    return True if text == "on" else False if text == "off" else Malformed(text)


def _spell_yes_no(value: object) -> str:
    return "yes" if value is True else "no" if value is False else str(value)


def _spell_on_off(value: object) -> str:
    return "on" if value is True else "off" if value is False else str(value)


#: How the text of a field is read; None where the text is the value.
_READ: Final[dict[Codec, Callable[[str], object] | None]] = {
    "text": None,
    "integer": _integer,
    "yes-no": _yes_no,
    "on-off": _on_off,
}
#: How a field is written.
SPELL: Final[dict[Codec, Callable[[object], str]]] = {
    "text": str,
    "integer": str,
    "yes-no": _spell_yes_no,
    "on-off": _spell_on_off,
}


class Run:
    """Attributes that stand side by side and belong to one slot.

    ``get`` takes all their values from a node at once; ``spelled`` has for
    each what stands before it and how it is spelled.  ``known`` remembers how
    a set of values is written: the drivers of a thousand disks are alike.
    """

    __slots__ = ("get", "known", "slot", "spelled")

    def __init__(self, slot: int, leaves: list[tuple[str, Leaf]]) -> None:
        self.slot = slot
        self.get = _getter([leaf.field for _, leaf in leaves])
        self.spelled = [(f" {name}='", leaf.spell) for name, leaf in leaves]
        self.known: dict[tuple[object, ...], str] = {}


def _getter(fields: list[str]) -> Callable[[object], tuple[object, ...]]:
    """All these fields of a node as a tuple; a single one twice, and zip drops the second."""
    return attrgetter(*fields, *fields[: len(fields) == 1])


class Leaf:
    """A field that is a text: its slot, its name, how it is read and spelled."""

    __slots__ = ("field", "read", "slot", "spell")

    def __init__(self, slot: int, field: str, codec: Codec) -> None:
        self.slot = slot
        self.field = field
        self.read = _READ[codec]
        self.spell = SPELL[codec]


class Step:
    """A child element that has nodes of its own.

    ``of`` is the node's class; for 'variants' the classes by the value of
    the attribute ``key``.  ``several`` says that there may be any number.
    """

    __slots__ = ("field", "key", "kind", "of", "several", "slot")

    def __init__(self, slot: int, field: str, spelling: Spelling) -> None:
        self.kind = spelling.kind
        self.several = spelling.kind in ("children", "images")
        self.slot = slot
        self.field = field
        self.of = spelling.of
        self.key = spelling.key


class Plan:
    """What one element holds.

    ``slot`` is the slot that keeps what the plan does not know, ``at`` the
    way from that slot's own element.  ``attributes`` and ``children`` are in
    the order in which libvirt writes them; a child is a Plan where it has no
    node of its own, a Step where it has.  An attribute that says which class
    the node has stands there as None.
    """

    __slots__ = (
        "at", "attributes", "below", "children", "flag", "name", "open", "positions", "reads",
        "runs", "slot", "text",
    )  # fmt: skip

    def __init__(self, name: str, slot: int, at: tuple[str, ...]) -> None:
        self.name = name
        self.slot = slot
        self.at = at
        self.attributes: dict[str, Leaf | None] = {}
        self.children: dict[str, Plan | Step] = {}
        self.open = False
        self.text: Leaf | None = None
        self.flag: Leaf | None = None
        self.positions: dict[str, int] = {}
        #: For the parser: slot, field and reader of each attribute.
        self.reads: dict[str, tuple[int, str, Callable[[str], object] | None] | None] = {}
        #: For the formatter: the attributes, slot by slot.
        self.runs: list[Run] = []
        #: Likewise for the children: with each value, the child that it belongs to.
        self.below: list[
            tuple[int, Callable[[object], tuple[object, ...]], list[tuple[str, Plan | Step]]]
        ] = []

    def finish(self) -> None:
        """Work out what is asked for often."""
        self.positions = {name: number for number, name in enumerate(self.children)}
        self.reads = {
            name: None if leaf is None else (leaf.slot, leaf.field, leaf.read)
            for name, leaf in self.attributes.items()
        }
        self.runs = []
        leaves = [(name, leaf) for name, leaf in self.attributes.items() if leaf is not None]
        for slot, run in groupby(leaves, lambda pair: pair[1].slot):
            self.runs.append(Run(slot, list(run)))
        for one in self.children.values():
            if isinstance(one, Plan):
                one.finish()
        fields = [
            (slot, field, (name, one))
            for name, one in self.children.items()
            for slot, field in (one.fields() if isinstance(one, Plan) else [(one.slot, one.field)])
        ]
        self.below = []
        for slot, group in groupby(fields, lambda entry: entry[0]):
            entries = list(group)
            self.below.append(
                (
                    slot,
                    _getter([field for _, field, _ in entries]),
                    [child for *_, child in entries],
                )
            )

    def fields(self) -> list[tuple[int, str]]:
        """Slot and name of every field that the element or one inside it fills."""
        leaves = [*self.attributes.values(), self.text, self.flag]
        own = [(leaf.slot, leaf.field) for leaf in leaves if leaf is not None]
        for one in self.children.values():
            own += one.fields() if isinstance(one, Plan) else [(one.slot, one.field)]
        return own


@cache
def fields_of(cls: type[Any]) -> Mapping[str, Spelling]:
    """The described fields of a class, by field name, in the order in which they are written."""
    fields: Mapping[str, object] = getattr(cls, "__dataclass_fields__", {})
    found = [
        (name, spelling)
        for name, one in fields.items()
        if (spelling := getattr(one, "metadata", {}).get("spelling")) is not None
    ]
    return dict(sorted(found, key=lambda pair: pair[1].tail))


def _insert(into: dict[str, _V], name: str, value: _V, after: str | None) -> None:
    """Put an entry behind another one, or at the end."""
    if after is None or after not in into:
        into[name] = value
        return
    behind = list(into)[list(into).index(after) + 1 :]
    rest = {key: into.pop(key) for key in behind}
    into[name] = value
    into.update(rest)


def _contribute(
    plan: Plan,
    slot: int,
    cls: type[Any],
    context: Context | None = None,
    skip: frozenset[str] = frozenset(),
) -> None:
    """Add the fields of one class to the plan of an element."""
    for field, spelling in fields_of(cls).items():
        if field in skip:
            continue
        inside = tuple(_in_context(step, context) for step in spelling.inside)
        if "-" in inside or ("source" in inside and context == "disk"):
            continue  # not there, or on <source>, which has a plan of its own
        inside = tuple(step for step in inside if step)
        name = spelling.name if spelling.name is not None else field
        if spelling.kind in ("text", "flag"):
            inside, name = (*inside, name) if name else inside, ""
        holder = _holder(
            plan,
            slot,
            inside,
            None if spelling.kind == "attribute" and not inside else spelling.after,
        )
        if spelling.kind == "attribute":
            leaf = Leaf(slot, field, spelling.codec)
            _insert(holder.attributes, name, leaf, spelling.after)
        elif spelling.kind == "text":
            holder.text = Leaf(slot, field, spelling.codec)
        elif spelling.kind == "flag":
            holder.flag = Leaf(slot, field, "text")
        else:
            _insert(holder.children, name, Step(slot, field, spelling), spelling.after)


def _in_context(step: str, context: Context | None) -> str:
    on_disk, bar, otherwise = step.partition("|")
    return on_disk if not bar or context == "disk" else otherwise


def _holder(plan: Plan, slot: int, inside: tuple[str, ...], after: str | None) -> Plan:
    """The plan of the element that ``inside`` leads to, made where it is not there yet."""
    for name in inside:
        below = plan.children.get(name)
        if below is None:
            same_node = plan.slot == slot
            below = Plan(name, slot, (*plan.at, name) if same_node else (name,))
            _insert(plan.children, name, below, after)
        assert isinstance(below, Plan), f"<{name}> is described twice"
        plan = below
    return plan


@cache
def node_plan(cls: type[Any], key: str | None = None) -> Plan:
    """The plan of an element that is one node; ``key`` is an attribute that chose its class."""
    plan = Plan(cls.__name__, 0, ())
    if key is not None and not any(
        (spelling.name or field) == key and not spelling.inside
        for field, spelling in fields_of(cls).items()
    ):
        plan.attributes[key] = None
    _contribute(plan, 0, cls)
    plan.open = getattr(cls, "always_open", False)
    plan.finish()
    return plan


@cache
def source_plan(cls: type[Any], context: Context) -> Plan:
    """The plan of a ``<source>``; on a disk it carries the index of the image, slot 1."""
    plan = Plan("source", 0, ())
    if getattr(cls, "protocol", None) is not None:
        plan.attributes["protocol"] = None
    _contribute(plan, 0, cls)
    if context == "disk":
        spelling = fields_of(Image)["index"]
        plan.attributes["index"] = Leaf(1, "index", spelling.codec)
    plan.finish()
    return plan


#: The slots of a ``<disk>``'s plan.
DISK, DISK_DRIVER, DISK_IMAGE, DISK_QUORUM = range(4)
#: The slots of a ``<backingStore>``'s plan.
BACKING_IMAGE, BACKING_QUORUM = range(2)


@cache
def disk_plan(quorum: bool) -> Plan:
    """The plan of a ``<disk>``: slots Disk, Driver, Image and, for a quorum, Quorum."""
    plan = Plan("disk", DISK, ())
    plan.attributes["type"] = None
    driver = Plan("driver", DISK_DRIVER, ())
    plan.children["driver"] = driver
    _contribute(driver, DISK_DRIVER, Driver)
    _contribute(plan, DISK, Disk, "disk", frozenset({"driver"}))
    if quorum:
        _contribute(plan, DISK_IMAGE, Image, "disk", frozenset({"source", "backing", "index"}))
        _contribute(plan, DISK_QUORUM, Quorum, "disk")
    else:
        _contribute(plan, DISK_IMAGE, Image, "disk", frozenset({"index"}))
    plan.finish()
    return plan


@cache
def backing_plan(quorum: bool) -> Plan:
    """The plan of a ``<backingStore>``: slots Image and, for a quorum, Quorum."""
    plan = Plan("backingStore", BACKING_IMAGE, ())
    plan.attributes["type"] = None
    if quorum:
        _contribute(plan, BACKING_IMAGE, Image, "backingStore", frozenset({"source", "backing"}))
        _contribute(plan, BACKING_QUORUM, Quorum, "backingStore")
    else:
        _contribute(plan, BACKING_IMAGE, Image, "backingStore")
    plan.finish()
    return plan
