"""A domain of a running libvirt: its state, its XML, and the quorum disks behind that."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from virtquorum.errors import LibvirtError
from virtquorum.host.connection import asking
from virtquorum.host.noted import Noted, noted, without_note
from virtquorum.stock.lift import is_lowered, lift
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from virtquorum.host.monitor import Monitor
    from virtquorum.host.session import Host
    from virtquorum.model.disk import Disk

__all__ = ["HostDomain"]

#: virDomainXMLFlags
_SECURE: Final = 1
_INACTIVE: Final = 2
_MIGRATABLE: Final = 8
#: virDomainState, in virsh's words.
_STATES: Final = (
    "no state", "running", "idle", "paused", "in shutdown", "shut off", "crashed", "pmsuspended",
)  # fmt: skip
#: The state of one that is paused.
_PAUSED: Final = "paused"


class HostDomain:
    """A domain of a host; ``handle`` is libvirt's own (virDomain).

    Every property asks libvirt anew, but for name and UUID.  All raise
    LibvirtError.
    """

    def __init__(self, host: Host, handle: Any) -> None:
        self.host = host
        self.handle = handle
        with asking(None):
            self.name = str(handle.name())
            self.uuid = str(handle.UUIDString())

    @property
    def where(self) -> str:
        """The domain, for messages."""
        return f"domain '{self.name}'"

    @property
    def id(self) -> int | None:
        """Its number while it runs."""
        with asking(self.where):
            number = int(self.handle.ID())
        return number if number >= 0 else None

    @property
    def state(self) -> str:
        """'running', 'paused', 'shut off' and so on: virsh's word for it."""
        with asking(self.where):
            number = int(self.handle.state()[0])
        return _STATES[number] if number < len(_STATES) else str(number)

    @property
    def is_active(self) -> bool:
        """Whether it runs, or is paused."""
        with asking(self.where):
            return bool(self.handle.isActive())

    @property
    def is_paused(self) -> bool:
        """Whether it is there and does not run."""
        return self.state == _PAUSED

    @property
    def is_persistent(self) -> bool:
        """Whether its definition stays when it ends."""
        with asking(self.where):
            return bool(self.handle.isPersistent())

    @property
    def has_managed_save(self) -> bool:
        """Whether its next start goes on from a saved state."""
        with asking(self.where):
            return bool(self.handle.hasManagedSaveImage())

    def settle(self) -> None:
        """Wait until libvirt has found a running guest again, after a start of libvirt.

        It does so in threads, with the domain's job in hand, and until then
        knows less of a guest than there is.  This call wants that job and
        nothing else: no monitor, which might never answer.
        """
        with suppress(LibvirtError):
            if self.is_active:
                with asking(self.where):
                    self.handle.perfEvents()

    @property
    def monitor(self) -> Monitor:
        """The monitor of its QEMU."""
        from virtquorum.host.monitor import Monitor

        return Monitor(self.handle)

    def text(
        self, *, inactive: bool = False, secure: bool = False, migratable: bool = False
    ) -> Domain:
        """The XML that libvirt itself has of it.

        ``inactive`` is what the next start takes, ``secure`` leaves passwords
        in, as XML must that is defined again.
        """
        flags = inactive * _INACTIVE | secure * _SECURE | migratable * _MIGRATABLE
        with asking(self.where):
            xml = str(self.handle.XMLDesc(flags))
        return Domain.from_text(xml, f"libvirt's XML of '{self.name}'")

    def lifted(
        self,
        *,
        inactive: bool = False,
        secure: bool = False,
        migratable: bool = False,
        force: bool = False,
    ) -> Domain:
        """Its XML with the quorum disks in it, and without the note of a change.

        Raises LoweredError where somebody has changed the lowered domain by
        hand; with ``force`` the record is believed, as it is where a driver
        drops QEMU's own elements.
        """
        found = self.text(inactive=inactive, secure=secure, migratable=migratable)
        return lift(without_note(found), force=force or self.host.driver != "QEMU")

    @property
    def unfinished(self) -> Noted | None:
        """The change that it has a note of, as ``virtquorum.host.noted`` finds it; None without."""
        return self.noted_in(self.text())

    def noted_in(self, text: Domain) -> Noted | None:
        """The same by its XML (libvirt's, of what runs), where that is at hand."""
        found = noted(text)
        if found is None or found.guest == "off" or not self.is_paused:
            return found
        return noted(text, is_paused=True)

    def quorum_disks(self, *, inactive: bool = False) -> list[Disk]:
        """Its disks with a quorum in them."""
        return [one for one in self.lifted(inactive=inactive).machine_disks if one.quorums]

    def is_lowered(self, *, inactive: bool = False) -> bool:
        """Whether it has a record of quorum disks."""
        return is_lowered(self.text(inactive=inactive))
