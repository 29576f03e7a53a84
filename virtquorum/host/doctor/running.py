"""The quorum disks of a running domain: which node each has, and what that is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.check.finding import Severity
from virtquorum.host.change import Plan
from virtquorum.host.compare import name_of
from virtquorum.host.doctor.finding import Ailment
from virtquorum.host.doctor.half_detached import CAUSE, MENDING, LetGo
from virtquorum.host.doctor.image_files import image_files
from virtquorum.host.doctor.rebuild import rebuilt, taken_out
from virtquorum.host.doctor.view import nodes_of
from virtquorum.host.nodes import OpenNodes, differences
from virtquorum.host.patch.unsaved import ForbidSaving, forbidding
from virtquorum.host.placeholders import Placeholders
from virtquorum.host.swap import Side, stand_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.host.change import Step
    from virtquorum.host.doctor.view import View
    from virtquorum.host.monitor import Frontend
    from virtquorum.host.placeholders import State
    from virtquorum.stock.lowering import Lowering
    from virtquorum.xml.record import Lowered

__all__ = ["running_disks"]

#: QEMU's block jobs put these between a disk and its node.
_OF_JOBS: Final = ("mirror_top", "copy-before-write", "backup-top", "commit_top", "preallocate")
#: What is known of what a guest wrote to its placeholder, by the state of that file.
_WRITTEN: Final = {
    "unknown": "whether it has written there already cannot be seen here",
    "missing": "that file has been removed, and what the guest has written goes with its QEMU",
}
_BY_HAND: Final = "somebody sent QEMU commands, or a change was cut short without its note"


def running_disks(view: View) -> Iterator[Ailment]:
    """What is wrong with the disks in the running domain's record."""
    made = view.made
    if isinstance(made, str):
        yield Ailment(
            kind="untranslatable",
            severity=Severity.ERROR,
            domain=view.name,
            message=f"what QEMU should have for the recorded disks cannot be said: {made}",
            ways=("its disks are not looked at; take care of what is said, and call again",),
        )
        return
    for one in view.disks:
        lowering = made.get(one.target)
        if lowering is not None:
            yield from _Disk(view, one, lowering).ailments()


