"""Definitions: a quorum domain becomes one of libvirt's, or takes the place of one.

What is planned here is the inactive definition; a domain that runs goes on
as it is until its next start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from virtquorum.errors import EditError, HostError, TranslationError
from virtquorum.host.change import Plan
from virtquorum.host.definition import (
    Define,
    MakePlaceholder,
    RemovePlaceholder,
    VerifyDefinition,
    WriteFile,
)
from virtquorum.host.exchange import exchanges
from virtquorum.host.existing import (
    disks_before,
    lost_with,
    old_of,
    running_notes,
    text_of,
)
from virtquorum.host.kept import with_kept
from virtquorum.host.noted import without_note
from virtquorum.host.owner import qemu_owner
from virtquorum.host.placeholders import Placeholders
from virtquorum.host.shown import shown_difference
from virtquorum.host.sizes import quorum_size
from virtquorum.host.taken import own_files
from virtquorum.model.node import Node, node
from virtquorum.qemu.provided import Provided
from virtquorum.stock.lift import lift
from virtquorum.stock.lower import kept_files, with_lowerings
from virtquorum.stock.lowering import lowerings
from virtquorum.stock.place import behind
from virtquorum.xml.layout import joined

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from virtquorum.check.finding import Finding
    from virtquorum.host.change import Step
    from virtquorum.host.checks import CheckResult
    from virtquorum.host.domain import HostDomain
    from virtquorum.host.exchange import Exchange
    from virtquorum.host.existing import Old
    from virtquorum.host.session import Host
    from virtquorum.stock.lowering import Lowering
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
    ``exchanges``, the new images of disks that it has, among them.  ``notes``
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
    believed: bool = False,
) -> Definition:
    """Plan to define a domain, in the place of the one that has its UUID or name.

    ``domain`` may be lowered.  ``provided`` is where secrets are, beside those
    that the existing definition knows; ``directory`` is where new
    placeholders go; ``checked`` says that its findings are known, ``believed``
    that what was changed by hand of the existing definition may go.  Raises
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
    old = old_of(host, new)
    uuid = old.domain.uuid if old.domain is not None else text_of(root, "uuid") or str(uuid4())
    known = {**placeholder_files(domain), **placeholder_files(old.document)}
    files, others = _files(host, new, uuid, known, directory)
    made = lowerings(new, files=files, provided=_provided(host, old, provided))
    lowered = with_lowerings(new, made)
    steps, notes = _steps(host, new, lowered, uuid, made, old)
    name = new.domain_name or ""
    exchanged = exchanges(host, disks_before(old), new.machine_disks, saved=old.has_saved_state)
    return Definition(
        domain=new,
        lowered=lowered,
        lowerings=tuple(made),
        existing=old.domain,
        lost=(*lost_with(old, new, believed=believed), *_asked(exchanged, name, old)),
        exchanges=tuple(exchanged),
        notes=(*others, *notes, *running_notes(old.domain)),
        findings=findings,
        plan=Plan(title=f"define '{name}'", domain=name, steps=tuple(steps)),
        host=host,
    )


def _files(
    host: Host, new: Domain, uuid: str, known: Mapping[str, str], directory: str | None
) -> tuple[dict[str, str], list[str]]:
    """The placeholders' files by their disks' targets, and what is worth knowing of them."""
    if not any(one.quorums for one in new.machine_disks):
        return {}, []
    return own_files(host, new, uuid, known, directory)


def _provided(host: Host, old: Old, provided: Provided | None) -> Provided:
    """Where secrets are, also those that the old definition knows."""
    given = provided or Provided(lookup=host.lookup)
    return with_kept(given, old.document) if old.document is not None else given


