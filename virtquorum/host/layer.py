"""One image of a chain, as it is held against that of another definition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from virtquorum.report.location import where

if TYPE_CHECKING:
    from collections.abc import Hashable

    from virtquorum.model.image import Image

__all__ = ["END", "QUORUM", "Layer", "said"]

#: The place of ``<backingStore/>``, and of a quorum, whose members are told by themselves.
END: Final = "the end of the chain"
QUORUM: Final = "a quorum"


class Layer(NamedTuple):
    """One image of a chain, or a format above a quorum.

    ``place`` is the same for one image under two names, ``format`` is
    libvirt's word or 'luks', None where nobody says.  ``filled`` is whether
    libvirt may have written the layer itself: it has an index.  ``name`` is
    what a header has for an image that is no file of this machine.
    """

    place: Hashable
    format: str | None
    image: Image | None
    filled: bool = False
    name: str | None = None

    def is_as(self, other: Layer) -> bool:
        """Whether both may be one image, read in one way."""
        formats = {self.format, other.format}
        return self.place == other.place and (len(formats) == 1 or None in formats)

    @property
    def said(self) -> str:
        """How people name it."""
        if self.place == QUORUM:
            return "a quorum"
        if self.name is not None:
            return f"'{self.name}'"
        return said(self.image) if self.image is not None else "nothing"


def said(image: Image) -> str:
    """How people name an image: where it is, and which part of that."""
    place = where(image.source)
    if place is None:
        return "an image without a place"
    part = next((one for one in getattr(image.source, "slices", ()) if one.type == "storage"), None)
    return f"'{place}'" + (f" ({part.size} bytes from {part.offset} on)" if part else "")
