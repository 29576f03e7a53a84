"""QEMU's lists of options, ``key=value,…``, and the tree that their dotted keys make.

QEMU has two readers.  The older one (QemuOpts: -drive, -device) takes ``key``
for ``key=on`` and ``nokey`` for ``key=off``; the newer one (keyval: -blockdev,
-object) does not.  Both take ``,,`` for a comma in a value, the last of equal
keys, and for the first word the key that the option implies.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from virtquorum.errors import ArgumentError
from virtquorum.qemu.back.json_value import MOST_LEVELS, JsonMistake, read_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from virtquorum.qemu.back.place import Place

__all__ = ["as_strings", "crumple", "flatten", "json_object", "option_list"]

_KEY: Final = re.compile(r"[^=,]*")
_VALUE: Final = re.compile(r"[^,]*(?:,,[^,]*)*")
_KEYVAL_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,127}(?:\.[A-Za-z0-9_-]{1,127})*")
#: What a QMP name looks like in keyval: a letter first, or a number for a list.
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,8}")


def option_list(
    text: str,
    place: Place,
    *,
    implied: str | None = None,
    flags: bool = False,
    bare: list[str] | None = None,
) -> dict[str, str]:
    """The keys and values of a list, in order; ``flags`` for QEMU's older reader.

    ``bare`` takes the words that had no '='.  Raises ArgumentError.
    """
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        named = _KEY.match(text, at)
        assert named is not None
        key, at = named[0], named.end()
        if text[at : at + 1] == "=":
            value, at = _value(text, at + 1)
        elif implied is not None and not found:
            key, (value, at) = implied, _value(text, named.start())
        elif flags:
            if bare is not None:
                bare.append(key)
            key, value = (key[2:], "off") if key.startswith("no") else (key, "on")
        else:
            raise ArgumentError(
                f"expected is '=' after '{_short(key)}'",
                place=place,
                remedy="a comma inside a value is doubled: ',,'",
            )
        if not key or (not flags and not _KEYVAL_KEY.fullmatch(key)):
            raise ArgumentError(
                f"'{_short(key)}' is no name of an option",
                place=place,
                remedy="a comma inside a value is doubled: ',,'",
            )
        if key == "id" and flags:  # the older reader takes the first one
            found.setdefault(key, value)
        else:
            found[key] = value
        at += 1  # the comma
    return found


def _value(text: str, at: int) -> tuple[str, int]:
    found = _VALUE.match(text, at)
    assert found is not None
    return found[0].replace(",,", ","), found.end()


def json_object(text: str, place: Place, remedy: str | None = None) -> dict[str, Any]:
    """The object that is a whole argument in JSON; raises ArgumentError."""
    try:
        value, end = read_json(text)
        if rest := text[end:].strip():
            raise JsonMistake(f"'{_short(rest)}' behind its end", end)
    except JsonMistake as mistake:
        raise ArgumentError(
            f"this is no JSON: {mistake.message} (character {mistake.offset + 1})",
            place=place,
            remedy=remedy,
        ) from None
    if not isinstance(value, dict):
        raise ArgumentError("the JSON is no object: {…} is expected", place=place)
    return value


def crumple(flat: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """The tree that dotted keys make: objects, and lists by 0, 1, 2 and so on.

    A value may be null, which only ``json:`` can say.  Raises ArgumentError
    for a key that is used both as a value and as an object, and for a list
    with a gap.
    """
    top: dict[str, Any] = {}
    made: list[tuple[dict[str, Any] | None, str, dict[str, Any], str]] = []
    for key, value in flat.items():
        *names, last = key.split(".")
        if len(names) >= MOST_LEVELS:
            raise ArgumentError(f"keys nest deeper than {MOST_LEVELS} levels", place=place)
        node = top
        at = 0
        for name in names:
            at += len(name) + 1
            below = node.get(name)
            if below is None and name not in node:
                below = node[name] = {}
                made.append((node, name, below, key[: at - 1]))
            if not isinstance(below, dict):
                raise _inconsistent(key[: at - 1], place)
            node = below
        if isinstance(node.get(last), dict):
            raise _inconsistent(key, place)
        node[last] = value
    for parent, name, node, path in reversed(made):
        if any(_NUMBER.fullmatch(one) for one in node):
            assert parent is not None
            parent[name] = _list(node, path, place)
    return top


def _list(node: dict[str, Any], path: str, place: Place) -> list[Any]:
    if not all(_NUMBER.fullmatch(one) for one in node):
        raise _inconsistent(path, place)
    for number in range(len(node)):
        if str(number) not in node:
            raise ArgumentError(
                f"'{_short(path)}.{number}' is missing",
                place=place,
                remedy="a list is numbered 0, 1, 2, … without a gap",
            )
    return [node[str(number)] for number in range(len(node))]


def _inconsistent(path: str, place: Place) -> ArgumentError:
    return ArgumentError(
        f"'{_short(path)}' is used as a value and with more keys below it, or as a list and an "
        "object",
        place=place,
    )


def flatten(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted keys for a tree, in its order; QEMU does this to what ``json:`` holds."""
    flat: dict[str, Any] = {}
    rest: list[tuple[str, Any]] = list(tree.items())[::-1]
    while rest:
        key, one = rest.pop()
        below = (
            one.items()
            if isinstance(one, dict)
            else enumerate(one)
            if isinstance(one, list)
            else None
        )
        if below is None:
            flat[key] = one
        else:
            rest.extend(reversed([(f"{key}.{name}", value) for name, value in below]))
    return flat


def as_strings(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Values as dotted keys have them: texts, but for null."""
    return {key: _as_string(value) for key, value in flat.items()}


def _as_string(value: Any) -> str | None:
    if isinstance(value, bool):
        return "on" if value else "off"
    return None if value is None else str(value)


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}…"
