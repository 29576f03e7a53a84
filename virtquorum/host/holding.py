"""The images of a disk are held while its graph is exchanged, and let go of with what is closed.

So a disk can be pointed away from a quorum of which an image was removed, or a
disk pulled out, though the quorum itself goes on: just when that member is to
be replaced.  And if it is pointed back, all is where it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.host.compare import name_of, stand_in_name
from virtquorum.host.hold import hold, holds, holds_on, let_go
from virtquorum.host.live import LiveStep
from virtquorum.host.nodes import CloseNodes, opening

if TYPE_CHECKING:
    from collections.abc import Sequence

    from virtquorum.host.change import Action, Course
    from virtquorum.host.compare import Options
    from virtquorum.host.monitor import Monitor

__all__ = ["CloseOld", "HoldImages"]


class HoldImages(LiveStep):
    """Hold the images of a graph, so that QEMU opens none of them anew, until it is pointed away.

    ``nodes`` is the flat list that the disk has.
    """

    words = "keep the disk's images open"

    def __init__(self, monitor: Monitor, alias: str, nodes: Sequence[Options]) -> None:
        super().__init__(monitor)
        self.alias = alias
        self.nodes = nodes

    @property
    def actions(self) -> tuple[Action, ...]:
        """The commands."""
        return opening(holds(self.alias, self.nodes))

    def do(self, course: Course) -> None:
        """Hold those that are written to."""
        hold(self.monitor, self.alias, self.nodes)

    def bring_back(self) -> None:
        """Let go of them."""
        let_go(self.monitor, stand_in_name(self.alias))


class CloseOld(CloseNodes):
    """Close the quorum as it was, and what else of it cannot stay, held or not."""

    def __init__(self, monitor: Monitor, nodes: Sequence[Options]) -> None:
        super().__init__(monitor, nodes, "close the quorum as it was")

    def do(self, course: Course) -> None:
        """Let go of what is to be closed, and close it."""
        for name in sorted(holds_on(self.monitor, [name_of(one) for one in self.nodes])):
            self.monitor.command("blockdev-del", **{"node-name": name})
        super().do(course)