def check_definition(definition: Definition) -> list[CheckResult]:
    """What would be in the way of a start; it is in the way of no definition.

    What the domain itself has open, if it runs, is in nobody's way.
    """
    from virtquorum.host.checks import check_images
    from virtquorum.host.checks.lost import copied

    if not definition.lowerings:
        return []
    host, existing = definition.host, definition.existing
    own = _opened(existing) if existing is not None and existing.is_active else set()
    found = check_images(host.connection, definition.domain, definition.lowerings, own=own)
    disks = [one.disk for one in definition.lowerings]
    return [*copied(found, disks)] if host.is_local else found


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


def _with_uuid(lowered: Domain, uuid: str) -> str:
    """The XML of a domain, without a declaration, and with a UUID."""
    document = lowered.document
    root, data = document.root, document.data
    behind_root = len(data) - root.stop
    if not text_of(root, "uuid"):
        empty = [(one.start, one.stop, "") for one in root.elements("uuid")]
        data = joined(data, [behind(root.elements("name")[0], f"<uuid>{uuid}</uuid>"), *empty])
    return data[root.start : len(data) - behind_root].decode("utf-8")


def _asked(exchanged: Sequence[Exchange], name: str, old: Old) -> Iterator[str]:
    """What to ask because of images that are exchanged."""
    for one in exchanged:
        yield from one.questions(name, active=old.is_active)


def _steps(
    host: Host,
    new: Domain,
    lowered: Domain,
    uuid: str,
    made: Sequence[Lowering],
    old: Old,
) -> tuple[list[Step], list[str]]:
    """The steps of a definition, and what is worth knowing of them."""
    placeholders = Placeholders(host)
    steps, notes = _files_steps(host, made)
    for step, said in _placeholder_steps(host, placeholders, made, placeholder_files(old.document)):
        steps.append(step)
        notes += said
    name = new.domain_name or ""
    shown = shown_difference(old.domain, new)
    is_there = old.domain is not None and old.domain.is_persistent
    planned = old.document.text if is_there and old.document is not None else None
    steps.append(Define(host, name, _with_uuid(lowered, uuid), uuid, planned, shown))
    steps.append(VerifyDefinition(host, name, [one.disk for one in made]))
    gone, kept = _without_use(old, lowered)
    steps += [RemovePlaceholder(placeholders, path) for path in gone]
    notes += [f"the placeholder '{path}' stays while the domain runs" for path in kept]
    return steps, notes


def _files_steps(host: Host, made: Sequence[Lowering]) -> tuple[list[Step], list[str]]:
    """The files that QEMU reads beside the images are written first."""
    files = {path: data for one in made for path, data in one.built.files}
    steps: list[Step] = [WriteFile(path, data, qemu_owner(host)) for path, data in files.items()]
    if host.is_local:
        return steps, []
    return steps, [
        f"'{path}' is written here, and QEMU reads it on '{host.name}'" for path in files
    ]


def _placeholder_steps(
    host: Host, placeholders: Placeholders, made: Sequence[Lowering], known: Mapping[str, str]
) -> Iterator[tuple[Step, list[str]]]:
    """The placeholder of each disk, and what is worth knowing of the disk."""
    for one in made:
        notes = [f"disk '{one.disk.name}': {remark}" for remark in one.remarks]
        size = quorum_size(host, one.disk)
        if size is None:
            notes.append(
                f"disk '{one.disk.name}': its size is not known here, so 'virsh domblkinfo' will "
                "show another one; the guest sees the right one"
            )
        kept = one.file in known.values()
        yield MakePlaceholder(placeholders, one.file, size, kept=kept), notes


def _without_use(old: Old, lowered: Domain) -> tuple[list[str], list[str]]:
    """The old placeholders that the new definition does not need: to remove, and still in use."""
    used = set(placeholder_files(lowered).values())
    gone = [path for path in placeholder_files(old.document).values() if path not in used]
    live: set[str] = set()
    if old.domain is not None and old.domain.is_active:
        live = set(placeholder_files(old.domain.text()).values())
    return [path for path in gone if path not in live], [path for path in gone if path in live]
