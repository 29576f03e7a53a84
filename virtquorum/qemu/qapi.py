"""The vocabulary of QAPI: how a typed struct of QEMU's is spelled in JSON.

A class describes its properties where it declares its fields::

    class Nbd(Block):
        driver: ClassVar[str] = "nbd"

        server: TcpServer | UnixServer = union("type", SERVERS, required=True)
        export: str | None = text()
        tls_hostname: str | None = text(since=(7, 0))

A field is named as the property is, with '_' for '-'.  ``json_of`` writes
what is described here and nothing else, ``qemu/back`` reads by it, and a test
holds all of it against the schema of the QEMU that is installed
(``query-qmp-schema``).  ``since`` is the first version of QEMU that has the
property, by its QAPI documentation; None is older than any that is supported.
"""

from __future__ import annotations

from dataclasses import MISSING, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from virtquorum.model.node import Node, node

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from virtquorum.json_text import Json

__all__ = [
    "Kind",
    "Property",
    "Struct",
    "Version",
    "child",
    "children",
    "choice",
    "choices",
    "integer",
    "json_of",
    "properties",
    "struct",
    "structs",
    "switch",
    "text",
    "union",
    "unions",
]

Version: TypeAlias = tuple[int, int]

Kind = Literal[
    "text",
    "integer",
    "switch",  # a boolean: on and off in dotted keys
    "choice",  # one word of several
    "choices",  # a list of such words
    "struct",  # an object with properties of its own
    "structs",  # a list of them
    "union",  # an object whose class depends on one of its properties, the tag
    "unions",  # a list of them
    "child",  # a block node, or null where it says that there is none
    "children",  # a list of block nodes
]


class Property:
    """One property: its name in QAPI, its kind, and what else it takes to spell it.

    ``words`` are the words of a choice; ``of`` is the class of a struct, or
    the classes of a union by the value of its ``tag``.
    """

    __slots__ = ("kind", "name", "of", "required", "since", "tag", "words")

    def __init__(
        self,
        kind: Kind,
        name: str | None = None,
        *,
        words: tuple[str, ...] = (),
        of: type[Struct] | Mapping[str, type[Struct]] | None = None,
        tag: str | None = None,
        required: bool = False,
        since: Version | None = None,
    ) -> None:
        self.kind: Kind = kind
        self.name = name
        self.words = words
        self.of = of
        self.tag = tag
        self.required = required
        self.since = since


def _described(property: Property) -> Any:  # a dataclass field passes as any type
    default: Any = MISSING if property.required else None
    if property.kind in ("choices", "structs", "unions", "children") and not property.required:
        default = ()
    return field(default=default, metadata={"property": property})


def text(name: str | None = None, *, required: bool = False, since: Version | None = None) -> Any:
    """A string."""
    return _described(Property("text", name, required=required, since=since))


def integer(
    name: str | None = None, *, required: bool = False, since: Version | None = None
) -> Any:
    """A whole number."""
    return _described(Property("integer", name, required=required, since=since))


def switch(name: str | None = None, *, required: bool = False, since: Version | None = None) -> Any:
    """A boolean."""
    return _described(Property("switch", name, required=required, since=since))


def choice(*words: str, required: bool = False, since: Version | None = None) -> Any:
    """One of QAPI's words."""
    return _described(Property("choice", words=words, required=required, since=since))


def choices(*words: str, since: Version | None = None) -> Any:
    """A list of QAPI's words."""
    return _described(Property("choices", words=words, since=since))


def struct(of: type[Struct], *, required: bool = False, since: Version | None = None) -> Any:
    """An object."""
    return _described(Property("struct", of=of, required=required, since=since))


def structs(of: type[Struct], name: str | None = None, *, since: Version | None = None) -> Any:
    """A list of objects."""
    return _described(Property("structs", name, of=of, since=since))


def union(
    tag: str,
    of: Mapping[str, type[Struct]],
    *,
    required: bool = False,
    since: Version | None = None,
) -> Any:
    """An object whose class is told by its property ``tag``."""
    return _described(Property("union", of=of, tag=tag, required=required, since=since))


def unions(tag: str, of: Mapping[str, type[Struct]], *, required: bool = False) -> Any:
    """A list of objects whose class is told by their property ``tag``."""
    return _described(Property("unions", of=of, tag=tag, required=required))


def child(*, required: bool = False) -> Any:
    """A block node."""
    return _described(Property("child", required=required))


def children() -> Any:
    """Block nodes in order."""
    return _described(Property("children", required=True))


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Struct(Node):
    """An object of QAPI; fields that are None, or empty lists, are left out."""

    _properties: ClassVar[dict[str, Property]]


def properties(cls: type[Struct]) -> dict[str, Property]:
    """A class's properties by its fields, in the order in which they are written."""
    found = cls.__dict__.get("_properties")
    if found is None:
        found = {}
        for one in fields(cls):
            property: Property = one.metadata["property"]
            if property.name is None:
                property.name = one.name.replace("_", "-")
            found[one.name] = property
        cls._properties = found
    assert isinstance(found, dict)
    return found


def json_of(one: Struct, child: Callable[[Any], Json]) -> dict[str, Json]:
    """A struct in JSON types; ``child`` says how a block node below it is spelled.

    A field of a child that holds a struct without a driver (NoBacking) is null.
    """
    spelled: dict[str, Json] = {}
    for name, property in properties(type(one)).items():
        value = getattr(one, name)
        if value is None or value == ():
            continue
        assert property.name is not None
        spelled[property.name] = _value(value, property, child)
    return spelled


def _value(value: Any, property: Property, child: Callable[[Any], Json]) -> Json:
    match property.kind:
        case "text" | "integer" | "switch" | "choice":
            return value  # type: ignore[no-any-return]
        case "choices":
            return list(value)
        case "struct":
            return json_of(value, child)
        case "structs":
            return [json_of(one, child) for one in value]
        case "union":
            return _tagged(value, property, child)
        case "unions":
            return [_tagged(one, property, child) for one in value]
        case "child":
            return child(value)
        case "children":
            return [child(one) for one in value]


def _tagged(value: Struct, property: Property, child: Callable[[Any], Json]) -> Json:
    assert property.tag is not None
    assert not isinstance(property.of, type)
    assert property.of is not None
    (word,) = (word for word, cls in property.of.items() if cls is type(value))
    return {property.tag: word, **json_of(value, child)}
