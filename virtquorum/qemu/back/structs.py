"""Typed structs of QAPI from the trees that QEMU was given: the inverse of ``qapi.json_of``.

``strict`` is JSON as QMP has it, where a number is a number; otherwise values
are texts, as in ``key=value`` lists, and are converted as QEMU converts them.
What a class has no property for is noted as left over, with its path, where
QEMU has it; where QEMU has none of that name either, it is an error.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from virtquorum.errors import ArgumentError, TranslationError
from virtquorum.qemu.back.lacking import FOREIGN_SERVERS, LACKING, lacks
from virtquorum.qemu.qapi import Property, Struct, properties

if TYPE_CHECKING:
    from collections.abc import Mapping

    from virtquorum.qemu.back.notes import Notes
    from virtquorum.qemu.back.place import Place

__all__ = ["MISSING", "StructReader", "by_name", "leaves", "switch_of"]

MISSING: Final = object()
_SWITCHES: Final = {
    "on": True, "yes": True, "true": True, "y": True,
    "off": False, "no": False, "false": False, "n": False,
}  # fmt: skip
_NUMBER: Final = re.compile(r"\s*([+-]?)(0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20})")
_SIZE: Final = re.compile(r"([0-9]{1,20})(?:\.([0-9]{1,20}))?([bBkKmMgGtTpPeE]?)")
#: Properties that QEMU reads with a unit: 64k, 1.5G.
_SIZES: Final = frozenset({
    "offset", "size", "cache-size", "readahead", "logical_block_size", "physical_block_size",
    "discard_granularity",
})  # fmt: skip
_KINDS_OF_NODES: Final = ("child", "children")


def switch_of(value: object) -> bool | None:
    """A boolean as QEMU reads one from a text; None if it is none."""
    if isinstance(value, bool):
        return value
    return _SWITCHES.get(value) if isinstance(value, str) else None


def by_name(cls: type[Struct]) -> dict[str, tuple[str, Property]]:
    """The fields of a class and their properties by QAPI's names."""
    return {
        property.name or field: (field, property) for field, property in properties(cls).items()
    }


