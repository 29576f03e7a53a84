"""What the definition has otherwise than what runs: the next start goes by it."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from virtquorum.check.finding import Severity
from virtquorum.errors import LoweredError
from virtquorum.host.doctor.finding import Ailment
from virtquorum.host.patch.guards import written_to
from virtquorum.host.patch.identity import identity
from virtquorum.model.image import AnyImage, Image, Quorum, Terminator
from virtquorum.model.sources.block import BlockSource
from virtquorum.model.sources.file import FileSource
from virtquorum.report.location import where
from virtquorum.stock.lift import lift

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from virtquorum.host.doctor.view import View
    from virtquorum.model.disk import Disk

__all__ = ["differing"]


def differing(view: View) -> Iterator[Ailment]:
    """Stale members, and a note where the definition has other quorum disks than what runs."""
    if view.live is None or view.definition is None:
        return
    try:
        found = [lift(one).machine_disks for one in (view.live, view.definition)]
    except LoweredError:
        return
    yield from _stale_members(view, *found)
    yield from _noted(view, *found)


def _noted(view: View, *found: Sequence[Disk]) -> Iterator[Ailment]:
    live, defined = ({one.name: one for one in disks if one.quorums} for disks in found)
    names = sorted(
        name or ""
        for name in live.keys() | defined.keys()
        if name not in live or name not in defined or _shown(live[name]) != _shown(defined[name])
    )
    if names:
        disks = ", ".join(f"'{one}'" for one in names)
        yield Ailment(
            kind="differs",
            severity=Severity.NOTE,
            domain=view.name,
            message=f"the running domain has {disks} otherwise than its definition, which counts "
            "from the next start on",
            cause="only one of the two was changed, with --live or with --config; or the quorum "
            "was converted back, and stays one of a single member while the guest runs",
            ways=(
                "shut the guest down and start it, if its definition is as wanted: "
                f"'virtquorum dumpxml --inactive {view.name} | virtquorum diff --disks-only --live "
                f"{view.name} -' shows how they differ",
            ),
        )


def _shown(disk: Disk) -> tuple[AnyImage, object]:
    """A disk's images and policies; that a chain ends is said or not, as whoever wrote it liked."""
    return _bare(disk.image), disk.driver


def _bare(image: AnyImage) -> AnyImage:
    if not isinstance(image, Image):
        return image
    source, backing = image.source, image.backing
    if isinstance(source, Quorum):
        source = replace(source, members=tuple(map(_bare, source.members)))
    below = None if backing is None or isinstance(backing, Terminator) else _bare(backing)
    return replace(image, source=source, backing=below)


def _stale_members(
    view: View, running: Sequence[Disk], defined: Sequence[Disk]
) -> Iterator[Ailment]:
    """The disks whose definition has members that what runs has not."""
    by_name = {one.name: one for one in running}
    for disk in defined:
        live = by_name.get(disk.name)
        if live is not None and (disk.quorums or live.quorums) and not live.readonly:
            yield from _of(view, live, disk)


def _of(view: View, live: Disk, defined: Disk) -> Iterator[Ailment]:
    here = view.host.is_local
    has, shall = _members(live, here=here), _members(defined, here=here)
    stale = [one for key, one in shall.items() if key not in has]
    if not stale:
        return
    said = " and ".join(f"'{where(one.source)}'" for one in stale)
    is_one = len(stale) == 1
    yield Ailment(
        kind="stale",
        severity=Severity.WARNING,
        domain=view.name,
        disk=defined.name,
        message=f"the definition has {said} in the disk '{defined.name}', to which the guest does "
        f"not write: {'it misses' if is_one else 'they miss'} what is written meanwhile, and at "
        f"the next start {'it counts' if is_one else 'they count'} with the old data",
        cause="members were changed with --live alone, or in the definition alone",
        ways=(_way(view.name, live, defined, here=here),),
    )


def _members(disk: Disk, *, here: bool) -> dict[Hashable, Image]:
    """What is written to when a disk is, by what each is: the members, or its own image."""
    found = {identity(one, here=here): one for one in written_to([disk.image])}
    found.pop(None, None)
    return found


def _way(name: str, live: Disk, defined: Disk, *, here: bool) -> str:
    """How the definition gets what runs."""
    commands = [*_commands(name, live, defined, here=here)]
    if not commands or None in commands:
        return f"put the members of what runs into the definition: 'virtquorum edit {name}'"
    said = ", then ".join(f"'{one}'" for one in commands)
    return f"have what runs in the definition too: {said}"


def _commands(name: str, live: Disk, defined: Disk, *, here: bool) -> Iterator[str | None]:
    """The changes that lead from the defined disk to the running one; None for one that is none."""
    target = defined.name or ""
    has, shall = _members(live, here=here), _members(defined, here=here)
    old = [one for key, one in shall.items() if key not in has]
    new = [one for key, one in has.items() if key not in shall]
    if not _is_plain(defined):
        yield None
    elif len(has) == 1 and not new:
        kept = where(next(iter(has.values())).source)
        yield _line("convert", name, target, "--back", "--keep", kept)
    elif not _is_plain(live):
        yield None
    else:
        words = "patch", name, "member"
        yield from (
            _line(*words, "replace", target, where(one.source), *_given(other))
            for one, other in zip(old, new, strict=False)
        )
        yield from (
            _line(*words, "add", target, *_given(one), *_threshold(live, defined))
            for one in new[len(old) :]
        )
        yield from (
            _line(*words, "remove", target, where(one.source), *_threshold(live, defined))
            for one in old[len(new) :]
        )


def _is_plain(disk: Disk) -> bool:
    """Whether a disk is a quorum of images, and no quorum is in it."""
    quorum = disk.quorum
    return quorum is not None and all(
        isinstance(one, Image) and not isinstance(one.source, Quorum) for one in quorum.members
    )


def _threshold(live: Disk, defined: Disk) -> list[str]:
    """What sets the running quorum's threshold, if the definition has another one."""
    new, old = (one.quorums[0].vote_threshold for one in (live, defined))
    return [] if new == old else ["--threshold", str(new)]


def _given(image: Image) -> list[str | None]:
    """What names a new member on a command line; None is in it if that takes XML."""
    source = image.source
    match source:
        case FileSource(file=str(path)):
            option, plain = "--file", Image(source=FileSource(file=path), format=image.format)
        case BlockSource(dev=str(path)):
            option, plain = "--block", Image(source=BlockSource(dev=path), format=image.format)
        case _:
            return [None]
    if _bare(replace(image, index=None)) != plain:
        return [None]
    return [option, path, "--format", image.format]


def _line(*words: str | None) -> str | None:
    """A command for the definition; None if one of its words is not known."""
    known = [one for one in words if one is not None]
    return shlex.join(["virtquorum", *known, "--config"]) if len(known) == len(words) else None
