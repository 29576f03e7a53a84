"""A change planned: both halves, what is refused, what is asked, and the steps in their order."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from virtquorum.check.finding import Severity
from virtquorum.host.checks import refused
from virtquorum.host.define import placeholder_files
from virtquorum.host.definition import Define, MakePlaceholder, RemovePlaceholder
from virtquorum.host.live import Write
from virtquorum.host.offline import defined_off
from virtquorum.host.patch.config import ConfigHalf
from virtquorum.host.patch.faces import ALONE, TAKEN, tried
from virtquorum.host.patch.fill import still_off
from virtquorum.host.patch.given import Given, at_given
from virtquorum.host.patch.guards import fewer, overwritten, spare, ties, unvoted
from virtquorum.host.patch.half import same_meaning, something
from virtquorum.host.patch.identity import (
    are_members,
    check_quorum,
    check_twice,
    newcomers,
    others,
    stale,
)
from virtquorum.host.patch.live import LiveHalf
from virtquorum.host.patch.making import making, with_ways
from virtquorum.host.patch.note import note_all
from virtquorum.host.patch.patch import ImagesError, InvalidPatchError, Patch
from virtquorum.host.patch.scope import Scope
from virtquorum.host.patch.unchanged import SameDefinition, placed
from virtquorum.host.patch.unsaved import unsaved, unsaved_from_start
from virtquorum.host.placeholders import Placeholders
from virtquorum.host.sizes import is_raw
from virtquorum.qemu.provided import Provided
from virtquorum.stock.lift import lift

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from virtquorum.check.finding import Finding
    from virtquorum.host.blank import MakeImages
    from virtquorum.host.change import Step
    from virtquorum.host.checks.result import CheckResult
    from virtquorum.host.domain import HostDomain
    from virtquorum.host.patch.edit import Change
    from virtquorum.host.patch.half import Half
    from virtquorum.host.patch.patch import Options
    from virtquorum.model.image import AnyImage
    from virtquorum.xml.domain import Domain

__all__ = ["planned"]


def planned(domain: HostDomain, change: Change, options: Options) -> Patch:
    """Plan a change of the running domain, its definition, or both.

    Raises NothingToChangeError where all is so already, InvalidPatchError for
    new mistakes, ImagesError for images that QEMU cannot use, LoweredError
    for a domain that was changed by hand, HostError, EditError,
    TranslationError.
    """
    return _Planner(domain, change, options).plan()


class _Planner:
    """One change on its way to a plan."""

    def __init__(self, domain: HostDomain, change: Change, options: Options) -> None:
        self.domain = domain
        self.change = change
        self.options = options
        self.scope = Scope.of(
            domain, live=options.get("live", False), config=options.get("config", False)
        )
        provided = options.get("provided") or Provided(lookup=domain.host.lookup)
        where, create = options.get("directory"), options.get("create", False)
        self.live, self.config = tried(
            (lambda: LiveHalf(domain, change, provided, options)) if self.scope.live else None,
            (lambda: ConfigHalf(domain, change, provided, where, create=create))
            if self.scope.config
            else None,
            active=domain.is_active,
            alone=TAKEN if change.kind == "detach" else ALONE,
        )
        self.halves: list[Half] = [one for one in (self.live, self.config) if one is not None]

    def plan(self) -> Patch:
        """All that can be said, refused and decided before anything is done."""
        if len(self.halves) > 1:
            same_meaning(self.halves, self.domain.name)
        something(self.halves)
        self._one_image()
        findings = self._findings()
        make = self._make() if self.options.get("create") else None
        results = self._results(make) if self.options.get("checks", True) else []
        steps, notes = self._steps()
        return Patch(
            title=self.change.title,
            domain=self.domain.name,
            steps=(make, *steps) if make is not None and make.paths else tuple(steps),
            target=self.change.target,
            live=self.scope.live,
            config=self.scope.config,
            lost=tuple(dict.fromkeys(self._lost())),
            notes=tuple(dict.fromkeys([*notes, *self._notes()])),
            findings=tuple(findings),
            results=tuple(results),
        )

    def _one_image(self) -> None:
        """Refuse a word for two quorums, and one image under two names; raises HostError."""
        here = self.domain.host.is_local
        ways = [places[0] for half in self.halves if (places := half.places()) is not None]
        if len(ways) > 1:
            check_quorum(*ways, here=here)
        for half in self.halves:
            check_twice(half.before, half.after, self.change.target, here=here)

    def _findings(self) -> list[Finding]:
        """What the rules say newly, once; raises InvalidPatchError if there are errors."""
        given = self.options.get("given", Given(f"the change of '{self.change.quorum}'"))
        found: dict[Finding, None] = {}
        for half in self.halves:
            new = dict.fromkeys(_new_paths(half), given)
            found |= {at_given(one, new, self._at(half, one)): None for one in half.findings()}
        if any(one.severity is Severity.ERROR for one in found):
            raise InvalidPatchError(self.change.title, list(found))
        return list(found)

    def _at(self, half: Half, finding: Finding) -> str:
        """What a finding is about that is not where the change was given: a disk of the domain."""
        disks = {
            one.location.path: one.name
            for one in half.after.machine_disks
            if one.location is not None
        }
        path, _, _ = finding.path.partition("]")
        target = disks.get(f"{path}]", self.change.target)
        return f"domain '{self.domain.name}', disk '{target}'"

    def _make(self) -> MakeImages:
        return making(self.halves[0], self.options.get("size"), copied=self._is_copied)

    def _results(self, make: MakeImages | None) -> list[CheckResult]:
        """What is found of new images, once; raises ImagesError if there are errors."""
        half = self.halves[0]  # the new images of both are the same
        made = make.paths if make is not None else None
        results = list(dict.fromkeys(with_ways(half.looked_at(), half, made)))
        if refused(results):
            raise ImagesError(self.change.title, results)
        return results

    def _lost(self) -> Iterator[str]:
        for half in self.halves:
            places = half.places()
            if places is not None:
                yield from ties(places[0].word, places[0].quorum, places[1].quorum)
                yield from fewer(places[0].word, places[0].quorum, places[1].quorum)
        yield from self._stale()
        yield from others(
            self.domain, newcomers(self.change, self.halves[0].edited), self.change.target
        )
        members = self.halves[0].edited.members
        if self.change.kind == "change" and not self.domain.is_active:
            yield from self._saved()
        if self._is_copied:
            yield from overwritten(members, here=self.domain.host.is_local)
            if members and self.live is not None:
                top = next(one for one in self.live.old if self.live.is_ours(one))
                yield from unvoted(self.change.target, top.disk.quorums[0])
        elif self.options.get("fill", True) and not self._have_the_data(members):
            yield (
                "nothing is copied to the new member while the guest runs without it: it votes "
                "with what it holds from the next start on; with --live as well it is copied to"
            )

    def _have_the_data(self, members: Sequence[AnyImage]) -> bool:
        """Whether the guest writes to the new members already, if there are any."""
        return not members or are_members(self.domain, self.change.target, members)

    def _stale(self) -> Iterator[str]:
        """What to ask where the running domain loses a member that its definition keeps."""
        live = self.live
        if live is None or self.change.kind != "change" or not self.domain.is_persistent:
            return
        definition = self._definition
        assert definition is not None
        yield from stale(self.domain, live.before, live.after, definition, self.change.target)

    @cached_property
    def _definition(self) -> Domain | None:
        """What the next start takes after the change, lifted; None for a domain that has none."""
        if self.config is not None:
            return self.config.after
        if not self.domain.is_persistent:
            return None
        return lift(self.domain.text(inactive=True), force=True)

    def _saved(self) -> Iterator[str]:
        """What to ask of a domain with a saved state, which has disks of its own."""
        if self.domain.has_managed_save:
            name = self.domain.name
            yield (
                f"'{name}' has a saved state, with which it would go on with the quorum as it was "
                f"and not as it becomes; 'virsh managedsave-remove {name}' throws that away"
            )

    @property
    def _is_copied(self) -> bool:
        """Whether new members are copied to: the guest runs with them, or does not run."""
        return self.options.get("fill", True) and (self.scope.live or not self.domain.is_active)

    def _notes(self) -> Iterator[str]:
        for half in self.halves:
            yield from half.notes
            places = half.places()
            if places is not None:
                yield from spare(places[0].word, places[0].quorum, places[1].quorum)
        live, config, name = self.live, self.config, self.domain.name
        if live is not None and live.is_changed and live.becomes_unsaved:
            yield unsaved(name, self._definition)
        elif config is not None:
            yield from unsaved_from_start(name, config.before, config.after)

    def _steps(self) -> tuple[list[Step], list[str]]:
        """The definition changes behind the note of what is under way, before the guest pauses."""
        steps: list[Step] = []
        notes: list[str] = []
        used: set[str] = set()
        if self.live is not None and self.live.is_changed:
            steps, used = self.live.steps()
        elif self.domain.is_active:
            used = set(_files(self.domain, inactive=False))
        if self.config is not None and self.config.is_changed:
            found, notes, files = self.config.steps()
            notes = self._sized(found, notes)
            if self.config.edited.members and not self.domain.is_active:
                fills = self.config.fills() if self._is_copied else []
                found = [*fills, *defined_off(still_off(self.domain), found)]
            if self.live is not None:
                found = [one for one in found if not _is_of(one, used)]
                notes = [one for one in notes if not one.endswith("from its next start")]
            steps = self._with_definition(steps, found)
            used |= files
            note_all(steps, self.change.target, (self.config.before, self.config.after))
        elif self.domain.is_persistent:
            used |= set(_files(self.domain, inactive=True))
            note_all(steps, self.change.target)
        else:
            note_all(steps, self.change.target)
        return [*steps, *self._removals(used)], notes

    def _sized(self, steps: list[Step], notes: list[str]) -> list[str]:
        """Give the new placeholder the size of the images that are made; the notes that stay."""
        size, change = self.options.get("size"), self.change
        if change.kind != "attach" or size is None or not self.options.get("create"):
            return notes
        if not is_raw(self.halves[0].after.disk(change.target).image):
            return notes
        for step in steps:
            if isinstance(step, MakePlaceholder) and step.size is None and not step.kept:
                step.size = size
        return [one for one in notes if not one.startswith(f"disk '{change.target}': its size is")]

    def _with_definition(self, steps: list[Step], found: list[Step]) -> list[Step]:
        assert self.config is not None
        same = SameDefinition(self.domain, self.config.text)
        for step in steps:
            if isinstance(step, Write):
                step.checks.append(same.look)
        at = next(at for at, one in enumerate(found) if isinstance(one, Define))
        found = [*found[:at], same, *found[at:]]
        if not self.config.edited.members:
            # Undone the other way round: a placeholder that a definition names is not removed.
            before = (Write, MakePlaceholder)
            at = max((at for at, one in enumerate(steps, 1) if isinstance(one, before)), default=0)
            return [*steps[:at], *found, *steps[at:]]
        return placed(steps, found, copied=self._is_copied)

    def _removals(self, used: set[str]) -> list[Step]:
        """The placeholders that were needed and are not any more."""
        placeholders = Placeholders(self.domain.host)
        before = dict.fromkeys(path for half in self.halves for path in half.files.values())
        return [RemovePlaceholder(placeholders, path) for path in before if path not in used]


def _new_paths(half: Half) -> tuple[str, ...]:
    """The paths of what a change brings into a document, or sets in it."""
    if half.change.kind != "attach":
        return half.edited.paths
    location = half.after.disk(half.change.target).location
    return (location.path,) if location is not None else ()


def _is_of(step: Step, files: set[str]) -> bool:
    """Whether a step makes one of these placeholders, as the running domain's steps do."""
    return isinstance(step, MakePlaceholder) and step.path in files


def _files(domain: HostDomain, *, inactive: bool) -> Iterator[str]:
    """The placeholders of what runs, or of the definition."""
    yield from placeholder_files(domain.text(inactive=inactive)).values()
