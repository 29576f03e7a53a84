"""What a new definition puts between the guest and a quorum, or takes away from there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.host.layer import said
from virtquorum.model.image import Quorum

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from virtquorum.host.composition import Images
    from virtquorum.host.layer import Layer
    from virtquorum.model.disk import Disk
    from virtquorum.model.image import Image

__all__ = ["above_exchanges", "counts_from"]


def counts_from(*, saved: bool) -> str:
    """When a definition begins to count; ``saved`` is whether the domain has a saved state."""
    return "after the saved state has ended" if saved else "from the next start on"


def above_exchanges(
    images: Images,
    disk: Disk,
    old: Sequence[tuple[Layer, ...]],
    new: tuple[Layer, ...],
    *,
    saved: bool = False,
) -> list[str]:
    """Sentences on overlays and formats above a quorum that differ from all that there was.

    ``old`` is what stands above it as it runs, and as it is defined.
    """
    if any(_are_same(one, new) for one in old):
        return []
    name, before, when = disk.name or "", old[0], counts_from(saved=saved)
    found = [
        *(_put(images, name, one, when) for one in _only(new, before)),
        *(_dropped(name, one) for one in _only(before, new)),
        *_read_otherwise(name, before, new, when),
    ]
    return found or [
        f"the overlays above the quorum of '{name}' would be in another order, and the guest has "
        f"other data {when}; go on if they were made so"
    ]


def _are_same(old: Sequence[Layer], new: Sequence[Layer]) -> bool:
    return len(old) == len(new) and all(map(_is_as, old, new))


def _is_as(one: Layer, other: Layer) -> bool:
    return one.is_as(other)


def _only(layers: Sequence[Layer], others: Sequence[Layer]) -> Iterator[Image]:
    """The overlays that are among these layers, and not among others."""
    places = {one.place for one in others}
    for one in layers:
        if one.image is not None and not _is_quorum(one) and one.place not in places:
            yield one.image


def _is_quorum(layer: Layer) -> bool:
    return layer.image is not None and isinstance(layer.image.source, Quorum)


def _put(images: Images, name: str, image: Image, when: str) -> str:
    there = "" if images.may_be(image) else " (not there yet)"
    return (
        f"'{name}' would get the overlay {said(image)}{there} above its quorum, which it did not "
        f"have before: {when} the guest has what that holds, and of the members only the rest; "
        "go on if it was made on what the members hold now, or will be"
    )


def _dropped(name: str, image: Image) -> str:
    return (
        f"'{name}' would lose the overlay {said(image)} above its quorum: what was written since "
        "it was put there is in none of the members, and the guest has it no more; go on if that "
        "is not wanted"
    )


def _read_otherwise(
    name: str, old: Sequence[Layer], new: Sequence[Layer], when: str
) -> Iterator[str]:
    """Where the same bytes are to be read in another format."""
    formats = [next((one.format for one in some if _is_quorum(one)), None) for some in (old, new)]
    if formats[0] != formats[1]:
        before, after = (f"as '{one}'" if one else "as the disk itself" for one in formats)
        yield (
            f"what the members of '{name}' agree on would be read {after}, so far {before}: the "
            f"guest has other data {when}; go on if the members hold it so"
        )
    for one in new:
        other = next((it for it in old if it.place == one.place and not _is_quorum(it)), None)
        if other is not None and not _is_quorum(one) and not one.is_as(other):
            yield (
                f"'{name}' would read the overlay {one.said} above its quorum as '{one.format}', "
                f"so far as '{other.format}': the guest has other data {when}; go on if it holds "
                "it so"
            )
