"""Members that a new definition exchanges: nothing copies the disk's data to them.

``virtquorum patch`` copies to a new member before it votes.  A definition
only names it, and at the next start it votes with whatever it holds.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeAlias

from virtquorum.check.finding import Severity
from virtquorum.errors import HostError
from virtquorum.host.checks.result import CheckResult
from virtquorum.model.identity import identity
from virtquorum.model.image import Image
from virtquorum.model.node import Node, node
from virtquorum.model.sources.volume import VolumeSource
from virtquorum.report.location import where

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from virtquorum.host.session import Host
    from virtquorum.model.disk import Disk
    from virtquorum.model.image import AnySource

    Members: TypeAlias = dict[Hashable, Image]

__all__ = ["Exchange", "exchanges"]

#: Devices of which the medium is changed, and not what is on it.
_REMOVABLE: Final = ("cdrom", "floppy")


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Exchange(Node):
    """The images that are to vote in a disk and did not before, as people name them.

    ``target`` is the disk's.  ``new`` are those that are there, or of which
    nobody here can say, and ``absent`` (paths) those that are not.  ``gone``
    are the members that vote no more, ``moved`` is whether none of their
    images is there any more, and ``kept`` how many members stay.
    """

    target: str
    new: tuple[str, ...]
    absent: tuple[str, ...]
    gone: tuple[str, ...]
    moved: bool
    kept: int
    was_stock: bool

    def question(self, name: str, *, active: bool) -> str | None:
        """What to ask before a domain is defined so, None where no new image is there.

        ``name`` is the domain's, ``active`` whether it runs.
        """
        if not self.new:
            return None
        images, one = _listed(self.new), len(self.new) == 1
        it, holds = ("it", "it holds") if one else ("them", "they hold")
        if self.kept:
            member, votes = ("member", "it votes") if one else ("members", "they vote")
            what = (
                f"'{self.target}' would get the {member} {images}, which it did not have before, "
                f"and nothing copies the disk's data to {it}: from the next start on {votes} with "
                f"what {holds}"
            )
        else:
            what = (
                f"'{self.target}' would have other members throughout, {images}, and nothing "
                f"copies the disk's data to {it}: from the next start on the guest has what {holds}"
            )
        return f"{what}; {self._way(name, active=active)}; {self._right(holds)}"

    def _way(self, name: str, *, active: bool) -> str:
        options = "--live --config" if active else "--config"
        if self.was_stock:
            return (
                f"'virtquorum convert {name} {self.target} --members … {options}' copies it first"
            )
        way = f"{name} member {'replace' if self.gone else 'add'} {self.target} … {options}"
        return f"'virtquorum patch {way}' copies it first"

    def _right(self, holds: str) -> str:
        if self.moved and len(self.gone) == len(self.new):
            was, them = ("is", "it was") if len(self.gone) == 1 else ("are", "they were")
            return f"{_listed(self.gone)} {was} not there any more: go on if {them} moved there"
        other = "" if self.kept else ", or if another disk is wanted"
        return f"go on if {holds} it already{other}"

    def notes(self) -> Iterator[CheckResult]:
        """What is worth knowing of new members that are yet to be made: blank, they would vote."""
        for path in self.absent:
            yield CheckResult(
                severity=Severity.NOTE,
                kind="missing",
                disk=self.target,
                path=path,
                message="is a new member, and made blank it would vote against the others",
                ways=(
                    "make it a copy: 'virtquorum create --from MEMBER'",
                    "make it, and let 'virtquorum patch' copy the disk to it, instead of this",
                ),
            )


def exchanges(host: Host, old: Sequence[Disk], new: Sequence[Disk]) -> list[Exchange]:
    """The members that quorum disks get which they had not, by their disks.

    A disk is the one with its target.  ``old`` may name a target twice: what
    runs, and what is defined.  A quorum of a quorum's counts as a part of it,
    and the image of a stock disk as one that votes alone.
    """
    keys = _Keys(host)
    before: dict[str | None, Members] = {}
    for disk in old:
        before.setdefault(disk.name, {}).update(keys.members(disk))
    quorums = {disk.name for disk in old if disk.quorums}
    found = (
        _exchange(keys, disk, before, was_stock=disk.name not in quorums)
        for disk in new
        if disk.quorums and before.get(disk.name)
    )
    return [one for one in found if one is not None]


def _exchange(
    keys: _Keys, disk: Disk, before: dict[str | None, Members], *, was_stock: bool
) -> Exchange | None:
    had, have = before[disk.name], keys.members(disk)
    new = {key: image for key, image in have.items() if key not in had}
    kept = len(have) - len(new)
    if not new or (disk.device in _REMOVABLE and not kept):
        return None
    gone = [image for key, image in had.items() if key not in have]
    return Exchange(
        target=disk.name or "",
        new=tuple(
            _said(image) + _from(key, before) for key, image in new.items() if keys.may_be(image)
        ),
        absent=tuple(str(where(one.source)) for one in new.values() if not keys.may_be(one)),
        gone=tuple(_said(one) for one in gone),
        moved=bool(gone) and not any(keys.may_be(one) for one in gone),
        kept=kept,
        was_stock=was_stock,
    )


class _Keys:
    """What tells images of a host from one another."""

    def __init__(self, host: Host) -> None:
        self._here = host.is_local
        self._lookup = host.lookup

    def members(self, disk: Disk) -> Members:
        """The images that vote in a disk, by their keys; what is a quorum itself is none.

        Of a stock disk the one that it has, if any.
        """
        if not disk.quorums:
            source = disk.image.source
            return {self._key(disk.image): disk.image} if where(source) is not None else {}
        return {
            self._key(member): member
            for quorum in disk.quorums
            for member in quorum.members
            if isinstance(member, Image) and member.source.type != "quorum"
        }

    def _key(self, image: Image) -> Hashable:
        """The same for one image under two names; where nothing is known of it, what is written."""
        source = self._resolved(image.source)
        found = identity(source)
        if found is None:
            return source
        file = self._file(str(found.key[1])) if found.local and self._here else found.key
        return file, found.start, found.stop

    def _resolved(self, source: AnySource) -> AnySource:
        """What a volume is, where libvirt can say."""
        if isinstance(source, VolumeSource) and self._lookup is not None:
            with suppress(HostError):
                return self._lookup.volume(source)
        return source

    @staticmethod
    def _file(path: str) -> Hashable:
        with suppress(OSError):
            found = os.stat(path)
            return (found.st_rdev,) if found.st_rdev else (found.st_dev, found.st_ino)
        return os.path.realpath(path)

    def may_be(self, image: Image) -> bool:
        """Whether an image is there, as far as anybody here can say."""
        found = identity(self._resolved(image.source))
        if found is None or not found.local or not self._here:
            return True
        try:
            os.stat(str(found.key[1]))
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True
        return True


def _said(image: Image) -> str:
    place = where(image.source)
    return f"'{place}'" if place is not None else "an image without a place"


def _from(key: Hashable, before: dict[str | None, Members]) -> str:
    """Where an image votes now, in another disk."""
    other = next((name for name, members in before.items() if key in members), None)
    return f" (of the disk '{other}' so far)" if other is not None else ""


def _listed(words: Sequence[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
