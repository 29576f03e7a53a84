"""Members that are lost beside others: they are made by copying, and not blank."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from virtquorum.host.patch.words import member_at
from virtquorum.images.opened import local_path
from virtquorum.model.image import Image
from virtquorum.model.sources.file import FileSource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from virtquorum.host.checks.result import CheckResult
    from virtquorum.model.disk import Disk
    from virtquorum.model.image import Quorum

__all__ = ["copied"]


def copied(
    results: Iterable[CheckResult], disks: Sequence[Disk], defined: str | None = None
) -> Iterator[CheckResult]:
    """What a check has found, where members are lost with the ways that bring their data back.

    ``disks`` are those that were looked at, ``defined`` is the name of the
    domain whose definition they are of, None for a file's.  Only of images of
    this machine.
    """
    results = [*results]
    missing = {one.path for one in results if one.kind == "missing"}
    by_target = {one.name: one for one in disks}
    for one in results:
        disk = by_target.get(one.disk)
        found = member_at(disk, one.path) if disk is not None and one.path is not None else None
        if one.kind != "missing" or disk is None or found is None:
            yield one
            continue
        way = _way(disk, *found, missing, defined)
        yield one if way is None else replace(one, ways=(way,))


def _way(
    disk: Disk, word: str, quorum: Quorum, lost: Image, missing: set[str | None], name: str | None
) -> str | None:
    """How a member is copied to; None where the others are gone, too, or it is no file."""
    there = [path for one in quorum.members if (path := _path_of(one)) and os.path.exists(path)]
    folder = os.path.dirname(str(local_path(lost)))
    if not there or not isinstance(lost.source, FileSource):
        return None
    first = "" if os.path.isdir(folder) else f"make the directory '{folder}' first; then "
    if name is None:
        return f"{first}make it a copy: 'virtquorum create --from {shlex.quote(there[0])}'"
    threshold = quorum.vote_threshold
    if not isinstance(threshold, int) or len(there) < threshold:
        return (
            f"{first}too few members are there for a vote: 'virtquorum dumpxml --inactive {name} | "
            f"virtquorum create --disk {disk.name} --from {shlex.quote(there[0])} -' copies one"
        )
    gone = [path for one in quorum.members if (path := _path_of(one)) in missing]
    path = shlex.quote(str(local_path(lost))) if len(gone) == 1 else "IMAGE"
    words = f"virtquorum patch {name} member replace {word} {path} --file {path}"
    return f"{first}copy the disk to it: '{words} --format {lost.format} --create --config'"


def _path_of(member: object) -> str | None:
    return local_path(member) if isinstance(member, Image) else None
