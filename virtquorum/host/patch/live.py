"""The running domain's half of a change: QEMU's block graph, the device, the record."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from virtquorum.errors import HostError
from virtquorum.host.compare import children_of, name_of
from virtquorum.host.definition import MakePlaceholder, WriteFile
from virtquorum.host.intent import MetadataIntent
from virtquorum.host.live import Clear, Write, is_running
from virtquorum.host.nodes import CloseNodes, OpenNodes, RemoveObjects, size_of
from virtquorum.host.owner import qemu_owner
from virtquorum.host.patch.half import Half, running
from virtquorum.host.patch.record import (
    WriteRecord,
    as_recorded,
    changed_record,
    written_record,
)
from virtquorum.host.patch.unchanged import same_record
from virtquorum.host.patch.unsaved import ForbidSaving, forbidden, forbidding
from virtquorum.host.placeholders import Placeholders
from virtquorum.host.plug import PATIENCE, attach, detach
from virtquorum.host.same_file import others
from virtquorum.host.swap import Side, Sizes, swap
from virtquorum.model.image import Image
from virtquorum.stock.lift import lift
from virtquorum.xml.format import format_disk
from virtquorum.xml.record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from virtquorum.host.change import Course, Step
    from virtquorum.host.compare import Options as Graph
    from virtquorum.host.domain import HostDomain
    from virtquorum.host.monitor import Monitor
    from virtquorum.host.patch.edit import Change
    from virtquorum.host.patch.patch import Options
    from virtquorum.qemu.provided import Provided
    from virtquorum.stock.lower import Lowering
    from virtquorum.xml.domain import Domain

__all__ = ["LiveHalf"]


class LiveHalf(Half):
    """A running domain before and after a change."""

    def __init__(
        self, domain: HostDomain, change: Change, provided: Provided, options: Options
    ) -> None:
        domain.host.need_qemu()
        text, provided, defined = running(domain, provided)
        self.monitor = domain.monitor
        self._options = options
        self._gone = change.kind == "detach" and _is_gone(text, change.target, self.monitor)
        lifted = lift(text, force=self._gone)
        directory = options.get("directory")
        super().__init__(domain, change, text, lifted, provided, directory, defined)

    def _lowerings(self, document: Domain) -> list[Lowering]:
        return as_recorded(self.text, super()._lowerings(document))

    def steps(self) -> tuple[list[Step], set[str]]:
        """The steps, and the placeholders that the running domain has after them."""
        old, new = self._of(self.old), self._of(self.new)
        match self.change.kind:
            case "attach":
                assert new is not None
                steps = self._attach(new)
            case "detach":
                assert old is not None
                steps = self._detach(old)
            case _:
                assert old is not None
                assert new is not None
                steps = self._swap(old, new)
        for step in steps:
            if isinstance(step, Write):
                step.checks.append(lambda: same_record(self.domain, self.text))
        return steps, {one.file for one in self.new}

    def _of(self, found: Sequence[Lowering]) -> Lowering | None:
        return next((one for one in found if self.is_ours(one)), None)

    def _kept_objects(self) -> set[str]:
        """The ids of the objects that other disks lean on."""
        others = [one for one in (*self.old, *self.new) if not self.is_ours(one)]
        return {made.id for one in others for made in one.built.objects}

    def _record(self, new: Lowering | None) -> WriteRecord:
        changed = changed_record(self.text, self.change.target, new)
        return WriteRecord(self.monitor, written_record(self.text), changed)

    def _files(self, new: Lowering, old: Lowering | None = None) -> list[Step]:
        """Secrets and cookies that have to be written."""
        known = dict(old.built.files) if old is not None else {}
        files = [(path, data) for path, data in new.built.files if known.get(path) != data]
        if not files:
            return []
        owner = qemu_owner(self.domain.host)
        return [WriteFile(path, data, owner) for path, data in files]

    def _swap(self, old: Lowering, new: Lowering) -> list[Step]:
        steps = swap(
            self.monitor,
            old.alias,
            Side.of(old.built),
            Side.of(new.built),
            intent=MetadataIntent(self.monitor),
            recorded=[self._record(new)],
            fill=self._options.get("fill", True),
            bad=self._bad(),
            kept_objects=self._kept_objects(),
            anew=self._anew,
        )
        return self._begun(steps, new, old)

    @property
    def is_changed(self) -> bool:
        """Whether the edit made a difference, or a member is to get another file of its name."""
        return super().is_changed or bool(self._anew)

    @property
    def becomes_unsaved(self) -> bool:
        """Whether the domain could be saved until this change, as far as changes go."""
        if self.change.kind == "detach":
            return False
        return not forbidden(self.monitor, [one.drive for one in self.old])

    @cached_property
    def _anew(self) -> set[str]:
        """The nodes of a given member that QEMU has open already, with a file that is not its now.

        That file was renamed or removed, and the path names another one, or none.
        """
        places = self.places()
        if places is None or not self.edited.members or not places[1].quorum.members:
            return set()
        place = places[1]
        nodes = {name_of(one): one for one in Side.of(self._needed(self.new).built).nodes}
        there = {name_of(one): one for one in Side.of(self._needed(self.old).built).nodes}
        found: set[str] = set()
        for member in place.quorum.members:
            at = member.location.path if member.location is not None else None
            name = place.node(member) if isinstance(member, Image) else None
            if at in self.edited.paths and name is not None and nodes.get(name) == there.get(name):
                found |= self._of_other_file(nodes, name)
        return found

    def _of_other_file(self, nodes: Mapping[str, Graph], name: str) -> set[str]:
        """A node and all below it, if the file that its data is in is another one by now."""
        storage = name
        while isinstance(below := nodes[storage].get("file"), str):
            storage = below
        if not others(self.monitor, [nodes[storage]]):
            return set()
        found, rest = set(), [name]
        while rest:
            found.add(one := rest.pop())
            rest += children_of(nodes[one])
        return found

    def _needed(self, found: Sequence[Lowering]) -> Lowering:
        return next(one for one in found if self.is_ours(one))

    def _begun(self, steps: Sequence[Step], new: Lowering, old: Lowering | None) -> list[Step]:
        """Behind the note: what is saved from here on would come back with the note and a job."""
        forbid = ForbidSaving(self.monitor, new)
        at = next((at for at, one in enumerate(steps, 1) if isinstance(one, Write)), 0)
        if at == 0:
            return [*self._files(new, old), forbid, *steps]
        return [*steps[:at], *self._files(new, old), forbid, *steps[at:]]

    def _bad(self) -> list[str]:
        """The nodes of the members that are known to be bad."""
        places = self.places()
        assert places is not None
        place = places[0]
        numbers = [place.member(word) for word in self._options.get("bad", ())]
        members = [place.quorum.members[number] for number in numbers]
        return [name for one in members if (name := place.node(one))]  # type: ignore[arg-type]

    def _attach(self, new: Lowering) -> list[Step]:
        guard = OpenNodes(
            self.monitor, [dict(one) for one in new.guard], "open the guard of the placeholder"
        )
        steps = attach(
            self.monitor,
            new.alias,
            format_disk(new.placeholder).rstrip("\n"),
            Side.of(new.built),
            intent=MetadataIntent(self.monitor),
            recorded=[guard, self._record(new)],
        )
        made = _MakePlaceholder(self.domain, self.monitor, new)
        at = next(at for at, one in enumerate(steps) if isinstance(one, Sizes)) + 1
        return self._begun([*steps[:at], made, *steps[at:]], new, None)

    def _detach(self, old: Lowering) -> list[Step]:
        nodes = [*(dict(one) for one in old.guard), forbidding(old)]
        tidied: list[Step] = [
            CloseNodes(self.monitor, nodes, "close the guard of the placeholder"),
            self._record(None),
        ]
        if self._gone:
            return self._tidy(old, tidied)
        return list(
            detach(
                self.monitor,
                old.alias,
                Side.of(old.built),
                intent=MetadataIntent(self.monitor),
                recorded=tidied,
                seconds=self._options.get("seconds", PATIENCE),
                kept_objects=self._kept_objects(),
            )
        )

    def _tidy(self, old: Lowering, tidied: Sequence[Step]) -> list[Step]:
        """What is left to do of a disk that the guest has let go of meanwhile."""
        is_running(self.monitor)
        intent, side = MetadataIntent(self.monitor), Side.of(old.built)
        gone = [one.id for one in side.objects if one.id not in self._kept_objects()]
        return [
            Write(self.monitor, intent, "detach", old.alias, list(side.nodes), None),
            CloseNodes(self.monitor, side.nodes, "close the quorum"),
            *([RemoveObjects(self.monitor, gone)] if gone else []),
            *tidied,
            Clear(self.monitor, intent),
        ]


class _MakePlaceholder(MakePlaceholder):
    """Make the placeholder of a disk that is plugged in, as large as QEMU has the quorum."""

    def __init__(self, domain: HostDomain, monitor: Monitor, new: Lowering) -> None:
        super().__init__(Placeholders(domain.host), new.file, None)
        self._monitor = monitor
        self._top = name_of(Side.of(new.built).nodes[-1])

    def do(self, course: Course) -> None:
        """Make it; libvirt and the guest see no size but this one."""
        self.size = size_of(self._monitor.nodes(), self._top, self._monitor.name)
        super().do(course)


def _is_gone(text: Domain, target: str, monitor: Monitor) -> bool:
    """Whether a disk of the record is neither in libvirt's XML nor in QEMU any more."""
    record = Record.of(text.document.root)
    disks = record.disks if record is not None else ()
    one = next((one for one in disks if one.target == target), None)
    if record is None or one is None or record.placeholder(one) is not None:
        return False
    if one.alias in monitor.devices():
        raise HostError(
            f"domain '{monitor.name}': QEMU has the disk '{target}', and libvirt has not; run "
            f"'virtquorum doctor {monitor.name}'"
        )
    return True
