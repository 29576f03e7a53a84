"""Definitions: a quorum domain becomes one of libvirt's, or takes the place of one.

What is planned here is the inactive definition; a domain that runs goes on
as it is until its next start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from virtquorum.errors import EditError, HostError, LoweredError, TranslationError
from virtquorum.host.change import Plan
from virtquorum.host.definition import (
    Define,
    MakePlaceholder,
    RemovePlaceholder,
    VerifyDefinition,
    WriteFile,
)
from virtquorum.host.exchange import exchanges
from virtquorum.host.kept import with_kept
from virtquorum.host.noted import without_note
from virtquorum.host.owner import qemu_owner
from virtquorum.host.placeholders import Placeholders
from virtquorum.host.shown import shown_difference
from virtquorum.host.sizes import quorum_size
from virtquorum.host.taken import own_files
from virtquorum.model.node import Node, node
from virtquorum.qemu.provided import Provided
from virtquorum.stock.lift import is_lowered, lift
from virtquorum.stock.lower import kept_files, with_lowerings
from virtquorum.stock.lowering import lowerings
from virtquorum.stock.place import behind
from virtquorum.xml.layout import joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from virtquorum.check.finding import Finding
    from virtquorum.host.change import Step
    from virtquorum.host.checks import CheckResult
    from virtquorum.host.domain import HostDomain
    from virtquorum.host.exchange import Exchange
    from virtquorum.host.session import Host
    from virtquorum.model.disk import Disk
    from virtquorum.stock.lowering import Lowering
    from virtquorum.xml.document import Element
    from virtquorum.xml.domain import Domain

__all__ = ["Definition", "InvalidError", "check_definition", "placeholder_files", "plan_definition"]


class InvalidError(HostError):
    """A domain with mistakes, which is not defined; ``findings`` are all that was found."""

    def __init__(self, name: str, findings: Sequence[Finding]) -> None:
        from virtquorum.check.finding import Severity

        self.findings = tuple(findings)
        count = sum(one.severity is Severity.ERROR for one in findings)
        errors = "1 error" if count == 1 else f"{count} errors"
        super().__init__(f"{name} has {errors}, and nothing was defined; mend it first")


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Definition(Node):
    """A definition before it is made.

    ``domain`` is the quorum domain, ``lowered`` what libvirt is handed (a
    first definition gets a UUID as well, if it has none), and ``existing`` the
    domain whose definition it takes the place of.  ``lost`` are sentences on
    what goes with that or is unwise, and should be asked before: those of
    ``exchanges``, the new members of disks that it has, among them.  ``notes``
    are worth knowing; ``findings`` are what the rules say that does not stop
    it.
    """

    domain: Domain
    lowered: Domain
    lowerings: tuple[Lowering, ...]
    existing: HostDomain | None
    lost: tuple[str, ...]
    exchanges: tuple[Exchange, ...]
    notes: tuple[str, ...]
    findings: tuple[Finding, ...]
    plan: Plan
    host: Host


def plan_definition(
    host: Host,
    domain: Domain,
    *,
    provided: Provided | None = None,
    directory: str | None = None,
    checked: bool = False,
) -> Definition:
    """Plan to define a domain, in the place of the one that has its UUID or name.

    ``domain`` may be lowered.  ``provided`` is where secrets are, beside those
    that the existing definition knows; ``directory`` is where new
    placeholders go; ``checked`` says that its findings are known.  Raises
    InvalidError for a domain with errors, TranslationError for a disk that
    cannot be lowered, LoweredError for a lowered domain that was changed by
    hand, EditError for what is no domain, and HostError for what this libvirt
    cannot do.
    """
    root = domain.document.root
    if root.name != "domain":
        raise EditError(f"{domain.name}: libvirt defines a <domain>, and this is a <{root.name}>")
    findings = () if checked else _findings(domain)
    new = lift(without_note(domain))
    disks = [one for one in new.machine_disks if one.quorums]
    if disks:
        host.need_qemu()
    existing = _existing(host, new)
    old = existing.text(inactive=True) if existing is not None else None
    uuid = existing.uuid if existing is not None else _text(root, "uuid") or str(uuid4())
    given = provided or Provided(lookup=host.lookup)
    known = {**placeholder_files(domain), **placeholder_files(old)}
    files, others = own_files(host, new, uuid, known, directory) if disks else ({}, [])
    made = lowerings(new, files=files, provided=with_kept(given, old) if old is not None else given)
    lowered = with_lowerings(new, made)
    steps, notes = _steps(host, new, lowered, uuid, made, existing, old)
    name = new.domain_name or ""
    exchanged = exchanges(host, _before(existing, old), disks)
    active = existing is not None and existing.is_active
    asked = [one.question(name, active=active) for one in exchanged]
    return Definition(
        domain=new,
        lowered=lowered,
        lowerings=tuple(made),
        existing=existing,
        lost=(*_lost(existing, old, new), *(one for one in asked if one is not None)),
        exchanges=tuple(exchanged),
        notes=(*others, *notes, *_running(existing)),
        findings=findings,
        plan=Plan(title=f"define '{name}'", domain=name, steps=tuple(steps)),
        host=host,
    )


def check_definition(definition: Definition) -> list[CheckResult]:
    """What would be in the way of a start; it is in the way of no definition.

    What the domain itself has open, if it runs, is in nobody's way.
    """
    from virtquorum.host.checks import check_images

    if not definition.lowerings:
        return []
    host, existing = definition.host, definition.existing
    own = _opened(existing) if existing is not None and existing.is_active else set()
    found = check_images(host.connection, definition.domain, definition.lowerings, own=own)
    return [*found, *(note for one in definition.exchanges for note in one.notes())]


def _opened(domain: HostDomain) -> set[str]:
    """The files that a running domain has open for its quorum disks."""
    from virtquorum.host.checks.openings import openings

    live = domain.text()
    lifted = lift(live, force=True)
    provided = with_kept(Provided(lookup=domain.host.lookup), live)
    try:
        made = lowerings(lifted, files=placeholder_files(live), provided=provided)
    except TranslationError:  # the secret of a disk that was plugged in, say
        return set()
    return {opening.path for one in made for opening in openings(one)}


def placeholder_files(domain: Domain | None) -> dict[str, str]:
    """The placeholders of a lowered domain by its disks' targets; none for any other document."""
    if domain is None or domain.document.root.name != "domain":
        return {}
    return kept_files(domain)


