"""Images stay open, as they are, while nothing writes to them.

QEMU opens an image anew when the last that may write to it is gone: by its
name, for reading.  Under that name there may be nothing by then, and QEMU
refuses what was to be done; or another file, and QEMU takes that.  So a disk
is taken from its quorum only while a node that does nothing has leave to write
to each of its images, with what they hold already.

Such nodes are named after the disk's stand-in, and go with it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from virtquorum.errors import MonitorError
from virtquorum.host.compare import children_of, key_of, name_of, stand_in_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from virtquorum.host.compare import Options
    from virtquorum.host.monitor import Monitor

__all__ = [
    "STAND_IN", "files_below", "hold", "holds", "holds_on", "let_go", "lost", "try_to_open",
]  # fmt: skip

#: The drivers that open a file by its name.
_OF_FILES: Final = ("file", "host_device")
#: What a node above has leave for, that keeps a file open for writing; the first changes nothing.
_HELD: Final = "write-unchanged"
_WRITING: Final = frozenset({_HELD, "write", "resize"})
#: What the names of stand-ins, and of what holds images for them, begin with.
STAND_IN: Final = stand_in_name("").removesuffix(key_of(""))


def holds(alias: str, nodes: Sequence[Options]) -> Iterator[Options]:
    """The nodes that hold the images of a flat list of nodes, as far as those above write to them.

    What is alone in the list may be written to.
    """
    above = {below: one for one in nodes for below in children_of(one)}
    for one in nodes:
        name = name_of(one)
        if one["driver"] in _OF_FILES and above.get(name, one).get("read-only") is not True:
            yield {
                "driver": "blkdebug",
                "node-name": f"{stand_in_name(alias)}-{key_of(name)}",
                "image": name,
                "take-child-perms": [_HELD],
            }


def hold(monitor: Monitor, alias: str, nodes: Sequence[Options]) -> None:
    """Hold those images that may be written to just now, and are not held yet.

    What cannot be held need not be, or what comes next fails and says why.
    """
    there, written = monitor.nodes(), _written(monitor)
    for one in holds(alias, nodes):
        if one["image"] in written and name_of(one) not in there:
            with suppress(MonitorError):
                monitor.command("blockdev-add", **one)


def _written(monitor: Monitor) -> set[str]:
    """The nodes that those above may write to just now: their files are open for it."""
    seen = monitor.command("x-debug-query-block-graph")
    names = {one["id"]: one["name"] for one in seen["nodes"] if one["type"] == "block-driver"}
    return {names[edge["child"]] for edge in seen["edges"] if not _WRITING.isdisjoint(edge["perm"])}


def let_go(monitor: Monitor, stand_in: str) -> None:
    """Let go of all that is held for a stand-in of this name."""
    for name in sorted(monitor.nodes()):
        if name.startswith(f"{stand_in}-"):
            monitor.command("blockdev-del", **{"node-name": name})


def holds_on(monitor: Monitor, names: Collection[str]) -> set[str]:
    """The nodes that hold one of the named ones."""
    return {
        parent
        for parent, _, child in monitor.edges()
        if child in names and parent.startswith(STAND_IN)
    }


def files_below(monitor: Monitor, top: str) -> list[Options]:
    """The nodes below one that have a file."""
    nodes, edges = monitor.nodes(), monitor.edges()
    below, rest = {top}, [top]
    while rest:
        name = rest.pop()
        found = {child for parent, _, child in edges if parent == name} - below
        below |= found
        rest += found
    return [
        {"driver": one["drv"], "node-name": name}
        for name, one in nodes.items()
        if name in below and one["drv"] in _OF_FILES
    ]


def try_to_open(monitor: Monitor, alias: str, one: Options) -> None:
    """See whether QEMU could open the file of a node; raises MonitorError if it is one and cannot.

    Without a parent it takes no locks, and reads nothing.
    """
    if one["driver"] not in _OF_FILES:
        return
    name = f"vq-opens-{key_of(alias)}"
    again: Options = {
        "driver": one["driver"], "filename": one["filename"], "node-name": name, "read-only": True,
    }  # fmt: skip
    monitor.command("blockdev-add", **again)
    monitor.command("blockdev-del", **{"node-name": name})


def lost(monitor: Monitor, alias: str, nodes: Sequence[Options]) -> set[str]:
    """The nodes of a flat list whose file cannot be opened any more, and the rest of their members.

    Raises HostError.
    """
    known = {name_of(one): one for one in nodes}
    found: set[str] = set()
    for name, one in known.items():  # those below come first
        children = children_of(one)
        if one["driver"] != "quorum" and (
            not found.isdisjoint(children) or not _opens(monitor, alias, one)
        ):
            found.add(name)
    for name in reversed(known):
        if name in found:
            found.update(children_of(known[name]))
    return found


def _opens(monitor: Monitor, alias: str, one: Options) -> bool:
    try:
        try_to_open(monitor, alias, one)
    except MonitorError:
        return False
    return True
