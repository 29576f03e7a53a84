"""What has to happen to get from one block graph to another, node by node.

Nodes are compared as flat lists (BlockdevOptions that name their children).  A
node stays open if its options and all below it are the same.  What can be
opened while the guest still runs is opened then, so that a missing image is
found before anything has changed; what need not be closed before the guest
runs again is closed after it.  What is left is the work of the pause.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, cast

from virtquorum.model.node import Node, node

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from virtquorum.host.monitor import Edge
    from virtquorum.json_text import Json

__all__ = [
    "Difference",
    "Options",
    "children_of",
    "edges",
    "key_of",
    "name_of",
    "place_of",
    "stand_in_name",
]

#: A node as QEMU takes it.
Options = dict[str, "Json"]

#: Where a node names another one, beside ``children``.
_CHILD: Final = ("file", "backing")
#: What does not tell where a node's data is.
_NOT_THE_PLACE: Final = (
    "node-name", "read-only", "auto-read-only", "discard", "detect-zeroes", "cache", "aio",
)  # fmt: skip


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Difference(Node):
    """The nodes of two graphs by what happens to them; each list has those below first."""

    #: Stay open.
    kept: tuple[str, ...]
    #: New, opened before the guest is paused.
    early: tuple[Any, ...]
    #: New, opened in the pause, when what stands in their way is closed.
    late: tuple[Any, ...]
    #: Old, closed in the pause.
    closed: tuple[Any, ...]
    #: Old, closed when the guest runs again.
    leftover: tuple[Any, ...]

    @classmethod
    def of(
        cls, old: Iterable[Options], new: Iterable[Options], anew: Collection[str] = ()
    ) -> Difference:
        """Compare two flat lists; nodes ``anew`` are closed and opened though they are equal."""
        before = {name_of(one): one for one in old}
        after = {name_of(one): one for one in new}
        kept = _kept({name: one for name, one in before.items() if name not in anew}, after)
        gone = {name: one for name, one in before.items() if name not in kept}
        added = {name: one for name, one in after.items() if name not in kept}
        # QEMU locks an image that is written to: it cannot be open twice.
        written = _written(before) + _written(after)
        late = _late(added, gone, written)
        closed = _closed(gone, kept, {name: after[name] for name in late}, written)
        return cls(
            kept=tuple(name for name in after if name in kept),
            early=tuple(one for name, one in added.items() if name not in late),
            late=tuple(one for name, one in added.items() if name in late),
            closed=tuple(one for name, one in gone.items() if name in closed),
            leftover=tuple(one for name, one in gone.items() if name not in closed),
        )

    @property
    def is_empty(self) -> bool:
        """Whether the graphs are the same."""
        return not (self.early or self.late or self.closed or self.leftover)


def name_of(one: Options) -> str:
    """A node's name."""
    name = one["node-name"]
    assert isinstance(name, str)
    return name


def key_of(alias: str) -> str:
    """Eight hexadecimal digits for a disk, for the names of what is there for a short time."""
    return sha256(alias.encode()).hexdigest()[:8]


def stand_in_name(alias: str) -> str:
    """The name of the node that a disk is at while its quorum is exchanged."""
    return f"vq-standin-{key_of(alias)}"


def children_of(one: Options) -> list[str]:
    """The names of the nodes directly below a node of a flat list."""
    found = [one[key] for key in _CHILD if isinstance(one.get(key), str)]
    children = one.get("children")
    if isinstance(children, list):
        found += children
    return cast("list[str]", found)


def _kept(before: dict[str, Options], after: dict[str, Options]) -> set[str]:
    kept: set[str] = set()
    for name, one in after.items():  # those below come first
        if before.get(name) == one and kept.issuperset(children_of(one)):
            kept.add(name)
    return kept


def _late(added: dict[str, Options], gone: dict[str, Options], written: list[Options]) -> set[str]:
    """New nodes whose name or image an old node still has, quorums over old members, and above."""
    places = [place for one in gone.values() if (place := place_of(one)) in written]
    parents = {below for one in gone.values() for below in children_of(one)}
    late: set[str] = set()
    for name, one in added.items():
        children = children_of(one)
        is_in_the_way = name in gone or (not children and place_of(one) in places)
        # An old node still has this one, and would not let another write to it.
        if is_in_the_way or not (late | parents).isdisjoint(children):
            late.add(name)
    return late


def _closed(
    gone: dict[str, Options],
    kept: Collection[str],
    late: dict[str, Options],
    written: list[Options],
) -> dict[str, Options]:
    """Old nodes in the way of late ones or of what stays, and all old nodes above those."""
    places = [place for one in late.values() if (place := place_of(one)) in written]
    closed: dict[str, Options] = {}
    for name, one in gone.items():
        children = children_of(one)
        is_in_the_way = name in late or (not children and place_of(one) in places)
        if is_in_the_way or any(child in kept or child in closed for child in children):
            closed[name] = one
    return closed


def _written(nodes: dict[str, Options]) -> list[Options]:
    """The places that a node above them may write to."""
    found = []
    for one in nodes.values():
        below = one.get("file")
        storage = nodes[below] if isinstance(below, str) and below in nodes else None
        if storage is not None and not children_of(storage) and one.get("read-only") is not True:
            found.append(place_of(storage))
    return found


def place_of(one: Options) -> Options:
    """Where a storage node has its data."""
    return {key: value for key, value in one.items() if key not in _NOT_THE_PLACE}


def edges(nodes: Iterable[Options]) -> set[Edge]:
    """Which node of a flat list is which child of which, as QEMU shows it."""
    found: set[Edge] = set()
    for one in nodes:
        for key in _CHILD:
            if isinstance(child := one.get(key), str):
                found.add((name_of(one), key, child))
        children = one.get("children")
        if isinstance(children, list):
            found |= {
                (name_of(one), f"children.{number}", str(child))
                for number, child in enumerate(children)
            }
    return found
