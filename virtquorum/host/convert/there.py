"""A stock disk becomes a quorum: what is refused, what is asked, and the steps in their order.

Whatever cuts it short, the definition never has a quorum whose members lack what the
guest has written since: it changes behind the graph.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from virtquorum.errors import HostError
from virtquorum.host.blank import MakeImages
from virtquorum.host.checks import check_images, refused
from virtquorum.host.convert.disks import quorum_of, stock_disk
from virtquorum.host.convert.live import LiveConversion
from virtquorum.host.convert.offline import (
    Compare,
    copy,
    paths_of,
    size_of_image,
    spelled,
    still_off,
)
from virtquorum.host.definition import Define, VerifyDefinition
from virtquorum.host.offline import defined_off
from virtquorum.host.owner import qemu_owner
from virtquorum.host.patch.config import ConfigHalf
from virtquorum.host.patch.edit import Change, Edited
from virtquorum.host.patch.faces import tried
from virtquorum.host.patch.guards import overwritten, spare, ties
from virtquorum.host.patch.half import same_meaning, told_of_own
from virtquorum.host.patch.note import note_all
from virtquorum.host.patch.patch import ImagesError, Patch
from virtquorum.host.patch.words import said_of
from virtquorum.model.image import Image, Quorum

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Unpack

    from virtquorum.host.change import Step
    from virtquorum.host.checks.result import CheckResult
    from virtquorum.host.domain import HostDomain
    from virtquorum.host.patch.half import Half
    from virtquorum.model.disk import Disk
    from virtquorum.xml.domain import Domain

__all__ = ["convert"]


from virtquorum.host.convert.planner import CONVERTED, Options, Planner


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


class _Conversion(Planner):
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
        self.live, self.config = tried(
            (lambda: LiveConversion(domain, change, *given)) if self.scope.live else None,
            (lambda: ConfigHalf(domain, change, *given)) if self.scope.config else None,
            active=domain.is_active,
            alone=CONVERTED,
        )
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
        if self.live is not None:
            self.live.check_there()
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
        # The disk's own image holds, or has lost, its data: it is not to be made.
        new = Image(source=Quorum(threshold=1, members=self.members), format="quorum")
        disk = replace(self._new, image=new)
        return MakeImages(self.halves[0].after, disk, size, qemu_owner(host))

    def _results(self, make: MakeImages | None) -> list[CheckResult]:
        """What is found of the images; raises ImagesError if there are errors."""
        half = self.halves[0]
        own = set(paths_of([self._disk.image])) if self.live is not None else set()
        wanted = [one for one in half.new if half.is_ours(one)]
        found = check_images(self.domain.host.connection, half.after, wanted, own=own)
        found = told_of_own(found, self.domain)
        expected = set(make.paths) if make is not None else set()
        new = set(paths_of(self.members))
        found = [
            _making(one) if one.path in new else _brought_back(one, running=self.live is not None)
            for one in found
            if one.path not in expected
        ]
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
        yield from self._owners()
        yield from self._history()

    def _owners(self) -> Iterator[str]:
        """What is worth knowing where libvirt gives images to QEMU's user, and takes them back."""
        if self.live is None or self.config is None:
            return
        if qemu_owner(self.domain.host) not in (None, (0, 0)):
            yield (
                f"when the guest ends, libvirt gives {said_of(self._disk.image)} back to its "
                "former owner, and it hands out no members of a quorum: by then QEMU's user must "
                "be able to write to it; 'virtquorum start' looks"
            )

    def _steps(self) -> tuple[list[Step], list[str]]:
        found: list[Step] = []
        notes: list[str] = []
        if self.config is not None:
            found, notes, _ = self.config.steps()
        if self.live is None:
            return [*self._copies(), *defined_off(still_off(self.domain), found)], notes
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
                yield copy(disk, disk.image, new, member)
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


def _making(one: CheckResult) -> CheckResult:
    """What is found of a new image, with the way out of a missing one that there is here."""
    return replace(one, ways=("--create makes it",)) if one.kind == "missing" else one


def _brought_back(one: CheckResult, *, running: bool) -> CheckResult:
    """What is found of the disk's own image: a blank one in its place would be another disk."""
    if one.kind != "missing":
        return one
    message = "is gone while the guest has it open" if running else one.message
    return replace(one, message=message, ways=("bring it back, under this name",))
