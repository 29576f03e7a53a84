"""The domain whose definition is to change: what is there of it, and what would be missed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from virtquorum.errors import HostError, LoweredError
from virtquorum.stock.lift import is_lowered, lift

if TYPE_CHECKING:
    from virtquorum.host.domain import HostDomain
    from virtquorum.host.session import Host
    from virtquorum.model.disk import Disk
    from virtquorum.xml.document import Element
    from virtquorum.xml.domain import Domain

__all__ = ["Old", "disks_before", "lost_with", "old_of", "running_notes", "text_of"]


class Old(NamedTuple):
    """The domain whose definition is to change, and that definition; None for a first one."""

    domain: HostDomain | None
    document: Domain | None

    @property
    def is_active(self) -> bool:
        """Whether it runs."""
        return self.domain is not None and self.domain.is_active

    @property
    def has_saved_state(self) -> bool:
        """Whether its next start goes on from a saved state."""
        return self.domain is not None and self.domain.has_managed_save


def old_of(host: Host, new: Domain) -> Old:
    """What is there.

    Raises HostError where libvirt would refuse to change it, or has no QEMU,
    and LoweredError where its record does not read.
    """
    if any(one.quorums for one in new.machine_disks):
        host.need_qemu()
    existing = _existing(host, new)
    return Old(existing, _readable(existing) if existing is not None else None)


def _readable(domain: HostDomain) -> Domain:
    """The definition that is there; raises LoweredError for a record that does not read."""
    document = domain.text(inactive=True)
    try:
        lift(document, force=True)
    except LoweredError as error:
        error.remedy = (
            f"{error.remedy}; or 'virtquorum undefine {domain.name}' takes that definition away, "
            "and then any is taken: nothing is left that says which images its disks had"
        )
        raise
    return document


def text_of(root: Element, name: str) -> str:
    """The text of a child element, empty if there is none."""
    return next((one.text.strip() for one in root.elements(name)), "")


def _existing(host: Host, domain: Domain) -> HostDomain | None:
    """The domain whose definition is to change; raises HostError where libvirt would refuse it."""
    name = domain.domain_name
    if not name:
        raise HostError(f"{domain.name}: the domain has no name; write <name>…</name>")
    uuid = text_of(domain.document.root, "uuid")
    found = host.domain_of_definition(name, uuid)
    if found is None:
        return None
    if found.name != name:
        raise HostError(
            f"{domain.name}: the UUID {found.uuid} is that of the domain '{found.name}', which "
            f"libvirt does not rename so; 'virsh domrename {found.name} {name}' does, or leave "
            "<uuid> out to define another domain"
        )
    if not uuid or found.uuid.replace("-", "") != uuid.replace("-", "").lower():
        raise HostError(
            f"{domain.name}: there is a domain '{name}' already, with the UUID {found.uuid}; to "
            f"change it, write <uuid>{found.uuid}</uuid>, as 'virtquorum dumpxml {name}' has it"
        )
    return found


def disks_before(old: Old) -> list[Disk]:
    """The disks whose members have the data: of the old definition, and of what runs."""
    if old.domain is None or old.document is None:
        return []
    documents = [old.document, old.domain.text()] if old.domain.is_active else [old.document]
    return [disk for one in documents for disk in lift(one, force=True).machine_disks]


def lost_with(old: Old, new: Domain, *, believed: bool = False) -> list[str]:
    """What goes with the old definition and may be missed.

    With ``believed`` it is known that what was changed by hand goes.
    """
    if old.document is None or not is_lowered(old.document):
        return []
    lost = []
    try:
        lifted = lift(old.document)
    except LoweredError as error:
        if not believed:
            lost.append(f"the definition that is there was changed by hand, and that goes: {error}")
        lifted = lift(old.document, force=True)
    kept = {one.name for one in new.machine_disks if one.quorums}
    lost += [
        f"'{new.domain_name}' has the quorum disk '{one.name}' now, and not in the new definition; "
        "its images stay"
        for one in lifted.machine_disks
        if one.quorums and one.name not in kept
    ]
    return lost


def running_notes(existing: HostDomain | None) -> list[str]:
    """What the new definition does not change at once."""
    if existing is None:
        return []
    notes = []
    if existing.is_active:
        notes.append(
            f"'{existing.name}' is {existing.state}: the change counts from its next start"
        )
    if existing.has_managed_save:
        notes.append(
            f"'{existing.name}' has a saved state, which its next start goes on from; "
            f"'virsh managedsave-remove {existing.name}' throws it away"
        )
    return notes
