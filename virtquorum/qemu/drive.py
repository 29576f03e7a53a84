"""The block graph spelled as ``-drive``: dotted keys, or json: where those cannot say it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from virtquorum.json_text import Json, json_text
from virtquorum.qemu.graph import AnyBlock, options, uses_null

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["as_json", "dotted", "drive_arguments", "shell_lines"]

_DRIVE_DEFAULTS = ("read-only", "cache", "discard", "detect-zeroes")


def drive_arguments(top: AnyBlock, id: str) -> list[str]:
    """``-drive`` and its value for a graph; ``id`` is what a ``-device`` will call it.

    A graph that ends a chain goes through ``file=json:…``: dotted keys have
    no null.
    """
    spelled = options(top)
    pairs = as_json(spelled) if uses_null(top) else dotted(spelled)
    pairs += [("if", "none"), ("id", id)]
    return ["-drive", ",".join(f"{key}={value.replace(',', ',,')}" for key, value in pairs)]


def as_json(spelled: dict[str, Json]) -> list[tuple[str, str]]:
    """BlockdevOptions as ``file=json:…``, and what has to stand beside it.

    What ``-drive`` has a default for it would put over the JSON's own
    (``blockdev_init``), so for the top node that stands outside.
    """
    beside = {key: value for key, value in spelled.items() if key in _DRIVE_DEFAULTS}
    inside = {key: value for key, value in spelled.items() if key not in _DRIVE_DEFAULTS}
    return [("file", f"json:{json_text(inside)}"), *dotted(beside)]


def dotted(value: dict[str, Json]) -> list[tuple[str, str]]:
    """JSON types as QEMU's dotted keys, in the same order."""
    pairs: list[tuple[str, str]] = []
    rest: list[tuple[str, Json]] = [("", value)]
    while rest:
        key, one = rest.pop()
        if isinstance(one, dict):
            inside = [(f"{key}.{name}" if key else name, below) for name, below in one.items()]
            rest.extend(reversed(inside))
        elif isinstance(one, list):
            rest.extend(reversed([(f"{key}.{number}", below) for number, below in enumerate(one)]))
        elif isinstance(one, bool):
            pairs.append((key, "on" if one else "off"))
        else:
            assert one is not None, f"dotted keys cannot say that {key} is null"
            pairs.append((key, str(one)))
    return pairs


def shell_lines(arguments: Sequence[str]) -> str:
    """Arguments for a shell: an option and its value a line, each line but the last continued."""
    pairs = [shlex.join(arguments[at : at + 2]) for at in range(0, len(arguments), 2)]
    return " \\\n".join(pairs) + "\n" if pairs else ""