class StructReader:
    """Reads the structs of one argument or command."""

    def __init__(self, place: Place, notes: Notes, *, strict: bool) -> None:
        self.place = place
        self.notes = notes
        self.strict = strict

    def error(self, path: str, wrong: str, remedy: str | None = None) -> ArgumentError:
        """The error about a property."""
        shown = path if len(path) <= 120 else f"…{path[-119:]}"
        return ArgumentError(f"'{shown}' {wrong}", place=self.place, remedy=remedy)

    def struct(self, cls: type[Struct], tree: Mapping[str, Any], path: str = "") -> Struct:
        """A struct that holds no block nodes."""
        return cls(**self.fields(cls, tree, path))

    def fields(self, cls: type[Struct], tree: Mapping[str, Any], path: str) -> dict[str, Any]:
        """The values of a class's fields but for block nodes, which are left to the caller."""
        known = by_name(cls)
        found: dict[str, Any] = {}
        for name, value in tree.items():
            here = f"{path}.{name}" if path else name
            if name not in known:
                if lacks(cls, name):
                    raise self._lacking(cls, name, leaves(value, here)[0][0])
                for leaf, said in leaves(value, here):
                    self.notes.leave(self.place, leaf, said)
                continue
            field, property = known[name]
            if property.kind not in _KINDS_OF_NODES:
                found[field] = self.value(property, value, here)
        for name, (field, property) in known.items():
            if property.required and field not in found and property.kind not in _KINDS_OF_NODES:
                raise self.error(f"{path}.{name}" if path else name, "is missing")
        return found

    def _lacking(self, cls: type[Struct], name: str, path: str) -> ArgumentError:
        from difflib import get_close_matches

        driver = getattr(cls, "driver", None)
        of = f" of the driver '{driver}'" if driver else ""
        near = get_close_matches(name[:40], [*by_name(cls), *LACKING[cls]], 1, 0.7)
        meant = f"did you mean '{near[0]}'? " if near else ""
        remedy = f"{meant}a comma inside a value is doubled: ',,'"
        return self.error(path, f"is no option{of}", None if self.strict else remedy)

    def value(self, property: Property, value: Any, path: str) -> Any:
        """A property's value; raises ArgumentError with its path."""
        match property.kind:
            case "text":
                return self._text(value, path)
            case "integer":
                return self._integer(value, path, sized=property.name in _SIZES)
            case "switch":
                return self._switch(value, path)
            case "choice":
                return self._choice(property.words, value, path)
            case "choices":
                return tuple(
                    self._choice(property.words, one, f"{path}.{at}")
                    for at, one in enumerate(self._list(value, path))
                )
            case "struct" | "union":
                return self._object(property, value, path)
            case "structs" | "unions":
                return tuple(
                    self._object(property, one, f"{path}.{at}")
                    for at, one in enumerate(self._list(value, path))
                )
        raise AssertionError(property.kind)

    def _text(self, value: Any, path: str) -> str:
        if isinstance(value, str):
            return value
        if not self.strict and isinstance(value, (int, float)):
            return str(value)
        raise self.error(path, "is no text")

    def _integer(self, value: Any, path: str, *, sized: bool) -> int:
        if isinstance(value, int) and not isinstance(value, bool):
            return int(value)
        if isinstance(value, str) and not self.strict:
            if sized and (found := _SIZE.fullmatch(value)):
                return _size(found)
            if found := _NUMBER.fullmatch(value):
                digits = found[2]
                octal = digits[0] == "0" and digits.isdigit() and len(digits) > 1
                if not (octal and re.search("[89]", digits)):
                    number = int(digits, 8 if octal else 0)
                    return -number if found[1] == "-" else number
        raise self.error(path, f"is no whole number: {_shown(value)}")

    def _switch(self, value: Any, path: str) -> bool:
        found = switch_of(value) if isinstance(value, bool) or not self.strict else None
        if isinstance(found, bool):
            return found
        remedy = "it is true or false" if self.strict else "it is 'on' or 'off'"
        raise self.error(path, f"is no switch: {_shown(value)}", remedy)

    def _choice(self, words: tuple[str, ...], value: Any, path: str) -> str:
        if isinstance(value, str) and value in words:
            return value
        raise self.error(path, f"is {_shown(value)}", f"it is one of: {', '.join(words)}")

    def _list(self, value: Any, path: str) -> list[Any]:
        if isinstance(value, list):
            return list(value)
        raise self.error(path, "is no list")

    def _object(self, property: Property, value: Any, path: str) -> Struct:
        if not isinstance(value, dict):
            raise self.error(path, "is no object")
        if property.tag == "type" and value.get("type") in FOREIGN_SERVERS:
            raise TranslationError(
                f"'{path}': libvirt's XML has no words for a server of type '{value['type']}'",
                location=self.place,
            )
        if isinstance(property.of, type):
            return self.struct(property.of, value, path)
        assert property.of is not None
        assert property.tag is not None
        here = f"{path}.{property.tag}"
        if property.tag not in value:
            if len(property.of) > 1 or self.strict:
                words = ", ".join(property.of)
                raise self.error(here, "is missing", f"it is one of: {words}")
            tag = next(iter(property.of))
        else:
            tag = self._choice(tuple(property.of), value[property.tag], here)
        rest = {name: one for name, one in value.items() if name != property.tag}
        return self.struct(property.of[tag], rest, path)


def _size(found: re.Match[str]) -> int:
    unit = 1 << (10 * "bkmgtpe".index((found[3] or "b").lower()))
    whole = int(found[1]) * unit
    if not found[2]:
        return whole
    scale: int = 10 ** len(found[2])
    return whole + int(found[2]) * unit // scale


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    if value is None:
        return "null"
    text = str(value)
    return f"'{text}'" if len(text) <= 60 else f"'{text[:57]}…'"


def leaves(value: Any, path: str) -> list[tuple[str, object]]:
    """The scalars in a tree with their paths; an empty object or list is shown as such."""
    found: list[tuple[str, object]] = []
    rest = [(path, value)]
    while rest:
        at, one = rest.pop()
        if isinstance(one, dict) and one:
            rest.extend((f"{at}.{name}", below) for name, below in reversed(one.items()))
        elif isinstance(one, list) and one:
            rest.extend((f"{at}.{number}", one[number]) for number in reversed(range(len(one))))
        else:
            found.append((at, "null" if one is None else one))
    return found