def _findings(domain: Domain) -> tuple[Finding, ...]:
    """What the rules and grammars say; raises InvalidError if there are errors."""
    from virtquorum import validate
    from virtquorum.check.finding import Severity

    findings = validate(domain)
    if any(one.severity is Severity.ERROR for one in findings):
        raise InvalidError(domain.name, findings)
    return tuple(findings)


def _existing(host: Host, domain: Domain) -> HostDomain | None:
    """The domain whose definition is to change; raises HostError where libvirt would refuse it."""
    name = domain.domain_name
    if not name:
        raise HostError(f"{domain.name}: the domain has no name; write <name>…</name>")
    uuid = _text(domain.document.root, "uuid")
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


def _text(root: Element, name: str) -> str:
    return next((one.text.strip() for one in root.elements(name)), "")


def _with_uuid(lowered: Domain, uuid: str) -> str:
    """The XML of a domain, without a declaration, and with a UUID."""
    document = lowered.document
    root, data = document.root, document.data
    behind_root = len(data) - root.stop
    if not _text(root, "uuid"):
        empty = [(one.start, one.stop, "") for one in root.elements("uuid")]
        data = joined(data, [behind(root.elements("name")[0], f"<uuid>{uuid}</uuid>"), *empty])
    return data[root.start : len(data) - behind_root].decode("utf-8")


def _steps(
    host: Host,
    new: Domain,
    lowered: Domain,
    uuid: str,
    made: Sequence[Lowering],
    existing: HostDomain | None,
    old: Domain | None,
) -> tuple[list[Step], list[str]]:
    placeholders = Placeholders(host)
    kept_already = set(placeholder_files(old).values())
    notes: list[str] = []
    steps: list[Step] = []
    for path, data in {path: data for one in made for path, data in one.built.files}.items():
        steps.append(WriteFile(path, data, qemu_owner(host)))
        if not host.is_local:
            notes.append(f"'{path}' is written here, and QEMU reads it on '{host.name}'")
    for one in made:
        notes += [f"disk '{one.disk.name}': {remark}" for remark in one.remarks]
        size = quorum_size(host, one.disk)
        if size is None:
            notes.append(
                f"disk '{one.disk.name}': its size is not known here, so 'virsh domblkinfo' will "
                "show another one; the guest sees the right one"
            )
        steps.append(MakePlaceholder(placeholders, one.file, size, kept=one.file in kept_already))
    name = new.domain_name or ""
    shown = shown_difference(existing, new)
    planned = (
        old.text if existing is not None and existing.is_persistent and old is not None else None
    )
    steps.append(Define(host, name, _with_uuid(lowered, uuid), uuid, planned, shown))
    steps.append(VerifyDefinition(host, name, [one.disk for one in made]))
    gone, kept = _without_use(existing, old, lowered)
    steps += [RemovePlaceholder(placeholders, path) for path in gone]
    notes += [f"the placeholder '{path}' stays while the domain runs" for path in kept]
    return steps, notes


def _without_use(
    existing: HostDomain | None, old: Domain | None, lowered: Domain
) -> tuple[list[str], list[str]]:
    """The old placeholders that the new definition does not need: to remove, and still in use."""
    used = set(placeholder_files(lowered).values())
    gone = [path for path in placeholder_files(old).values() if path not in used]
    live: set[str] = set()
    if existing is not None and existing.is_active:
        live = set(placeholder_files(existing.text()).values())
    return [path for path in gone if path not in live], [path for path in gone if path in live]


def _before(existing: HostDomain | None, old: Domain | None) -> list[Disk]:
    """The disks whose members have the data: of the old definition, and of what runs."""
    if existing is None or old is None:
        return []
    documents = [old, existing.text()] if existing.is_active else [old]
    return [disk for one in documents for disk in lift(one, force=True).machine_disks]


def _lost(existing: HostDomain | None, old: Domain | None, new: Domain) -> list[str]:
    """What goes with the old definition and may be missed."""
    if existing is None or old is None or not is_lowered(old):
        return []
    lost = []
    try:
        lifted = lift(old)
    except LoweredError as error:
        lost.append(f"the definition that is there was changed by hand, and that goes: {error}")
        lifted = lift(old, force=True)
    kept = {one.name for one in new.machine_disks if one.quorums}
    lost += [
        f"'{new.domain_name}' has the quorum disk '{one.name}' now, and not in the new definition; "
        "its images stay"
        for one in lifted.machine_disks
        if one.quorums and one.name not in kept
    ]
    return lost


def _running(existing: HostDomain | None) -> list[str]:
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
