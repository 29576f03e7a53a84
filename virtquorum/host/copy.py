"""New members are filled while the guest runs: a block job copies the disk onto them.

The job ``blockdev-mirror`` reads the disk, so every block that is copied has
been voted on, and comes again to what the guest writes meanwhile.  When all is
equal it is 'ready'; then the guest is paused, the rest is copied and the job
is ended, and the members hold what the disk holds.

When such a job ends, for whatever reason, QEMU takes for a moment the disk's
right to write away, and opens the disk's images anew by their names; so they
are held before.

There can be one such job for a disk.  Several new members are filled together
through a quorum over them that asks for all of them.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from virtquorum.errors import HostError
from virtquorum.host.change import MonitorCommand, Text
from virtquorum.host.compare import key_of, name_of
from virtquorum.host.live import LiveStep
from virtquorum.host.monitor import wait_until
from virtquorum.host.nodes import close, opening
from virtquorum.qemu.qmp import command

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from virtquorum.host.change import Action, Course
    from virtquorum.host.compare import Options
    from virtquorum.host.monitor import Monitor
    from virtquorum.json_text import Json

__all__ = ["EndCopy", "StartCopy", "end", "job_of", "spread_of"]

#: Seconds that QEMU may take to end a job while the guest runs, and while it is paused for that.
_ENDING: Final = 60.0
_PAUSE: Final = 5.0
#: Bytes that may be left to be copied while the guest is paused, if the job was ready once.
_NOTHING_MUCH: Final = 1 << 20
#: Bytes that may be left to be copied while the guest is paused, if the job has been so near to
#: its end for so many seconds, and the guest has always written more.
_LITTLE: Final = 32 << 20
_PATIENCE: Final = 10.0


class _SlowError(HostError):
    """A job has not ended in the time that it was given."""


class StartCopy(LiveStep):
    """Copy a disk onto new members, and wait until they are equal.

    ``source`` is the disk's top node, ``targets`` are the members' nodes.
    """

    words = "copy the disk to the new members"

    def __init__(self, monitor: Monitor, source: str, targets: Sequence[str], alias: str) -> None:
        super().__init__(monitor)
        self.source = source
        self.job = job_of(alias)
        self._spread: list[Options] = []
        self._target = targets[0]
        #: Since when little is left to be copied.
        self._near: float | None = None
        if len(targets) > 1:
            self._spread = [_spread(spread_of(alias), targets)]
            self._target = name_of(self._spread[0])

    @property
    def _mirror(self) -> dict[str, Json]:
        return {
            "job-id": self.job,
            "device": self.source,
            "target": self._target,
            "sync": "full",
            # QEMU 7.2 crashes when a job with copy-mode=write-blocking ends before its time
            # while the guest writes.
            "copy-mode": "background",
            "on-source-error": "report",
            "on-target-error": "report",
            "auto-dismiss": False,
        }

    @property
    def actions(self) -> tuple[Action, ...]:
        """The commands."""
        return (
            *opening(self._spread),
            MonitorCommand(command=command("blockdev-mirror", self._mirror)),
        )

    def do(self, course: Course) -> None:
        """Copy; raises HostError with QEMU's reason if the job ends."""
        if self.job in self.monitor.jobs():
            raise HostError(
                f"domain '{self.monitor.name}': the job '{self.job}' of an earlier change is still "
                f"there; run 'virtquorum doctor {self.monitor.name}'"
            )
        for one in self._spread:
            self.monitor.command("blockdev-add", **one)
        self.monitor.command("blockdev-mirror", **self._mirror)
        wait_until(lambda: self._is_ready(course), float("inf"), course.safe_point)

    def _is_ready(self, course: Course) -> bool:
        """Whether all is equal, or has nearly been so for a while, since the guest writes on."""
        job = _running(self.monitor, self.job)
        done, total = int(job["current-progress"]), int(job["total-progress"])
        course.progress(done, total)
        if total == 0 or total - done > _LITTLE:
            self._near = None
        elif self._near is None:
            self._near = time.monotonic()
        if job["status"] == "ready" and total - done <= _NOTHING_MUCH:
            return True
        return self._near is not None and time.monotonic() - self._near > _PATIENCE

    def bring_back(self) -> None:
        """End the job; what it has written stays in images that nobody votes with."""
        end(self.monitor, self.job, force=True)
        close(self.monitor, self._spread)


