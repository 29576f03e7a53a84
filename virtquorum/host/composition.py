"""What a disk's data is made of: images that vote, what is below each, what stands above them."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from virtquorum.errors import HostError
from virtquorum.host.file_key import file_key
from virtquorum.host.headers import Headers
from virtquorum.host.layer import END, QUORUM, Layer
from virtquorum.model.identity import identity
from virtquorum.model.image import Image, Quorum
from virtquorum.model.sources.volume import VolumeSource
from virtquorum.report.location import where

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterator

    from virtquorum.host.session import Host
    from virtquorum.model.disk import Disk
    from virtquorum.model.image import AnyImage, AnySource

__all__ = ["Composition", "Images", "Member"]

#: The format of a quorum without one above it.
_NO_FORMAT: Final = "quorum"
#: What is below an image of which neither the document nor anybody here can say.
_UNREAD: Final = "what only a header names that cannot be read here"


class Member(NamedTuple):
    """An image that votes, ``chain[0]``, and what is written of what is below it.

    ``inside`` are the formats above the quorums within the disk's in which it
    votes, ``under`` the overlays below which those quorums are: what they hold
    its own vote is no part of.
    """

    chain: tuple[Layer, ...]
    inside: tuple[str, ...] = ()
    under: tuple[Layer, ...] = ()

    @property
    def image(self) -> Image:
        """The image itself."""
        image = self.chain[0].image
        assert image is not None
        return image

    @property
    def place(self) -> Hashable:
        """Where it is."""
        return self.chain[0].place

    @property
    def key(self) -> Hashable:
        """The same for members that are written alike."""
        overlays = tuple(one.place for one in self.under)
        return self.inside, overlays, tuple((one.place, one.format) for one in self.chain)

    def stands_for(self, other: Member, known: Collection[Hashable]) -> bool:
        """Whether this one may hold what another one did that is now in its place.

        One that voted below an overlay has not got what was written since,
        and votes without it no more.  Another overlay is asked about itself,
        unless it is one of the ``known`` places.
        """
        places = [one.place for one in self.under]
        if any(one not in known for one in places):
            return self.place == other.place
        return self.place == other.place and all(one.place in places for one in other.under)

    def difference(self, other: Member, headers: Headers) -> str | None:
        """How this one is read otherwise than another one of that place; None if it is not.

        Where one's document says nothing of a chain, headers count.
        """
        for depth, (own, its) in enumerate(headers.pairs(self.chain, other.chain)):
            if own is None or its is None or not own.is_as(its):
                return _difference(own, its, depth)
        if self.inside == other.inside:
            return None
        own_format, its_format = (one.inside[-1:] or ("none",) for one in (self, other))
        return f"in a quorum with the format '{own_format[0]}' above it, so far '{its_format[0]}'"


def _difference(own: Layer | None, its: Layer | None, depth: int) -> str:
    if own is None or its is None or own.place != its.place:
        now, before = (one.said if one is not None else _UNREAD for one in (own, its))
        return f"over {now}, so far over {before}"
    below = f"with {own.said} below it " if depth else ""
    return f"{below}as '{own.format}', so far as '{its.format}'"


class Composition(NamedTuple):
    """What a disk is made of; ``above`` are the layers between the guest and the outermost quorum.

    Of a stock disk its own image is the one member.
    """

    above: tuple[Layer, ...]
    members: tuple[Member, ...]


class Images:
    """What tells images of a host from one another, and whether they are there."""

    def __init__(self, host: Host) -> None:
        self._here = host.is_local
        self._lookup = host.lookup
        self.headers = Headers(here=self._here, resolved=self._resolved, place=self._place)

    def composition(self, disk: Disk) -> Composition:
        """What a disk is made of."""
        if not disk.quorums:
            empty = where(disk.image.source) is None
            return Composition((), () if empty else (Member(self._chain(disk, disk.image)),))
        chain = [one for one in self._chain(disk, disk.image) if one.format != _NO_FORMAT]
        return Composition(tuple(chain), tuple(self._members(disk)))

    def _members(self, disk: Disk) -> Iterator[Member]:
        """The images that vote, those of nested quorums too; what is a quorum itself is none."""
        rest: list[tuple[AnyImage | None, bool, Member]] = [(disk.image, False, Member(()))]
        while rest:
            image, votes, at = rest.pop()
            if not isinstance(image, Image):
                continue
            if isinstance(image.source, Quorum):
                format = _above(disk, image) if votes or at.inside else None
                within = at._replace(inside=(*at.inside, format)) if format else at
                rest += [(one, True, within) for one in reversed(image.source.members)]
                continue
            if votes:
                yield at._replace(chain=self._chain(disk, image))
            if votes or at.under:
                layer = Layer(self._place(image), _format(disk, image), image)
                at = at._replace(under=(*at.under, layer))
            rest.append((image.backing, False, at))

    def _chain(self, disk: Disk, top: Image) -> tuple[Layer, ...]:
        """An image and what is written below it, down to the end or to a quorum."""
        found: list[Layer] = []
        image: AnyImage | None = top
        while isinstance(image, Image):
            filled = image is not top and image.index is not None
            if isinstance(image.source, Quorum):
                format = _above(disk, image) or _NO_FORMAT
                found.append(Layer(QUORUM, format, image, filled))
                return tuple(found)
            found.append(Layer(self._place(image), _format(disk, image), image, filled))
            image = image.backing
        if image is not None:
            libvirts = found[-1].image is not None and found[-1].image.index is not None
            found.append(Layer(END, None, None, libvirts))
        return tuple(found)

    def _place(self, image: Image) -> Hashable:
        """The same for one image under two names; where nothing is known of it, what is written."""
        source = self._resolved(image.source)
        found = identity(source)
        if found is None:
            return source
        file = file_key(str(found.key[1])) if found.local and self._here else found.key
        return file, found.start, found.stop

    def _resolved(self, source: AnySource) -> AnySource:
        """What a volume is, where libvirt can say."""
        if isinstance(source, VolumeSource) and self._lookup is not None:
            with suppress(HostError):
                return self._lookup.volume(source)
        return source

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


def _format(disk: Disk, image: Image) -> str | None:
    """An image's format; that of a disk's own image is raw where none is written."""
    own = image is disk.image
    format = image.format or ("raw" if own else None)
    encryption = getattr(image.source, "encryption", None) or (disk.encryption if own else None)
    return "luks" if format == "raw" and encryption is not None else format


def _above(disk: Disk, image: Image) -> str | None:
    """The format above a quorum, None for none."""
    if image.format not in (None, "quorum", "raw"):
        return image.format
    return "luks" if image is disk.image and disk.encryption is not None else None
