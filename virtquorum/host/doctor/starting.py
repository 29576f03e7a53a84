"""A start that was cut short: the guest waits, paused, or was never started."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.check.finding import Severity
from virtquorum.host.author import Author
from virtquorum.host.change import Plan, Step
from virtquorum.host.doctor.finding import Ailment
from virtquorum.host.intent import NAMESPACE, NEW
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
_EARLIER: Final = "; or somebody has started it paused, from the definition with that note"
#: The kinds of notes that are taken away where they are a copy.
_KINDS: Final = ("start", "swap", "attach", "detach")


def starting(view: View, *, whole: bool = True) -> Iterator[Ailment]:
    """The start that a domain has a note of, where it runs or in its definition.

    ``whole`` is whether nothing is wrong with the running domain's disks.
    """
    live = noted(view.live) if view.live is not None else None
    if live is not None and live.is_start:
        yield _found(view, live, is_waiting=view.status == NEW, whole=whole)
        return
    defined = noted(view.definition) if view.definition is not None else None
    if defined is not None:
        known = defined.is_known
        yield _found(view, defined, is_waiting=False, whole=whole) if known else _strange(view)


def _strange(view: View) -> Ailment:
    return Ailment(
        kind="unreadable-note",
        severity=Severity.WARNING,
        domain=view.name,
        message=f"the definition has a note '{NAMESPACE}' that is not understood here",
        ways=(
            "upgrade virtquorum, and call the doctor again",
            f"if no virtquorum of yours has written it: 'virsh metadata {view.name} {NAMESPACE} "
            "--remove --config' takes it away",
        ),
    )


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
    is_known = note.progress == "cut short"
    # A guest that was started paused on purpose may have the note of an earlier start; only the
    # very domain that a start has started has its own number in it.
    is_own = not is_waiting or note.id == str(view.domain.id)
    return Ailment(
        kind="unfinished",
        severity=Severity.ERROR if is_waiting else Severity.WARNING,
        domain=view.name,
        message=_message(view, note, is_waiting=is_waiting, is_own=is_own),
        cause=_cause(note, author, is_known=is_known, is_own=is_own),
        mending=_mending(is_waiting=is_waiting, whole=whole),
        asks=not is_known or (whole and not is_own),
        ways=_ways(view, is_waiting=is_waiting),
        plan=lambda: _plan(view, resumed=is_waiting and whole),
    )


def _cause(note: Noted, author: Author | None, *, is_known: bool, is_own: bool) -> str:
    who = f" (process {author.pid} on '{author.host}')" if author is not None else ""
    sure = "" if is_known else "; whether that process has ended is not known here"
    return f"{_CAUSE if note.is_start else _COPIED}{who}{sure}{'' if is_own else _EARLIER}"


def _ways(view: View, *, is_waiting: bool) -> tuple[str, ...]:
    return (f"end it instead: 'virtquorum destroy {view.name}'",) if is_waiting else ()


def _mending(*, is_waiting: bool, whole: bool) -> str:
    if not is_waiting:
        return "the note of it is taken away"
    if not whole:
        return (
            "the note of it is taken away; the guest stays paused, for its disks are not the "
            "quorums"
        )
    return "its disks are looked up in QEMU, and if they are the quorums the guest runs"


def _message(view: View, note: Noted, *, is_waiting: bool, is_own: bool) -> str:
    if not note.is_start:
        return f"the definition has the note of {note.title}, which is a running guest's alone"
    if not is_own:
        return (
            "the guest is paused and has not run yet, and there is the note of a start that was "
            "not finished, maybe of another one"
        )
    if is_waiting:
        return "a start was begun and not finished: the guest is paused, and has not run yet"
    if view.live is not None:
        return "a start was begun and not finished, and the guest runs, or has run"
    return "a start was begun and not finished, and the guest does not run"


def _plan(view: View, *, resumed: bool) -> Plan:
    waits: tuple[Step, ...] = (VerifyDrives(view.domain), _Resume(view.domain))
    steps = (*(waits if resumed else ()), ForgetStart(view.domain, _KINDS))
    return Plan(title=f"mend the start of '{view.name}'", domain=view.name, steps=steps)


class _Resume(Resume):
    """Let the guest run, unless somebody has done so meanwhile."""

    def do(self, course: Course) -> None:
        """Resume it."""
        if self.domain.is_paused:
            super().do(course)
