"""What the note of a change says of what changes with the graph: the record, the definition."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from virtquorum.host.live import Write
from virtquorum.host.patch.record import WriteRecord
from virtquorum.xml.format import format_disk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from virtquorum.host.change import Step
    from virtquorum.json_text import Json
    from virtquorum.xml.domain import Domain

__all__ = ["definition_note", "note_all"]


def note_all(
    steps: Sequence[Step], target: str, definition: tuple[Domain, Domain] | None = None
) -> None:
    """Have the note among the steps tell of the record, and of the definition if it changes.

    ``definition`` is that before and after, lifted.
    """
    for step in steps:
        if isinstance(step, Write):
            step.more["target"] = target
            for one in steps:
                if isinstance(one, WriteRecord):
                    step.more["record"] = [one.old, one.new]
            if definition is not None:
                step.more["definition"] = definition_note(*definition, target)


def definition_note(before: Domain, after: Domain, target: str) -> Json:
    """A disk in two lifted definitions: its XML in each, and the target of the disk behind it."""
    found = [_disk(one, target) for one in (before, after)]
    return cast("Json", [one[0] for one in found] + [one[1] for one in found])


def _disk(domain: Domain, target: str) -> tuple[str | None, str | None]:
    disks = domain.machine_disks
    for at, one in enumerate(disks):
        if one.name == target:
            behind = disks[at + 1].name if at + 1 < len(disks) else None
            return format_disk(one).strip(), behind
    return None, None
