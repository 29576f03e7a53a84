"""Images that a new definition exchanges: nothing copies the disk's data to them.

``virtquorum patch`` copies to a new member before it votes.  A definition
only names it, and at the next start it votes with whatever it holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from virtquorum.host.composition import Images
from virtquorum.host.exchange_above import above_exchanges, counts_from
from virtquorum.host.layer import said
from virtquorum.model.node import Node, node

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from virtquorum.host.composition import Composition, Member
    from virtquorum.host.headers import Headers
    from virtquorum.host.layer import Layer
    from virtquorum.host.session import Host
    from virtquorum.model.disk import Disk

__all__ = ["Exchange", "exchanges"]

#: Devices of which the medium is changed, and not what is on it.
_REMOVABLE: Final = ("cdrom", "floppy")


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Exchange(Node):
    """The images that are to vote in a disk and did not before, as people name them.

    ``target`` is the disk's.  ``new`` are those that are there, or of which
    nobody here can say, and ``absent`` those that are not.  ``altered`` are
    members that are to be read otherwise, in another format or over another
    chain, and how.  ``above`` are sentences on what is to stand above the
    quorum and did not, or no more.  ``gone`` are the members that vote no
    more, ``moved`` is whether none of their images is there any more, and
    ``kept`` how many members stay.  ``saved`` is whether the next start goes
    on from a saved state, and so from the members that were.
    """

    target: str
    new: tuple[str, ...]
    absent: tuple[str, ...]
    altered: tuple[str, ...]
    above: tuple[str, ...]
    gone: tuple[str, ...]
    moved: bool
    kept: int
    was_stock: bool
    saved: bool = False

    def questions(self, name: str, *, active: bool) -> Iterator[str]:
        """What to ask before a domain is defined so; there is always something.

        ``name`` is the domain's, ``active`` whether it runs.
        """
        options = "--live --config" if active else "--config"
        if self.new:
            yield self._of_new(name, options)
        if self.absent:
            yield self._of_absent(name, options)
        when = counts_from(saved=self.saved)
        for one in self.altered:
            yield (
                f"'{self.target}' would read {one}: {when} that member votes with "
                "what it holds then; go on if it holds the disk's data so"
            )
        yield from self.above

    def waiting(self) -> str:
        """That a start goes on from a saved state, and not from what the definition has."""
        found = [*self.new, *self.absent]
        if found:
            count, lack = ("counts", "lacks") if len(found) == 1 else ("count", "lack")
            return (
                f"'{self.target}' goes on with the members of the saved state; {_listed(found)} of "
                f"the definition {count} from the start after that on, and {lack} what is written "
                "until then"
            )
        what = "; ".join(self.altered) or "what stands above its quorum"
        return (
            f"'{self.target}' goes on as the saved state has it; what the definition has otherwise "
            f"({what}) counts from the start after that on"
        )

    def _of_new(self, name: str, options: str) -> str:
        it, holds = ("it", "it holds") if len(self.new) == 1 else ("them", "they hold")
        nothing = f"nothing copies the disk's data to {it}: {counts_from(saved=self.saved)}"
        if self._stays:
            what = (
                f"{self._gets(self.new)}, and {nothing} "
                f"{'it votes' if it == 'it' else 'they vote'} with what {holds}"
            )
        else:
            what = f"{self._gets(self.new)}, and {nothing} the guest has what {holds}"
        return f"{what}; {self._way(name, options)} copies it first; {self._right(holds)}"

    def _of_absent(self, name: str, options: str) -> str:
        one = len(self.absent) == 1
        are, they, them = ("is", "it votes", "it") if one else ("are", "they vote", "them")
        blank = f"{they} against the others" if self._stays else "the guest has an empty disk"
        way = self._way(name, f"--create {options}")
        other = "" if self._stays else ", or if another disk is wanted"
        gets = self._gets(self.absent) + (" and" if self._stays else ",")
        return (
            f"{gets} which {are} not there: made blank, {blank}; "
            f"'virtquorum create --from MEMBER' makes {them} from a member that has the data, and "
            f"{way} copies to {them} before {they}; go on if you bring the data there{other}"
        )

    @property
    def _stays(self) -> bool:
        """Whether anything that votes stays."""
        return bool(self.kept or self.altered)

    def _gets(self, images: Sequence[str]) -> str:
        members = "member" if len(images) == 1 else "members"
        if self._stays:
            return (
                f"'{self.target}' would get the {members} {_listed(images)}, which it did not "
                "have before"
            )
        return f"'{self.target}' would have other members throughout, {_listed(images)}"

    def _way(self, name: str, options: str) -> str:
        if self.was_stock:
            return f"'virtquorum convert {name} {self.target} --members … {options}'"
        does = "replace" if self.gone else "add"
        return f"'virtquorum patch {name} member {does} {self.target} … {options}'"

    def _right(self, holds: str) -> str:
        if self.moved and len(self.gone) == len(self.new):
            was, them = ("is", "it was") if len(self.gone) == 1 else ("are", "they were")
            return f"{_listed(self.gone)} {was} not there any more: go on if {them} moved there"
        other = "" if self._stays else ", or if another disk is wanted"
        return f"go on if {holds} it already{other}"


class _Before:
    """What a disk was made of: as it runs, and as it is defined."""

    def __init__(self) -> None:
        self.members: list[Member] = []
        self.aboves: list[tuple[Layer, ...]] = []

    def add(self, found: Composition) -> None:
        """Add what one document says; an image votes as often as in the one that has it more."""
        left = [one.key for one in self.members]
        for member in found.members:
            if member.key in left:
                left.remove(member.key)
            else:
                self.members.append(member)
        self.aboves.append(found.above)


def exchanges(
    host: Host, old: Sequence[Disk], new: Sequence[Disk], *, saved: bool = False
) -> list[Exchange]:
    """The images that quorum disks get which they had not, by their disks.

    A disk is the one with its target.  ``old`` may name a target twice: what
    runs, and what is defined.  A quorum of a quorum's counts as a part of it,
    and the image of a stock disk as one that votes alone.  ``saved`` is whether
    the domain has a saved state.
    """
    images = Images(host)
    before: dict[str | None, _Before] = {}
    for disk in old:
        before.setdefault(disk.name, _Before()).add(images.composition(disk))
    quorums = {disk.name for disk in old if disk.quorums}
    found = (
        _exchange(images, disk, before, was_stock=disk.name not in quorums, saved=saved)
        for disk in new
        if disk.quorums and disk.name in before and before[disk.name].members
    )
    return [one for one in found if one is not None]


def _exchange(
    images: Images,
    disk: Disk,
    before: dict[str | None, _Before],
    *,
    was_stock: bool,
    saved: bool,
) -> Exchange | None:
    had, now = before[disk.name], images.composition(disk)
    pairs = _Matching(images.headers, had.members, now.members).pairs()
    above = []
    if not was_stock:
        above = above_exchanges(images, disk, had.aboves, now.above, saved=saved)
    if disk.device in _REMOVABLE and not pairs.kept:
        return None
    if not (pairs.new or pairs.altered or above):
        return None
    there = [one for one in pairs.new if images.may_be(one.image)]
    places = {one.place for one in now.members}
    gone = [one.image for one in pairs.gone if one.place not in places]
    return Exchange(
        target=disk.name or "",
        new=tuple(said(one.image) + _origin(one, disk, now, before) for one in there),
        absent=tuple(said(one.image) for one in pairs.new if one not in there),
        altered=tuple(pairs.altered),
        above=tuple(above),
        gone=tuple(map(said, gone)),
        moved=bool(gone) and not any(map(images.may_be, gone)),
        kept=pairs.kept,
        was_stock=was_stock,
        saved=saved,
    )


class _Pairs(NamedTuple):
    """Old and new members held against each other."""

    kept: int
    altered: list[str]
    new: list[Member]
    gone: list[Member]


class _Matching:
    """Finds each new member's old one: one that is written alike, else one that may be the same."""

    def __init__(self, headers: Headers, old: Sequence[Member], new: Sequence[Member]) -> None:
        self._headers = headers
        self._old = old
        self._new = new
        self._known: set[Hashable] = {one.place for it in old for one in (*it.chain, *it.under)}

    def pairs(self) -> _Pairs:
        left, rest = list(self._old), list(self._new)
        for is_same in (_is_spelled_alike, _is_alike, self._is_as):
            for member in list(rest):
                found = next((one for one in left if is_same(member, one)), None)
                if found is not None:
                    _take(left, found)
                    _take(rest, member)
        kept, altered = len(self._new) - len(rest), []
        for member in list(rest):
            found = next((one for one in left if member.stands_for(one, self._known)), None)
            if found is not None:
                _take(left, found)
                _take(rest, member)
                how = member.difference(found, self._headers)
                altered.append(f"the member {said(member.image)} {how}")
        return _Pairs(kept, altered, rest, left)

    def _is_as(self, member: Member, other: Member) -> bool:
        return (
            member.stands_for(other, self._known)
            and member.difference(other, self._headers) is None
        )


def _take(members: list[Member], member: Member) -> None:
    """Remove this very member; others may equal it."""
    del members[next(at for at, one in enumerate(members) if one is member)]


def _is_spelled_alike(member: Member, other: Member) -> bool:
    return _is_alike(member, other) and said(member.image) == said(other.image)


def _is_alike(member: Member, other: Member) -> bool:
    return member.key == other.key


def _origin(member: Member, disk: Disk, now: Composition, before: dict[str | None, _Before]) -> str:
    """Where an image votes now: below an overlay, in another disk, or as another member too."""
    others = (one for one in now.members if one is not member)
    twin = next((one for one in others if one.place == member.place), None)
    if twin is not None:
        return f" (the same image as the member {said(twin.image)})"
    lower = [one for one in before[disk.name].members if one.place == member.place and one.under]
    if lower:
        return f" (so far only below the overlay {lower[0].under[0].said})"
    for name, other in before.items():
        if name != disk.name and any(one.place == member.place for one in other.members):
            return f" (of the disk '{name}' so far)"
    return ""


def _listed(words: Sequence[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
