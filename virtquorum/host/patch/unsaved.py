"""A running domain that was changed cannot be saved, nor migrated.

What is saved goes on from the command line of its start: with a member that
was removed since, or with the placeholder in the place of a disk that was
plugged in.  QEMU refuses to hand its disks over while a node insists on
writing; such a node stands on nothing but zeros here, and goes with QEMU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.host.live import LiveStep
from virtquorum.host.nodes import nosave_name, opening

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from virtquorum.host.change import Action, Course
    from virtquorum.host.compare import Options
    from virtquorum.host.monitor import Monitor
    from virtquorum.stock.lower import Lowering
    from virtquorum.xml.domain import Domain

__all__ = ["ForbidSaving", "forbidden", "forbidding", "unsaved", "unsaved_from_start"]


def unsaved(name: str, definition: Domain | None) -> str:
    """How long a domain that was changed while it ran cannot be saved, and why.

    ``definition`` is what its next start takes, lifted; None if it has none.
    """
    what = f"'{name}' cannot be saved or migrated any more"
    why = "libvirt would bring it back with the disks of its start"
    if definition is None:
        return f"{what}, as long as it runs: {why}"
    for target in _rewriting(definition):
        return (
            f"{what}, nor from its next start on: QEMU does not let go of a quorum with "
            f"rewrite_corrupted='on', which '{target}' has in its definition"
        )
    return f"{what} until it is shut down and started again: {why}"


def unsaved_from_start(name: str, before: Domain, after: Domain) -> Iterator[str]:
    """What is to be known where a definition keeps its domain from being saved, and did not.

    ``before`` and ``after`` are the definition, lifted.
    """
    if not any(_rewriting(before)):
        for target in _rewriting(after):
            yield (
                f"from its next start on '{name}' cannot be saved or migrated: QEMU does not let "
                f"go of a quorum with rewrite_corrupted='on', which '{target}' has in its "
                "definition then"
            )
            return


def _rewriting(definition: Domain) -> Iterator[str]:
    """The targets of the disks of which QEMU does not let go."""
    for disk in definition.machine_disks:
        if any(quorum.rewrite_corrupted is True for quorum in disk.quorums):
            yield disk.name or ""


def forbidden(monitor: Monitor, drives: Iterable[str]) -> bool:
    """Whether a domain cannot be saved as long as it runs, for the sake of one of its disks.

    ``drives`` are the names of their top nodes.
    """
    nodes = monitor.nodes()
    return any(nosave_name(drive) in nodes for drive in drives)


def forbidding(one: Lowering) -> Options:
    """The node that forbids to save a domain for the sake of one of its disks."""
    return {
        "driver": "blkdebug",
        "node-name": nosave_name(one.drive),
        "image": {"driver": "null-co", "size": 512},
        "take-child-perms": ["write"],
    }


class ForbidSaving(LiveStep):
    """See that the domain cannot be saved as long as it runs."""

    words = "forbid to save or migrate the domain, which would come back with the disk as it was"

    def __init__(self, monitor: Monitor, one: Lowering) -> None:
        super().__init__(monitor)
        self._node = forbidding(one)
        self._is_ours = False

    @property
    def actions(self) -> tuple[Action, ...]:
        """The command."""
        return opening([self._node])

    def do(self, course: Course) -> None:
        """Open the node that forbids it, if that is not there from an earlier change."""
        if self._node["node-name"] not in self.monitor.nodes():
            self._is_ours = True
            self.monitor.command("blockdev-add", **self._node)

    def bring_back(self) -> None:
        """Close the node if it is this step's."""
        name = self._node["node-name"]
        if self._is_ours and name in self.monitor.nodes():
            self.monitor.command("blockdev-del", **{"node-name": name})
