"""What a disk's data is made of: images that vote, what is below each, what stands above them."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from virtquorum.errors import HostError
from virtquorum.host.file_key import file_key
from virtquorum.model.identity import identity
from virtquorum.model.image import Image, Quorum
from virtquorum.model.sources.volume import VolumeSource
from virtquorum.report.location import where

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from virtquorum.host.session import Host
    from virtquorum.model.disk import Disk
    from virtquorum.model.image import AnyImage, AnySource

__all__ = ["Composition", "Images", "Layer", "Member", "said"]

#: The place of ``<backingStore/>``, and of a quorum, whose members are told by themselves.
_END: Final = "the end of the chain"
_QUORUM: Final = "a quorum"
#: The format of a quorum without one above it.
_NO_FORMAT: Final = "quorum"


class Layer(NamedTuple):
    """One image of a chain, or a format above a quorum.

    ``place`` is the same for one image under two names, ``format`` is
    libvirt's word or 'luks', None where the document does not say.  ``filled``
    is whether libvirt may have written the layer itself: it has an index.
    """

    place: Hashable
    format: str | None
    image: Image | None
    filled: bool = False

    def is_as(self, other: Layer) -> bool:
        """Whether both may be one image, read in one way."""
        formats = {self.format, other.format}
        return self.place == other.place and (len(formats) == 1 or None in formats)

    @property
    def said(self) -> str:
        """How people name it."""
        if self.image is None or self.place == _QUORUM:
            return "a quorum" if self.place == _QUORUM else "nothing"
        return said(self.image)


class Member(NamedTuple):
    """An image that votes, ``chain[0]``, and what is written of what is below it.

    ``inside`` are the formats above the quorums within the disk's in which it
    votes.
    """

    chain: tuple[Layer, ...]
    inside: tuple[str, ...] = ()

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
        return self.inside, tuple((one.place, one.format) for one in self.chain)

    def difference(self, other: Member) -> str | None:
        """How this one is read otherwise than another one of that place; None if it is not.

        Chains are compared as far as both are written, by people.
        """
        for depth, (own, its) in enumerate(zip(self.chain, other.chain, strict=False)):
            if own.filled != its.filled:
                break
            if not own.is_as(its):
                return _difference(own, its, depth)
        if self.inside == other.inside:
            return None
        own_format, its_format = (one.inside[-1:] or ("none",) for one in (self, other))
        return f"in a quorum with the format '{own_format[0]}' above it, so far '{its_format[0]}'"


def _difference(own: Layer, its: Layer, depth: int) -> str:
    if own.place != its.place:
        return f"over {own.said}, so far over {its.said}"
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

    def composition(self, disk: Disk) -> Composition:
        """What a disk is made of."""
        if not disk.quorums:
            empty = where(disk.image.source) is None
            return Composition((), () if empty else (Member(self._chain(disk, disk.image)),))
        chain = [one for one in self._chain(disk, disk.image) if one.format != _NO_FORMAT]
        return Composition(tuple(chain), tuple(self._members(disk)))

    def _members(self, disk: Disk) -> Iterator[Member]:
        """The images that vote, those of nested quorums too; what is a quorum itself is none."""
        rest: list[tuple[AnyImage | None, bool, tuple[str, ...]]] = [(disk.image, False, ())]
        while rest:
            image, votes, inside = rest.pop()
            if not isinstance(image, Image):
                continue
            if isinstance(image.source, Quorum):
                format = _above(disk, image) if votes or inside else None
                within = (*inside, format) if format else inside
                rest += [(one, True, within) for one in reversed(image.source.members)]
                continue
            if votes:
                yield Member(self._chain(disk, image), inside)
            rest.append((image.backing, False, inside))

    def _chain(self, disk: Disk, top: Image) -> tuple[Layer, ...]:
        """An image and what is written below it, down to the end or to a quorum."""
        found: list[Layer] = []
        image: AnyImage | None = top
        while isinstance(image, Image):
            filled = image is not top and image.index is not None
            if isinstance(image.source, Quorum):
                format = _above(disk, image) or _NO_FORMAT
                found.append(Layer(_QUORUM, format, image, filled))
                return tuple(found)
            found.append(Layer(self._place(image), _format(disk, image), image, filled))
            image = image.backing
        if image is not None:
            found.append(Layer(_END, None, None))
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


def said(image: Image) -> str:
    """How people name an image: where it is, and which part of that."""
    place = where(image.source)
    if place is None:
        return "an image without a place"
    part = next((one for one in getattr(image.source, "slices", ()) if one.type == "storage"), None)
    return f"'{place}'" + (f" ({part.size} bytes from {part.offset} on)" if part else "")


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
