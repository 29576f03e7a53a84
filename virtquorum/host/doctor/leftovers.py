"""What stands in QEMU and belongs to no disk: nodes, objects, jobs of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.check.finding import Severity
from virtquorum.host.change import Plan
from virtquorum.host.copy import end
from virtquorum.host.doctor.finding import Ailment
from virtquorum.host.doctor.rebuild import CloseAll, below
from virtquorum.host.live import LiveStep
from virtquorum.host.nodes import RemoveObjects, nosave_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from virtquorum.host.change import Course, Step
    from virtquorum.host.doctor.view import View
    from virtquorum.host.monitor import Monitor

__all__ = ["leftovers"]

_PREFIX: Final = "vq-"
_JOBS: Final = "vq-copy-"
#: A throttle group is a disk's, whose filter is libvirt's at run time.
_NOT_OURS: Final = ("vq-group-",)
#: How the names of nodes end that forbid to save a domain.
_NOSAVE: Final = nosave_name("")
_UNSAVED: Final = "; the domain can neither be saved nor migrated for it"
_CAUSE: Final = "a change was cut short when its note was gone already, or somebody made them"


def leftovers(view: View) -> Iterator[Ailment]:
    """Jobs, nodes and objects with names of ours that no recorded disk needs."""
    made = view.made
    if isinstance(made, str):
        return
    if jobs := [name for name in view.jobs if name.startswith(_JOBS)]:
        yield _found(
            view,
            "job",
            f"{_listed('a block job', 'block jobs', jobs)} of a change that nobody makes any more",
            "the copying is ended; its images are no members",
            *(_EndJob(view.monitor, one) for one in jobs),
        )
        return  # the nodes are the job's until it has ended
    needed = {name for one in made.values() for name in view.needed(one)}
    strays = [name for name in view.nodes if name.startswith(_PREFIX) and name not in needed]
    own = {name for one in view.disks for name in below(view, one.alias)}
    if used := [name for name in strays if name in view.in_use and name not in own]:
        yield Ailment(
            kind="nodes",
            severity=Severity.WARNING,
            domain=view.name,
            message=f"{_listed('a block node', 'block nodes', used)} that something uses, and no "
            "disk of the record",
            cause="somebody sent QEMU commands",
            ways=("whoever uses them should close them, or name them otherwise than 'vq-…'",),
        )
    strays = [name for name in strays if name not in view.in_use]
    if strays:
        yield _found(
            view,
            "nodes",
            f"{_listed('a block node', 'block nodes', strays)} that no disk of the record needs"
            f"{_UNSAVED if any(one.endswith(_NOSAVE) for one in strays) else ''}",
            "closed; no image is touched",
            CloseAll(view.monitor, strays, "close the nodes that no disk needs"),
        )
    yield from _objects(view, {wanted.id for one in made.values() for wanted in one.built.objects})


def _objects(view: View, needed: set[str]) -> Iterator[Ailment]:
    strays = sorted(
        name
        for name in view.objects - needed
        if name.startswith(_PREFIX) and not name.startswith(_NOT_OURS)
    )
    if strays and not _boots_with(view, strays):
        yield _found(
            view,
            "objects",
            f"{_listed('an object', 'objects', strays)} that no disk of the record needs",
            "removed from QEMU",
            RemoveObjects(view.monitor, strays),
        )


def _boots_with(view: View, names: Sequence[str]) -> bool:
    """Whether they are on the command line of a domain that was changed since."""
    if view.record is None:
        return False
    from virtquorum.xml.troubles import node_name

    return set(names) <= {node_name(one) for one in view.record.own_arguments()}


def _found(view: View, kind: str, message: str, mending: str, *steps: Step) -> Ailment:
    return Ailment(
        kind=kind,
        severity=Severity.WARNING,
        domain=view.name,
        message=message,
        cause=_CAUSE,
        mending=mending,
        plan=lambda: Plan(title=f"tidy up '{view.name}'", domain=view.name, steps=steps),
    )


def _listed(one: str, many: str, names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in list(names)[:4])
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return f"QEMU has {one if len(names) == 1 else many}, {shown}{more},"


class _EndJob(LiveStep):
    """End a copy that nobody waits for."""

    words = "end the copying"

    def __init__(self, monitor: Monitor, job: str) -> None:
        super().__init__(monitor)
        self.job = job

    def do(self, course: Course) -> None:
        """End it."""
        end(self.monitor, self.job, force=True)
