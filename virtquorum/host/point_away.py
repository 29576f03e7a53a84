"""A disk is pointed at the stand-in, and what was below it is closed, with its images held.

So it can be pointed away from a quorum of which an image was removed, or a
disk pulled out, though the quorum itself goes on: just when that member is to
be replaced.  And if it is pointed back, all is where it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.host.change import MonitorCommand
from virtquorum.host.compare import name_of
from virtquorum.host.hold import hold, holds, holds_on, let_go
from virtquorum.host.nodes import CloseNodes, Look, Point
from virtquorum.qemu.qmp import command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from virtquorum.host.change import Action, Course
    from virtquorum.host.compare import Options
    from virtquorum.host.monitor import Monitor

__all__ = ["CloseOld", "PointAway"]


class PointAway(Point):
    """Point a disk at the stand-in, ``after``; ``old`` is the graph that it has."""

    def __init__(
        self,
        monitor: Monitor,
        look: Look,
        old: Sequence[Options],
        after: str,
    ) -> None:
        super().__init__(monitor, look, name_of(old[-1]), after, measures=False)
        self.old = old

    @property
    def actions(self) -> tuple[Action, ...]:
        """The commands."""
        held = holds(self.alias, self.old)
        added = (MonitorCommand(command=command("blockdev-add", one)) for one in held)
        return (*added, *super().actions)

    def do(self, course: Course) -> None:
        """Hold the images, and point it."""
        hold(self.monitor, self.alias, self.old)
        super().do(course)

    def bring_back(self) -> None:
        """Point it back, and let go of the images."""
        super().bring_back()
        let_go(self.monitor, self.after)


class CloseOld(CloseNodes):
    """Close the quorum as it was, and what else of it cannot stay, held or not."""

    def __init__(self, monitor: Monitor, nodes: Sequence[Options]) -> None:
        super().__init__(monitor, nodes, "close the quorum as it was")

    def do(self, course: Course) -> None:
        """Let go of what is to be closed, and close it."""
        for name in sorted(holds_on(self.monitor, [name_of(one) for one in self.nodes])):
            self.monitor.command("blockdev-del", **{"node-name": name})
        super().do(course)
