"""What is below an image by its header, where a document says nothing of it.

QEMU and libvirt go by the header then.  Only images that a document names are
read, each alone, in the format that the document gives.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

from virtquorum.check.image_look import FORMATS, WITH_BACKING, Asked, local_path, look_at
from virtquorum.host.layer import END, Layer
from virtquorum.model.image import Image
from virtquorum.model.sources.file import FileSource
from virtquorum.report.location import where

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    from virtquorum.check.image_look import Look
    from virtquorum.model.image import AnySource

__all__ = ["Headers"]

#: libvirt's words for QEMU's drivers.
_WORDS: Final = {driver: word for word, driver in FORMATS.items()}


class Headers:
    """The headers of images, each read once, if it is asked for.

    ``here`` is whether the images are on this machine.  ``resolved`` says what
    a volume is, ``place`` where an image is.
    """

    def __init__(
        self,
        *,
        here: bool,
        resolved: Callable[[AnySource], AnySource],
        place: Callable[[Image], Hashable],
    ) -> None:
        self._here = here
        self._resolved = resolved
        self._place = place
        self._looks: dict[Asked, Look] = {}

    def pairs(
        self, own: Sequence[Layer], its: Sequence[Layer]
    ) -> Iterator[tuple[Layer | None, Layer | None]]:
        """The layers of two chains, by their depth, as long as those above are the same.

        Where one says nothing, it is what the header above says, and None
        where that cannot be read.  What libvirt has filled in it has read in
        the header; that is believed where nobody here can.
        """
        yield from zip(own, its, strict=False)
        is_longer = len(own) > len(its)
        longer, shorter = (own, its) if is_longer else (its, own)
        for depth in range(len(shorter), len(longer)):
            written, above = longer[depth], longer[depth - 1]
            if above.format is None and depth == len(shorter):
                above = shorter[-1]
            found = self._below(above)
            if written.filled and (found is None or found.name is not None):
                return
            if found is not None and _is_named(found, written):
                found = written
            yield (written, found) if is_longer else (found, written)

    def _below(self, layer: Layer) -> Layer | None:
        """What an image's header has below it; None where that cannot be known."""
        if layer.format == "luks" or FORMATS.get(layer.format or "qcow2") not in WITH_BACKING:
            return Layer(END, None, None)
        look = self._look(layer)
        if look is None or look.size is None:
            return None
        if look.backing is None:
            return Layer(END, None, None)
        _, name, driver = look.backing
        format = _WORDS.get(driver or "", driver)
        if not name.startswith("/"):
            return Layer(("header", name), format, None, name=name)
        image = Image(format=format, source=FileSource(file=name))
        return Layer(self._place(image), format, image)

    def _look(self, layer: Layer) -> Look | None:
        """Look at an image of this machine."""
        program = shutil.which("qemu-img")
        asked = self._asked(layer) if self._here and program is not None else None
        if asked is None or program is None:
            return None
        if asked not in self._looks:
            self._looks[asked] = look_at(asked, program)
        return self._looks[asked]

    def _asked(self, layer: Layer) -> Asked | None:
        driver = FORMATS.get(layer.format or "")
        if layer.image is None or driver is None:
            return None
        source = self._resolved(layer.image.source)
        path = local_path(Image(source=source))
        part = next((one for one in getattr(source, "slices", ()) if one.type == "storage"), None)
        if path is None:
            return None
        plain = Asked(path, source.type == "block", driver)
        if part is None:
            return plain
        sizes = (part.offset, part.size)
        known = all(isinstance(one, int) and one >= 0 for one in sizes)
        return plain._replace(offset=part.offset, size=part.size) if known else None


def _is_named(found: Layer, written: Layer) -> bool:
    """Whether what a header names by a URL is what is written."""
    return found.name is not None and (
        written.image is not None and where(written.image.source) == found.name
    )
