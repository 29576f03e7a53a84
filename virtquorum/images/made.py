"""How a run of making images is told: a line an image, or JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from virtquorum.images.size import human_size
from virtquorum.images.survey import key_of, place_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from virtquorum.images.plan import Plan, Planned
    from virtquorum.images.survey import Found
    from virtquorum.json_text import Json

__all__ = ["REPORT_VERSION", "Told", "image_json", "summary", "told"]

#: The version of schemas/create.schema.json.
REPORT_VERSION: Final = 1


class Told(NamedTuple):
    """A line of a run's result: ``about`` is the format and the virtual size."""

    path: str
    about: str
    done: str
    new: bool


def told(plan: Plan) -> list[Told]:
    """A line for each file: its path, format, virtual size, and what was done.

    A backing image that stands below two others is told of once.
    """
    lines: dict[Told, None] = {}
    for found in plan.every:
        planned = _planned(found, plan)
        if found.path is None or (found.state == "missing" and planned is None):
            continue
        size, done = found.size, "was there"
        if planned is not None:
            size = planned.size
            done = "made" if planned.source is None else f"copied from {planned.source.path}"
        about = f"{found.image.format or 'raw'}, {human_size(size or 0)}"
        lines[Told(found.path, about, done, planned is not None)] = None
    return list(lines)


def summary(lines: Sequence[Told]) -> str:
    """How many there are, in a line: '3 images: 2 made, 1 was there'."""
    copied = sum(one.done.startswith("copied ") for one in lines)
    made = sum(one.new for one in lines) - copied
    there = len(lines) - made - copied
    parts = [
        (made, "made"),
        (copied, "copied"),
        (there, "was there" if there == 1 else "were there"),
    ]
    said = ", ".join(f"{count} {word}" for count, word in parts if count) or "nothing to make"
    return f"{len(lines)} {'image' if len(lines) == 1 else 'images'}: {said}"


def image_json(found: Found, plan: Plan, done: str) -> Json:
    """One image for programs; ``done`` is what became of those that were missing."""
    planned = _planned(found, plan)
    states = {"there": "was-there", "missing": done, "elsewhere": "not-looked-at"}
    location = place_of(found)
    return {
        "disk": found.disk.name,
        "line": location.line if location is not None else None,
        "role": found.role,
        "nodename": found.image.nodename,
        "type": found.image.source.type,
        "path": found.path,
        "format": found.image.format or ("raw" if found.role == "disk" else None),
        "size": planned.size if planned is not None else found.size,
        "state": states[found.state] if found.path is not None else "not-looked-at",
        "backing": planned.backing.name if planned is not None and planned.backing else None,
        "copied_from": planned.source.path if planned is not None and planned.source else None,
    }


def _planned(found: Found, plan: Plan) -> Planned | None:
    if found.state != "missing" or found.path is None:
        return None
    key = key_of(found.path)
    return next((one for one in plan.images if one.found is found or key_of(one.path) == key), None)
