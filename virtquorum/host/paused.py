"""Whether a guest has stayed paused while its disk was exchanged: somebody else may resume it.

QEMU counts what a disk is asked for, so a guest that ran for a moment, and is
paused again, is seen as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from virtquorum.errors import HostError
from virtquorum.host.change import StaysError, Text
from virtquorum.host.live import LiveStep, Resume, Suspend, is_running

if TYPE_CHECKING:
    from virtquorum.host.change import Action, Course
    from virtquorum.host.monitor import Monitor

__all__ = ["StillPaused", "Undisturbed", "Watched", "WatchedResume"]

#: What query-blockstats counts of a disk's requests, failed ones too.
_COUNTED: Final = ("rd_operations", "wr_operations", "flush_operations", "unmap_operations")
_FAILED: Final = tuple(f"failed_{one}" for one in _COUNTED)


def _requests(monitor: Monitor, alias: str) -> list[int] | None:
    """How often a guest has asked for what of a disk; None for one that QEMU does not count."""
    frontend = monitor.needed_frontend(alias)
    path = frontend.path.removeprefix("/machine/peripheral/")
    for one in monitor.command("query-blockstats"):
        if str(one.get("qdev", "")).removeprefix("/machine/peripheral/") == path:
            stats: dict[str, Any] = one["stats"]
            return [int(stats[key]) for key in (*_COUNTED, *_FAILED)]
    return None


class Watched(Suspend):
    """Pause the guest, and take note of what its disk has been asked for until then."""

    def __init__(self, monitor: Monitor, alias: str) -> None:
        super().__init__(monitor, alias)
        self._before: list[int] | None = None
        #: Whether the guest ran before it was let run again.
        self.was_disturbed = False

    def do(self, course: Course) -> None:
        """Pause it, and count."""
        super().do(course)
        self._before = _requests(self.monitor, self.alias)

    def has_run(self) -> bool:
        """Whether the guest runs, or has asked for something of its disk, since it was paused."""
        return is_running(self.monitor) or _requests(self.monitor, self.alias) != self._before


class StillPaused(LiveStep):
    """See that nobody has let the guest run, now that it cannot write to the old disk any more.

    What it has written since the copy ended is in the old members only.
    """

    words = "see that the guest is still paused"

    def __init__(self, monitor: Monitor, suspend: Watched) -> None:
        super().__init__(monitor)
        self.suspend = suspend

    @property
    def actions(self) -> tuple[Action, ...]:
        """What is looked at."""
        return (Text(text="qemu: query-blockstats"),)

    def do(self, course: Course) -> None:
        """Raise HostError for one that has run: the old disk has all that it wrote."""
        if self.suspend.has_run():
            raise HostError(
                f"domain '{self.monitor.name}': somebody else has let the guest run while it was "
                "paused for the change; see that nothing resumes it ('virsh resume', a watchdog), "
                "and try again"
            )


class WatchedResume(Resume):
    """Let the guest run again, and take note of whether it did so before."""

    def __init__(self, monitor: Monitor, suspend: Watched) -> None:
        super().__init__(monitor, suspend)
        self.watched = suspend

    def do(self, course: Course) -> None:
        """Look, and resume it."""
        self.watched.was_disturbed = self.watched.has_run()
        super().do(course)


class Undisturbed(LiveStep):
    """Say at the end whether the guest has run while every request to its disk was an error."""

    words = "see that nobody else let the guest run meanwhile"

    def __init__(self, monitor: Monitor, suspend: Watched) -> None:
        super().__init__(monitor)
        self.suspend = suspend

    def do(self, course: Course) -> None:
        """Raise StaysError where it has: the change is made."""
        if self.suspend.was_disturbed:
            raise StaysError(
                f"somebody else let the guest of '{self.monitor.name}' run while it was paused for "
                "the change, and it may have been told of I/O errors of its disk; look at what it "
                "says of its file systems"
            )
