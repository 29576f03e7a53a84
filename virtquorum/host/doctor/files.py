"""The placeholders: there, large enough, and no more of them than are needed."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from virtquorum.check.finding import Severity
from virtquorum.errors import LibvirtError
from virtquorum.host.change import Plan, Step
from virtquorum.host.definition import MakePlaceholder, RemovePlaceholder
from virtquorum.host.doctor.finding import Ailment
from virtquorum.host.patch.guards import holds_data
from virtquorum.host.placeholders import Placeholders
from virtquorum.host.sizes import quorum_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.host.change import Course
    from virtquorum.host.doctor.view import View
    from virtquorum.host.session import Host
    from virtquorum.xml.record import Lowered

__all__ = ["orphans", "placeholders", "used_files"]

_ENDING: Final = ".placeholder"
#: libvirt's VIR_ERR_NO_DOMAIN.
_NO_DOMAIN: Final = 42
#: A disk's target, as libvirt takes it.
_TARGET: Final = re.compile(r"(fd|hd|vd|sd|xvd|ubd)[a-z]+")


def placeholders(view: View) -> Iterator[Ailment]:
    """What is wrong with the placeholders of a domain."""
    found = Placeholders(view.host)
    known: dict[str, Lowered] = {}
    for record in (view.definition_record, view.record):
        disks = record.disks if record is not None else ()
        known |= {one.file: one for one in disks if one.kept is None}
    for path, one in known.items():
        match found.state(path):
            case "missing":
                yield _missing(view, found, one)
            case "other" if not _is_written(view, one):
                yield _other(view, one)
            case "there" | "blank":
                yield from _small(view, found, one)
    yield from _overlays(view, known)


def _is_written(view: View, one: Lowered) -> bool:
    """Whether the running guest writes there, which is told elsewhere."""
    frontend = view.frontend(one.alias) if view.live is not None else None
    return frontend is not None and frontend.node != one.drive


def _missing(view: View, found: Placeholders, one: Lowered) -> Ailment:
    def plan() -> Plan:
        step = MakePlaceholder(found, one.file, quorum_size(view.host, one.disk))
        return _plan(view.name, f"make the placeholder of '{one.target}'", step)

    return Ailment(
        kind="placeholder-gone",
        severity=Severity.WARNING,
        domain=view.name,
        disk=one.target,
        message=f"the placeholder '{one.file}' is not there, and libvirt would not start the "
        "domain without it",
        cause="somebody removed it, or the domain came from another machine",
        mending="it is made",
        plan=plan,
    )


def _other(view: View, one: Lowered) -> Ailment:
    return Ailment(
        kind="placeholder-other",
        severity=Severity.ERROR,
        domain=view.name,
        disk=one.target,
        message=f"'{one.file}' is no placeholder, or somebody has written to it",
        cause="a guest ran with the placeholder for its disk, or a program wrote there",
        ways=(
            "look at what it holds, and move it away; 'virtquorum start' and this command make a "
            "new one",
        ),
    )


def _small(view: View, found: Placeholders, one: Lowered) -> Iterator[Ailment]:
    """A placeholder of a domain that is off; that of one which runs is open in QEMU."""
    if view.live is not None or not view.host.is_local:
        return
    size = quorum_size(view.host, one.disk)
    with suppress(OSError):
        has = os.stat(one.file).st_size
        if size is not None and has < size:
            yield Ailment(
                kind="placeholder-size",
                severity=Severity.WARNING,
                domain=view.name,
                disk=one.target,
                message=f"the placeholder '{one.file}' has {has} bytes, and its quorum {size}: "
                "libvirt shows a wrong size",
                cause="the members have grown, or somebody cut it",
                mending="it gets the quorum's size",
                plan=lambda: _plan(
                    view.name,
                    f"resize the placeholder of '{one.target}'",
                    MakePlaceholder(found, one.file, size),
                ),
            )


def _plan(name: str, title: str, step: Step) -> Plan:
    return Plan(title=f"{title} of '{name}'", domain=name, steps=(step,))


# What libvirt makes for a disk that is <transient/>


def _overlays(view: View, known: dict[str, Lowered]) -> Iterator[Ailment]:
    if not view.host.is_local:
        return
    for path, one in known.items():
        overlay = f"{path}.TRANSIENT-{view.name}"
        if not os.path.lexists(overlay) or (view.live is not None and _has(view, one)):
            continue
        has_data = holds_data(overlay, "qcow2")
        yield Ailment(
            kind="overlay",
            severity=Severity.WARNING,
            domain=view.name,
            disk=one.target,
            message=f"'{overlay}' is left, and libvirt would not plug the disk in again",
            cause="libvirt was killed while the placeholder was plugged in",
            mending=f"it is removed{', with what was written to it' if has_data else ''}",
            asks=has_data,
            plan=lambda overlay=overlay: _plan(  # type: ignore[misc]
                view.name, "remove what is left of a transient disk", _Unlink(overlay)
            ),
        )


def _has(view: View, one: Lowered) -> bool:
    """Whether the running domain has that placeholder."""
    return view.record is not None and view.record.by_alias.get(one.alias) is not None


class _Unlink(Step):
    """Remove a file."""

    def __init__(self, path: str) -> None:
        self.path = path

    @property
    def title(self) -> str:
        """What it does."""
        return f"remove '{self.path}'"

    def do(self, course: Course) -> None:
        """Remove it."""
        with suppress(FileNotFoundError):
            os.unlink(self.path)

    def undo(self) -> None:
        """Nothing: it was of no use."""


# Placeholders that nobody has


def orphans(host: Host, used: set[str], name: str | None = None) -> Iterator[Ailment]:
    """The placeholders, by their names those of a domain or else all, that are not used.

    They are looked for where this connection makes them, and where used ones are.
    """
    if not host.is_local:
        return
    found = Placeholders(host)
    for directory in sorted({host.placeholder_directory, *(os.path.dirname(one) for one in used)}):
        for file in _listed(directory):
            path = os.path.join(directory, file)
            if path in used or (name is not None and not _is_of(file, name)):
                continue
            with suppress(PermissionError):
                if found.state(path) == "there":
                    yield _orphan(found, path, name)


def _listed(directory: str) -> list[str]:
    with suppress(OSError):
        return sorted(one for one in os.listdir(directory) if one.endswith(_ENDING))
    return []


def _is_of(file: str, name: str) -> bool:
    """Whether a file is called as a domain's placeholders are."""
    start = f"{name}-".replace("/", "_")
    target = file.removesuffix(_ENDING).removeprefix(start)
    return file.startswith(start) and _TARGET.fullmatch(target) is not None


def _orphan(found: Placeholders, path: str, name: str | None) -> Ailment:
    return Ailment(
        kind="orphan",
        severity=Severity.WARNING,
        domain=name,
        message=f"no domain has the placeholder '{path}'",
        cause="a change was cut short, or its domain was undefined by virsh",
        mending="it is removed; it holds nothing, and is made anew where it is needed",
        plan=lambda: Plan(
            title="remove a placeholder that no domain has",
            domain=name or "",
            steps=(RemovePlaceholder(found, path),),
        ),
    )


def used_files(host: Host) -> set[str]:
    """The placeholders that any domain has: what runs, its definition, and its saved state.

    Raises LibvirtError if that cannot be said of one.
    """
    from virtquorum.host.doctor.view import View

    found: set[str] = set()
    for domain in host.domains():
        try:
            found |= View(domain).files.keys()
        except LibvirtError as error:
            if error.code != _NO_DOMAIN:  # else it has ended meanwhile
                raise
    return found