class EndCopy(LiveStep):
    """End the copying while the guest is paused: now the members are as the disk is."""

    words = "end the copying"

    def __init__(self, monitor: Monitor, copy: StartCopy) -> None:
        super().__init__(monitor)
        self.copy = copy

    @property
    def actions(self) -> tuple[Action, ...]:
        """The commands."""
        ending: dict[str, Json] = {"device": self.copy.job}
        return (
            MonitorCommand(command=command("block-job-cancel", ending)),
            Text(text="qemu: (the job is ready: it ends when all is equal)"),
            MonitorCommand(command=command("job-dismiss", {"id": self.copy.job})),
        )

    def do(self, course: Course) -> None:
        """End it; raises HostError if not all has been copied in a time that a guest can bear."""
        begin = time.monotonic()
        if not wait_until(self._is_ready, _PAUSE):
            raise self._late()
        left = max(begin + _PAUSE - time.monotonic(), 0)
        try:
            error = end(self.monitor, self.copy.job, force=False, seconds=left)
        except _SlowError:
            raise self._late() from None
        if error is not None:
            raise _failed(self.monitor, error)
        close(self.monitor, self.copy._spread)

    def _late(self) -> HostError:
        return HostError(
            f"domain '{self.monitor.name}': the new members were not equal to the disk within "
            f"{_PAUSE:g} seconds in which the guest was paused: they are slow, or it writes much; "
            "try again when it writes less, choose a faster place for them, or shut the guest down "
            "and change the definition (--config)"
        )

    def _is_ready(self) -> bool:
        return bool(_running(self.monitor, self.copy.job)["status"] == "ready")


def end(monitor: Monitor, job: str, *, force: bool, seconds: float = _ENDING) -> str | None:
    """End a job if it is there; what went wrong with it, in QEMU's words.

    Without ``force`` a job that is ready makes all equal first.  Raises
    HostError for one that has not ended after so many ``seconds``.
    """
    found = monitor.jobs().get(job)
    if found is None:
        return None
    if found["status"] not in ("concluded", "aborting"):
        monitor.command("block-job-cancel", device=job, force=force)
    if not wait_until(lambda: _is_concluded(monitor, job), seconds):
        raise _SlowError(f"domain '{monitor.name}': the job '{job}' does not end")
    error = monitor.jobs()[job].get("error")
    monitor.command("job-dismiss", id=job)
    return None if error is None else str(error)


def _is_concluded(monitor: Monitor, job: str) -> bool:
    return bool(monitor.jobs()[job]["status"] == "concluded")


def _running(monitor: Monitor, job: str) -> Mapping[str, Any]:
    """A job that runs; raises HostError if it has ended."""
    found = monitor.jobs().get(job)
    if found is None or found["status"] in ("aborting", "concluded", "null"):
        raise _failed(monitor, "it was ended" if found is None else found.get("error"))
    return found


def _failed(monitor: Monitor, why: object) -> HostError:
    return HostError(
        f"domain '{monitor.name}': the copy was not finished, QEMU says: {why}; either the disk "
        "cannot be read everywhere (too few members agree), or a new image cannot be written"
    )


def job_of(alias: str) -> str:
    """The id of the job that copies a disk."""
    return f"vq-copy-{key_of(alias)}"


def spread_of(alias: str) -> str:
    """The name of the quorum through which several members are filled."""
    return f"vq-fill-{key_of(alias)}"


def _spread(name: str, targets: Sequence[str]) -> Options:
    """A quorum whose writes must succeed on all of its members."""
    return {
        "driver": "quorum",
        "node-name": name,
        "vote-threshold": len(targets),
        "children": list(targets),
    }
