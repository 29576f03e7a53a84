"""What the images hold: whether they are of their format, and of one size.

Images are opened as the document says (check.image_look): nothing is guessed.
"""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from virtquorum.check.container import container_look, is_mistaken
from virtquorum.check.finding import Severity
from virtquorum.check.image_look import FORMATS, Asked, asked_of, look_at
from virtquorum.check.rule import Position, positions
from virtquorum.check.sharing import writable
from virtquorum.host.checks.openings import Opening
from virtquorum.host.checks.result import CheckResult
from virtquorum.model.image import Image, Quorum

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from virtquorum.check.image_info import Backing
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
    """What was seen of images: what is wrong, and what else QEMU opens for them."""

    results: list[CheckResult]
    openings: list[Opening]


def contents(disks: Sequence[Disk], volumes: Volumes, *, here: bool = True) -> Contents:
    """Look into the images of disks, if they are ``here``; ``volumes`` tells of the others."""
    every = [one for disk in disks for one in positions(disk)]
    program = shutil.which("qemu-img") if here else None
    results = [_not_looked_into()] if here and program is None else []
    looks = _looks(every, program)
    openings: list[Opening] = []
    known: dict[int, int] = {}
    mistaken: dict[int, CheckResult] = {}
    for one in every:
        look = looks.get(id(one.image))
        if look is not None:
            assert program is not None
            seen = list(_seen(one, look))
            results += seen
            if is_mistaken(one, look):
                mistaken |= {id(one.image): it for it in seen if it.kind == "format"}
            openings += _below(one, look, program)
        size = look.size if look is not None else volumes.size(one.image)
        if size is not None:
            known[id(one.image)] = size
    sizes = list(_sizes(every, known, mistaken))
    # An image of another format has another size: that is told once, with its way out.
    told = {one.path for one in sizes if one.kind == "format"}
    results = [one for one in results if one.kind != "format" or one.path not in told]
    if program is not None:
        for found in _containers(every, looks, program):
            if isinstance(found, Opening):
                openings.append(found)
            else:
                results.append(found)
    return Contents([*results, *sizes], openings)


def _not_looked_into() -> CheckResult:
    return CheckResult(
        severity=Severity.WARNING,
        kind="size",
        message="qemu-img is not installed: formats and sizes of images were not looked at",
        ways=("install the package qemu-utils (or qemu-img)",),
    )


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
    elif is_mistaken(one, look) and header != "luks":
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
    """What only the header of an image names, and QEMU opens."""
    backing = look.backing if one.image.backing is None else None
    yield from _named(one, backing, look.data_file, program)


def _named(
    one: Position, backing: Backing | None, data_file: str | None, program: str
) -> Iterator[Opening]:
    """A data file, and backing files, which QEMU opens for reading, as deep as they go."""
    if data_file is not None and data_file.startswith("/"):
        yield Opening(one.disk.name, data_file, "file", "rw" if writable(one) else "r")
    seen: set[str] = set()
    while backing is not None and backing.full.startswith("/") and len(seen) < _DEPTH:
        if backing.full in seen:
            return
        seen.add(backing.full)
        yield Opening(one.disk.name, backing.full, "file", "r")
        if backing.format is None or not os.path.exists(backing.full):
            return
        look = look_at(Asked(backing.full, False, backing.format), program)
        if look.data_file is not None and look.data_file.startswith("/"):
            yield Opening(one.disk.name, look.data_file, "file", "r")
        backing = look.backing


def _containers(
    every: Sequence[Position], looks: dict[int, Look], program: str
) -> Iterator[CheckResult | Opening]:
    """The formats above quorums that QEMU does not open, and what their headers name."""
    for one in every:
        found = container_look(one, looks, program)
        if found is None:
            continue
        if found.refused is not None:
            yield _refused(one, found.refused)
        yield from _named(one, found.backing, found.data_file, program)


def _refused(one: Position, why: str) -> CheckResult:
    return CheckResult(
        severity=Severity.ERROR,
        kind="format",
        disk=one.disk.name,
        message=f"what the members of the quorum hold cannot be opened as "
        f"'{one.image.format}', the format above it: {why}",
        ways=(
            "write type='quorum' there, if the members hold the guest's disk itself",
            "look at how the members differ",
        ),
    )


def _sizes(
    every: Sequence[Position], known: dict[int, int], mistaken: dict[int, CheckResult]
) -> Iterator[CheckResult]:
    """The members whose size is not that of most; ``known`` gains the sizes of quorums.

    ``mistaken`` are the images of another format, and what was said of them.
    """
    for one in reversed(every):  # so that what lies below comes first
        if not isinstance(one.image.source, Quorum):
            continue
        members = [member for member in one.image.source.members if isinstance(member, Image)]
        sizes = [known.get(id(member)) for member in members]
        usual = _usual([(known.get(id(it)), id(it) in mistaken) for it in members])
        if usual is None:
            continue
        others = [
            at for at, size in enumerate(sizes) if size is not None and _sectors(size) != usual
        ]
        if one.image.format in (None, "quorum") and not others:
            known[id(one.image)] = usual * _SECTOR
        for number in others:
            member, size = members[number], known[id(members[number])]
            said = mistaken.get(id(member))
            if said is not None:
                yield _other_format(said, number, size, usual * _SECTOR)
            else:
                yield _other_size(one, member, number, size, usual * _SECTOR)


def _usual(sizes: Sequence[tuple[int | None, bool]]) -> int | None:
    """The size (sectors) of most members; of mistaken ones only where there are no others."""
    counts = [(_sectors(size), mistaken) for size, mistaken in sizes if size is not None]
    good = [size for size, mistaken in counts if not mistaken] or [size for size, _ in counts]
    return max(good, key=good.count, default=None)


def _other_format(said: CheckResult, number: int, size: int, usual: int) -> CheckResult:
    """An image of another format that has another size because of that."""
    return CheckResult(
        severity=Severity.ERROR,
        kind="format",
        disk=said.disk,
        path=said.path,
        message=f"{said.message}: so member {number} has {size:,} bytes, and the others {usual:,}, "
        "and the quorum does not start",
        ways=said.ways,
    )


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
