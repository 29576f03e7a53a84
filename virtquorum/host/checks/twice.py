"""One image that votes twice in a quorum: by two links, two names of a device, a pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.check.finding import Severity
from virtquorum.check.rule import positions
from virtquorum.check.sharing import voters, votes_apart
from virtquorum.host.checks.result import CheckResult
from virtquorum.host.file_key import file_key
from virtquorum.model.identity import Identity, identity
from virtquorum.model.image import Image, Quorum
from virtquorum.report.location import where

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from virtquorum.host.checks.volumes import Volumes
    from virtquorum.model.disk import Disk

__all__ = ["twice_results"]


def twice_results(
    disks: Sequence[Disk], volumes: Volumes, *, here: bool = True
) -> Iterator[CheckResult]:
    """The images that have two votes in one quorum.

    Files and devices are told by themselves if they are ``here``, else by
    their names; ``volumes`` tells where volumes are.
    """
    for disk in disks:
        for position in positions(disk):
            if not isinstance(position.image.source, Quorum) or not votes_apart(position):
                continue
            voting: list[tuple[Identity, Image]] = []
            for image in voters(position.image):
                own = _identity(image, volumes, here=here)
                if own is None:
                    continue
                other = next((it for one, it in voting if one.overlaps(own)), None)
                if other is not None:
                    yield _result(disk, image, other)
                voting.append((own, image))


def _identity(image: Image, volumes: Volumes, *, here: bool) -> Identity | None:
    """Where an image's data is, the same under each of its names."""
    found = identity(image.source)
    if found is None:
        return None
    path = str(found.key[1]) if found.local else None
    volume = volumes.of(image) if image.source.type == "volume" else None
    if volume is not None and volume.path is not None and volume.path.startswith("/"):
        path = volume.path
    if path is None:
        return found
    if not here:
        return found._replace(key=("path", path))
    return found._replace(key=file_key(path))


def _result(disk: Disk, image: Image, other: Image) -> CheckResult:
    own, its = where(image.source), where(other.source)
    return CheckResult(
        severity=Severity.ERROR,
        kind="twice",
        disk=disk.name,
        path=own,
        message=(
            "is a member of the quorum twice" if own == its
            else f"is the same image as '{its}', another member of the quorum"
        ) + ": it has two votes, and can win with them alone when it is bad",
        ways=("give each member an image of its own", "leave one of the two out"),
    )  # fmt: skip
