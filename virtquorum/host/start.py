"""Starting a domain, so that its guest runs only when its quorum disks are what they should be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.errors import HostError
from virtquorum.host.change import Asked, Plan, Step
from virtquorum.host.connection import asking
from virtquorum.host.definition import MakePlaceholder
from virtquorum.host.placeholders import Placeholders
from virtquorum.host.saved import LowerSavedState, saved_domain, saved_lowerings
from virtquorum.host.sizes import quorum_size
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
    "lowerings_of",
    "next_start",
    "plan_start",
    "verify_drives",
]

#: VIR_DOMAIN_START_PAUSED
_PAUSED = 1


def plan_start(domain: HostDomain, *, paused: bool = False) -> Plan:
    """Plan to start a domain that does not run.

    It starts paused, its quorum disks are looked up in QEMU, and only then the
    guest runs.  Raises HostError for one that runs, LoweredError where
    somebody has changed the lowered domain by hand.
    """
    if domain.is_active:
        raise HostError(f"{domain.where} is {domain.state} already")
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
    steps.append(Start(domain, saved=saved, paused=paused))
    if record is not None:
        steps.append(VerifyDrives(domain))
    if not paused and not saved:
        steps.append(Resume(domain))
    return Plan(title=f"start '{domain.name}'", domain=domain.name, steps=tuple(steps))


def next_start(domain: HostDomain) -> Domain:
    """What the next start takes: the XML of the saved state if there is one, or the definition."""
    return saved_domain(domain) if domain.has_managed_save else domain.text(inactive=True)


def _placeholders(domain: HostDomain, record: Record) -> Iterator[Step]:
    """Make those that are missing, and give those of another size the quorum's."""
    placeholders = Placeholders(domain.host)
    for one in record.disks:
        size = quorum_size(domain.host, one.disk)
        if placeholders.state(one.file) != "there" or not placeholders.has_size(one.file, size):
            yield MakePlaceholder(placeholders, one.file, size)


class Start(Step):
    """Start a domain, paused; one with a saved state goes on as it was saved.

    The undo destroys it; with a saved state it is saved again.
    """

    def __init__(self, domain: HostDomain, *, saved: bool, paused: bool) -> None:
        self.domain = domain
        self.saved = saved
        self.paused = paused

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
        return 0 if self.saved and not self.paused else _PAUSED

    def do(self, course: Course) -> None:
        """Start it."""
        with asking(self.domain.where):
            self.domain.handle.createWithFlags(self._flags)

    def undo(self) -> None:
        """Destroy it if it runs, or save it again."""
        if not self.domain.is_active:
            return
        with asking(self.domain.where):
            if self.saved:
                self.domain.handle.managedSave(0)
            else:
                self.domain.handle.destroy()


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
    """Raise HostError unless each quorum disk's device reads and writes its quorum."""
    record = Record.of(domain.text().document.root)
    if record is None:
        raise HostError(f"{domain.where}: its live XML has no record of quorum disks")
    monitor = domain.monitor
    nodes = monitor.nodes()
    for one in record.disks:
        frontend = monitor.needed_frontend(one.alias)
        if frontend.node != one.drive:
            has = f"the node '{frontend.node}'" if frontend.node else "no medium"
            raise HostError(
                f"{domain.where}: the guest's disk '{one.target}' has {has} and not its quorum "
                f"'{one.drive}'"
            )
        if one.drive not in nodes:
            raise HostError(f"{domain.where}: QEMU has no node '{one.drive}'")


def lowerings_of(domain: HostDomain, lowered: Domain) -> list[Lowering]:
    """What became of the quorum disks of a domain, by the XML that its next start takes."""
    if Record.of(lowered.document.root) is None:
        return []
    return saved_lowerings(domain, lowered)
