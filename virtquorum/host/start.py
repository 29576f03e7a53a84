"""Starting a domain, so that its guest runs only when its quorum disks are what they should be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.errors import HostError
from virtquorum.host.change import Asked, Plan, Step
from virtquorum.host.connection import asking
from virtquorum.host.definition import MakePlaceholder
from virtquorum.host.nodes import differences
from virtquorum.host.noted import noted
from virtquorum.host.placeholders import Placeholders
from virtquorum.host.saved import LowerSavedState, saved_domain, saved_lowerings
from virtquorum.host.saved_header import ran_when_saved
from virtquorum.host.sizes import quorum_size
from virtquorum.host.start_note import (
    ForgetEarlier,
    ForgetStart,
    NoteStart,
    NoteStarted,
    NoteStep,
)
from virtquorum.host.undefine import destroy, runs
from virtquorum.qemu.graph import flat
from virtquorum.stock.lift import lift
from virtquorum.xml.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.host.change import Action, Course
    from virtquorum.host.domain import HostDomain
    from virtquorum.stock.lowering import Lowering
    from virtquorum.xml.domain import Domain

__all__ = [
    "Resume",
    "Start",
    "VerifyDrives",
    "leaves_paused",
    "left_notes",
    "lowerings_of",
    "need_off",
    "next_start",
    "plan_start",
    "verify_drives",
]

#: VIR_DOMAIN_START_PAUSED
_PAUSED = 1
#: virDomainSaveRestoreFlags by whether the guest ran: it goes on so at its next start.
_AS_SAVED: Final = {True: 2, False: 4, None: 0}


def plan_start(domain: HostDomain, *, paused: bool = False) -> Plan:
    """Plan to start a domain that does not run.

    It starts paused, its quorum disks are looked up in QEMU, and only then the
    guest runs; a note tells of that meanwhile, and that of an earlier start
    goes.  Raises HostError for one that runs, LoweredError where somebody has
    changed the lowered domain by hand.
    """
    need_off(domain)
    saved = domain.has_managed_save
    steps: list[Step] = []
    lowered = next_start(domain)
    record = Record.of(lowered.document.root)
    if record is not None:
        domain.host.need_qemu()
        if saved:
            state = LowerSavedState(domain)
            steps += [state] if state.is_needed else []
        else:
            lift(lowered)  # raises for what was changed by hand
        steps += _placeholders(domain, record)
    steps += _starting(domain, lowered, saved=saved, paused=paused, verified=record is not None)
    return Plan(title=f"start '{domain.name}'", domain=domain.name, steps=tuple(steps))


def _starting(
    domain: HostDomain, lowered: Domain, *, saved: bool, paused: bool, verified: bool
) -> Iterator[Step]:
    """Start it, look, and let the guest run; ``verified`` is whether there is anything to see."""
    defined = noted(domain.text(inactive=True) if saved else lowered)
    inherited = noted(lowered)
    ran = ran_when_saved(domain) if saved else None
    is_noted = verified and not paused and not saved
    if is_noted:
        yield NoteStart(domain)
    elif defined is not None:
        yield ForgetEarlier(domain)
    yield Start(domain, saved=saved, paused=paused, ran=ran)
    if is_noted:
        yield NoteStarted(domain)
    if verified:
        yield VerifyDrives(domain)
    if not paused and (not saved or ran):
        yield Resume(domain)
    if is_noted or (saved and inherited is not None and inherited.is_start):
        yield ForgetStart(domain)


def leaves_paused(plan: Plan) -> bool:
    """Whether a start leaves the guest paused: it shall, or it was so when it was saved."""
    starts = [one for one in plan.steps if isinstance(one, Start)]
    return any(one.paused or (one.saved and one.ran is False) for one in starts)


def left_notes(plan: Plan) -> list[str]:
    """Sentences on notes that a start has met, once it is made, and left where they are."""
    said = [one.stayed for one in plan.steps if isinstance(one, NoteStep)]
    return list(dict.fromkeys(one for one in said if one is not None))


def need_off(domain: HostDomain) -> None:
    """Raise HostError for a domain that runs."""
    if domain.is_active:
        found = domain.unfinished
        more = f"; {found}" if found is not None else ""
        raise HostError(f"{domain.where} is {domain.state} already{more}")


def next_start(domain: HostDomain) -> Domain:
    """What the next start takes: the XML of the saved state if there is one, or the definition."""
    return saved_domain(domain) if domain.has_managed_save else domain.text(inactive=True)


def _placeholders(domain: HostDomain, record: Record) -> Iterator[Step]:
    """Make those that are missing, and give those of another size the quorum's.

    What is wrong with one that nobody here may look at libvirt says at the start.
    """
    placeholders = Placeholders(domain.host)
    for one in record.disks:
        state = placeholders.state(one.file)
        if state == "unknown":
            continue
        size = quorum_size(domain.host, one.disk)
        if state not in ("there", "blank") or not placeholders.has_size(one.file, size):
            yield _MakePlaceholder(domain, placeholders, one.file, size)


class _MakePlaceholder(MakePlaceholder):
    """Make a placeholder that the definition names, and that is gone."""

    def __init__(
        self, domain: HostDomain, placeholders: Placeholders, path: str, size: int | None
    ) -> None:
        super().__init__(placeholders, path, size, kept=True)
        self._domain = domain

    def undo(self) -> None:
        """Remove it if this step has made it, although the definition names it, and QEMU not."""
        if self._is_new and not runs(self._domain):
            self.placeholders.remove(self.path, of=self._domain.name)
        super().undo()


class Start(Step):
    """Start a domain, paused.

    A saved state of a guest that ran (``ran``) is paused as well, for Resume;
    where that is not known (None) it goes on as it was saved.  The undo
    destroys the domain; with a saved state it is saved again, as one that ran
    if it was.  A guest that somebody else has started meanwhile is left alone.
    """

    def __init__(
        self, domain: HostDomain, *, saved: bool, paused: bool, ran: bool | None = None
    ) -> None:
        self.domain = domain
        self.saved = saved
        self.paused = paused
        self.ran = ran
        self._is_started = False
        self._id: int | None = None

    @property
    def title(self) -> str:
        """What it does."""
        return f"start '{self.domain.name}'"

    @property
    def actions(self) -> tuple[Action, ...]:
        """The call."""
        return (Asked(call=f"start {self.domain.name}{' --paused' if self._flags else ''}"),)

    @property
    def _flags(self) -> int:
        return 0 if self.saved and self.ran is None and not self.paused else _PAUSED

    def do(self, course: Course) -> None:
        """Start it; raises HostError where somebody else has done so, or has saved it."""
        domain = self.domain
        need_off(domain)
        if domain.has_managed_save != self.saved:
            has = "no saved state any more" if self.saved else "a saved state now"
            raise HostError(f"{domain.where} has {has}; try again")
        if self.saved and ran_when_saved(domain) != self.ran:
            raise HostError(f"{domain.where} has another saved state now; try again")
        with asking(domain.where):
            domain.handle.createWithFlags(self._flags)
            self._is_started = True
            self._id = int(domain.handle.ID())  # a daemon tells it with the start: it is ours

    def undo(self) -> None:
        """Destroy what was started here, or save it again."""
        now = self._now()  # raises where libvirt does not answer, so nobody knows
        if not self._is_started or now is None or self._id not in (None, now):
            return
        if self.saved:
            with asking(self.domain.where):
                self.domain.handle.managedSave(_AS_SAVED[self.ran])
        else:
            destroy(self.domain)

    def _now(self) -> int | None:
        """The number of the domain that runs; the handle may remember an older one."""
        found = self.domain.host.domain_of_definition(None, self.domain.uuid)
        return found.id if found is not None else None


class VerifyDrives(Step):
    """See in QEMU that the guest's disks are the quorums, and no placeholders."""

    def __init__(self, domain: HostDomain) -> None:
        self.domain = domain

    @property
    def title(self) -> str:
        """What it does."""
        return "find the quorums behind the guest's disks in QEMU"

    def do(self, course: Course) -> None:
        """Look; raises HostError."""
        verify_drives(self.domain)

    def undo(self) -> None:
        """Nothing was changed."""


