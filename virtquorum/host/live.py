"""The steps of a live change: the guest paused, and the note of what is under way."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, Final

from virtquorum.errors import HostError, LibvirtError, MonitorError
from virtquorum.host.author import this_process
from virtquorum.host.change import Asked, Step
from virtquorum.host.compare import stand_in_name
from virtquorum.host.intent import NAMESPACE, Flat, Intention
from virtquorum.host.monitor import GoneError, wait_until
from virtquorum.json_text import json_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from virtquorum.host.change import Action, Course
    from virtquorum.host.intent import Intent, Kind
    from virtquorum.host.monitor import Monitor
    from virtquorum.json_text import Json

__all__ = [
    "BEGINNING",
    "Clear",
    "LiveStep",
    "Resume",
    "Suspend",
    "Write",
    "is_running",
    "left_paused",
]

#: A node that is there while a change looks whether it may begin, so that no other one does.
BEGINNING: Final = "vq-beginning"
#: libvirt's virDomainState.
_RUNNING: Final = 1
_PAUSED: Final = 3
#: Seconds between the attempts to bring something back.
_PAUSES: Final = (0.2, 0.5)
#: virDomainPausedReason: migration, save, dump, snapshot.
_OF_JOBS: Final = (2, 3, 4, 9)
#: Seconds that such a job of libvirt's may take.
_PATIENCE: Final = 30.0
_STATES: Final = {
    0: "in no known state", 2: "blocked", 4: "shutting down", 5: "shut off", 6: "crashed",
    7: "suspended by its own power management",
}  # fmt: skip


def is_running(monitor: Monitor) -> bool:
    """Whether the guest runs, and is not paused; raises HostError in any other state.

    libvirt pauses a guest while it saves, dumps or migrates it, and lets it run
    again if that fails, as a change has it fail.  Such a guest is waited for.
    """
    state, reason = monitor.asked("look at its state", monitor.domain.state)
    if state == _PAUSED and reason in _OF_JOBS:
        if not wait_until(lambda: not _has_job(monitor), _PATIENCE):
            raise HostError(
                f"domain '{monitor.name}' is being saved, dumped or migrated; wait for it, or end "
                f"it: 'virsh domjobabort {monitor.name}'"
            )
        state = monitor.asked("look at its state", monitor.domain.state)[0]
    if state not in (_RUNNING, _PAUSED):
        raise HostError(
            f"domain '{monitor.name}' is {_STATES.get(state, f'in state {state}')}; a disk of a "
            "live domain is changed while it is running or paused"
        )
    return bool(state == _RUNNING)


def _has_job(monitor: Monitor) -> bool:
    """Whether libvirt saves, dumps or migrates the domain."""
    return bool(monitor.asked("look for its job", monitor.domain.jobInfo)[0])


def _target(monitor: Monitor, alias: str) -> str:
    """A disk's target, for it is known by that; its alias where libvirt has no such disk."""
    from virtquorum.xml.domain import Domain

    xml = str(monitor.asked("read its XML", lambda: monitor.domain.XMLDesc(0)))
    disks = Domain.from_text(xml, monitor.name).machine_disks
    return next((disk.name for disk in disks if disk.alias == alias and disk.name), alias)


def left_paused(monitor: Monitor, alias: str, *, ran: bool) -> str | None:
    """What a change that was neither made nor undone leaves, and what to do then.

    ``ran`` is whether the guest ran before it.  None where the guest is not
    paused and its disk not at the stand-in, or QEMU has ended.
    """
    doctor = f"'virtquorum doctor {monitor.name}'"
    try:
        is_paused = ran and not is_running(monitor)
        frontend = monitor.frontend(alias)
        disk = _target(monitor, alias)
    except HostError as error:
        if isinstance(error, GoneError) and error.gone == "domain":
            return None
        return f"the guest may be paused; when libvirt answers again, {doctor} mends it"
    if frontend is not None and frontend.node == stand_in_name(alias):
        return (
            f"the guest{' is paused, and its' if is_paused else chr(39) + 's'} disk '{disk}' is at "
            "a stand-in, where every request is an error: do not resume it; take away what is in "
            f"the way, and {doctor} gives it its disk back{' and lets it run' * is_paused}"
        )
    return f"the guest is paused; {doctor} mends it, and lets it run" if is_paused else None


class LiveStep(Step):
    """A step that changes what QEMU has: with QEMU all of it is gone."""

    words: ClassVar[str] = ""

    def __init__(self, monitor: Monitor) -> None:
        self.monitor = monitor

    @property
    def title(self) -> str:
        """What the step does, in a few words."""
        return self.words

    def undo(self) -> None:
        """Bring back what was before; a QEMU that is gone has nothing to be undone.

        What libvirt or QEMU says no to is tried again: an answer may have been
        lost, or somebody may have had an image open for a moment.
        """
        for pause in (*_PAUSES, None):
            try:
                return self.bring_back()
            except HostError as error:
                if self.monitor.has_ended():
                    return None
                is_refused = isinstance(error, LibvirtError | MonitorError)
                if pause is None or not is_refused or isinstance(error, GoneError):
                    raise
            time.sleep(pause)
        return None

    def bring_back(self) -> None:
        """Bring back what was before."""


