"""The steps of a live change in the block graph: nodes, objects, a disk pointed at a node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.errors import HostError, MonitorError
from virtquorum.host.change import MonitorCommand, Text
from virtquorum.host.compare import edges, name_of
from virtquorum.host.hold import STAND_IN, let_go
from virtquorum.host.live import LiveStep
from virtquorum.host.monitor import wait_until
from virtquorum.host.places import node_differences
from virtquorum.qemu.objects import object_options
from virtquorum.qemu.qmp import command

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from virtquorum.host.change import Action, Course
    from virtquorum.host.compare import Options
    from virtquorum.host.monitor import Monitor
    from virtquorum.qemu.objects import QemuObject

__all__ = [
    "AddObjects",
    "CloseNodes",
    "Look",
    "OpenNodes",
    "Point",
    "RemoveObjects",
    "Verify",
    "close",
    "close_node",
    "differences",
    "nosave_name",
    "opening",
    "point",
    "size_of",
    "unchanged",
]

#: Seconds.
_MOMENT: Final = 10.0


class AddObjects(LiveStep):
    """Give QEMU the objects that it has not."""

    words = "give QEMU the objects that the disk leans on"

    def __init__(self, monitor: Monitor, objects: Sequence[QemuObject]) -> None:
        super().__init__(monitor)
        self.objects = objects
        self._added: list[str] = []

    @property
    def actions(self) -> tuple[Action, ...]:
        """The commands."""
        return tuple(
            MonitorCommand(command=command("object-add", object_options(one)))
            for one in self.objects
        )

    def do(self, course: Course) -> None:
        """Add those that are not there."""
        there = self.monitor.objects()
        for one in self.objects:
            if one.id not in there:
                self._added.append(one.id)
                self.monitor.command("object-add", **object_options(one))

    def bring_back(self) -> None:
        """Take away those that were added."""
        there = self.monitor.objects()
        for name in reversed(self._added):
            if name in there:
                self.monitor.command("object-del", id=name)


class RemoveObjects(LiveStep):
    """Take away objects that no disk leans on any more."""

    words = "take away the objects that nothing leans on any more"

    def __init__(self, monitor: Monitor, names: Sequence[str]) -> None:
        super().__init__(monitor)
        self.names = names

    @property
    def actions(self) -> tuple[Action, ...]:
        """The commands."""
        return tuple(
            MonitorCommand(command=command("object-del", {"id": one})) for one in self.names
        )

    def do(self, course: Course) -> None:
        """Remove those that are there."""
        there = self.monitor.objects()
        for name in self.names:
            if name in there:
                self.monitor.command("object-del", id=name)


def opening(nodes: Iterable[Options]) -> tuple[Action, ...]:
    """The commands that open nodes, for a plan."""
    return tuple(MonitorCommand(command=command("blockdev-add", one)) for one in nodes)


class OpenNodes(LiveStep):
    """Open block nodes; those below come first."""

    def __init__(self, monitor: Monitor, nodes: Sequence[Options], words: str) -> None:
        super().__init__(monitor)
        self.nodes = nodes
        self._words = words
        self._ours: list[Options] = []

    @property
    def title(self) -> str:
        """What is opened."""
        return self._words

    @property
    def actions(self) -> tuple[Action, ...]:
        """The commands."""
        return opening(self.nodes)

    def do(self, course: Course) -> None:
        """Open them all; a node of a name that is taken is refused by QEMU."""
        for one in self.nodes:
            course.safe_point()
            self._ours.append(one)
            try:
                self.monitor.command("blockdev-add", **one)
            except MonitorError:
                self._ours.pop()
                self._look_for(name_of(one))
                raise

    def _look_for(self, name: str) -> None:
        if name in self.monitor.nodes():
            raise HostError(
                f"domain '{self.monitor.name}': QEMU has a node '{name}' already; run "
                f"'virtquorum doctor {self.monitor.name}' if a change was cut short"
            ) from None

    def bring_back(self) -> None:
        """Close those that it opened."""
        close(self.monitor, self._ours)


class CloseNodes(LiveStep):
    """Close block nodes, given with those below first; those that are closed already stay so."""

    def __init__(self, monitor: Monitor, nodes: Sequence[Options], words: str) -> None:
        super().__init__(monitor)
        self.nodes = nodes
        self._words = words

    @property
    def title(self) -> str:
        """What is closed."""
        return self._words

    @property
    def actions(self) -> tuple[Action, ...]:
        """The commands."""
        return tuple(
            MonitorCommand(command=command("blockdev-del", {"node-name": name_of(one)}))
            for one in reversed(self.nodes)
        )

    def do(self, course: Course) -> None:
        """Close them, the topmost first."""
        for one in reversed(self.nodes):
            try:
                close_node(self.monitor, name_of(one))
            except MonitorError:
                if name_of(one) in self.monitor.nodes():
                    raise

    def bring_back(self) -> None:
        """Open those again that are closed."""
        there = self.monitor.nodes()
        for one in self.nodes:
            if name_of(one) not in there:
                self.monitor.command("blockdev-add", **one)


def close(monitor: Monitor, nodes: Sequence[Options]) -> None:
    """Close those nodes that are open, the topmost first."""
    there = monitor.nodes()
    for one in reversed(nodes):
        if name_of(one) in there:
            close_node(monitor, name_of(one))


def close_node(monitor: Monitor, name: str) -> None:
    """Close a node; QEMU lets go of it a moment after the device that had it is gone.

    With a stand-in goes what holds images for it.
    """
    if name.startswith(STAND_IN):
        let_go(monitor, name)
    try:
        monitor.command("blockdev-del", **{"node-name": name})
    except MonitorError:
        # It may be free by the time that one looks; what cannot be closed says so again then.
        if not wait_until(lambda: not monitor.is_used(name), _MOMENT):
            raise
        monitor.command("blockdev-del", **{"node-name": name})


class Look(LiveStep):
    """Look where QEMU has a disk, while the guest still runs: it is not looked for in the pause.

    ``top`` is the node that it should have, of a ``size`` (bytes); ``path`` is
    the device's, when it is done.
    """

    words = "look where QEMU has the disk"

    def __init__(self, monitor: Monitor, alias: str, top: str, size: int) -> None:
        super().__init__(monitor)
        self.alias = alias
        self.top = top
        self.size = size
        self.path = ""

    @property
    def actions(self) -> tuple[Action, ...]:
        """What is looked at."""
        return (Text(text="qemu: query-block, query-named-block-nodes"),)

    def do(self, course: Course) -> None:
        """Raise HostError for a disk that is at another node, or of another size."""
        found = self.monitor.needed_frontend(self.alias)
        size = size_of(self.monitor.nodes(), self.top, self.monitor.name)
        if found.node != self.top or size != self.size:
            raise HostError(
                f"domain '{self.monitor.name}': the disk '{self.alias}' is at '{found.node}' and "
                f"has {size} bytes, not at '{self.top}' with {self.size}"
            )
        self.path = found.path


class Point(LiveStep):
    """Point a disk of the guest at another node.

    ``before`` is the node that it has.  QEMU 7.2 aborts when a disk is pointed
    at the node that it has already, and it takes one of another size without
    a word, so both are looked at first; the size if it ``measures`` that.
    """

    def __init__(
        self, monitor: Monitor, look: Look, before: str, after: str, *, measures: bool
    ) -> None:
        super().__init__(monitor)
        self.look = look
        self.alias = look.alias
        self.before = before
        self.after = after
        self.measures = measures

    @property
    def title(self) -> str:
        """Where it is pointed."""
        return f"point the disk '{self.alias}' at '{self.after}'"

    @property
    def actions(self) -> tuple[Action, ...]:
        """The command."""
        path = f"/machine/peripheral/{self.alias}"
        arguments = {"path": path, "property": "drive", "value": self.after}
        return (MonitorCommand(command=command("qom-set", {**arguments})),)

    def do(self, course: Course) -> None:
        """Point it; raises HostError where the sizes differ."""
        monitor, path = self.monitor, self.look.path
        if monitor.command("qom-get", path=path, property="drive") == self.after:
            return
        if self.measures:
            size = size_of(monitor.nodes(), self.after, monitor.name)
            _see_size(monitor, self.alias, self.look.size, self.after, size)
        monitor.command("qom-set", path=path, property="drive", value=self.after)

    def bring_back(self) -> None:
        """Point it back, if it is not there."""
        point(self.monitor, self.alias, self.before)


def point(monitor: Monitor, alias: str, name: str) -> None:
    """Point a disk at a node, unless it is; raises HostError where the sizes differ."""
    found = monitor.needed_frontend(alias)
    if found.node == name:
        return
    nodes = monitor.nodes()
    sizes = [size_of(nodes, one, monitor.name) for one in (found.node, name) if one is not None]
    _see_size(monitor, alias, sizes[0], name, sizes[-1])
    monitor.command("qom-set", path=found.path, property="drive", value=name)
    if (now := monitor.needed_frontend(alias).node) != name:
        raise HostError(
            f"domain '{monitor.name}': the disk '{alias}' was pointed at '{name}' and is at '{now}'"
        )


def _see_size(monitor: Monitor, alias: str, size: int, name: str, found: int) -> None:
    if found != size:
        raise HostError(
            f"domain '{monitor.name}': the disk '{alias}' has {size} bytes and the node '{name}' "
            f"{found}; a disk does not change its size under a guest"
        )


def size_of(nodes: dict[str, dict[str, object]], name: str, domain: str) -> int:
    """A node's virtual size in bytes; raises HostError if there is no such node."""
    image = nodes.get(name, {}).get("image")
    if not isinstance(image, dict):
        raise HostError(
            f"domain '{domain}': QEMU has no block node '{name}'; run 'virtquorum doctor {domain}'"
        )
    return int(image["virtual-size"])


