"""What is worth knowing of a plan and is no error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.images.elsewhere import elsewhere
from virtquorum.images.size import human_size
from virtquorum.images.survey import place_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from virtquorum.images.plan import Planned
    from virtquorum.images.survey import Found

__all__ = ["notes_of"]


def notes_of(
    every: Sequence[Found], images: Sequence[Planned], source: Found | None, *, whole: bool
) -> Iterator[str]:
    """The notes on the images that were found, and on those that are to be made.

    ``source`` is the member that --from names.  ``whole`` is whether all can
    be made; what would be made otherwise is not spoken of.
    """
    for found in every:
        if found.path is None:
            yield f"{_place(found)}: {elsewhere(found.image)}"
    if whole:
        yield from _blank(every, images)
        yield from _shorter(every, images)
        yield from _idle(images, source)
        yield from _keys(images)


def _blank(every: Sequence[Found], images: Sequence[Planned]) -> Iterator[str]:
    """Where blank members come to stand beside others."""
    new = {one.found.group for one in images if one.found.role == "member" and one.source is None}
    for found in every:
        if found.group in new and found.state == "there":
            new.discard(found.group)
            yield (
                f"{_place(found)}: '{found.path}' was there, and the new members are "
                "blank: what it holds may be outvoted; copy it with --from"
            )


def _shorter(every: Sequence[Found], images: Sequence[Planned]) -> Iterator[str]:
    """Where a new overlay ends before what is below it; a copy is as long as its member."""
    new = {id(one.found): one for one in images if one.source is None}
    for found in every:
        above = new.get(id(found.above))
        if above is None or found.size is None or found.group.container is not None:
            continue
        if found.size > above.size:
            yield (
                f"{_place(above.found)}: '{above.path}' gets {human_size(above.size)}, and "
                f"'{found.path}' below it has {human_size(found.size)}: the guest does not see "
                "the rest"
            )


def _idle(images: Sequence[Planned], source: Found | None) -> Iterator[str]:
    """That there is nothing that --from could be copied into."""
    if source is not None and all(one.source is not source for one in images):
        yield (
            f"{_place(source)}: --from does nothing: no file of a member is missing; "
            "a member that is bad is replaced when its file has been moved away"
        )


def _keys(images: Sequence[Planned]) -> Iterator[str]:
    """Passphrases that end with a newline, unless another image is opened with the same."""
    paths: dict[str, None] = {}
    for one in images:
        own = one.keys.get(id(one.found.image))
        others = [file for image, file in one.keys.items() if image != id(one.found.image)]
        if own is not None and own not in others and own.ends_with_newline():
            paths[own.path] = None
    for path in paths:
        yield (
            f"the passphrase in '{path}' ends with a newline, which is a part of it: libvirt's "
            f"secret must end with it too; if it should not, head -c -1 makes a file without"
        )


def _place(found: Found) -> str:
    location, disk = place_of(found), f"disk '{found.disk.name}'"
    return f"{location}: {disk}" if location is not None else disk
