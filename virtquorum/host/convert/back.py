"""A quorum disk becomes one of its members: refused, asked, and the steps in their order.

Whatever cuts it short, the definition never has a quorum whose members lack what the
guest has written since: it changes before the graph.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.errors import HostError
from virtquorum.host.convert.disks import alone, stock_of
from virtquorum.host.convert.live import LiveReturn, running_half
from virtquorum.host.convert.offline import (
    Compare,
    spelled,
    still_off,
)
from virtquorum.host.definition import RemovePlaceholder
from virtquorum.host.live import Suspend
from virtquorum.host.offline import defined_off
from virtquorum.host.patch.config import ConfigHalf
from virtquorum.host.patch.edit import Change, Edited
from virtquorum.host.patch.faces import tried
from virtquorum.host.patch.half import same_meaning
from virtquorum.host.patch.note import note_all
from virtquorum.host.patch.patch import Patch
from virtquorum.host.patch.words import place_of, said_of
from virtquorum.host.placeholders import Placeholders
from virtquorum.model.image import Image, Quorum

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Unpack

    from virtquorum.host.change import Step
    from virtquorum.host.domain import HostDomain
    from virtquorum.host.patch.half import Half
    from virtquorum.host.patch.words import Place
    from virtquorum.xml.domain import Domain

__all__ = ["convert_back"]


from virtquorum.host.convert.planner import CONVERTED, Options, Planner


def convert_back(
    domain: HostDomain, target: str, member: str = "0", **options: Unpack[Options]
) -> Patch:
    """Plan to make a stock disk of a quorum disk: one of its members, by number, name or path.

    The other members' images stay as they are.  Raises as ``convert`` does.
    """
    return _Return(domain, target, member, options).plan()


class _Return(Planner):
    """A quorum disk on its way to one of its members."""

    def __init__(self, domain: HostDomain, target: str, member: str, options: Options) -> None:
        super().__init__(domain, target, options)
        self.title = f"make a stock disk of '{target}' in '{domain.name}'"
        self.word = member
        change = Change("detach", self.title, target, target, self._edit)
        given = self.provided, self.directory
        running = Change("detach", self.title, target, target, self._edit_running)
        self.live, self.config = tried(
            (lambda: LiveReturn(domain, running, *given)) if self.scope.live else None,
            (lambda: ConfigHalf(domain, change, *given)) if self.scope.config else None,
            active=domain.is_active,
            alone=CONVERTED,
        )
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
            if not self.domain.is_active:
                found = defined_off(still_off(self.domain), found)
            steps = [*self._compared(), *found]
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
