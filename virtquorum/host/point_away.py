"""A disk is pointed at the stand-in, also where the image of a member that goes is gone already.

QEMU opens an image anew, by its name, when nothing writes to it any more.  So
it does not let a disk go from a quorum of which an image was removed, or a
disk pulled out, though the quorum itself goes on: just when that member is to
be replaced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.errors import HostError, MonitorError
from virtquorum.host.compare import children_of, key_of, name_of
from virtquorum.host.nodes import CloseNodes, Look, Point, close_node

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from virtquorum.host.change import Course
    from virtquorum.host.compare import Options
    from virtquorum.host.monitor import Monitor

__all__ = ["CloseOld", "PointAway"]

#: The drivers that open a file anew.
_OF_FILES: Final = ("file", "host_device")


class PointAway(Point):
    """Point a disk at the stand-in, ``after``.

    Where QEMU refuses that, members whose images are gone and that are no
    members any more after the change are taken out of their quorum first, as
    far as its threshold allows.  ``old`` is the graph that the disk has, and
    ``stays`` the names of the nodes of the next one.
    """

    def __init__(
        self,
        monitor: Monitor,
        look: Look,
        old: Sequence[Options],
        stays: Collection[str],
        after: str,
    ) -> None:
        super().__init__(monitor, look, name_of(old[-1]), after, measures=False)
        self.old = {name_of(one): one for one in old}
        self.stays = stays
        #: Quorums, and their members that are out of them.
        self._out: list[tuple[str, str]] = []

    def do(self, course: Course) -> None:
        """Point it; raises HostError for an image that is gone and cannot be done without."""
        try:
            super().do(course)
        except MonitorError as error:
            self._out = self._gone()
            if not self._out:
                raise self._missed(error, "replace that member, or bring the image back") from None
            self._take_out(error)
            super().do(course)

    def _missed(self, error: MonitorError, way: str) -> HostError:
        return HostError(
            f"{error}; QEMU looks for every image of a disk when its quorum changes: {way}"
        )

    def _gone(self) -> list[tuple[str, str]]:
        """The members that go and have an image that cannot be opened, behind their quorums."""
        return [
            (name, member)
            for name, one in self.old.items()
            if one["driver"] == "quorum"
            for member in children_of(one)
            if member not in self.stays
            and not all(self._opens(self.old[below]) for below in self._below(member))
        ]

    def _below(self, member: str) -> list[str]:
        """The nodes that a member is made of; those of a quorum are members of that."""
        if self.old[member]["driver"] == "quorum":
            return []
        below = [name for child in children_of(self.old[member]) for name in self._below(child)]
        return [member, *below]

    def _opens(self, one: Options) -> bool:
        if one["driver"] not in _OF_FILES:
            return True
        name = f"vq-opens-{key_of(self.alias)}"
        # Without a parent it takes no locks, and reads nothing.
        again: Options = {
            "driver": one["driver"], "filename": one["filename"], "node-name": name,
            "read-only": True,
        }  # fmt: skip
        try:
            self.monitor.command("blockdev-add", **again)
        except MonitorError:
            return False
        close_node(self.monitor, name)
        return True

    def _take_out(self, error: MonitorError) -> None:
        for quorum, member in self._out:
            edges = self.monitor.edges()
            place = next(key for parent, key, child in edges if (parent, child) == (quorum, member))
            try:
                self.monitor.command("x-blockdev-change", parent=quorum, child=place)
            except MonitorError:
                way = (
                    f"the threshold of '{quorum}' needs each of its members; bring the image "
                    "back, or shut the guest down and replace that member then"
                )
                raise self._missed(error, way) from None

    def without(self, one: Options) -> Options:
        """A node's options without the members that were taken out."""
        out = [member for quorum, member in self._out if quorum == one["node-name"]]
        children = [name for name in children_of(one) if name not in out]
        return {**one, "children": [*children]} if out else one

    def bring_back(self) -> None:
        """Point it back, and put back what was taken out: at the end, QEMU has no other place."""
        super().bring_back()
        there = {(parent, child) for parent, _, child in self.monitor.edges()}
        for quorum, member in self._out:
            if (quorum, member) not in there:
                self.monitor.command("x-blockdev-change", parent=quorum, node=member)


class CloseOld(CloseNodes):
    """Close the quorum as it was, from which ``away`` may have taken members out."""

    def __init__(self, monitor: Monitor, nodes: Sequence[Options], away: PointAway) -> None:
        super().__init__(monitor, nodes, "close the quorum as it was")
        self.away = away

    def bring_back(self) -> None:
        """Open it again as ``away`` has left it, which puts the rest back."""
        there = self.monitor.nodes()
        for one in self.nodes:
            if name_of(one) not in there:
                self.monitor.command("blockdev-add", **self.away.without(one))
