"""A live change that was cut short, brought to its end or taken back.

Its process was killed, or lost libvirt.  What it was about to do is in its
note (``intent``), and what it has done is seen in QEMU.  A graph that is whole
stays: after a change the guest may have written to the new one.  Otherwise the
guest is paused, or never ran on, so the old one is built again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from virtquorum.errors import HostError
from virtquorum.host.author import this_process
from virtquorum.host.build_anew import MendingStep, Rebuild, close_all, names_of
from virtquorum.host.compare import name_of, stand_in_name
from virtquorum.host.copy import end, job_of, spread_of
from virtquorum.host.live import BEGINNING, Clear, LiveStep, is_running
from virtquorum.host.nodes import differences, nosave_name
from virtquorum.host.plug import ask_out, see_gone
from virtquorum.model.node import Node, node

if TYPE_CHECKING:
    from virtquorum.host.change import Course, Step
    from virtquorum.host.compare import Options
    from virtquorum.host.intent import Intent, Intention
    from virtquorum.host.monitor import Monitor

__all__ = ["Goal", "Mending", "Recorded", "close_all", "mend", "mending_steps"]

#: Which state a change that was cut short is brought to.
Goal: TypeAlias = Literal["old", "new"]
#: The steps that bring what is written down to a state.
Recorded: TypeAlias = Callable[["Goal", "Intention"], Sequence["Step"]]


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Mending(Node):
    """How a change that was cut short ends: in the old state or the new one, by which steps."""

    goal: Goal
    intention: Intention
    steps: tuple[Any, ...]


def mend(monitor: Monitor, intent: Intent, recorded: Recorded | None = None) -> Mending | None:
    """What mends the change that the domain has a note of; None if it has none.

    ``recorded`` gives the steps that bring to the same state what is written
    down of the disk; they come before the guest runs again.  Only looks.
    Raises HostError for a note that cannot be read.
    """
    intention = intent.read()
    if intention is None:
        return None
    is_running(monitor)
    old, new = intention.graphs
    goal = _goal(monitor, intention, new)
    wanted = (old if goal == "old" else new) or []
    more = recorded(goal, intention) if recorded is not None else ()
    steps = mending_steps(monitor, intent, intention, wanted, more, goal=goal)
    claim = _Claim(monitor, intent, intention)
    return Mending(goal=goal, intention=intention, steps=(claim, *steps))


def mending_steps(
    monitor: Monitor,
    intent: Intent,
    intention: Intention,
    wanted: Sequence[Options],
    recorded: Sequence[Step] = (),
    *,
    goal: Goal | None = None,
) -> list[Step]:
    """The steps that give a disk a graph, whatever is there, and take the note away.

    ``goal`` is which of the note's states that is, None for neither.
    """
    steps: list[Step] = [_Job(monitor, intention)]
    gone: list[Step] = []
    if wanted and differences(monitor, intention.alias, wanted):
        steps.append(Rebuild(monitor, intention, wanted))
    if not wanted and intention.alias in monitor.devices():
        steps.append(_TakeOut(monitor, intention))
        gone.append(_Gone(monitor, intention))
    return [
        *steps,
        *recorded,
        _Resume(monitor, ran=intention.ran),
        *gone,
        _Tidy(monitor, intention, wanted, goal),
        Clear(monitor, intent),
    ]


def _goal(monitor: Monitor, intention: Intention, new: Sequence[Options] | None) -> Goal:
    """The state that is there already, or is the nearer one."""
    is_there = intention.alias in monitor.devices()
    match intention.kind:
        case "attach":
            # Nobody but the guest can take a device out again; the quorum was opened before it.
            return "new" if is_there and _is_open(monitor, new or []) else "old"
        case "detach":
            return "old" if is_there else "new"
        case "swap":
            assert new is not None
            # What QEMU does not show may differ between them; then the change is made.
            return "old" if differences(monitor, intention.alias, new) else "new"


def _is_open(monitor: Monitor, new: Sequence[Options]) -> bool:
    """Whether a disk that was plugged in can be pointed at its graph."""
    there = monitor.nodes()
    return all(name_of(one) in there for one in new) and new[-1].get("read-only") is not True


class _Claim(MendingStep):
    """Write down that it is this process that is at it now."""

    words = "write down who mends it"

    def __init__(self, monitor: Monitor, intent: Intent, intention: Intention) -> None:
        super().__init__(monitor, intention)
        self.intent = intent

    def do(self, course: Course) -> None:
        """Write it; refuse where another process has been quicker."""
        found = self.intent.read()
        if found != self.intention:
            raise HostError(
                f"domain '{self.monitor.name}': the change is another one meanwhile; look again"
            )
        self.intent.write(replace(self.intention, by=str(this_process())))

    def bring_back(self) -> None:
        """Nothing: the change is the same."""


class _Job(MendingStep):
    """End the copying, if it goes on."""

    words = "end what is still being copied"

    def do(self, course: Course) -> None:
        """Cancel the job."""
        end(self.monitor, job_of(self.intention.alias), force=True)

    def bring_back(self) -> None:
        """Nothing: without its change the job was of no use."""


class _TakeOut(MendingStep):
    """Ask the guest for a disk that was plugged in, and whose quorum there is not."""

    words = "take the empty disk out of the guest"

    def do(self, course: Course) -> None:
        """Ask for it."""
        if self.intention.alias in self.monitor.devices():
            ask_out(self.monitor, self.intention.alias)


class _Gone(MendingStep):
    """Wait until the guest has let go of it."""

    words = "wait until the guest has let go of the empty disk"

    def do(self, course: Course) -> None:
        """Wait; raises StillThereError where the guest does not answer."""
        see_gone(self.monitor, self.intention.alias)


class _Resume(LiveStep):
    """Let the guest run, if it ran before the change."""

    words = "let the guest run again, if it ran"
    final = True
    resumes = True

    def __init__(self, monitor: Monitor, *, ran: bool) -> None:
        super().__init__(monitor)
        self.ran = ran

    def do(self, course: Course) -> None:
        """Resume it."""
        if self.ran and not is_running(self.monitor):
            self.monitor.asked("resume", self.monitor.domain.resume)


class _Tidy(MendingStep):
    """Close what belongs to neither the disk as it is nor another."""

    words = "close what the change has left"

    def __init__(
        self,
        monitor: Monitor,
        intention: Intention,
        wanted: Sequence[Options],
        goal: Goal | None,
    ) -> None:
        super().__init__(monitor, intention)
        self.wanted = wanted
        self.goal = goal

    def do(self, course: Course) -> None:
        """Close it."""
        needed = {name_of(one) for one in self.wanted}
        alias = self.intention.alias
        brief = {BEGINNING, stand_in_name(alias), spread_of(alias)}
        closed = set(self.intention.known.get("closed") or [])
        names = names_of(self.intention) | brief | closed | self._saving()
        close_all(self.monitor, names - needed)

    def _saving(self) -> set[str]:
        """What forbids to save the domain for the sake of a disk that is as at its start."""
        if self.goal is None:
            return set()
        records = self.intention.known.get("record") or [None, None]
        old, new = (_forbidden(one) for one in records)
        return new - old if self.goal == "old" else old - new


def _forbidden(record: str | None) -> set[str]:
    """The nodes that forbid to save a domain with a record."""
    if record is None:
        return set()
    from virtquorum.xml.document import Document

    found = Document.from_text(record, "the record").root.elements()
    said = [one.attributes for one in found]
    return {nosave_name(one["drive"]) for one in said if one.get("plugged") == "yes"}
