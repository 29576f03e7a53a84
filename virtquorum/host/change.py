"""Changes: a plan of steps, of which each knows its undo.

``apply`` does the steps one after the other.  Whatever stops it, an error or
a signal, the steps that were begun are undone, the last first; so a change
leaves the new state or the old one.  From a step that is ``final`` on nothing
is undone any more, because the guest has seen the new state: what fails then
is only tidying, and is said.

An undo may come after any part of its step, so it looks what there is instead
of remembering, and may be called twice.  If one fails, the ones before it are
not tried: a guest is not resumed over a half-built disk.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Literal, TypeAlias

from virtquorum.errors import HostError, LibvirtError, VirtquorumError
from virtquorum.host.monitor import GoneError
from virtquorum.images.program import Interrupted, Signals
from virtquorum.json_text import json_text
from virtquorum.model.node import Node, node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.json_text import Json
    from virtquorum.qemu.qmp import Command

__all__ = [
    "Action",
    "Asked",
    "ChangeError",
    "Course",
    "MonitorCommand",
    "Observer",
    "Plan",
    "State",
    "StaysError",
    "Step",
    "Text",
    "apply",
]

#: Where a change that failed has left things.
State: TypeAlias = Literal["old", "new", "between"]


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class MonitorCommand(Node):
    """A step sends this command to QEMU."""

    command: Command

    def lines(self) -> list[str]:
        """The command on one line."""
        return [f"qemu: {json_text(self.command)}"]

    def to_json(self) -> dict[str, Json]:
        """``{"kind": "monitor", "command": {…}}``."""
        return {"kind": "monitor", "command": self.command}


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Asked(Node):
    """A step asks this of libvirt, in virsh's words: 'suspend web'."""

    call: str

    def lines(self) -> list[str]:
        """The call on one line."""
        return [f"libvirt: {self.call}"]

    def to_json(self) -> dict[str, Json]:
        """``{"kind": "libvirt", "call": "…"}``."""
        return {"kind": "libvirt", "call": self.call}


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Text(Node):
    """A step does what a text says, or makes a difference of it: the lines of an XML diff."""

    text: str

    def lines(self) -> list[str]:
        """The text's lines."""
        return self.text.splitlines()

    def to_json(self) -> dict[str, Json]:
        """``{"kind": "text", "text": "…"}``."""
        return {"kind": "text", "text": self.text}


Action: TypeAlias = MonitorCommand | Asked | Text


class Observer:
    """Is told how a change goes; this one does nothing with it."""

    def began(self, step: Step) -> None:
        """A step begins."""

    def progress(self, step: Step, done: int, total: int) -> None:
        """A long step has come so far (bytes)."""

    def undoing(self, step: Step) -> None:
        """A step is being undone."""


class Course:
    """What a running step is handed: where it may be interrupted, and whom it tells."""

    def __init__(self, signals: Signals, observer: Observer) -> None:
        self._signals = signals
        self._observer = observer
        self._step: Step | None = None
        self._is_final = False

    def begin(self, step: Step) -> None:
        """Say which step runs."""
        self._step = step
        self._observer.began(step)

    def end(self, step: Step) -> None:
        """Say that a step is done."""
        self._is_final = self._is_final or step.final

    @property
    def is_final(self) -> bool:
        """Whether the guest has seen the new state, so that nothing is undone any more."""
        return self._is_final

    def safe_point(self) -> None:
        """Raise Interrupted if a signal has come; here a step can stop and be undone."""
        if not self._is_final:
            self._signals.check()

    def progress(self, done: int, total: int) -> None:
        """Say how far the step is (bytes)."""
        assert self._step is not None
        self._observer.progress(self._step, done, total)


class Step(ABC):
    """A part of a change.

    ``title`` completes 'cannot …': 'suspend the guest'.  A step that has
    ``final`` set is the last that can be undone, until it is done.  The guest
    is paused from one that ``pauses`` to one that ``resumes``: an observer
    that may be kept waiting, as by a terminal, says nothing meanwhile.
    """

    final: bool = False
    pauses: bool = False
    resumes: bool = False

    @property
    @abstractmethod
    def title(self) -> str:
        """What the step does, in a few words."""

    @property
    def actions(self) -> tuple[Action, ...]:
        """What it does in detail, for a dry run."""
        return ()

    @abstractmethod
    def do(self, course: Course) -> None:
        """Do it; what it raises makes the begun steps be undone, this one among them."""

    @abstractmethod
    def undo(self) -> None:
        """Bring back what was before, however much of ``do`` has been done; raises if it cannot."""

    def aftermath(self) -> str | None:
        """What to say, and to do, where the change could not be undone; None for nothing.

        Only looks; the step has been begun.
        """
        return None


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Plan(Node):
    """A change before it is made: its steps in order; ``domain`` is the domain's name."""

    title: str
    domain: str
    steps: tuple[Step, ...]

    def lines(self) -> list[str]:
        """The plan as a person reads it: a line a step, and below it what is done."""
        return [self.title, *self._steps()]

    def _steps(self) -> Iterator[str]:
        for number, step in enumerate(self.steps, start=1):
            yield f"{number:3}. {step.title}"
            for action in step.actions:
                yield from (f"     {line}" for line in action.lines())

    def to_json(self) -> dict[str, Json]:
        """The plan for programs.

        ``{"title": …, "domain": …, "steps": [{"title": …, "final": bool,
        "actions": […]}]}``; an action has a ``kind``: 'monitor' with the
        ``command`` for QEMU, 'libvirt' with the ``call``, 'text' with the ``text``.
        """
        return {
            "title": self.title,
            "domain": self.domain,
            "steps": [
                {
                    "title": step.title,
                    "final": step.final,
                    "actions": [one.to_json() for one in step.actions],
                }
                for step in self.steps
            ],
        }


