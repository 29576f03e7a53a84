"""What the rules about a vote share: where its threshold stands, and whether there is a vote."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from virtquorum.model.image import Terminator

if TYPE_CHECKING:
    from virtquorum.check.rule import Position
    from virtquorum.model.image import Quorum
    from virtquorum.xml.document import Element

__all__ = [
    "compares",
    "counted",
    "has_empty",
    "integer",
    "is_fifo",
    "policy_place",
    "possible",
    "threshold_place",
]

_INTEGER: Final = re.compile(r"(-?)0*([0-9]+)")


def threshold_place(position: Position) -> tuple[Element, str | None]:
    """The element and the attribute in which a quorum's threshold is written.

    The attribute is None where there is no threshold.
    """
    element = position.element
    if "threshold" not in element.attributes:
        # The first one counts, as for the parser.
        for one in element.elements("threshold"):
            return one, "value"
        return element, None
    return element, "threshold"


def policy_place(position: Position) -> Element:
    """The element on which the policies of a quorum stand."""
    return position.format_element or position.element


def is_fifo(quorum: Quorum) -> bool:
    """Whether the first member that answers is read, and there is no vote."""
    return quorum.read_pattern == "fifo"


def compares(quorum: Quorum) -> bool:
    """Whether blkverify is on and has an effect: two members are compared instead of a vote."""
    return quorum.blkverify is True and not is_fifo(quorum)


def has_empty(quorum: Quorum) -> bool:
    """Whether there is an empty member, which is reported for itself: its members do not count."""
    return any(isinstance(one, Terminator) for one in quorum.members)


def counted(quorum: Quorum) -> int | None:
    """The threshold of a quorum that votes, where QEMU takes it; else None."""
    threshold = quorum.vote_threshold
    if (
        not isinstance(threshold, int)
        or not 1 <= threshold <= len(quorum.members)
        or is_fifo(quorum)
        or compares(quorum)
        or has_empty(quorum)
    ):
        return None
    return threshold


def possible(position: Position) -> str:
    """The thresholds that a quorum can have, in words."""
    members = len(position.image.below)
    if not members:
        return "an integer from 1 to the number of members"
    return f"an integer from 1 to {members}, the number of members"


def integer(threshold: int | str) -> int | None:
    """The integer that a threshold says, None where it says none.

    The model reads 20 digits and keeps what has more as text; of that as
    many are enough here to tell that it is too large.
    """
    if isinstance(threshold, int):
        return threshold
    found = _INTEGER.fullmatch(threshold)
    return int(found[1] + found[2][:21]) if found is not None else None
