"""Members that stay what they are called, and get another file: the one of that name by now.

The node of such a member has its old file still, and votes.  So the new file is
opened under names of its own and copied to; in the pause these are closed, and
the member's nodes are closed and opened again by their path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from virtquorum.host.compare import Difference, children_of, key_of, name_of
from virtquorum.host.guards import unfilled

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from virtquorum.host.compare import Options
    from virtquorum.json_text import Json

__all__ = ["Refilled"]


class Refilled:
    """The nodes ``anew`` of a graph ``new``, as they are called while they are copied to.

    With ``fill`` unset nothing is copied, and there are no such nodes.
    """

    def __init__(
        self,
        old: Sequence[Options],
        new: Sequence[Options],
        anew: Collection[str],
        *,
        fill: bool,
    ) -> None:
        self._old = old
        self._new = new
        self.names = frozenset(anew)
        self._called = {name: f"vq-again-{key_of(name)}" for name in anew} if fill else {}

    @property
    def nodes(self) -> list[Options]:
        """What is opened to be copied to."""
        return [_renamed(one, self._called) for one in self._new if name_of(one) in self._called]

    @property
    def graph(self) -> list[Options]:
        """The new graph with these nodes in the place of those that they are for."""
        return [_renamed(one, self._called) for one in self._new]

    @property
    def noted(self) -> dict[str, Json]:
        """What is closed in any case, for whoever finds a change that was cut short."""
        closed = [*self._called.values(), *self.names]
        return {"closed": [*sorted(closed)]} if closed else {}

    def targets(self, domain: str) -> list[str]:
        """The nodes that have to be copied to; raises HostError for what cannot be."""
        # Their old file is another image, wherever it is.
        gone = [
            {**one, "filename": f"{one['filename']}\0"} if _has_file(one, self._called) else one
            for one in (_renamed(one, self._called) for one in self._old)
        ]
        found = unfilled(domain, gone, self._new, Difference.of(gone, self._new))
        return [self._called.get(name, name) for name in found]


def _has_file(one: Options, called: Mapping[str, str]) -> bool:
    return name_of(one) in called.values() and "filename" in one


def _renamed(one: Options, called: Mapping[str, str]) -> Options:
    """A node with other names for itself and for those below it."""
    if called.keys().isdisjoint([name_of(one), *children_of(one)]):
        return one
    found: dict[str, Any] = {**one, "node-name": called.get(name_of(one), name_of(one))}
    for key in ("file", "backing"):
        if isinstance(below := one.get(key), str):
            found[key] = called.get(below, below)
    if isinstance(children := one.get("children"), list):
        found["children"] = [called.get(name, name) for name in cast("list[str]", children)]
    return found
