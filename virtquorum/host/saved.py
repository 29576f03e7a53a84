"""A saved state, from which a domain's next start goes on.

libvirt keeps with it the XML of the domain as it ran.  The arguments in that
are those of the start before: of what was plugged in or changed since then
they know nothing, and QEMU would come back with the placeholder as the guest's
disk.  So they are written anew, from the record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.errors import HostError, LoweredError
from virtquorum.host.change import Asked, Step
from virtquorum.host.connection import asking
from virtquorum.host.exchange import exchanges
from virtquorum.host.kept import with_kept
from virtquorum.qemu.provided import Provided
from virtquorum.stock.lift import is_lowered, lift
from virtquorum.stock.lower import kept_files, with_lowerings
from virtquorum.stock.lowering import lowerings
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from virtquorum.host.change import Action, Course
    from virtquorum.host.domain import HostDomain
    from virtquorum.stock.lowering import Lowering

__all__ = ["LowerSavedState", "saved_domain", "saved_lowerings", "waiting_notes"]

#: VIR_DOMAIN_SAVE_IMAGE_XML_SECURE
_SECURE = 1


def saved_domain(domain: HostDomain) -> Domain:
    """The XML in a domain's saved state, passwords and all; raises LibvirtError without one."""
    with asking(domain.where):
        xml = str(domain.handle.managedSaveGetXMLDesc(_SECURE))
    return Domain.from_text(xml, f"the saved state of '{domain.name}'")


def saved_lowerings(domain: HostDomain, saved: Domain) -> list[Lowering]:
    """What becomes of the quorum disks in a saved state, all of them by arguments."""
    provided = with_kept(Provided(lookup=domain.host.lookup), saved)
    return lowerings(lift(saved, force=True), files=kept_files(saved), provided=provided)


def waiting_notes(domain: HostDomain) -> list[str]:
    """What a start from a saved state leaves to the next one: members that only the definition has.

    Nothing for a domain without a saved state.
    """
    if not domain.has_managed_save:
        return []
    try:
        saved, defined = (
            lift(one, force=True).machine_disks
            for one in (saved_domain(domain), domain.text(inactive=True))
        )
    except LoweredError:  # doctor says so of a definition
        return []
    return [one.waiting() for one in exchanges(domain.host, saved, defined)]


class LowerSavedState(Step):
    """Give a saved state the arguments of the quorum disks that the guest had when it was saved."""

    def __init__(self, domain: HostDomain) -> None:
        self.domain = domain
        self._is_written = False
        self._made: str | None = None
        saved = saved_domain(domain)
        self._old = saved.text
        self._new = self._old
        if is_lowered(saved):
            made = saved_lowerings(domain, saved)
            self._new = with_lowerings(lift(saved, force=True), made).text

    @property
    def is_needed(self) -> bool:
        """Whether the state has other arguments."""
        return self._new != self._old

    @property
    def title(self) -> str:
        """What it does."""
        return f"write the quorum disks into the saved state of '{self.domain.name}'"

    @property
    def actions(self) -> tuple[Action, ...]:
        """The call."""
        return (Asked(call=f"managedsave-define {self.domain.name}"),)

    def do(self, course: Course) -> None:
        """Write them; raises HostError if the state is not the one any more that was planned on."""
        if not self.domain.has_managed_save or saved_domain(self.domain).text != self._old:
            raise HostError(
                f"{self.domain.where}: its saved state has changed meanwhile; try again"
            )
        self._is_written = True
        self._define(self._new)
        self._made = saved_domain(self.domain).text

    def undo(self) -> None:
        """Write what was there, if the state is there still, and the one written here."""
        if not self._is_written or not self.domain.has_managed_save:
            return
        if self._made is None or saved_domain(self.domain).text == self._made:
            self._define(self._old)

    def _define(self, xml: str) -> None:
        with asking(self.domain.where):
            self.domain.handle.managedSaveDefineXML(xml, 0)