class Write(LiveStep):
    """Write down what is going to be changed, if all is still as it was when that was planned.

    ``checks`` raise HostError for what is not.  QEMU takes a node's name once,
    so of two changes that begin together one is refused.
    """

    words = "write down what is going to be changed"

    def __init__(
        self, monitor: Monitor, intent: Intent, kind: Kind, alias: str, old: Flat, new: Flat
    ) -> None:
        super().__init__(monitor)
        self.intent = intent
        self.intention = Intention.of(kind, alias, ran=False, old=old, new=new)
        #: What else changes, for whoever finds the note: see Intention.
        self.more: dict[str, Json] = {}
        self.checks: list[Callable[[], object]] = []
        self._is_ours = False
        self._is_alone = False

    @property
    def actions(self) -> tuple[Action, ...]:
        """Where it is written."""
        return (Asked(call=f"metadata --live {self.monitor.name} {NAMESPACE} --set '<change …/>'"),)

    def do(self, course: Course) -> None:
        """Write it; refuse where there is a note of a change that was cut short."""
        with self._alone():
            found = self.intent.read()
            if found is not None:
                raise HostError(
                    f"domain '{self.monitor.name}': a change of the disk '{found.alias}' was begun "
                    "and is not finished; wait for it, or run 'virtquorum doctor "
                    f"{self.monitor.name}'"
                )
            for check in self.checks:
                check()
            self._is_ours = True
            self._write()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other change begins meanwhile; raises HostError where one does."""
        node: dict[str, Json] = {"driver": "null-co", "node-name": BEGINNING}
        self._is_alone = True
        try:
            self.monitor.command("blockdev-add", **node)
        except MonitorError:
            self._is_alone = False
            raise HostError(
                f"domain '{self.monitor.name}': another change of its disks begins just now; try "
                f"again, or run 'virtquorum doctor {self.monitor.name}' if this is said again"
            ) from None
        yield
        self._end_alone()

    def _end_alone(self) -> None:
        if self._is_alone and BEGINNING in self.monitor.nodes():
            self.monitor.command("blockdev-del", **{"node-name": BEGINNING})
        self._is_alone = False

    def _write(self) -> None:
        kept = self.intention
        ran = is_running(self.monitor)
        self.intention = Intention(
            kind=kept.kind,
            alias=kept.alias,
            ran=ran,
            old=kept.old,
            new=kept.new,
            by=str(this_process()),
            more=json_text(self.more, ascii_only=True),
        )
        self.intent.write(self.intention)

    def bring_back(self) -> None:
        """Take our note away, and no other."""
        self._end_alone()
        if self._is_ours:
            self.intent.clear()


class Clear(LiveStep):
    """Take the note of the change away again."""

    words = "take away the note of what was going to be changed"

    def __init__(self, monitor: Monitor, intent: Intent) -> None:
        super().__init__(monitor)
        self.intent = intent

    @property
    def actions(self) -> tuple[Action, ...]:
        """Where it was written."""
        return (Asked(call=f"metadata --live {self.monitor.name} {NAMESPACE} --remove"),)

    def do(self, course: Course) -> None:
        """Take it away."""
        self.intent.clear()


class Suspend(LiveStep):
    """Pause the guest, if it runs."""

    words = "pause the guest"
    pauses = True

    def __init__(self, monitor: Monitor, alias: str) -> None:
        super().__init__(monitor)
        self.alias = alias
        self.ran = False

    @property
    def actions(self) -> tuple[Action, ...]:
        """The call."""
        return (Asked(call=f"suspend {self.monitor.name}"),)

    def do(self, course: Course) -> None:
        """Pause it; QEMU waits for what is being read and written."""
        self.ran = is_running(self.monitor)
        if self.ran:
            self.monitor.asked("suspend", self.monitor.domain.suspend)

    def bring_back(self) -> None:
        """Let it run, if it ran."""
        if self.ran and not is_running(self.monitor):
            self.monitor.asked("resume", self.monitor.domain.resume)

    def aftermath(self) -> str | None:
        """Whether the guest is paused still, and what its disk is at."""
        return left_paused(self.monitor, self.alias, ran=self.ran)


class Resume(LiveStep):
    """Let the guest run, if it ran before; from here on it writes to the new disk only."""

    words = "let the guest run again"
    final = True
    resumes = True

    def __init__(self, monitor: Monitor, suspend: Suspend) -> None:
        super().__init__(monitor)
        self.suspend = suspend

    @property
    def actions(self) -> tuple[Action, ...]:
        """The call."""
        return (Asked(call=f"resume {self.monitor.name}"),)

    def do(self, course: Course) -> None:
        """Resume it; an error of a guest that runs nevertheless is none."""
        if not self.suspend.ran:
            return
        try:
            self.monitor.asked("resume", self.monitor.domain.resume)
        except LibvirtError:
            if not is_running(self.monitor):
                raise
