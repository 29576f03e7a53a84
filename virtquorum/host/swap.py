"""The one mechanism for every live change of a quorum: threshold, policies, members, their order.

QEMU cannot reopen a quorum with other options.  So the guest is paused, its
disk is pointed at a stand-in of the same size, the quorum's node is closed and
opened anew, and the disk is pointed back.  That takes some milliseconds, and
with new members as long as it takes to copy to them what little is left.

The stand-in answers every request with an error.  Nothing reaches it while the
guest is paused; and should this process be killed just then and somebody
resume the guest, an error does no silent harm, as zeros would.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from virtquorum.errors import HostError
from virtquorum.host.change import Text
from virtquorum.host.compare import Difference, Options, children_of, name_of, stand_in_name
from virtquorum.host.copy import EndCopy, StartCopy
from virtquorum.host.guards import check_votes
from virtquorum.host.holding import CloseOld, HoldImages
from virtquorum.host.live import Clear, LiveStep, Write, is_running
from virtquorum.host.nodes import (
    AddObjects,
    CloseNodes,
    Look,
    OpenNodes,
    Point,
    RemoveObjects,
    Verify,
    differences,
    size_of,
    unchanged,
)
from virtquorum.host.paused import StillPaused, Undisturbed, Watched, WatchedResume
from virtquorum.host.refilled import Refilled
from virtquorum.host.same_file import Kept, NewFiles, SameFiles, StillNewFiles, check_files
from virtquorum.model.node import Node, node
from virtquorum.qemu.graph import flat

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from virtquorum.host.change import Action, Course, Step
    from virtquorum.host.intent import Intent
    from virtquorum.host.monitor import Monitor
    from virtquorum.qemu.build import Built
    from virtquorum.qemu.objects import QemuObject

__all__ = ["Side", "Sizes", "stand_in", "swap"]

#: Linux's EIO.
_EIO: Final = 5


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Side(Node):
    """A block graph before or after a change: its flat list, the top last, and its objects."""

    nodes: tuple[Any, ...]
    objects: tuple[QemuObject, ...] = ()

    @classmethod
    def of(cls, built: Built) -> Side:
        """A disk's graph without its limits, which libvirt keeps at the frontend."""
        return cls(nodes=tuple(flat(built.top)), objects=built.objects)

    @property
    def top(self) -> str:
        """The name of the top node."""
        return name_of(self.nodes[-1])


def swap(
    monitor: Monitor,
    alias: str,
    old: Side,
    new: Side,
    *,
    intent: Intent,
    recorded: Sequence[Step] = (),
    fill: bool = True,
    bad: Collection[str] = (),
    kept_objects: Collection[str] = (),
    anew: Collection[str] = (),
) -> tuple[Step, ...]:
    """The steps from one graph below a disk to another, with the guest's disk staying as it is.

    ``recorded`` are steps that are done before the guest may see the new
    graph: where it is written down.  New members are copied to with ``fill``;
    without it they must hold the disk's data already.  ``bad`` are nodes that
    are known to be bad; ``kept_objects`` are ids that other disks need.
    ``anew`` are nodes of both graphs whose path names another file by now, of
    members that are to be new: the file is copied to, and then opened.

    Only looks at QEMU.  Raises HostError where it has not the old graph, where
    the new one would have too few members that can be relied on, and where a
    member that stays would be another file.
    """
    is_running(monitor)
    if found := differences(monitor, alias, old.nodes, ordered=False):
        raise HostError(
            f"domain '{monitor.name}': its disk is not as it should be: {'; '.join(found)}; run "
            f"'virtquorum doctor {monitor.name}'"
        )
    check_votes(monitor.name, old.nodes, new.nodes, bad)
    between = Difference.of(old.nodes, new.nodes, anew)
    if between.is_empty:
        return tuple(recorded)
    graphs = Kept(old.nodes, new.nodes, between.kept, anew)
    check_files(monitor, graphs)
    size = size_of(monitor.nodes(), old.top, monitor.name)
    write = Write(monitor, intent, "swap", alias, list(old.nodes), list(new.nodes))
    write.checks.append(lambda: unchanged(monitor, alias, old.nodes))
    write.checks.append(partial(check_files, monitor, graphs))
    refilled = Refilled(old.nodes, new.nodes, anew, fill=fill)
    write.more.update(refilled.noted)
    targets = refilled.targets(monitor.name) if fill else []
    if targets and old.nodes[-1].get("read-only") is True:
        raise HostError(
            f"domain '{monitor.name}': its disk is <readonly/>, so QEMU writes to no new member "
            "while the guest runs; shut the guest down and change it then, or say --no-copy if "
            "the image holds the disk's data already"
        )
    steps = _Steps(monitor, alias, old, new, between, size, refilled)
    return (
        write,
        *steps.opened(),
        *steps.swapped(targets, stand_in(alias, size), recorded),
        *steps.tidied(stand_in(alias, size), kept_objects),
        Clear(monitor, intent),
        Undisturbed(monitor, steps.suspend),
    )