class Resume(Step):
    """Let the guest run."""

    final = True

    def __init__(self, domain: HostDomain) -> None:
        self.domain = domain

    @property
    def title(self) -> str:
        """What it does."""
        return "let the guest run"

    @property
    def actions(self) -> tuple[Action, ...]:
        """The call."""
        return (Asked(call=f"resume {self.domain.name}"),)

    def do(self, course: Course) -> None:
        """Resume it."""
        with asking(self.domain.where):
            self.domain.handle.resume()

    def undo(self) -> None:
        """Nothing: what started it is undone next."""


def verify_drives(domain: HostDomain) -> None:
    """Raise HostError unless each disk's device has its quorum, and that is as it is recorded.

    Members, their order, threshold and policies are looked at in QEMU.
    """
    text = domain.text()
    record = Record.of(text.document.root)
    if record is None:
        raise HostError(f"{domain.where}: its live XML has no record of quorum disks")
    monitor = domain.monitor
    for one in record.disks:
        frontend = monitor.needed_frontend(one.alias)
        if frontend.node != one.drive:
            has = f"the node '{frontend.node}'" if frontend.node else "no medium"
            raise HostError(
                f"{domain.where}: the guest's disk '{one.target}' has {has} and not its quorum "
                f"'{one.drive}'"
            )
    for made in saved_lowerings(domain, text):
        if found := differences(monitor, made.alias, tuple(flat(made.built.top))):
            raise HostError(
                f"{domain.where}: QEMU has the disk '{made.disk.name}' otherwise than it is "
                f"recorded: {'; '.join(found)}"
            )


def lowerings_of(domain: HostDomain, lowered: Domain) -> list[Lowering]:
    """What became of the quorum disks of a domain, by the XML that its next start takes."""
    if Record.of(lowered.document.root) is None:
        return []
    return saved_lowerings(domain, lowered)