class StaysError(HostError):
    """There is nothing to be brought back: what was done stays, and can be gone on with."""


class ChangeError(HostError):
    """A change that could not be made, or not be finished.

    ``step`` is the title of the step that failed and ``cause`` its error;
    ``code`` is libvirt's number of it, None for another's error.  ``state``
    says where things are: 'old', as they were; 'new', changed, and only the
    tidying failed; 'between', where ``undoing`` is the title of the step that
    could not be undone and ``trouble`` the reason; ``left`` says then what the
    guest has now and what to do, None where the doctor alone is to be named.
    """

    def __init__(
        self,
        plan: Plan,
        step: str,
        cause: BaseException,
        *,
        state: State,
        undoing: str | None = None,
        trouble: BaseException | None = None,
        left: str | None = None,
    ) -> None:
        super().__init__(plan.title, step)
        self.change = plan.title
        self.domain = plan.domain
        self.step = step
        self.cause = cause
        self.code = cause.code if isinstance(cause, LibvirtError) else None
        self.state: State = state
        self.undoing = undoing
        self.trouble = trouble
        self.left = left

    def __str__(self) -> str:
        from virtquorum.printable import printable

        what = "interrupted" if isinstance(self.cause, Interrupted) else str(self.cause)
        doctor = f"'virtquorum doctor {self.domain}' mends it"
        match self.state:
            case "old" if isinstance(self.cause, GoneError) and self.cause.gone == "domain":
                text = f"cannot {self.step}: {what}; its QEMU has ended, the rest is as before"
            case "old":
                text = f"cannot {self.step}: {what}; all is as it was before"
            case "new" if isinstance(self.cause, StaysError):
                text = f"the change is made, but {what}"
            case "new":
                text = f"the change is made, but cannot {self.step}: {what}; {doctor}"
            case "between" if isinstance(self.trouble, StaysError):
                text = f"cannot {self.step}: {what}; {self.trouble}; {self.left or doctor}"
            case "between":
                text = (
                    f"cannot {self.step}: {what}; then it could not be undone to "
                    f"{self.undoing}: {self.trouble}; {self.left or doctor}"
                )
        return printable(text)


def apply(plan: Plan, observer: Observer | None = None) -> int | None:
    """Make a change; None, or the number of a signal that came too late to stop it.

    SIGINT, SIGTERM, SIGHUP and SIGQUIT wait for a safe place, where the
    change is undone; further ones do not stop that.  Raises Interrupted after
    it, and ChangeError for a step that failed; an exception that is no
    VirtquorumError is raised as it came if all could be undone.
    """
    observer = observer or Observer()
    with Signals() as signals:
        _Application(plan, signals, observer).run()
        return signals.caught


class _Application:
    """A plan on its way."""

    def __init__(self, plan: Plan, signals: Signals, observer: Observer) -> None:
        self.plan = plan
        self.observer = observer
        self.course = Course(signals, observer)
        self.begun: list[Step] = []

    def run(self) -> None:
        """Do all steps, or none."""
        for step in self.plan.steps:
            try:
                self.course.safe_point()
                self.begun.append(step)
                self.course.begin(step)
                step.do(self.course)
            except BaseException as error:
                self._stopped(step, error)
            self.course.end(step)

    def _stopped(self, step: Step, error: BaseException) -> None:
        if self.course.is_final:
            if isinstance(error, GoneError) and error.gone == "domain":
                return  # and with QEMU all that had to be tidied
            raise ChangeError(self.plan, step.title, error, state="new") from error
        self._undo(step, error)
        if isinstance(error, VirtquorumError):
            raise ChangeError(self.plan, step.title, error, state="old") from error
        raise error

    def _undo(self, failed: Step, error: BaseException) -> None:
        for step in reversed(self.begun):
            try:
                self.observer.undoing(step)
                step.undo()
            except BaseException as trouble:
                raise ChangeError(
                    self.plan,
                    failed.title,
                    error,
                    state="between",
                    undoing=step.title,
                    trouble=trouble,
                    left=self._left(),
                ) from trouble

    def _left(self) -> str | None:
        """What the last step that has something to say of it says."""
        said = (step.aftermath() for step in reversed(self.begun))
        return next((text for text in said if text is not None), None)
