"""A graph is built anew below a disk, of what there is of it and what there is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.errors import HostError, MonitorError
from virtquorum.host.change import Asked, StaysError, Text
from virtquorum.host.compare import children_of, edges, name_of, stand_in_name
from virtquorum.host.copy import spread_of
from virtquorum.host.hold import files_below, hold, holds_on, try_to_open
from virtquorum.host.live import LiveStep, is_running, left_paused
from virtquorum.host.nodes import close_node, differences, point, size_of
from virtquorum.host.places import node_differences
from virtquorum.host.swap import stand_in

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from virtquorum.host.change import Action, Course
    from virtquorum.host.compare import Options
    from virtquorum.host.intent import Intention
    from virtquorum.host.monitor import Monitor

__all__ = ["MendingStep", "Rebuild", "close_all", "names_of", "sound_nodes"]


class MendingStep(LiveStep):
    """A step that is not undone: what it has mended stays mended, and it can be begun again."""

    def __init__(self, monitor: Monitor, intention: Intention) -> None:
        super().__init__(monitor)
        self.intention = intention

    def bring_back(self) -> None:
        """Say that it is not as before."""
        raise StaysError("what was mended stays so, and the rest can be tried again")

    def aftermath(self) -> str | None:
        """Whether the guest is paused still, and what its disk is at."""
        return left_paused(self.monitor, self.intention.alias, ran=self.intention.ran)


class Rebuild(MendingStep):
    """Build a graph below the disk anew, of what there is of it and what there is not."""

    words = "build the disk's graph anew"
    pauses = True

    def __init__(self, monitor: Monitor, intention: Intention, wanted: Sequence[Options]) -> None:
        super().__init__(monitor, intention)
        self.wanted = wanted
        #: The node that the disk had, and all that there were.
        self._before: str | None = None
        self._there: set[str] = set()

    @property
    def actions(self) -> tuple[Action, ...]:
        """What is done."""
        return (
            Asked(call=f"suspend {self.monitor.name}"),
            Text(text=f"qemu: blockdev-del, blockdev-add, qom-set: {name_of(self.wanted[-1])}"),
        )

    def do(self, course: Course) -> None:
        """Pause the guest, point its disk at the stand-in, and build; raises HostError.

        A guest that was paused for it runs again if its disk has still what it had.
        """
        monitor, alias = self.monitor, self.intention.alias
        if not differences(monitor, alias, self.wanted):
            return  # with the job went what was in the way
        before = self._before = monitor.needed_frontend(alias).node
        self._there = set(monitor.nodes())
        self._see_images()
        ran = is_running(monitor)
        if ran:
            monitor.asked("suspend", monitor.domain.suspend)
        try:
            self._build()
        except HostError:
            if before is not None and before in monitor.nodes():
                point(monitor, alias, before)
                if ran:
                    monitor.asked("resume", monitor.domain.resume)
            raise

    def bring_back(self) -> None:
        """Close what was opened, if the disk has still what it had; raises StaysError otherwise."""
        monitor, alias = self.monitor, self.intention.alias
        now, there = monitor.needed_frontend(alias).node, monitor.nodes().keys()
        is_as_before = now is not None and now == self._before and self._there <= there
        if not is_as_before or now == stand_in_name(alias):
            super().bring_back()
        close_all(monitor, (names_of(self.intention) | {stand_in_name(alias)}) - self._there)

    def _see_images(self) -> None:
        """Raise HostError for an image that is to be opened and is not there."""
        there = self._sound() if self._is_exchanged else set(self.monitor.nodes())
        for one in self.wanted:
            if name_of(one) not in there:
                try:
                    try_to_open(self.monitor, self.intention.alias, one)
                except MonitorError as error:
                    raise HostError(f"{error}; {_way_to(self.monitor.name)}") from None

    def _build(self) -> None:
        monitor, alias = self.monitor, self.intention.alias
        frontend = monitor.needed_frontend(alias)
        if frontend.node is not None and self._is_exchanged:
            size = size_of(monitor.nodes(), frontend.node, monitor.name)
            between = stand_in(alias, size)
            if name_of(between) not in monitor.nodes():
                monitor.command("blockdev-add", **between)
            hold(monitor, alias, files_below(monitor, frontend.node))
            point(monitor, alias, name_of(between))
            close_all(monitor, (names_of(self.intention) - self._sound()) | self._wrong)
        there = monitor.nodes()
        for one in self.wanted:
            if name_of(one) not in there:
                monitor.command("blockdev-add", **one)
        point(monitor, alias, name_of(self.wanted[-1]))
        if found := differences(monitor, alias, self.wanted):
            raise HostError(f"domain '{monitor.name}': {'; '.join(found)}")

    @property
    def _is_exchanged(self) -> bool:
        """Whether what is there is closed first."""
        return self.intention.kind == "swap"

    @property
    def _wrong(self) -> set[str]:
        """The nodes that cannot stay, whatever they are made of."""
        known = self.intention.known.get("closed") or []
        return {*known, spread_of(self.intention.alias)}

    def _sound(self) -> set[str]:
        """The nodes of the graph that can stay open: what is closed may not open again."""
        graphs = [one for graph in self.intention.graphs for one in graph or []]
        others = {name_of(one) for one in graphs if one not in self.wanted}
        return sound_nodes(self.monitor, self.wanted, but=others | self._wrong)


def sound_nodes(
    monitor: Monitor, wanted: Sequence[Options], *, but: Collection[str] = ()
) -> set[str]:
    """The nodes of a flat list that QEMU has as they stand there, and all below them."""
    there, seen = monitor.nodes(), monitor.edges()
    sound: set[str] = set()
    for one in wanted:  # those below come first
        name = name_of(one)
        stands = sound.issuperset(children_of(one)) and edges([one]) <= seen
        if stands and name in there and name not in but and not node_differences(one, there[name]):
            sound.add(name)
    return sound


def names_of(intention: Intention) -> set[str]:
    """The nodes of both graphs."""
    return {name_of(one) for graph in intention.graphs for one in graph or []}


def _way_to(domain: str) -> str:
    """What to do where an image is gone that a disk cannot be built without."""
    return (
        "bring that image itself back, or put a copy of a good member in its place (a blank one "
        "would be a bad member); or end what runs ('virtquorum destroy "
        f"{domain}'), replace the member in the definition, and 'virtquorum start {domain}'"
    )


def close_all(monitor: Monitor, names: Collection[str]) -> None:
    """Close nodes, those above before those below, if they are open; what holds them as well."""
    left = monitor.nodes().keys() & names
    left |= holds_on(monitor, left)
    while left:
        below = {child for parent, _, child in monitor.edges() if parent in left}
        tops = left - below
        if not tops:
            raise HostError(f"domain '{monitor.name}': nodes stand on each other: {sorted(left)}")
        for name in sorted(tops, reverse=True):  # what holds images before its stand-in
            close_node(monitor, name)
        left -= tops
