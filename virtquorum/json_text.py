"""JSON text of values nested to any depth, which json.dumps leaves to Python's recursion limit."""

from __future__ import annotations

import json
import re
from typing import TypeAlias

__all__ = ["Json", "json_text"]

Json: TypeAlias = "bool | int | str | list[Json] | dict[str, Json] | None"


#: What may have to be an escape: what would steer a terminal, and lone surrogates.
_UNSAFE = re.compile("[^ -~\n]")  # inside a string a newline is an escape already


def json_text(value: Json, *, indent: int | None = None, ascii_only: bool = False) -> str:
    """JSON with the characters that people can read as they are; all others are escapes.

    Without ``indent`` all is on one line and without spaces.
    """
    try:
        text = json.dumps(
            value,
            ensure_ascii=ascii_only,
            indent=indent,
            separators=(",", ":" if indent is None else ": "),
        )
    except RecursionError:
        text = _deep(value, indent, ascii_only)
    return text if text.isprintable() else _UNSAFE.sub(_escaped, text)


def _deep(value: Json, indent: int | None, ascii_only: bool) -> str:
    out: list[str] = []
    rest: list[tuple[str, Json | None, int, bool]] = [("", value, 0, True)]
    colon = ":" if indent is None else ": "
    while rest:
        before, one, level, is_value = rest.pop()
        out.append(before)
        if not is_value:
            continue
        if not isinstance(one, (dict, list)) or not one:
            out.append(_leaf(one, ascii_only))
            continue
        line = "" if indent is None else "\n" + " " * (indent * (level + 1))
        if isinstance(one, dict):
            out.append("{")
            entries = [(f"{_leaf(key, ascii_only)}{colon}", below) for key, below in one.items()]
        else:
            out.append("[")
            entries = [("", below) for below in one]
        end = "" if indent is None else "\n" + " " * (indent * level)
        rest.append((end + ("}" if isinstance(one, dict) else "]"), None, 0, False))
        last = len(entries) - 1
        rest.extend(
            (("," if number else "") + line + key, below, level + 1, True)
            for number, (key, below) in zip(range(last, -1, -1), reversed(entries), strict=True)
        )
    return "".join(out)


def _leaf(value: Json, ascii_only: bool) -> str:
    return json.dumps(value, ensure_ascii=ascii_only)


def _escaped(found: re.Match[str]) -> str:
    sign = found[0]
    return sign if sign.isprintable() else json.dumps(sign)[1:-1]
