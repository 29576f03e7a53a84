"""The doctor's changes of a definition."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from virtquorum.host.define import plan_definition
from virtquorum.host.definition import VerifyDefinition
from virtquorum.stock.lift import lift
from virtquorum.xml.domain import Domain
from virtquorum.xml.troubles import troubles

if TYPE_CHECKING:
    from virtquorum.host.change import Step
    from virtquorum.host.doctor.view import View
    from virtquorum.host.intent import Intention
    from virtquorum.host.mend import Goal
    from virtquorum.model.disk import Disk

__all__ = ["redefined", "steps_to"]


class _Verified(VerifyDefinition):
    """Comes before steps that may be undone."""

    final = False


def redefined(view: View, goal: Goal, intention: Intention) -> list[Step]:
    """The steps by which a definition that changes with the running domain gets to a state.

    None where it is there, or where somebody has changed it by hand since.
    """
    known = intention.known.get("definition")
    target = intention.known.get("target")
    if not (isinstance(known, list) and len(known) == 4 and target and view.definition):
        return []
    if any(troubles(view.definition.document.root)):
        return []
    disks = [_disk(text) for text in known[:2]]
    wanted, other = (disks[1], disks[0]) if goal == "new" else (disks[0], disks[1])
    behind = known[3] if goal == "new" else known[2]
    document = lift(view.domain.text(inactive=True, secure=True))
    now = next((one for one in document.machine_disks if one.name == target), None)
    if _is_same(now, wanted) or not _is_same(now, other):
        return []
    if now is None:
        assert wanted is not None
        before = next((one for one in document.machine_disks if one.name == behind), None)
        after = document.insert(wanted, before=before)
    elif wanted is None:
        after = document.remove(now)
    else:
        after = document.replace(now, wanted)
    return steps_to(view, after, target)


def steps_to(view: View, after: Domain, target: str) -> list[Step]:
    """The steps by which a lifted document becomes the definition.

    The placeholder of a target that comes with it is where the running domain has it.
    """
    found: list[Step] = []
    file = next((path for path, name in view.files.items() if name == target), None)
    directory = os.path.dirname(file) if file is not None else None
    planned = plan_definition(view.host, after, directory=directory, checked=True)
    for step in planned.plan.steps:
        match step:
            case VerifyDefinition():
                found.append(_Verified(step.host, step.name, step.disks))
            case _:
                found.append(step)
    return found


def _disk(text: Any) -> Disk | None:
    if not isinstance(text, str):
        return None
    found = Domain.from_text(text, "the note of the change").disks
    return found[0] if found else None


def _is_same(one: Disk | None, other: Disk | None) -> bool:
    if one is None or other is None:
        return one is other
    return (one.image, one.driver, one.target) == (other.image, other.driver, other.target)
