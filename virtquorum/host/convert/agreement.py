"""Whether a member agrees with the vote, found out while the guest runs.

The disk is read from its beginning to its end, and what is read goes nowhere.
QEMU says of each read by an event which members were outvoted
(QUORUM_REPORT_BAD, at most once a second for a member); such events come
through libvirt's event loop.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from virtquorum.errors import HostError, LibvirtError
from virtquorum.host.change import MonitorCommand
from virtquorum.host.copy import end, job_of, spread_of
from virtquorum.host.live import LiveStep
from virtquorum.host.monitor import wait_until
from virtquorum.host.nodes import close, size_of
from virtquorum.qemu.qmp import command

if TYPE_CHECKING:
    from collections.abc import Collection

    from virtquorum.host.change import Action, Course
    from virtquorum.host.compare import Options
    from virtquorum.host.monitor import Monitor
    from virtquorum.json_text import Json

__all__ = ["ReadAll"]

_EVENT: Final = "QUORUM_REPORT_BAD"
#: QEMU keeps a member's next event back for a second; so long it may come after the reading.
_SECONDS: Final = 1.2
_SKIP: Final = "--no-compare goes on without it"


class ReadAll(LiveStep):
    """Read the whole disk, and see that a member was never outvoted.

    ``target`` is the disk's, ``top`` the node that votes, ``nodes`` are the
    member's, and ``called`` is the member for messages.
    """

    def __init__(
        self,
        monitor: Monitor,
        alias: str,
        target: str,
        top: str,
        nodes: Collection[str],
        called: str,
    ) -> None:
        super().__init__(monitor)
        self.target = target
        self.top = top
        self.nodes = frozenset(nodes)
        self.called = called
        self.job = job_of(alias)
        self._sink = spread_of(alias)
        self._bad: dict[str, tuple[int, int]] = {}
        self._watch: int | None = None

    @property
    def title(self) -> str:
        """What it does."""
        return f"read the whole disk, to see that {self.called} agrees with the vote"

    @property
    def actions(self) -> tuple[Action, ...]:
        """The commands."""
        sink = command("blockdev-add", self._null(0))
        return tuple(
            MonitorCommand(command=one) for one in (sink, command("blockdev-mirror", self._mirror))
        )

    def _null(self, size: int) -> Options:
        return {"driver": "null-co", "node-name": self._sink, "size": size}

    @property
    def _mirror(self) -> dict[str, Json]:
        return {
            "job-id": self.job,
            "device": self.top,
            "target": self._sink,
            "sync": "full",
            "on-source-error": "report",
            "on-target-error": "report",
            "auto-dismiss": False,
        }

    def do(self, course: Course) -> None:
        """Read it; raises HostError for a member that does not agree, or cannot be read."""
        self._listen()
        listening = time.monotonic()
        size = size_of(self.monitor.nodes(), self.top, self.monitor.name)
        self.monitor.command("blockdev-add", **self._null(size))
        self.monitor.command("blockdev-mirror", **self._mirror)
        wait_until(lambda: self._is_read(course), float("inf"), course.safe_point)
        left = listening + _SECONDS - time.monotonic()
        wait_until(lambda: bool(self._found), left, course.safe_point)
        found = self._found
        self.bring_back()
        if found:
            raise self._disagrees(*min(found))

    @property
    def _found(self) -> list[tuple[int, int]]:
        """Where the member was outvoted: from which byte on, in how many bytes."""
        return [at for name, at in self._bad.items() if name in self.nodes]

    def _is_read(self, course: Course) -> bool:
        job = self.monitor.jobs().get(self.job)
        if job is None or job["status"] in ("aborting", "concluded", "null"):
            said = "it was ended" if job is None else job.get("error")
            raise HostError(
                f"domain '{self.monitor.name}': the disk cannot be read everywhere, QEMU says: "
                f"{said}; too few of its members agree: compare them while the domain is off"
            )
        course.progress(int(job["current-progress"]), int(job["total-progress"]))
        return bool(job["status"] == "ready") or bool(self._found)

    def _disagrees(self, at: int, count: int) -> HostError:
        name = self.monitor.name
        return HostError(
            f"domain '{name}': {self.called} does not agree with the others, somewhere in the "
            f"{count} bytes from byte {at} on, and maybe elsewhere; keep another member, or mend "
            f"it first: after 'virtquorum patch {name} set {self.target} --rewrite-corrupted on' "
            f"what is outvoted is overwritten as it is read, here too; {_SKIP}"
        )

    def _listen(self) -> None:
        import libvirt
        import libvirt_qemu

        domain = self.monitor.domain
        try:
            self._watch = libvirt_qemu.qemuMonitorEventRegister(
                domain.connect(), domain, _EVENT, self._note, None, 0
            )
        except libvirt.libvirtError as error:
            raise HostError(
                f"domain '{self.monitor.name}': members cannot be compared while the guest runs, "
                f"since libvirt gives no events: {error}; {_SKIP}"
            ) from None

    def _note(self, _connection: Any, _domain: Any, _event: str, *more: Any) -> None:
        """Called by libvirt: the event's data are JSON, the last but one argument."""
        with suppress(ValueError, KeyError, TypeError):
            found = json.loads(more[-2])
            place = 512 * int(found["sector-num"]), 512 * int(found["sectors-count"])
            self._bad.setdefault(str(found["node-name"]), place)

    def bring_back(self) -> None:
        """End the reading, and listen no more."""
        end(self.monitor, self.job, force=True)
        close(self.monitor, [self._null(0)])
        if self._watch is not None:
            import libvirt
            import libvirt_qemu

            with suppress(LibvirtError, libvirt.libvirtError):
                libvirt_qemu.qemuMonitorEventDeregister(self.monitor.domain.connect(), self._watch)
            self._watch = None
