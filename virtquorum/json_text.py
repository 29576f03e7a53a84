"""JSON text of values nested to any depth, which json.dumps leaves to Python's recursion limit."""

from __future__ import annotations

import json
from typing import TypeAlias

__all__ = ["Json", "json_text"]

Json: TypeAlias = "bool | int | str | list[Json] | dict[str, Json] | None"


def json_text(value: Json, *, indent: int | None = None) -> str:
    """What ``json.dumps(value, ensure_ascii=False, indent=indent)`` gives, but for the spaces.

    Without ``indent`` all is on one line and without spaces.
    """
    out: list[str] = []
    rest: list[tuple[str, Json | None, int, bool]] = [("", value, 0, True)]
    colon = ":" if indent is None else ": "
    while rest:
        before, one, level, is_value = rest.pop()
        out.append(before)
        if not is_value:
            continue
        if not isinstance(one, (dict, list)) or not one:
            out.append(json.dumps(one, ensure_ascii=False))
            continue
        line = "" if indent is None else "\n" + " " * (indent * (level + 1))
        if isinstance(one, dict):
            out.append("{")
            entries = [
                (f"{json.dumps(key, ensure_ascii=False)}{colon}", below)
                for key, below in one.items()
            ]
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