class _Steps:
    """The steps of a swap, in three parts: the guest runs, the guest is paused, the guest runs."""

    def __init__(
        self,
        monitor: Monitor,
        alias: str,
        old: Side,
        new: Side,
        between: Difference,
        size: int,
        refilled: Refilled,
    ) -> None:
        self.monitor = monitor
        self.alias = alias
        self.old = old
        self.new = new
        self.between = between
        self.size = size
        self.refilled = refilled
        self.suspend = Watched(monitor, alias)
        #: What is opened before the pause, under the names that it has then.
        self.early = [*between.early, *refilled.nodes]
        added = [one for one in new.nodes if name_of(one) not in between.kept]
        self.files = NewFiles(monitor, added, self.early)

    def opened(self) -> Iterator[Step]:
        """What can be done before: all that may fail should fail here."""
        before = {one.id for one in self.old.objects}
        objects = [one for one in self.new.objects if one.id not in before]
        if objects:
            yield AddObjects(self.monitor, objects)
        if self.early:
            yield OpenNodes(self.monitor, self.early, "open the new members")
        if self.files.nodes:
            yield self.files
        yield Sizes(self.monitor, self.refilled.graph)

    def swapped(
        self, targets: Sequence[str], between: Options, recorded: Sequence[Step]
    ) -> Iterator[Step]:
        """The pause, and what comes right before it."""
        monitor, alias = self.monitor, self.alias
        copy = StartCopy(monitor, self.old.top, targets, alias) if targets else None
        look = Look(monitor, alias, self.old.top, self.size)
        away = Point(monitor, look, self.old.top, name_of(between), measures=False)
        yield OpenNodes(monitor, [between], "open a stand-in for the quorum")
        yield HoldImages(monitor, alias, self.old.nodes)
        if copy is not None:
            yield copy
        yield look
        anew = self.refilled.names
        graphs = Kept(self.old.nodes, self.new.nodes, self.between.kept, anew)
        yield SameFiles(monitor, alias, graphs)
        yield self.suspend
        if copy is not None:
            yield EndCopy(monitor, copy)
        if self.refilled.nodes:
            yield StillNewFiles(monitor, self.files)  # what is closed next is not to be had again
            yield CloseNodes(monitor, self.refilled.nodes, "close what was copied to, for a moment")
        yield away
        yield StillPaused(monitor, self.suspend)
        yield CloseOld(monitor, self.between.closed)
        yield OpenNodes(monitor, self.between.late, "open the quorum as it shall be")
        yield Point(monitor, look, name_of(between), self.new.top, measures=True)
        if self.files.nodes:
            yield StillNewFiles(monitor, self.files)
        yield from recorded
        yield Verify(monitor, alias, self.new.nodes)
        yield WatchedResume(monitor, self.suspend)

    def tidied(self, between: Options, kept_objects: Collection[str]) -> Iterator[Step]:
        """What can be done after."""
        yield CloseNodes(
            self.monitor, [*self.between.leftover, between], "close what is not needed any more"
        )
        needed = {one.id for one in self.new.objects}.union(kept_objects)
        gone = [one.id for one in self.old.objects if one.id not in needed]
        if gone:
            yield RemoveObjects(self.monitor, gone)


class Sizes(LiveStep):
    """See that the members of each quorum are of one size; QEMU sees to it only at its start."""

    words = "see that all members have the same size"

    def __init__(self, monitor: Monitor, nodes: Sequence[Options]) -> None:
        super().__init__(monitor)
        self.nodes = nodes

    @property
    def actions(self) -> tuple[Action, ...]:
        """What is looked at."""
        return (Text(text="qemu: query-named-block-nodes (image.virtual-size)"),)

    def do(self, course: Course) -> None:
        """Raise HostError for a quorum whose members, as far as they are open, differ."""
        there = self.monitor.nodes()
        for one in self.nodes:
            if one["driver"] != "quorum":
                continue
            members = [name for name in children_of(one) if name in there]
            sizes = {name: size_of(there, name, self.monitor.name) for name in members}
            if len(set(sizes.values())) > 1:
                said = ", ".join(f"'{name}' has {size}" for name, size in sizes.items())
                raise HostError(
                    f"domain '{self.monitor.name}': the members of '{name_of(one)}' differ in "
                    f"size: {said} bytes; give the new one the size of the others (qemu-img resize)"
                )


def stand_in(alias: str, size: int) -> Options:
    """The node that stands in for a quorum of a size (bytes): every request is an error."""
    return {
        "driver": "blkdebug",
        "node-name": stand_in_name(alias),
        "image": {"driver": "null-co", "size": size},
        "inject-error": [{"event": "none", "errno": _EIO}],
    }
