"""The running domain's half of a conversion.

While a guest runs, libvirt's XML of a disk is not ours to change: it goes on
showing the image that the guest was started with.  A disk that becomes a
quorum loses libvirt's nodes of it, so what libvirt would do with that image
fails, and the record keeps them: the way back opens them again, and all is as
it was.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from virtquorum.errors import HostError
from virtquorum.host.change import Step, Text
from virtquorum.host.compare import children_of, name_of, place_of
from virtquorum.host.convert.agreement import ReadAll
from virtquorum.host.convert.disks import stock_disk
from virtquorum.host.convert.own_nodes import own_nodes
from virtquorum.host.definition import WriteFile
from virtquorum.host.intent import MetadataIntent
from virtquorum.host.live import LiveStep, Write, is_running
from virtquorum.host.nodes import CloseNodes, size_of
from virtquorum.host.owner import qemu_owner
from virtquorum.host.patch.half import Half, running
from virtquorum.host.patch.record import (
    WriteRecord,
    as_recorded,
    changed_record,
    written_record,
)
from virtquorum.host.patch.unsaved import ForbidSaving, forbidding
from virtquorum.host.paused import Undisturbed
from virtquorum.host.same_file import others
from virtquorum.host.swap import Side, Sizes, swap
from virtquorum.json_text import json_text
from virtquorum.qemu.graph import flat, lowest_first
from virtquorum.stock.lift import lift
from virtquorum.xml.record import Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from virtquorum.host.change import Action, Course
    from virtquorum.host.compare import Options
    from virtquorum.host.domain import HostDomain
    from virtquorum.host.monitor import Monitor
    from virtquorum.host.patch.edit import Change
    from virtquorum.qemu.provided import Provided
    from virtquorum.stock.lower import Lowering
    from virtquorum.xml.record import Lowered

__all__ = ["LiveConversion", "LiveReturn", "running_half"]


class _LiveHalf(Half):
    """A running domain before and after a conversion."""

    def __init__(
        self, domain: HostDomain, change: Change, provided: Provided, directory: str | None
    ) -> None:
        domain.host.need_qemu()
        text, provided, defined = running(domain, provided)
        self.monitor = domain.monitor
        super().__init__(domain, change, text, lift(text), provided, directory, defined)
        is_running(self.monitor)
        self.old, self.new = (as_recorded(text, one) for one in (self.old, self.new))

    @property
    def recorded(self) -> Lowered | None:
        """What the record says of the disk."""
        record = Record.of(self.text.document.root)
        disks = record.disks if record is not None else ()
        return next((one for one in disks if one.target == self.change.target), None)

    def _of(self, found: Sequence[Lowering]) -> Lowering:
        return next(one for one in found if self.is_ours(one))

    def _record(self, new: Lowering | None) -> WriteRecord:
        changed = changed_record(self.text, self.change.target, new)
        return WriteRecord(self.monitor, written_record(self.text), changed)

    def _kept_objects(self) -> set[str]:
        """The ids of the objects that other disks lean on."""
        others = [one for one in (*self.old, *self.new) if not self.is_ours(one)]
        return {made.id for one in others for made in one.built.objects}


class LiveConversion(_LiveHalf):
    """A stock disk of a running guest becomes a quorum."""

    def steps(self, recorded: Sequence[Step], *, fill: bool) -> list[Step]:
        """The steps; ``recorded`` are more that are done before the guest sees the quorum."""
        disk = stock_disk(self.before, self.change.target, self.domain.name)
        self._check()
        nodes = own_nodes(self.monitor, disk, self.provided)
        new = self._of(self.new)
        assert disk.alias is not None
        new = new._replace(alias=disk.alias, kept=json_text(cast("Any", nodes), ascii_only=True))
        old = Side(nodes=tuple(nodes))
        steps = swap(
            self.monitor,
            disk.alias,
            old,
            Side.of(new.built),
            intent=MetadataIntent(self.monitor),
            recorded=[self._record(new), *recorded],
            fill=fill,
            kept_objects=self._kept_objects(),
        )
        members = [one.node_name for one in _members(new)]
        fits = _Fits(self.monitor, old.top, [one for one in members if one is not None])
        at = next(at for at, one in enumerate(steps, 1) if isinstance(one, Sizes))
        owner = qemu_owner(self.domain.host) if new.built.files else None
        files = [WriteFile(path, data, owner) for path, data in new.built.files]
        return _unsaved([*files, *steps[:at], fits, *steps[at:]], ForbidSaving(self.monitor, new))

    @property
    def size(self) -> int:
        """The disk's size (bytes)."""
        disk = stock_disk(self.before, self.change.target, self.domain.name)
        top = self.monitor.needed_frontend(disk.alias or "").node
        return size_of(self.monitor.nodes(), top or "", self.domain.name)

    def check_there(self) -> None:
        """Refuse a disk whose own image is gone; raises HostError."""
        disk = stock_disk(self.before, self.change.target, self.domain.name)
        nodes = own_nodes(self.monitor, disk, self.provided)
        for one in others(self.monitor, nodes):
            if not one.is_there:
                raise HostError(
                    f"domain '{self.monitor.name}': the image '{one.path}' of the disk "
                    f"'{self.change.target}' is gone while the guest has it open; bring it back "
                    "under this name, or copy the disk elsewhere first ('virsh blockcopy "
                    f"{self.monitor.name} …')"
                )

    def _check(self) -> None:
        """Refuse what cannot be done while the guest runs; raises HostError."""
        target, monitor = self.change.target, self.monitor
        disk = stock_disk(self.before, target, self.domain.name)
        where = f"domain '{monitor.name}': the disk '{target}'"
        if self.recorded is not None:
            raise HostError(
                f"{where} was a quorum when the guest was started, and its nodes are not "
                "libvirt's; convert its definition, with --config, when it is off"
            )
        if disk.readonly:
            raise HostError(
                f"{where} is <readonly/>, so QEMU would not write to new members; shut the guest "
                "down, and convert it then"
            )
        job = monitor.asked("look for block jobs", lambda: monitor.domain.blockJobInfo(target, 0))
        if job:
            raise HostError(
                f"{where} has a block job that goes on; wait for it, or end it: "
                f"'virsh blockjob {monitor.name} {target} --abort'"
            )


