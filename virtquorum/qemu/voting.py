"""The node of a quorum, and what QEMU would refuse of it or misread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.model.identity import identity
from virtquorum.model.image import LARGEST_THRESHOLD, Image, Quorum, Terminator
from virtquorum.model.node import Malformed
from virtquorum.qemu import graph
from virtquorum.qemu.storage.context import properties_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.model.location import Location
    from virtquorum.qemu.storage.context import Context

__all__ = ["check_quorum", "quorum_node"]


def quorum_node(
    image: Image,
    quorum: Quorum,
    name: str,
    *,
    writable: bool,
    below_format: bool,
    members: tuple[graph.Block, ...],
    context: Context,
) -> graph.Quorum:
    """The node of a quorum that was checked, over the nodes of its members."""
    is_top = image is context.disk.image and not below_format
    return graph.Quorum(
        node_name=name,
        read_only=not writable,
        cache=context.cache,
        # QMP takes detect-zeroes=unmap only beside it.
        discard="unmap" if below_format else context.discard,
        detect_zeroes=context.detect_zeroes if is_top else None,
        children=members,
        **(properties_of(quorum) | {"vote_threshold": quorum.vote_threshold}),
    )


def check_quorum(image: Image, quorum: Quorum, writable: bool, context: Context) -> None:
    """Refuse what QEMU would refuse of a quorum, and what it would misread."""
    place = quorum.location or image.location
    for member in quorum.members:
        if isinstance(member, Terminator):
            raise context.refused(
                "an empty <backingStore/> is no member", member.location or place, "remove it"
            )
    _check_members_differ(quorum, context)
    threshold = _threshold(quorum, place, context)
    where = context.disk.driver.location if image is context.disk.image else place
    _check_policies(quorum, threshold, writable, where, context)


def _check_policies(
    quorum: Quorum, threshold: int, writable: bool, where: Location | None, context: Context
) -> None:
    rewrite, blkverify = quorum.rewrite_corrupted, quorum.blkverify
    for name, value in (("rewrite_corrupted", rewrite), ("blkverify", blkverify)):
        if isinstance(value, Malformed):
            raise context.refused(f"{name}='{value}' is neither 'on' nor 'off'", where)
    if quorum.read_pattern not in (None, "quorum", "fifo"):
        raise context.refused(
            f"the read pattern '{quorum.read_pattern}' is unknown",
            where,
            "it is 'quorum' or 'fifo'",
        )
    members = len(quorum.members)
    if blkverify and (members, threshold) != (2, 2):
        raise context.refused(
            "blkverify needs exactly two members and a threshold of 2",
            where,
            f"here are {members} and {threshold}; without it, members are voted on",
        )
    if blkverify and rewrite:
        raise context.refused(
            "rewrite_corrupted cannot go with blkverify", where, "leave one of them out"
        )
    if rewrite and not writable:
        raise context.refused(
            "rewrite_corrupted needs a quorum that is written to",
            where,
            "leave it out, or <readonly/>; a backing image is never written to",
        )


def _check_members_differ(quorum: Quorum, context: Context) -> None:
    """Refuse one image as two members: it would vote twice, and QEMU minds only a writer."""
    if id(quorum) in context.voted:
        return  # its members were looked at with those of the quorum above
    seen: set[object] = set()
    for member in _voters(quorum, context.voted):
        source = context.source(member)
        same: object = identity(source) or source
        if same in seen:
            raise context.refused(
                "this image is a member already, and would vote twice",
                member.location,
                "give each member an image of its own",
            )
        seen.add(same)


def _voters(quorum: Quorum, quorums: set[int]) -> Iterator[Image]:
    """The members of a quorum and of those inside it, whose ids are added to ``quorums``."""
    rest: list[object] = list(reversed(quorum.members))
    while rest:
        one = rest.pop()
        if isinstance(one, Image) and isinstance(one.source, Quorum):
            quorums.add(id(one.source))
            rest.extend(reversed(one.source.members))
        elif isinstance(one, Image):
            yield one


def _threshold(quorum: Quorum, place: Location | None, context: Context) -> int:
    threshold = quorum.vote_threshold
    members = len(quorum.members)
    if threshold is None:
        raise context.refused(
            "the quorum has no threshold",
            place,
            "say how many members must agree: threshold='2'",
        )
    if isinstance(threshold, Malformed) or not 1 <= threshold <= LARGEST_THRESHOLD:
        raise context.refused(
            f"the threshold '{threshold}' is no number from 1 to {LARGEST_THRESHOLD}",
            place,
            "it says how many members must agree",
        )
    if not members:
        raise context.refused(
            "the quorum has no members", place, "each is a <backingStore type='…'>"
        )
    if threshold > members:
        raise context.refused(
            f"the threshold is {threshold}, but there {_are(members)}",
            place,
            "lower it, or add members: each is a <backingStore type='…'>",
        )
    return threshold


def _are(members: int) -> str:
    return "is 1 member" if members == 1 else f"are {members} members"
