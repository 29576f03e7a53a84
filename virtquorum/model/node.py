"""What all nodes share: equality without recursion, their place, what is not modelled."""

from __future__ import annotations

from dataclasses import MISSING, FrozenInstanceError, dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from virtquorum.model.location import Location

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "Comment",
    "ForeignAttribute",
    "ForeignElement",
    "Instruction",
    "Malformed",
    "Node",
    "StrayText",
    "Unmodelled",
    "node",
]


if TYPE_CHECKING:
    from dataclasses import dataclass as node
else:

    def node(*, frozen: bool, **options: Any) -> Callable[[type], type]:
        """``dataclasses.dataclass`` for frozen, slotted classes, without its price.

        dataclass compiles half a dozen methods a class when it is defined,
        and its ``__init__`` goes through ``object.__setattr__`` for each
        field.  Here ``Node`` has the methods once, and ``__init__`` is
        compiled when a class is first instantiated; it sets the slots by
        their descriptors.  A domain of a thousand disks has nearly a hundred
        thousand fields, and a command line tool starts often.
        """

        def decorate(cls: type) -> type:
            made = dataclass(init=False, **options)(cls)
            made.__init__ = _first_init
            return made

        return decorate


def _first_init(self: Node, **values: object) -> None:
    """Compile the class's ``__init__``, and call it."""
    cls = type(self)
    names: dict[str, Any] = {}
    parameters, body = [], []
    for one in fields(cls):  # type: ignore[arg-type]
        names[f"set_{one.name}"] = getattr(cls, one.name).__set__
        names[f"default_{one.name}"] = one.default
        required = one.default is MISSING
        parameters.append(one.name if required else f"{one.name}=default_{one.name}")
        body.append(f" set_{one.name}(self, {one.name})")
    head = f"*, {', '.join(parameters)}" if parameters else ""
    source = f"def __init__(self, {head}):\n" + "\n".join(body or [" pass"])
    exec(source, names)  # noqa: S102 - as dataclasses does; only names of fields go in
    names["__init__"].__qualname__ = f"{cls.__qualname__}.__init__"
    cls.__init__ = names["__init__"]  # type: ignore[method-assign]
    cls.__init__(self, **values)


class Malformed(str):
    """Text that stands where a number or a switch should stand, kept as it was read.

    The reader never guesses: ``threshold='two'`` becomes ``Malformed('two')``,
    is written back as it was, and a rule reports it.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Malformed({str(self)!r})"


class Node:
    """The base of the model's dataclasses.

    Two nodes are equal when their fields are, their ``location`` aside.
    Comparing, hashing and showing a node walk the tree with a stack of their
    own: a quorum nested 250 levels deep is no reason for a RecursionError.
    """

    __slots__ = ()
    _compared: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def compared(cls) -> tuple[str, ...]:
        """The names of the fields that make two nodes equal."""
        names = cls.__dict__.get("_compared")
        if names is None:
            names = tuple(one.name for one in fields(cls) if one.name != "location")  # type: ignore[arg-type]
            cls._compared = names
        assert isinstance(names, tuple)
        return names

    def __setattr__(self, name: str, value: object) -> None:
        raise FrozenInstanceError(f"cannot assign to field '{name}'")

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError(f"cannot delete field '{name}'")

    def __setstate__(self, state: tuple[None, dict[str, object]]) -> None:
        for name, value in state[1].items():
            object.__setattr__(self, name, value)

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        pairs: list[tuple[object, object]] = [(self, other)]
        while pairs:
            one, two = pairs.pop()
            if one is two:
                continue
            if type(one) is not type(two):
                return False
            if isinstance(one, Node):
                pairs.extend((getattr(one, name), getattr(two, name)) for name in one.compared())
            elif isinstance(one, tuple) and isinstance(two, tuple):
                if len(one) != len(two):
                    return False
                pairs.extend(zip(one, two, strict=True))
            elif one != two:
                return False
        return True

    def __hash__(self) -> int:
        parts: list[object] = []
        rest: list[object] = [self]
        while rest:
            one = rest.pop()
            if isinstance(one, Node):
                parts.append(type(one))
                rest.extend(getattr(one, name) for name in one.compared())
            elif isinstance(one, tuple):
                parts.append(len(one))
                rest.extend(one)
            else:
                parts.append(one)
        return hash(tuple(parts))

    def __repr__(self) -> str:
        """The fields that are set; a node inside a node only by its class."""
        shown = []
        for name in self.compared():
            value = getattr(self, name)
            if value is None or value == ():
                continue
            if isinstance(value, tuple):
                value = f"({', '.join(_short(one) for one in value)})"
            else:
                value = _short(value)
            shown.append(f"{name}={value}")
        return f"{type(self).__name__}({', '.join(shown)})"


def _short(value: object) -> str:
    return f"{type(value).__name__}(…)" if isinstance(value, Node) else repr(value)


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class ForeignAttribute(Node):
    """An attribute that the model has no field for.

    ``at`` leads from the node's own element to the element that carries it,
    for elements that have no node of their own: ``('initiator', 'iqn')``.
    """

    name: str
    value: str
    at: tuple[str, ...] = ()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class ForeignElement(Node):
    """An element that the model has no field for, kept whole.

    ``before`` counts the modelled elements that stand before it inside its
    parent (``at``), in the order in which they are written.
    """

    name: str
    attributes: tuple[tuple[str, str], ...] = ()
    children: tuple[ForeignElement | Comment | Instruction | str, ...] = ()
    at: tuple[str, ...] = ()
    before: int = 0


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Comment(Node):
    """An XML comment, without its ``<!--`` and ``-->``; placed as a ForeignElement is."""

    text: str
    at: tuple[str, ...] = ()
    before: int = 0


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Instruction(Node):
    """An XML processing instruction; placed as a ForeignElement is."""

    target: str
    text: str
    at: tuple[str, ...] = ()
    before: int = 0


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class StrayText(Node):
    """Text between elements, where libvirt's XML has none; placed as a ForeignElement is."""

    text: str
    at: tuple[str, ...] = ()
    before: int = 0


Unmodelled: TypeAlias = ForeignAttribute | ForeignElement | Comment | Instruction | StrayText


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Described(Node):
    """A node that is read and written by its description (see ``spelling``).

    ``location`` is the place of its element, None for a node made by hand;
    ``unmodelled`` is what its element holds beyond the other fields.
    ``always_open`` says that libvirt writes ``<x></x>`` on two lines, never
    ``<x/>``.
    """

    always_open: ClassVar[bool] = False

    location: Location | None = field(default=None)
    unmodelled: tuple[Unmodelled, ...] = ()