class LiveReturn(_LiveHalf):
    """A quorum disk of a running guest becomes one of its members, by number.

    If the image is the one that libvirt shows, its own nodes come back.
    Otherwise it stays a quorum until the next start: one of this member alone,
    which is the change that this half is made with.
    """

    @property
    def _lowering(self) -> Lowering:
        return self._of(self.old)

    def is_as_it_was(self, number: int) -> bool:
        """Whether libvirt's own nodes come back: it is the image that its XML shows."""
        return self._own_nodes(number) is not None

    def _member(self, number: int) -> Any:
        return _members(self._lowering)[number]

    def _own_nodes(self, number: int) -> list[Options] | None:
        """Libvirt's nodes of the disk, if they are of this member's image."""
        kept = self._lowering.kept
        if kept is None:
            return None
        nodes: list[Options] = json.loads(kept)
        same = [*map(_place, nodes)] == [*map(_place, flat(self._member(number)))]
        return nodes if same else None

    def compared(self, number: int, called: str) -> Step:
        """The step that sees whether the member agrees."""
        old = self._lowering
        quorum = _quorum(old)
        if quorum.read_pattern == "fifo":
            raise HostError(
                f"domain '{self.domain.name}': with read_pattern='fifo' nothing is voted on, so "
                "members cannot be compared while the guest runs; set it to 'quorum' first "
                f"('virtquorum patch {self.domain.name} set {self.change.target} --read-pattern "
                "quorum'), or --no-compare goes on without it"
            )
        names = [name_of(one) for one in flat(self._member(number))]
        top = name_of(flat(old.built.top)[-1])
        return ReadAll(self.monitor, old.alias, self.change.target, top, names, called)

    def steps(self, number: int, before: Sequence[Step]) -> list[Step]:
        """The steps; ``before`` are more, done before the guest is paused."""
        old = self._lowering
        own = self._own_nodes(number)
        new = self._of(self.new) if own is None else None
        side = Side(nodes=tuple(own or ())) if new is None else Side.of(new.built)
        steps = swap(
            self.monitor,
            old.alias,
            Side.of(old.built),
            side,
            intent=MetadataIntent(self.monitor),
            recorded=[self._record(new)],
            kept_objects=self._kept_objects(),
        )
        at = next((at for at, one in enumerate(steps, 1) if isinstance(one, Write)), 0)
        steps = (*steps[:at], *before, *steps[at:])
        if new is not None:
            return _unsaved(steps, ForbidSaving(self.monitor, new))
        # The very last: until then it would come back with a record that is none any more.
        allowed = CloseNodes(self.monitor, [forbidding(old)], "allow to save the domain again")
        at = next((at for at, one in enumerate(steps) if isinstance(one, Undisturbed)), len(steps))
        return [*steps[:at], allowed, *steps[at:]]


class _Fits(LiveStep):
    """See that new members are as large as the disk, before anything is copied to them."""

    words = "see that the new members are as large as the disk"

    def __init__(self, monitor: Monitor, top: str, members: Sequence[str]) -> None:
        super().__init__(monitor)
        self.top = top
        self.members = members

    @property
    def actions(self) -> tuple[Action, ...]:
        """What is looked at."""
        return (Text(text="qemu: query-named-block-nodes (image.virtual-size)"),)

    def do(self, course: Course) -> None:
        """Raise HostError for one that is open and has another size."""
        there, name = self.monitor.nodes(), self.monitor.name
        size = size_of(there, self.top, name)
        for one in self.members:
            if one in there and (found := size_of(there, one, name)) != size:
                raise HostError(
                    f"domain '{name}': the new member '{one}' has {found} bytes and the disk "
                    f"{size}; give it the disk's size (qemu-img resize)"
                )


def running_half(
    domain: HostDomain, change: Change, provided: Provided, directory: str | None
) -> LiveReturn | None:
    """The half of a running domain that has the disk as a quorum; None if it has not."""
    record = Record.of(domain.text().document.root)
    disks = record.disks if record is not None else ()
    if all(one.target != change.target for one in disks):
        return None
    return LiveReturn(domain, change, provided, directory)


def _unsaved(steps: Sequence[Step], forbid: ForbidSaving) -> list[Step]:
    """The steps with ``forbid`` behind the note, before anything is copied or defined.

    What was saved in between would come back with the disk of its start: beside a
    definition that has the other one, members miss what the guest writes.
    """
    at = next((at for at, one in enumerate(steps, 1) if isinstance(one, Write)), 0)
    return [*steps[:at], forbid, *steps[at:]]


def _quorum(one: Lowering) -> Any:
    """The quorum's node; with copy_on_read it is not the top."""
    from virtquorum.qemu.graph import Quorum

    nodes = lowest_first(one.built.top)
    return next(node for node in reversed(nodes) if isinstance(node, Quorum))


def _members(one: Lowering) -> Sequence[Any]:
    return cast("Sequence[Any]", _quorum(one).children)


def _place(one: Options) -> tuple[object, int, object]:
    """What a node is, whatever it and those below it are called."""
    kept = {key: value for key, value in place_of(one).items() if key not in ("file", "backing")}
    return json_text(kept), len(children_of(one)), one["driver"]
