"""What the images hold: whether they are of their format, and of one size.

Images are opened as the document says (check.image_look): nothing is guessed.
"""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from virtquorum.check.finding import Severity
from virtquorum.check.image_look import FORMATS, Asked, asked_of, look_at
from virtquorum.check.rule import Position, positions
from virtquorum.host.checks.openings import Opening
from virtquorum.host.checks.result import CheckResult
from virtquorum.model.image import Image, Quorum

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from virtquorum.check.image_look import Look
    from virtquorum.host.checks.volumes import Volumes
    from virtquorum.model.disk import Disk

__all__ = ["Contents", "contents"]

#: So many qemu-img run at once.
_AT_ONCE: Final = 4
_SECTOR: Final = 512
#: Deeper chains of backing files that only headers name are not followed.
_DEPTH: Final = 200


class Contents(NamedTuple):
    """What was seen of images: what is wrong, and what else QEMU opens for them.

    ``sizes`` are the virtual sizes (bytes) of disks, by target, as far as
    they are known.
    """

    results: list[CheckResult]
    openings: list[Opening]
    sizes: dict[str | None, int]


def contents(disks: Sequence[Disk], volumes: Volumes, *, here: bool = True) -> Contents:
    """Look into the images of disks, if they are ``here``; ``volumes`` tells of the others."""
    every = [one for disk in disks for one in positions(disk)]
    program = shutil.which("qemu-img") if here else None
    results: list[CheckResult] = []
    if here and program is None:
        results.append(
            CheckResult(
                severity=Severity.WARNING,
                kind="size",
                message="qemu-img is not installed: formats and sizes of images were not looked at",
                ways=("install the package qemu-utils (or qemu-img)",),
            )
        )
    looks = _looks(every, program)
    openings: list[Opening] = []
    known: dict[int, int] = {}
    for one in every:
        look = looks.get(id(one.image))
        if look is not None:
            assert program is not None
            results += _seen(one, look)
            openings += _below(one, look, program)
        size = look.size if look is not None else volumes.size(one.image)
        if size is not None:
            known[id(one.image)] = size
    results += _sizes(every, known)
    sizes = {disk.name: known[id(disk.image)] for disk in disks if id(disk.image) in known}
    return Contents(results, openings, sizes)


def _looks(every: Sequence[Position], program: str | None) -> dict[int, Look]:
    """What was seen of the images of this machine, by id; each is looked at once."""
    if program is None:
        return {}
    asked = {id(one.image): what for one in every if (what := asked_of(one)) is not None}
    once = list(dict.fromkeys(asked.values()))
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        looks = dict(zip(once, pool.map(lambda one: look_at(one, program), once), strict=True))
    return {image: looks[what] for image, what in asked.items()}


def _seen(one: Position, look: Look) -> Iterator[CheckResult]:
    """What is wrong with one image by itself; whether it is there is asked as QEMU's user."""
    given, header = one.image.format or "raw", look.header
    if look.unreadable is not None:
        said, severity = look.unreadable
        yield _result(one, look, "format", severity, said)
    elif look.refused is not None:
        mistaken = look.asked.driver != FORMATS.get(header or "", header)
        what = f"begins as a '{header}' image does" if header else "has no such header"
        way = f"write type='{header or 'raw'}', if this is the right image"
        yield _result(
            one, look, "format", Severity.ERROR,
            f"cannot be opened as '{given}': {look.refused}" + (f"; it {what}" if mistaken else ""),
            (way,) if mistaken else ("bring it back from a backup, or make it anew",),
        )  # fmt: skip
    elif look.asked.driver == "raw" and header not in (None, "luks"):
        yield _result(
            one, look, "format", Severity.WARNING,
            f"its format is said to be 'raw', and it begins as a '{header}' image does",
            (f"write type='{header}', if nobody but you could have written it",),
        )  # fmt: skip


def _result(
    one: Position, look: Look, kind: Any, severity: Severity, message: str, ways: Sequence[str] = ()
) -> CheckResult:
    return CheckResult(
        severity=severity,
        kind=kind,
        disk=one.disk.name,
        path=look.asked.path,
        message=message,
        ways=tuple(ways),
    )


def _below(one: Position, look: Look, program: str) -> Iterator[Opening]:
    """The backing files that only headers name: QEMU opens them, for reading."""
    seen: set[str] = set()
    backing = look.backing if one.image.backing is None else None
    while backing is not None and backing.full.startswith("/") and len(seen) < _DEPTH:
        if backing.full in seen:
            return
        seen.add(backing.full)
        yield Opening(one.disk.name, backing.full, "file", "r")
        if backing.format is None or not os.path.exists(backing.full):
            return
        backing = look_at(Asked(backing.full, False, backing.format), program).backing


def _sizes(every: Sequence[Position], known: dict[int, int]) -> Iterator[CheckResult]:
    """The members whose size is not that of most; ``known`` gains the sizes of quorums."""
    for one in reversed(every):  # so that what lies below comes first
        if not isinstance(one.image.source, Quorum):
            continue
        members = [member for member in one.image.source.members if isinstance(member, Image)]
        sizes = [known.get(id(member)) for member in members]
        there = [size for size in sizes if size is not None]
        if not there:
            continue
        counts = [_sectors(size) for size in there]
        usual = max(counts, key=counts.count)
        if one.image.format in (None, "quorum") and set(counts) == {usual}:
            known[id(one.image)] = usual * _SECTOR
        for number, (member, size) in enumerate(zip(members, sizes, strict=True)):
            if size is not None and _sectors(size) != usual:
                yield _other_size(one, member, number, size, usual * _SECTOR)


def _sectors(size: int) -> int:
    """QEMU compares members in sectors of 512 bytes."""
    return -(-size // _SECTOR)


def _other_size(one: Position, member: Image, number: int, size: int, usual: int) -> CheckResult:
    asked = asked_of(Position(one.disk, member, "member", one))
    larger = "have its extra end cut off by 'qemu-img resize --shrink', if nothing is in it"
    smaller = f"'qemu-img resize' it to {usual} and look at how the contents differ"
    return CheckResult(
        severity=Severity.ERROR,
        kind="size",
        disk=one.disk.name,
        path=asked.path if asked is not None else None,
        message=f"member {number} has {size:,} bytes, and the others {usual:,}: a quorum does not "
        "start so",
        ways=(smaller if size < usual else larger,
              "replace it by a copy of a good member: 'virtquorum create --from MEMBER'"),
    )  # fmt: skip
