"""A start that was cut short: the guest waits, paused, or was never started."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.check.finding import Severity
from virtquorum.host.author import Author
from virtquorum.host.change import Plan, Step
from virtquorum.host.doctor.finding import Ailment
from virtquorum.host.intent import START
from virtquorum.host.noted import noted
from virtquorum.host.start import Resume, VerifyDrives
from virtquorum.host.start_note import ForgetStart

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.host.change import Course
    from virtquorum.host.doctor.view import View
    from virtquorum.host.noted import Noted

__all__ = ["starting"]

_CAUSE: Final = "'virtquorum start' was killed, or libvirt was restarted under it"
_COPIED: Final = "somebody has defined the domain from the XML of one that was being changed"
#: QEMU's word for the state of a guest that has not run yet.
_NEW: Final = "prelaunch"


def starting(view: View, *, whole: bool = True) -> Iterator[Ailment]:
    """The start that a domain has a note of, where it runs or in its definition.

    ``whole`` is whether nothing is wrong with the running domain's disks.
    """
    live = noted(view.live) if view.live is not None else None
    if live is not None and live.kind == START:
        yield _found(view, live, is_waiting=view.status == _NEW, whole=whole)
        return
    defined = noted(view.definition) if view.definition is not None else None
    if defined is not None:
        yield _found(view, defined, is_waiting=False, whole=whole)


def _found(view: View, note: Noted, *, is_waiting: bool, whole: bool) -> Ailment:
    author = Author.of(note.by)
    if note.progress == "under way" and author is not None:
        return Ailment(
            kind="under-way",
            severity=Severity.ERROR,
            domain=view.name,
            disk=note.disk,
            message=f"{note.title} goes on: the process {author.pid} is at it",
            ways=("wait for it; if that process hangs, end it, and call the doctor again",),
        )
    who = f" (process {author.pid} on '{author.host}')" if author is not None else ""
    is_known = note.progress == "cut short"
    sure = "" if is_known else "; whether that process has ended is not known here"
    return Ailment(
        kind="unfinished",
        severity=Severity.ERROR if is_waiting else Severity.WARNING,
        domain=view.name,
        message=_message(view, note, is_waiting=is_waiting),
        cause=f"{_CAUSE if note.kind == START else _COPIED}{who}{sure}",
        mending=_mending(is_waiting=is_waiting, whole=whole),
        asks=not is_known,
        ways=(f"end it instead: 'virtquorum destroy {view.name}'",) if is_waiting else (),
        plan=lambda: _plan(view, resumed=is_waiting and whole),
    )


def _mending(*, is_waiting: bool, whole: bool) -> str:
    if not is_waiting:
        return "the note of it is taken away"
    if not whole:
        return (
            "the note of it is taken away; the guest stays paused, for its disks are not the "
            "quorums"
        )
    return "its disks are looked up in QEMU, and if they are the quorums the guest runs"


def _message(view: View, note: Noted, *, is_waiting: bool) -> str:
    if note.kind != START:
        return f"the definition has the note of {note.title}, which is a running guest's alone"
    if is_waiting:
        return "a start was begun and not finished: the guest is paused, and has not run yet"
    if view.live is not None:
        return "a start was begun and not finished, and the guest runs, or has run"
    return "a start was begun and not finished, and the guest does not run"


def _plan(view: View, *, resumed: bool) -> Plan:
    waits: tuple[Step, ...] = (VerifyDrives(view.domain), _Resume(view.domain))
    steps = (*(waits if resumed else ()), ForgetStart(view.domain))
    return Plan(title=f"mend the start of '{view.name}'", domain=view.name, steps=steps)


class _Resume(Resume):
    """Let the guest run, unless somebody has done so meanwhile."""

    def do(self, course: Course) -> None:
        """Resume it."""
        if self.domain.is_paused:
            super().do(course)
