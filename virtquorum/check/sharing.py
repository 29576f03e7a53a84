"""Images that are used more than once: who uses them, and which uses exclude each other."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Literal, NamedTuple

from virtquorum.model.identity import identity
from virtquorum.model.image import Image, Quorum

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from virtquorum.check.rule import Position
    from virtquorum.model.disk import Disk
    from virtquorum.model.identity import Identity
    from virtquorum.model.image import AnySource
    from virtquorum.xml.document import Element

__all__ = [
    "Use",
    "by_domain",
    "clashes",
    "disk_writable",
    "place",
    "uses",
    "voters",
    "votes_apart",
    "writable",
]


class Use(NamedTuple):
    """One use of an image.

    Uses by one ``user`` never exclude each other.  ``writes`` says that data
    is written, ``shares`` that others may write meanwhile.
    """

    source: AnySource
    identity: Identity
    user: Hashable
    writes: bool = True
    shares: bool = False


def place(use: Use) -> Element:
    """The ``<source>`` of a use, or the element that lacks it."""
    return use.source.location  # type: ignore[return-value]


def clashes(
    uses: Sequence[Use], *, readers_clash: bool = False
) -> Iterator[tuple[Use, Use, Literal["image", "file"]]]:
    """Pairs of uses of one image that exclude each other, the earlier first; each use once at most.

    Two uses exclude each other where one writes and the other does not share,
    or in any case with ``readers_clash``.  'file' says that the two have no
    byte in common but are slices of one file, which QEMU locks as a whole for
    a writer.
    """
    groups: dict[Hashable, list[int]] = {}
    for number, use in enumerate(uses):
        groups.setdefault(use.identity.key, []).append(number)
    for numbers in groups.values():
        if len(numbers) > 1:
            yield from _clashes_of(uses, numbers, readers_clash=readers_clash)


def _clashes_of(
    uses: Sequence[Use], numbers: Sequence[int], *, readers_clash: bool
) -> Iterator[tuple[Use, Use, Literal["image", "file"]]]:
    """The pairs among uses of one storage, in the order of their slices and one pass.

    Of the uses that came before, only the two of different users that reach
    farthest have to be known, for each kind of use.
    """
    found = [uses[number] for number in numbers]
    writers = any(use.writes for use in found)
    if not writers and not readers_clash:
        return
    whole = writers and found[0].identity.local
    sliced = not whole and any(use.identity[1:] != (0, inf) for use in found)
    order = sorted(numbers, key=lambda number: uses[number].identity.start) if sliced else numbers
    farthest: dict[tuple[bool, bool], list[tuple[float, int]]] = {}
    for number in order:
        use = uses[number]
        start, stop = (0, inf) if whole else (use.identity.start, use.identity.stop)
        if start == stop:
            continue
        earlier = [
            one
            for (writes, shares), best in farthest.items()
            if readers_clash or (writes and not use.shares) or (use.writes and not shares)
            for reach, one in best
            if reach > start and uses[one].user != use.user
        ]
        if earlier:
            first, last = sorted((min(earlier), number))
            overlap = uses[first].identity.overlaps(uses[last].identity)
            yield uses[first], uses[last], "image" if overlap else "file"
        _keep(farthest.setdefault((use.writes, use.shares), []), uses, stop, number)


def _keep(best: list[tuple[float, int]], uses: Sequence[Use], stop: float, number: int) -> None:
    """Note a use among the two of different users that reach farthest."""
    user = uses[number].user
    for at, (reach, one) in enumerate(best):
        if uses[one].user == user:
            if stop > reach:
                best[at] = stop, number
            break
    else:
        best.append((stop, number))
    best.sort(key=lambda one: (-one[0], one[1]))
    del best[2:]


def uses(number: int, disk: Disk) -> Iterator[Use]:
    """The images of a disk, whose user is ``number``; backing images are read."""
    top = disk.image
    # A quorum shares its members with no other writer, and libvirt only shares raw images.
    shares = disk.shareable is True and top.format in (None, "raw")
    rest = [(top, disk_writable(disk))]
    while rest:
        image, writes = rest.pop()
        is_quorum = isinstance(image.source, Quorum)
        if not is_quorum and (found := identity(image.source)) is not None:
            yield Use(image.source, found, number, writes, shares and image is top)
        below = image.below
        if below:
            rest.extend(
                (one, writes and is_quorum) for one in reversed(below) if isinstance(one, Image)
            )


def disk_writable(disk: Disk) -> bool:
    """Whether the guest writes to a disk's own image."""
    if disk.readonly or disk.device == "cdrom":
        return False
    # libvirt puts an overlay on the image, and with shareBacking before anybody opens it to write.
    return disk.transient is None or disk.transient.share_backing is not True


def writable(position: Position) -> bool:
    """Whether an image is written to: that of a disk that is, or a member of such a quorum."""
    one: Position | None = position
    while one is not None:
        if one.role == "backing":
            return False
        one = one.parent
    return disk_writable(position.disk)


def votes_apart(position: Position) -> bool:
    """Whether a quorum's members do not vote in another quorum as well, through it."""
    return position.role != "member"


def voters(top: Image) -> Iterator[Image]:
    """The images that a quorum compares: its members, and those of members that are quorums."""
    rest: list[object] = [*reversed(top.below)]
    while rest:
        one = rest.pop()
        if not isinstance(one, Image):
            continue
        if isinstance(one.source, Quorum):
            rest.extend(reversed(one.below))
        else:
            yield one


def by_domain(disks: Sequence[Disk]) -> list[Sequence[Disk]]:
    """The disks of each domain: a snapshot holds two, that it was taken of and that to go back to.

    Node names and locks are one domain's.
    """
    found: dict[int, list[Disk]] = {}
    for disk in disks:
        location: Element = disk.location  # type: ignore[assignment]
        domain = getattr(location.parent, "parent", location.parent)
        found.setdefault(id(domain), []).append(disk)
    return list(found.values())