class Verify(LiveStep):
    """Look whether QEMU has a graph, and a disk is at its top."""

    words = "see that QEMU has what it should have"

    def __init__(self, monitor: Monitor, alias: str, nodes: Sequence[Options]) -> None:
        super().__init__(monitor)
        self.alias = alias
        self.nodes = nodes

    @property
    def actions(self) -> tuple[Action, ...]:
        """What is looked at."""
        looked = "query-named-block-nodes, x-debug-query-block-graph, query-block"
        return (Text(text=f"qemu: {looked}"),)

    def do(self, course: Course) -> None:
        """Raise HostError for what differs."""
        if found := differences(self.monitor, self.alias, self.nodes):
            raise HostError(f"domain '{self.monitor.name}': {'; '.join(found)}")


def differences(
    monitor: Monitor, alias: str, nodes: Sequence[Options], *, ordered: bool = True
) -> list[str]:
    """What QEMU has otherwise than a flat list of nodes below a disk says.

    Without ``ordered`` the members of a quorum may be in any order.
    """
    found = []
    there, frontend = monitor.nodes(), monitor.frontend(alias)
    top = name_of(nodes[-1])
    if frontend is None:
        found.append(f"QEMU has no disk with the alias '{alias}'")
    elif frontend.node != top:
        found.append(f"the disk '{alias}' is at the node '{frontend.node}', not at '{top}'")
    for one in nodes:
        name = name_of(one)
        if name not in there:
            found.append(f"there is no node '{name}'")
        else:
            found += node_differences(one, there[name])
    return found + _edge_differences(monitor, nodes, ordered=ordered)


def unchanged(monitor: Monitor, alias: str, nodes: Sequence[Options]) -> None:
    """Raise HostError if a disk has not the graph with which a change of it was planned."""
    if differences(monitor, alias, nodes, ordered=False):
        raise HostError(
            f"domain '{monitor.name}': the disk '{alias}' was changed meanwhile; try again"
        )


def nosave_name(drive: str) -> str:
    """The name of the node that forbids to save a domain for the sake of a disk.

    ``drive`` is the name of the disk's top node.
    """
    return f"{drive.removesuffix('-c')}-nosave"


def _edge_differences(monitor: Monitor, nodes: Sequence[Options], *, ordered: bool) -> list[str]:
    seen, expected = monitor.edges(), edges(nodes)
    if not ordered:
        seen, expected = (
            {(parent, place.partition(".")[0], child) for parent, place, child in both}
            for both in (seen, expected)
        )
    quorums = {name_of(one) for one in nodes if one["driver"] == "quorum"}
    found = [
        f"'{child}' is not the {place} of '{parent}'"
        for parent, place, child in sorted(expected - seen)
    ]
    more = {edge for edge in seen - expected if edge[0] in quorums}
    return found + [f"'{child}' is the {place} of '{parent}'" for parent, place, child in more]
