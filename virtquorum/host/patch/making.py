"""New images that are missing: made for the change where that is asked for."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from virtquorum.errors import HostError, ImageError
from virtquorum.host.blank import MakeImages
from virtquorum.host.nodes import size_of
from virtquorum.host.owner import qemu_owner
from virtquorum.host.patch.guards import written_to
from virtquorum.host.patch.identity import newcomers
from virtquorum.host.patch.live import LiveHalf
from virtquorum.host.sizes import quorum_size
from virtquorum.images.opened import local_path
from virtquorum.model.image import Image, Quorum

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from virtquorum.host.checks.result import CheckResult
    from virtquorum.host.patch.half import Half
    from virtquorum.host.patch.words import Place
    from virtquorum.model.disk import Disk

__all__ = ["making", "with_ways"]


def making(half: Half, size: int | None, *, copied: bool) -> MakeImages:
    """The step that makes what is missing of a change's new images.

    ``size`` (bytes) is that of a new disk's images, None for that of those
    that are there; ``copied`` is whether new members are copied to.  Raises
    HostError where they cannot be made from here, or would be blank members
    beside others that are not, and ImageError.
    """
    host = half.domain.host
    if not host.is_local:
        raise HostError(
            f"images of '{host.name}' cannot be made from here; make them there "
            "('virsh vol-create-as'), and leave --create out"
        )
    disk = half.after.disk(half.change.target)
    places = half.places()
    if places is None:
        made = _made(half, disk, size)
        _all_blank(made)
        return made
    if not copied:
        raise HostError(
            "--create makes a blank image, and nothing would copy the disk's data to it before it "
            "votes; change a running domain with --live --config, and leave --no-copy out"
        )
    # Of the disk's other members none is to be made: they hold, or have lost, its data.
    new = Image(source=Quorum(threshold=1, members=half.edited.members), format="quorum")
    return _made(half, replace(disk, image=new), _size(half, places[0]))


def _made(half: Half, disk: Disk, size: int | None) -> MakeImages:
    owner = qemu_owner(half.domain.host)
    try:
        return MakeImages(half.after, disk, size, owner, half.provided)
    except ImageError as error:
        error.location = None  # a line of XML that nobody has
        raise


def _all_blank(made: MakeImages) -> None:
    """Refuse blank members beside others that are there; raises HostError."""
    members = [one for one in made.plan.every if one.role == "member"]
    missing = {one.found.group for one in made.plan.images if one.found.role == "member"}
    there = next((one for one in members if one.state != "missing" and one.group in missing), None)
    if there is not None:
        raise HostError(
            f"the member '{there.path}' is there, and what --create makes beside it is blank and "
            "would outvote it, or be outvoted; make copies of it: 'virtquorum create --from "
            "MEMBER DISK.xml'"
        )


def _size(half: Half, place: Place) -> int:
    """How large the members of a quorum are (bytes); raises HostError where nobody can say."""
    image = next(one for one in place.disk.image.walk() if one.source is place.quorum)
    if isinstance(half, LiveHalf) and (node := place.node(image)) is not None:
        return size_of(half.monitor.nodes(), node, half.domain.name)
    alone = replace(place.disk, image=Image(source=place.quorum, format="quorum"))
    found = quorum_size(half.domain.host, alone)
    if found is None:
        raise HostError(
            f"how large the members of {place.where} are cannot be seen from here, so --create "
            "cannot make another one; make it yourself, as large as they are"
        )
    return found


def with_ways(
    results: Sequence[CheckResult], half: Half, made: Sequence[str] | None
) -> Iterator[CheckResult]:
    """What was found of images, without those that are ``made``.

    Without any (None) the way out of a missing file is to have it made.
    """
    new = {local_path(one) for one in written_to(newcomers(half.change, half.edited))
           if one.source.type == "file"}  # fmt: skip
    for one in results:
        if one.kind != "missing" or one.path not in new:
            yield one
        elif made is None:
            yield replace(one, ways=(_way(one.path or "", half),))
        elif one.path not in made:
            yield one


def _way(path: str, half: Half) -> str:
    folder = os.path.dirname(path)
    if half.change.kind == "attach":
        way = "'--create --size SIZE' makes it, blank"
    else:
        way = "'--create' makes it, as large as the disk"
    if half.domain.host.is_local and not os.path.isdir(folder):
        return f"make the directory '{folder}' first; then {way}"
    if not half.domain.host.is_local:
        return "make it there ('virsh vol-create-as', say)"
    return way
