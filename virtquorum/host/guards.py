"""What a change must not do to a vote, and which of its members have to be filled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.errors import HostError
from virtquorum.host.compare import children_of, name_of, place_of
from virtquorum.json_text import json_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from virtquorum.host.compare import Difference, Options

__all__ = ["check_votes", "unfilled"]

#: The drivers of nodes whose content is that of each node below them.
_OF_ONE_CONTENT: Final = ("quorum", "copy-on-read", "throttle")


def check_votes(
    domain: str, old: Iterable[Options], new: Sequence[Options], bad: Collection[str]
) -> None:
    """Refuse a graph with a quorum that has fewer members, or good members, than its threshold.

    A member is good if it is not ``bad`` (names of nodes).  A quorum that had
    too few good ones before may have as many or more after it: it is being
    mended.  Raises HostError.
    """
    before = {name_of(one): one for one in old}
    for one in new:
        if one["driver"] != "quorum":
            continue
        members, threshold = children_of(one), one["vote-threshold"]
        assert isinstance(threshold, int)
        if len(members) < threshold:
            raise HostError(
                f"domain '{domain}': the quorum '{name_of(one)}' would have {len(members)} "
                f"members, and its threshold is {threshold}; lower the threshold as well, or "
                "replace the member instead of removing it"
            )
        good = [name for name in members if name not in bad]
        had = [name for name in children_of(before.get(name_of(one), {})) if name not in bad]
        if len(good) < threshold and (not good or len(good) < len(had)):
            raise HostError(
                f"domain '{domain}': of the members of the quorum '{name_of(one)}' only "
                f"{len(good)} would be left that {'is' if len(good) == 1 else 'are'} not known to "
                f"be bad, and its threshold is {threshold}; replace or repair a bad one first: "
                f"{', '.join(repr(name) for name in members if name in bad)}"
            )


def unfilled(
    domain: str, old: Sequence[Options], new: Sequence[Options], between: Difference
) -> list[str]:
    """The members that are new, by the names of their nodes, and have to be copied to.

    A quorum that is new as a whole is one of them; one around an old member is
    not, but its other members are.  A member whose image was one before, in the
    same format and maybe under another name, is none.  Raises HostError for a
    new member that the disk's content cannot be copied to: below a format, or
    in a backing image.
    """
    look = _Look(old, new)
    targets: list[str] = []
    reached: set[str] = set()
    rest = [name_of(new[-1])]
    while rest:
        name = rest.pop()
        reached.add(name)
        if look.after[name]["driver"] in _OF_ONE_CONTENT:
            for child in children_of(look.after[name]):
                (rest if look.has_data(child) else targets).append(child)
    names = {name_of(one) for one in old}
    for target in targets:
        if target in names:
            raise HostError(
                f"domain '{domain}': the new member's node would be called '{target}', as one is "
                "that is open, and both are open while it is copied to; give it a path of its own, "
                "also for another format of the same data, or another nodename"
            )
        reached |= look.below(target)
    hidden = [name for name in look.members() if name not in reached and not look.has_data(name)]
    late = {name_of(one) for one in between.late}
    hidden += [name for name in targets if not late.isdisjoint(look.below(name))]
    if hidden:
        raise HostError(
            f"domain '{domain}': the new member '{hidden[0]}' cannot be copied to while the guest "
            "runs: it stands below a format or in a backing image, or the disk uses its image for "
            "something else; shut the guest down first"
        )
    return targets


class _Look:
    """A graph that shall be, seen from the one that is."""

    def __init__(self, old: Sequence[Options], new: Sequence[Options]) -> None:
        self.after = {name_of(one): one for one in new}
        before = {name_of(one): one for one in old}
        members = [name for one in old if one["driver"] == "quorum" for name in children_of(one)]
        self.contents: set[str] = set()
        for name in [*members, *(name_of(one) for one in old[-1:])]:
            self.contents |= _contents(before, name)

    def has_data(self, name: str) -> bool:
        """Whether a node holds, or votes on, what a member or the disk was before."""
        return not self.contents.isdisjoint(_contents(self.after, name))

    def below(self, name: str) -> set[str]:
        """The names of a node and all below it."""
        found: set[str] = set()
        rest = [name]
        while rest:
            found.add(one := rest.pop())
            rest += children_of(self.after[one])
        return found

    def members(self) -> list[str]:
        """The members of all quorums."""
        quorums = [one for one in self.after.values() if one["driver"] == "quorum"]
        return [name for one in quorums for name in children_of(one)]


def _contents(nodes: Mapping[str, Options], name: str) -> set[str]:
    """What a node's content is: images by their places and formats, of which a quorum has many."""
    found: set[str] = set()
    rest: list[tuple[str, tuple[str, ...]]] = [(name, ())]
    while rest:
        name, above = rest.pop()
        one = nodes[name]
        if one["driver"] in _OF_ONE_CONTENT:
            rest += [(child, above) for child in children_of(one)]
        elif isinstance(below := one.get("file"), str):
            what: Options = {key: one.get(key) for key in ("driver", "offset", "size")}
            rest.append((below, (*above, json_text(what))))
        else:
            found.add("".join([*above, json_text(place_of(one))]))
    return found
