"""A change that was cut short: its process was killed, or lost libvirt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.check.finding import Severity
from virtquorum.errors import HostError, LibvirtError
from virtquorum.host.author import Author
from virtquorum.host.change import Plan
from virtquorum.host.doctor.finding import Ailment
from virtquorum.host.doctor.redefine import redefined
from virtquorum.host.intent import MetadataIntent
from virtquorum.host.mend import mend
from virtquorum.host.noted import noted
from virtquorum.host.patch.record import WriteRecord, written_record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.host.change import Step
    from virtquorum.host.doctor.view import View
    from virtquorum.host.intent import Intention
    from virtquorum.host.mend import Goal

__all__ = ["unfinished"]

_WHAT: Final = {
    "swap": "a change of the disk {disk} was begun and not finished",
    "attach": "the disk {disk} was being plugged in, and that is not finished",
    "detach": "the disk {disk} was being taken out, and that is not finished",
}
_GOALS: Final = {
    ("swap", "old"): "the disk becomes again what it was before the change",
    (
        "swap",
        "new",
    ): "the disk stays what the change has made of it, and the rest of it is made",
    ("attach", "old"): "what was made for the disk is taken away again",
    ("attach", "new"): "the disk gets its quorum, and the guest keeps it",
    ("detach", "old"): "the guest has the disk still, and keeps it",
    ("detach", "new"): "the guest has let go of the disk, and the rest of it is taken away",
}
_CAUSE: Final = "the process that made it was killed, or libvirt was restarted under it"
_WAIT: Final = "wait for it; if that process hangs, end it, and call the doctor again"


def unfinished(view: View) -> Iterator[Ailment]:
    """The change that the running domain has a note of, if it has one.

    A start is none: see ``starting``.
    """
    if view.live is not None and (note := noted(view.live)) is not None and note.is_start:
        return
    intent = MetadataIntent(view.monitor)
    try:
        intention = intent.read()
    except LibvirtError:
        raise
    except HostError as error:
        yield Ailment(
            kind="unreadable-note",
            severity=Severity.ERROR,
            domain=view.name,
            message=str(error),
            ways=("upgrade virtquorum, and call the doctor again",),
        )
        return
    if intention is not None:
        yield _found(view, intention)


def _found(view: View, intention: Intention) -> Ailment:
    target = _target(view, intention)
    author = Author.of(intention.by)
    is_at_work = author.is_at_work if author is not None else None
    what = _WHAT[intention.kind].format(disk=f"'{target or intention.alias}'")
    if author is not None and is_at_work:
        return Ailment(
            kind="under-way",
            severity=Severity.ERROR,
            domain=view.name,
            disk=target,
            message=f"{what}: the process {author.pid} is at it",
            ways=(_WAIT,),
        )
    who = f" (process {author.pid} on '{author.host}')" if author is not None else ""
    try:
        mending = mend(view.monitor, MetadataIntent(view.monitor))
    except LibvirtError:
        raise
    except HostError as error:
        return Ailment(
            kind="unfinished",
            severity=Severity.ERROR,
            domain=view.name,
            disk=target,
            message=f"{what}; {error}",
            cause=f"{_CAUSE}{who}",
        )
    goal = mending.goal if mending is not None else "old"
    runs = "; the guest, paused for it, runs again" if _is_paused(view, intention) else ""
    sure = "" if is_at_work is False else "; whether that process has ended is not known here"
    return Ailment(
        kind="unfinished",
        severity=Severity.ERROR,
        domain=view.name,
        disk=target,
        message=what,
        cause=f"{_CAUSE}{who}{sure}",
        mending=f"{_GOALS[intention.kind, goal]}{runs}",
        asks=is_at_work is None,
        plan=lambda: _plan(view, what),
    )


def _is_paused(view: View, intention: Intention) -> bool:
    return intention.ran and view.domain.is_paused


def _target(view: View, intention: Intention) -> str | None:
    found = intention.known.get("target")
    if isinstance(found, str):
        return found
    return next((one.target for one in view.disks if one.alias == intention.alias), None)


def _plan(view: View, what: str) -> Plan:
    def recorded(goal: Goal, intention: Intention) -> list[Step]:
        return [*_record(view, goal, intention), *redefined(view, goal, intention)]

    mending = mend(view.monitor, MetadataIntent(view.monitor), recorded)
    steps = mending.steps if mending is not None else ()
    return Plan(title=f"mend '{view.name}', where {what}", domain=view.name, steps=tuple(steps))


def _record(view: View, goal: Goal, intention: Intention) -> Iterator[Step]:
    """Write down the quorum disks that the running domain has in that state."""
    known = intention.known.get("record")
    if isinstance(known, list) and len(known) == 2 and view.live is not None:
        yield WriteRecord(view.monitor, written_record(view.live), known[goal == "new"])
