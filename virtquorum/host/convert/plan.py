"""A conversion planned: what is refused, what is asked, and the steps in their order.

Whatever cuts a conversion short, the definition never has a quorum with
members that lack what the guest has written since.  So where both change, a
definition with a new quorum comes after the graph, and one without the quorum
before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from virtquorum.check.finding import Severity
from virtquorum.errors import HostError
from virtquorum.host.checks import check_images, refused
from virtquorum.host.connection import asking
from virtquorum.host.convert.disks import alone, quorum_of, stock_disk, stock_of
from virtquorum.host.convert.live import LiveConversion, LiveReturn, running_half
from virtquorum.host.convert.offline import (
    Compare,
    Copy,
    MakeImages,
    StillOff,
    paths_of,
    size_of_image,
    spelled,
)
from virtquorum.host.definition import Define, RemovePlaceholder, VerifyDefinition
from virtquorum.host.live import Suspend
from virtquorum.host.owner import qemu_owner
from virtquorum.host.patch.config import ConfigHalf
from virtquorum.host.patch.edit import Change, Edited
from virtquorum.host.patch.guards import overwritten, spare, ties
from virtquorum.host.patch.half import same_meaning
from virtquorum.host.patch.note import note_all
from virtquorum.host.patch.patch import ImagesError, InvalidPatchError, Patch
from virtquorum.host.patch.scope import Scope
from virtquorum.host.patch.words import place_of, said_of
from virtquorum.host.placeholders import Placeholders
from virtquorum.model.image import Image, Quorum
from virtquorum.qemu.provided import Provided

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Unpack

    from virtquorum.check.finding import Finding
    from virtquorum.host.change import Step
    from virtquorum.host.checks.result import CheckResult
    from virtquorum.host.domain import HostDomain
    from virtquorum.host.patch.half import Half
    from virtquorum.host.patch.words import Place
    from virtquorum.model.disk import Disk
    from virtquorum.xml.domain import Domain

__all__ = ["Options", "convert", "convert_back"]


class Options(TypedDict, total=False):
    """What a conversion can be told.

    ``live`` and ``config`` say what is converted: the running domain, its
    definition, or both; without either the running domain, or else the
    definition.  ``create`` has new members' images made that are missing.
    ``fill`` is whether new members are copied to (True); without it they must
    hold the disk's data.  ``compare`` is whether the member that stays is
    compared with the vote (True).  ``checks`` is whether it is looked at first
    if QEMU can use the images (True).  ``provided`` is where secrets are, and
    ``directory`` where a new placeholder goes.
    """

    live: bool
    config: bool
    create: bool
    fill: bool
    compare: bool
    checks: bool
    provided: Provided | None
    directory: str | None


def convert(
    domain: HostDomain,
    target: str,
    members: Sequence[Image],
    *,
    threshold: int | None = None,
    **options: Unpack[Options],
) -> Patch:
    """Plan to make a quorum of a stock disk: its image is the member 0, ``members`` are the others.

    They hold what the disk holds before they vote.  Without ``threshold`` it
    is the majority.  Raises InvalidPatchError for new mistakes, ImagesError
    for images that QEMU cannot use, ImageError for one that cannot be made,
    TranslationError, EditError, LoweredError for a domain that was changed by
    hand, and HostError for what cannot be converted.
    """
    if not members:
        raise HostError(
            f"a quorum of one member is no vote: name the images that '{target}' shall have beside "
            "its own"
        )
    count = 1 + len(members)
    wanted = count // 2 + 1 if threshold is None else threshold
    if not 1 <= wanted <= count:
        raise HostError(f"the quorum has {count} members, so its threshold is from 1 to {count}")
    return _Conversion(domain, target, members, wanted, options).plan()


def convert_back(
    domain: HostDomain, target: str, member: str = "0", **options: Unpack[Options]
) -> Patch:
    """Plan to make a stock disk of a quorum disk: one of its members, by number, name or path.

    The other members' images stay as they are.  Raises as ``convert`` does.
    """
    return _Return(domain, target, member, options).plan()


class _Planner:
    """What both conversions share."""

    title: str

    def __init__(self, domain: HostDomain, target: str, options: Options) -> None:
        self.domain = domain
        self.target = target
        self.options = options
        self.scope = Scope.of(
            domain, live=options.get("live", False), config=options.get("config", False)
        )
        self.provided = options.get("provided") or Provided(lookup=domain.host.lookup)
        self.directory = options.get("directory")
        if self.scope.config and not domain.is_active and domain.has_managed_save:
            raise HostError(
                f"{domain.where} has a saved state, with which it would go on with the disk as it "
                f"was; start it and shut it down, or 'virsh managedsave-remove {domain.name}' "
                "throws that away"
            )

    def _patch(
        self,
        steps: Sequence[Step],
        lost: Sequence[str],
        notes: Sequence[str],
        findings: Sequence[Finding],
        results: Sequence[CheckResult],
    ) -> Patch:
        return Patch(
            title=self.title,
            domain=self.domain.name,
            steps=tuple(steps),
            target=self.target,
            live=self.scope.live,
            config=self.scope.config,
            lost=tuple(dict.fromkeys(lost)),
            notes=tuple(dict.fromkeys(notes)),
            findings=tuple(findings),
            results=tuple(results),
        )

    def _findings(self, halves: Sequence[Half]) -> list[Finding]:
        """What the rules say newly, once; raises InvalidPatchError if there are errors."""
        found = {(one.rule, one.message): one for half in halves for one in half.findings()}
        if any(one.severity is Severity.ERROR for one in found.values()):
            raise InvalidPatchError(self.title, list(found.values()))
        return list(found.values())

    def _history(self) -> Iterator[str]:
        """What is worth knowing of a domain with snapshots, which know the disk as it was."""
        with asking(self.domain.where):
            handle = self.domain.handle
            known = {
                "snapshots": handle.snapshotNum(0),
                "checkpoints": len(handle.listAllCheckpoints(0)),
            }
        for what, number in known.items():
            if number:
                yield (
                    f"'{self.domain.name}' has {what}, which know the disk '{self.target}' as it "
                    "was; they do not go together with the disk as it becomes"
                )

    def _live_notes(self) -> Iterator[str]:
        if self.scope.config or not self.domain.is_persistent:
            return
        yield (
            f"the definition of '{self.domain.name}' stays as it is: that is what the next start "
            "takes; with --config as well it is converted, too"
        )


class _Conversion(_Planner):
    """A stock disk on its way into a quorum."""

    def __init__(
        self,
        domain: HostDomain,
        target: str,
        members: Sequence[Image],
        threshold: int,
        options: Options,
    ) -> None:
        super().__init__(domain, target, options)
        self.title = f"make a quorum of '{target}' in '{domain.name}'"
        self.members = tuple(members)
        self.threshold = threshold
        self.fill = options.get("fill", True)
        if self.scope.config and not self.scope.live and domain.is_active:
            raise HostError(
                f"{domain.where} is {domain.state}, and writes to the disk '{target}': what is "
                "copied now would be old at its next start; convert both with --live --config, or "
                "shut it down"
            )
        change = Change("attach", self.title, target, target, self._edit)
        given = self.provided, self.directory
        self.live = LiveConversion(domain, change, *given) if self.scope.live else None
        self.config = ConfigHalf(domain, change, *given) if self.scope.config else None
        self.halves: list[Half] = [one for one in (self.live, self.config) if one is not None]

    def _edit(self, document: Domain) -> Edited:
        disk = stock_disk(document, self.target, self.domain.name)
        new = quorum_of(disk, self.members, self.threshold)
        return Edited(document.replace(disk, new), self.members, (str(said_of(disk.image)),))

    def plan(self) -> Patch:
        """All that can be said, refused and decided before anything is done."""
        if len(self.halves) > 1:
            same_meaning(self.halves, self.domain.name)
        findings = self._findings(self.halves)
        make = self._make() if self.options.get("create") else None
        results = self._results(make) if self.options.get("checks", True) else []
        steps, notes = self._steps()
        made = [make] if make is not None and make.paths else []
        return self._patch(
            [*made, *steps],
            [*self._lost()],
            [*notes, *self._notes()],
            findings,
            results,
        )

    @property
    def _disk(self) -> Disk:
        """The disk as it is."""
        return stock_disk(self.halves[0].before, self.target, self.domain.name)

    @property
    def _new(self) -> Disk:
        """The disk as it becomes."""
        return self.halves[0].after.disk(self.target)

    def _make(self) -> MakeImages:
        """Make what is missing; raises HostError where the images are another machine's."""
        host = self.domain.host
        if not host.is_local:
            raise HostError(
                f"images of '{host.name}' cannot be made from here; make them there "
                "('virsh vol-create-as'), and leave --create out"
            )
        live = self.live
        size = live.size if live is not None else size_of_image(self._disk, self._disk.image)
        return MakeImages(self.halves[0].after, self._new, size, qemu_owner(host))

    def _results(self, make: MakeImages | None) -> list[CheckResult]:
        """What is found of the images; raises ImagesError if there are errors."""
        half = self.halves[0]
        own = set(paths_of([self._disk.image])) if self.live is not None else set()
        wanted = [one for one in half.new if half.is_ours(one)]
        found = check_images(self.domain.host.connection, half.after, wanted, own=own)
        expected = set(make.paths) if make is not None else set()
        found = [one for one in found if one.path not in expected]
        if refused(found):
            raise ImagesError(self.title, found)
        return found

    def _lost(self) -> Iterator[str]:
        quorum = self._new.quorum
        assert quorum is not None
        yield from ties(self.target, self._alone, quorum)
        if self.fill:
            yield from overwritten(self.members, here=self.domain.host.is_local)
        elif self.live is not None or not self.domain.host.is_local:
            yield (
                "nothing is copied to the new members, and nobody compares what they hold: the "
                "guest reads what most of them have"
            )

    @property
    def _alone(self) -> Quorum:
        """The disk as it is, taken for a quorum."""
        return Quorum(threshold=1, members=(self._disk.image,))

    def _notes(self) -> Iterator[str]:
        quorum = self._new.quorum
        assert quorum is not None
        yield from spare(self.target, Quorum(threshold=1), quorum)
        yield from self._live_notes()
        if self.live is not None:
            yield (
                f"while it runs, libvirt goes on showing {said_of(self._disk.image)} alone as "
                f"'{self.target}', and '{self.domain.name}' cannot be saved or migrated; "
                "'virtquorum dumpxml' shows the quorum"
            )
        yield from self._history()

    def _steps(self) -> tuple[list[Step], list[str]]:
        found: list[Step] = []
        notes: list[str] = []
        if self.config is not None:
            found, notes, _ = self.config.steps()
        if self.live is None:
            return [*self._copies(), StillOff(self.domain), *found], notes
        # The definition with the quorum comes last: its members lack nothing then.
        last = [one for one in found if isinstance(one, (Define, VerifyDefinition))]
        steps = [
            *(one for one in found if one not in last),
            *self.live.steps(last, fill=self.fill),
        ]
        before_after = (self.config.before, self.config.after) if self.config is not None else None
        note_all(steps, self.target, before_after)
        return steps, [one for one in notes if not one.endswith("from its next start")]

    def _copies(self) -> Iterator[Step]:
        """What makes the new members hold the disk's data, and what sees that they do."""
        host = self.domain.host
        if not host.is_local:
            if self.fill:
                raise HostError(
                    f"the images are on '{host.name}', and cannot be copied from here while the "
                    "domain is off; start it and convert it with --live --config, or copy them "
                    "there and say --no-copy"
                )
            return
        disk, new = self._disk, self._new
        assert new.quorum is not None
        for member in new.quorum.members[1:]:
            assert isinstance(member, Image)
            if self.fill:
                yield Copy(disk, disk.image, new, member)
        for member in new.quorum.members[1:]:
            assert isinstance(member, Image)
            where = said_of(member)
            yield Compare(
                spelled(disk, disk.image),
                spelled(new, member),
                str(where).strip("'"),
                f"the new member {where} does not hold what the disk '{self.target}' holds"
                + ("; look at its storage" if self.fill else "; leave --no-copy out"),
            )