class _Disk:
    """One quorum disk of a running domain."""

    def __init__(self, view: View, one: Lowered, lowering: Lowering) -> None:
        self.view = view
        self.one = one
        self.lowering = lowering
        self.side = Side.of(lowering.built)

    def ailments(self) -> Iterator[Ailment]:
        """What is wrong with it."""
        if self.one.alias not in self.view.devices:
            yield self._gone()
            return
        frontend = self.view.frontend(self.one.alias)
        if frontend is None or frontend.node is None:
            yield self._found("elsewhere", f"the guest's disk '{self.one.target}' has no medium")
            return
        if frontend.node != self.one.drive:
            yield self._misplaced(frontend)
            return
        if found := differences(self.view.monitor, self.one.alias, self.side.nodes):
            yield self._different(found)
            return
        yield from image_files(self.view, self.one, self.side.nodes)
        yield from self._guards()

    def _found(self, kind: str, message: str, *ways: str) -> Ailment:
        return Ailment(
            kind=kind,
            severity=Severity.ERROR,
            domain=self.view.name,
            disk=self.one.target,
            message=message,
            cause=_BY_HAND,
            ways=ways,
        )

    def _plan(self, what: str, *steps: Step) -> Plan:
        return Plan(title=f"{what} of '{self.view.name}'", domain=self.view.name, steps=steps)

    # The guest has it no more

    def _gone(self) -> Ailment:
        view, one = self.view, self.one
        if view.record is not None and view.record.placeholder(one) is not None:
            return Ailment(
                kind="half-detached",
                severity=Severity.ERROR,
                domain=view.name,
                disk=one.target,
                message=f"libvirt has the disk '{one.target}', and QEMU has not",
                cause=CAUSE,
                mending=MENDING,
                plan=lambda: self._plan(
                    f"tidy up the disk '{one.target}'", LetGo(view.monitor, one.alias)
                ),
            )
        return Ailment(
            kind="detached",
            severity=Severity.WARNING,
            domain=view.name,
            disk=one.target,
            message=f"the guest has let go of the disk '{one.target}', and the domain's record and "
            f"{self._left()} are left of it",
            cause="it was taken out by virsh, or let go of after virtquorum had waited for it",
            mending="what is left is taken away; no image is touched",
            plan=lambda: self._plan(f"tidy up the disk '{one.target}'", *taken_out(view, one)),
        )

    def _left(self) -> str:
        count = len(self.view.nodes.keys() & nodes_of(self.lowering))
        return "a block node" if count == 1 else f"{count or 'no'} block nodes"

    # It is at another node

    def _misplaced(self, frontend: Frontend) -> Ailment:
        node = self.view.nodes.get(frontend.node or "", {})
        target = self.one.target
        if frontend.node == name_of(stand_in(self.one.alias, 0)):
            return self._stand_in()
        is_of_libvirt = str(frontend.node).startswith("libvirt-") and self.one.kept is None
        if is_of_libvirt or node.get("file") == self.one.file:
            return self._at_placeholder()
        if node.get("drv") in _OF_JOBS:
            return Ailment(
                kind="job",
                severity=Severity.NOTE,
                domain=self.view.name,
                disk=target,
                message=f"a block job is on the disk '{target}', which is looked at when it ends",
            )
        return self._rebuildable(
            "elsewhere",
            f"the guest's disk '{target}' is at the node '{frontend.node}', and not at its quorum "
            f"'{self.one.drive}'",
            f"the disk is pointed at the quorum of the record; what the guest wrote to "
            f"'{frontend.node}' stays there",
            asks=True,
        )

    def _stand_in(self) -> Ailment:
        target = self.one.target
        return self._rebuildable(
            "stand-in",
            f"the guest's disk '{target}' is at the stand-in that is there while a quorum is "
            "exchanged; every request is an error",
            "the quorum of the record is built, and the disk pointed at it; a paused guest stays "
            f"paused ('virsh resume {self.view.name}')",
            asks=False,
        )

    def _at_placeholder(self) -> Ailment:
        view, one = self.view, self.one
        message = (
            f"the guest's disk '{one.target}' is the placeholder '{one.file}', and not its quorum: "
            "what the guest writes goes to no member"
        )
        cause = (
            "the domain was restored from a saved state with a disk that had been plugged in, or "
            "started after its <qemu:override> was taken away"
        )
        state = Placeholders(view.host).state(one.file)
        if state in ("there", "blank"):
            return self._rebuildable(
                "placeholder-in-use",
                message,
                "the disk is pointed at its quorum, which the guest has seen empty until then; "
                "nothing was written to the placeholder yet; reset the guest afterwards",
                asks=True,
                cause=cause,
                ways=(f"pause it until you know: 'virsh suspend {view.name}'",),
            )
        return Ailment(
            kind="placeholder-in-use",
            severity=Severity.ERROR,
            domain=view.name,
            disk=one.target,
            message=f"{message}; {_WRITTEN.get(state, 'it has written there already')}",
            cause=cause,
            ways=(self._end_it(state), f"pause it until you know: 'virsh suspend {view.name}'"),
        )

    def _end_it(self, state: State) -> str:
        """The way from a placeholder that was written to."""
        name, file = self.view.name, self.one.file
        kept = f"copy '{file}' away, which holds what was written, and remove it; then "
        return (
            f"end it: 'virsh destroy {name}'; {kept if state != 'missing' else ''}'virtquorum "
            f"start {name}' brings the quorum, as it was before"
        )

    def _different(self, found: list[str]) -> Ailment:
        return self._rebuildable(
            "graph",
            f"QEMU has not the disk '{self.one.target}' of the record: {'; '.join(found)}",
            "the quorum of the record is built in place of it; members that were out of it may be "
            "stale, and are outvoted only if they are few",
            asks=True,
        )

    def _rebuildable(
        self,
        kind: str,
        message: str,
        mending: str,
        *,
        asks: bool,
        cause: str = _BY_HAND,
        ways: tuple[str, ...] = (),
    ) -> Ailment:
        what = f"build the quorum of the disk '{self.one.target}'"
        return Ailment(
            kind=kind,
            severity=Severity.ERROR,
            domain=self.view.name,
            disk=self.one.target,
            message=message,
            cause=cause,
            mending=mending,
            asks=asks,
            ways=ways,
            plan=lambda: self._plan(what, *rebuilt(self.view, self.one.alias, self.side.nodes)),
        )

    # It is what it should be

    def _guards(self) -> Iterator[Ailment]:
        view, one = self.view, self.lowering
        missing = [dict(node) for node in one.guard if name_of(dict(node)) not in view.nodes]
        if missing:
            step = OpenNodes(view.monitor, missing, "open the guard of the placeholder")
            yield self._protection(
                "guard",
                "nothing keeps block jobs from the placeholder of the disk "
                f"'{self.one.target}', which holds nothing of it",
                "its guard is opened",
                step,
            )
        if self.one.plugged and str(forbidding(one)["node-name"]) not in view.nodes:
            yield self._protection(
                "saving",
                f"the domain could be saved, and would come back with the disk '{self.one.target}' "
                "as it was at its start",
                "that is forbidden as long as it runs",
                ForbidSaving(view.monitor, one),
            )

    def _protection(self, kind: str, message: str, mending: str, step: Step) -> Ailment:
        return Ailment(
            kind=kind,
            severity=Severity.WARNING,
            domain=self.view.name,
            disk=self.one.target,
            message=message,
            cause=_BY_HAND,
            mending=mending,
            plan=lambda: self._plan(f"protect the disk '{self.one.target}'", step),
        )
