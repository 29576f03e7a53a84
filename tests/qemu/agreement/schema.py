"""The types of QMP, as the installed QEMU describes them (``query-qmp-schema``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Member", "Schema"]

_JSON_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "int": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
    "object": dict,
    "array": list,
    "value": object,
}


class Member(NamedTuple):
    """A member of an object: the name of its type, and whether it may be left out."""

    type: str
    optional: bool


class Schema:
    """What ``query-qmp-schema`` returned; types are named as it names them, by numbers."""

    def __init__(self, entities: Sequence[dict[str, Any]]) -> None:
        self._entities = {one["name"]: one for one in entities}

    def argument(self, command: str) -> str:
        """The type of a command's arguments."""
        return str(self._entities[command]["arg-type"])

    def kind(self, type: str) -> str:
        """A type's meta-type: 'builtin', 'enum', 'array', 'object' or 'alternate'."""
        return str(self._entities[type]["meta-type"])

    def builtin(self, type: str) -> str | None:
        """The JSON type of a builtin ('string', 'int', …), None of what is none."""
        found = self._entities[type].get("json-type")
        return None if found is None else str(found)

    def words(self, type: str) -> set[str]:
        """The words of an enumeration."""
        return set(self._entities[type]["values"])

    def element(self, type: str) -> str:
        """The type of an array's elements."""
        return str(self._entities[type]["element-type"])

    def alternatives(self, type: str) -> list[str]:
        """The types of which an alternate is one."""
        return [str(one["type"]) for one in self._entities[type]["members"]]

    def tag(self, type: str) -> str | None:
        """The member of an object that tells its variants apart, None where there are none."""
        found = self._entities[type].get("tag")
        return None if found is None else str(found)

    def cases(self, type: str) -> dict[str, str]:
        """For each word of the tag of an object, the type with that variant's members."""
        return {one["case"]: one["type"] for one in self._entities[type].get("variants", ())}

    def members(self, type: str, case: str | None = None) -> dict[str, Member]:
        """The members of an object, those of a variant with them."""
        own = self._entities[type]["members"]
        found = {one["name"]: Member(one["type"], "default" in one) for one in own}
        below = self.cases(type).get(case) if case is not None else None
        return found | (self.members(below) if below is not None else {})

    def problems(self, value: Any, type: str, place: str = "") -> Iterator[str]:
        """Why a value in JSON types is not of a type; nothing where it is."""
        match self.kind(type):
            case "builtin":
                yield from self._builtin(value, type, place)
            case "enum":
                if value not in self.words(type):
                    yield f"{place}: {value!r} is none of {sorted(self.words(type))}"
            case "array":
                if not isinstance(value, list):
                    yield f"{place}: {value!r} is no array"
                else:
                    for number, one in enumerate(value):
                        yield from self.problems(one, self.element(type), f"{place}.{number}")
            case "object":
                yield from self._object(value, type, place)
            case "alternate":
                every = [list(self.problems(value, one, place)) for one in self.alternatives(type)]
                if all(every):
                    yield from max(every, key=len)
            case kind:
                yield f"{place}: the type is a {kind}"

    def _builtin(self, value: Any, type: str, place: str) -> Iterator[str]:
        wanted = self.builtin(type)
        assert wanted is not None
        as_number = isinstance(value, bool) and wanted in ("int", "number")
        if as_number or not isinstance(value, _JSON_TYPES[wanted]):
            yield f"{place}: {value!r} is no {wanted}"

    def _object(self, value: Any, type: str, place: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{place}: {value!r} is no object"
            return
        tag = self.tag(type)
        members = self.members(type, value.get(tag) if tag is not None else None)
        for name, one in value.items():
            if name in members:
                yield from self.problems(one, members[name].type, f"{place}.{name}")
            else:
                yield f"{place}: there is no '{name}' in it"
        for name, member in members.items():
            if not member.optional and name not in value:
                yield f"{place}: '{name}' is missing"