class _Return(_Planner):
    """A quorum disk on its way to one of its members."""

    def __init__(self, domain: HostDomain, target: str, member: str, options: Options) -> None:
        super().__init__(domain, target, options)
        self.title = f"make a stock disk of '{target}' in '{domain.name}'"
        self.word = member
        change = Change("detach", self.title, target, target, self._edit)
        given = self.provided, self.directory
        running = Change("detach", self.title, target, target, self._edit_running)
        self.live = LiveReturn(domain, running, *given) if self.scope.live else None
        self.config = ConfigHalf(domain, change, *given) if self.scope.config else None
        self.halves: list[Half] = [one for one in (self.live, self.config) if one is not None]
        #: What runs with the disk, converted or not.
        self.running = self.live
        if self.running is None and domain.is_active:
            self.running = running_half(domain, running, *given)

    def _edit(self, document: Domain) -> Edited:
        place, member = self._found(document)
        edited = document.replace(place.disk, stock_of(place.disk, member))
        return Edited(edited, (), (place.said(member),))

    def _edit_running(self, document: Domain) -> Edited:
        place, member = self._found(document)
        edited = document.replace(place.disk, alone(place.disk, member))
        return Edited(edited, (), (place.said(member),))

    def _found(self, document: Domain) -> tuple[Place, Image]:
        """The quorum and the member that stays; raises HostError where there is none such."""
        place = place_of(document, self.target, self.domain.name)
        _check_returned(place)
        member = place.quorum.members[place.member(self.word)]
        if not isinstance(member, Image) or isinstance(member.source, Quorum):
            raise HostError(
                f"{place.where}: its member '{self.word}' is no image; name one that is: "
                f"{place.listed()}"
            )
        return place, member

    def plan(self) -> Patch:
        """All that can be said, refused and decided before anything is done."""
        if len(self.halves) > 1:
            same_meaning(self.halves, self.domain.name)
        # Of the running domain's quorum of one there would be no end of warnings.
        findings = self._findings([one for one in self.halves if one is not self.live])
        steps, notes = self._steps()
        return self._patch(steps, [*self._lost()], [*notes, *self._notes()], findings, [])

    @property
    def _place(self) -> Place:
        return place_of(self.halves[0].before, self.target, self.domain.name)

    def _said(self) -> str:
        return self.halves[0].edited.named[0]

    def _lost(self) -> Iterator[str]:
        if not self._is_compared:
            yield (
                f"nobody looks whether the member {self._said()} holds what most members hold: "
                "from now on the guest reads it alone"
            )
        if self.live is not None and self.config is None and self._is_defined:
            yield (
                f"the definition of '{self.domain.name}' still has the quorum: at the next start "
                "the other members vote with what they hold now, against all that is written from "
                "now on; with --config as well it has the stock disk, too"
            )

    @property
    def _is_compared(self) -> bool:
        return self.options.get("compare", True)

    @property
    def _is_defined(self) -> bool:
        """Whether the definition has the quorum."""
        if not self.domain.is_persistent:
            return False
        disks = self.domain.quorum_disks(inactive=True)
        return any(one.name == self.target for one in disks)

    def _notes(self) -> Iterator[str]:
        place = self._place
        number = place.member(self.word)
        others = [place.said(one) for at, one in enumerate(place.quorum.members) if at != number]
        if others:
            yield f"what is not needed any more stays as it is: {', '.join(others)}"
        if self.live is not None and not self.live.is_as_it_was(number):
            yield (
                f"until '{self.domain.name}' is shut down and started again '{self.target}' is a "
                "quorum of this one member, and the domain cannot be saved or migrated"
            )
        yield from self._history()

    def _steps(self) -> tuple[list[Step], list[str]]:
        found: list[Step] = []
        notes: list[str] = []
        if self.config is not None:
            found, notes, _ = self.config.steps()
        if self.live is None:
            still = [] if self.domain.is_active else [StillOff(self.domain)]
            steps = [*self._compared(), *still, *found]
        else:
            number = self._place.member(self.word)
            steps = self.live.steps(number, self._compared())
            # The definition without the quorum comes first, and the pause is no longer for it.
            at = next((at for at, one in enumerate(steps) if isinstance(one, Suspend)), 0)
            steps = [*steps[:at], *found, *steps[at:]]
            before_after = None
            if self.config is not None:
                before_after = (self.config.before, self.config.after)
            note_all(steps, self.target, before_after)
            notes = [one for one in notes if not one.endswith("from its next start")]
        removals, stays = self._removals()
        return [*steps, *removals], [*notes, *stays]

    def _compared(self) -> list[Step]:
        """The step that compares the member with the vote."""
        if not self._is_compared:
            return []
        if self.running is not None:
            place = place_of(self.running.before, self.target, self.domain.name)
            number = place.member(self.word)
            said = place.said(place.quorum.members[number])
            return [self.running.compared(number, f"the member {said}")]
        if not self.domain.host.is_local:
            raise HostError(
                f"the images are on '{self.domain.host.name}', and cannot be compared from here "
                "while the domain is off; convert it while it runs, or --no-compare goes on "
                "without it"
            )
        place = self._place
        member = place.quorum.members[place.member(self.word)]
        assert isinstance(member, Image)
        vote = spelled(place.disk, Image(source=place.quorum, format="quorum"))
        return [
            Compare(
                vote,
                spelled(place.disk, member),
                str(said_of(member)).strip("'"),
                f"the member {self._said()} does not hold what most members hold; keep another "
                "one, or --no-compare takes it as it is",
            )
        ]

    def _removals(self) -> tuple[list[Step], list[str]]:
        """The placeholder, if nothing needs it any more; a note if something does."""
        path = next(
            (half.files[self.target] for half in self.halves if self.target in half.files), None
        )
        if path is None:
            return [], []
        used = self.config is None and self._is_defined
        recorded = self.running.recorded if self.running is not None else None
        if recorded is not None and recorded.kept is None:
            used = True
        if used:
            return [], [f"the placeholder '{path}' stays while something has it open or names it"]
        return [RemovePlaceholder(Placeholders(self.domain.host), path)], []


def _check_returned(place: Place) -> None:
    """Refuse a quorum that is not the whole of its disk."""
    if place.disk.quorum is None or place.disk.image.format not in (None, "quorum", "raw"):
        raise HostError(
            f"{place.where} has a format above it, or stands below one: none of its members is "
            "the disk alone"
        )
