"""The words by which people name quorums and their members.

A quorum is named by its disk's target, and one inside another by the way to
it: 'vda/1' is the quorum that is the member 1 of the disk's own.  A member is
named by its number, its node's name, or where it is, as ``virtquorum show``
draws it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from virtquorum.errors import HostError, TranslationError
from virtquorum.images.opened import local_path
from virtquorum.model.image import Image, Quorum
from virtquorum.qemu.names import domain_names
from virtquorum.report.location import where

if TYPE_CHECKING:
    from virtquorum.model.disk import Disk
    from virtquorum.model.image import AnyImage
    from virtquorum.qemu.names import Names
    from virtquorum.xml.domain import Domain

__all__ = ["Place", "member_at", "place_of", "quorum_disk", "said_of"]

#: Longer numbers are no member's; Python takes no number of any length from a text.
_DIGITS = 9


class Place:
    """A quorum of a document, and the names of its members.

    ``target`` is the disk's, ``word`` what the person said; ``where`` is for
    messages.
    """

    def __init__(self, domain: Domain, disk: Disk, quorum: Quorum, word: str) -> None:
        self.domain = domain
        self.disk = disk
        self.quorum = quorum
        self.target = disk.name or ""
        self.word = word
        self._names = _names_of(domain, disk)

    @property
    def where(self) -> str:
        """The quorum, for messages."""
        return f"the quorum '{self.word}'"

    def node(self, image: Image) -> str | None:
        """The name of an image's node, None where it has none that QEMU takes."""
        try:
            return self._names.of(image)
        except TranslationError:
            return None

    def member(self, word: str) -> int:
        """The number of the member that a word names; raises HostError if it is not one member."""
        members = self.quorum.members
        if word.isascii() and word.isdigit():
            digits = word.lstrip("0") or "0"
            if len(digits) <= _DIGITS and int(digits) < len(members):
                return int(digits)
            said = digits if len(digits) <= _DIGITS else f"{digits[:_DIGITS]}…"
            raise HostError(f"{self.where} has no member {said}: its members are {self.listed()}")
        found = [number for number, one in enumerate(members) if self._is(one, word)] or [
            number for number, one in enumerate(members) if _is_called(one, word)
        ]
        if len(found) != 1:
            many = "several members" if found else "no member"
            raise HostError(
                f"{self.where} has {many} '{word}'; name one by its number, node name or path: "
                f"{self.listed()}"
            )
        return found[0]

    def _is(self, member: AnyImage, word: str) -> bool:
        if not isinstance(member, Image):
            return False
        path = local_path(member)
        if path is not None and os.path.normpath(path) == os.path.normpath(os.path.abspath(word)):
            return True
        return word in (self.node(member), where(member.source))

    def paths(self) -> tuple[str, ...]:
        """The paths of the members' elements in the document."""
        places = (one.location for one in self.quorum.members)
        return tuple(one.path for one in places if one is not None)

    def listed(self) -> str:
        """All members, for a message."""
        members = enumerate(self.quorum.members)
        return ", ".join(f"{number} ({self.said(one)})" for number, one in members) or "none"

    def said(self, member: AnyImage) -> str:
        """A member, for a message: where it is, or its node's name."""
        if not isinstance(member, Image):
            return "empty"
        return said_of(member) or f"'{self.node(member)}'"


def _is_called(member: AnyImage, word: str) -> bool:
    """Whether a word is the last part of a member's path."""
    path = local_path(member) if isinstance(member, Image) else None
    return path is not None and os.path.basename(path) == word


def said_of(member: AnyImage) -> str | None:
    """Where a member is, for a message; None for a quorum, or where the document does not say."""
    place = where(member.source) if isinstance(member, Image) else None
    return None if place is None else f"'{place}'"


def member_at(disk: Disk, path: str) -> tuple[str, Quorum, Image] | None:
    """The member of a disk that is a path of this machine.

    It comes behind the way to its quorum and that quorum.  None if there is no such member.
    """
    rest = [(disk.name or "", one) for one in disk.quorums[:1]]
    while rest:
        way, quorum = rest.pop(0)
        for number, one in enumerate(quorum.members):
            if not isinstance(one, Image):
                continue
            if isinstance(one.source, Quorum):
                rest.append((f"{way}/{number}", one.source))
            elif local_path(one) == path:
                return way, quorum, one
    return None


def quorum_disk(domain: Domain, target: str, name: str) -> Disk:
    """The disk of a target, which must have a quorum; ``name`` is the domain's.

    Raises HostError.
    """
    disks = {one.name: one for one in domain.machine_disks}
    disk = disks.get(target)
    quorums = ", ".join(f"'{one.name}'" for one in disks.values() if one.quorums) or "none"
    if disk is None:
        raise HostError(f"domain '{name}' has no disk '{target}'; its quorum disks are: {quorums}")
    if not disk.quorums:
        raise HostError(
            f"domain '{name}': the disk '{target}' is no quorum disk: 'virsh' changes such a disk, "
            f"and 'virtquorum convert {name} {target}' makes a quorum of it; the domain's quorum "
            f"disks are: {quorums}"
        )
    return disk


def place_of(domain: Domain, word: str, name: str) -> Place:
    """The quorum that a word names in a document; ``name`` is the domain's.

    Raises HostError if there is none.
    """
    target, *steps = word.split("/")
    disk = quorum_disk(domain, target, name)
    place = Place(domain, disk, disk.quorums[0], target)
    for step in steps:
        member = place.quorum.members[place.member(step)]
        source = member.source if isinstance(member, Image) else None
        if not isinstance(source, Quorum):
            raise HostError(
                f"{place.where}: its member '{step}' is an image and no quorum, so '{word}' names "
                f"no quorum; name '{place.word}'"
            )
        place = Place(domain, disk, source, f"{place.word}/{step}")
    return place


def _names_of(domain: Domain, disk: Disk) -> Names:
    disks = domain.machine_disks
    return next(names for one, names in zip(disks, domain_names(disks), strict=True) if one is disk)
