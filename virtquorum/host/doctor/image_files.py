"""The images of a running quorum disk: whether their paths name what the guest has open."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from virtquorum.check.finding import Severity
from virtquorum.host.doctor.finding import Ailment
from virtquorum.host.patch.words import member_at
from virtquorum.host.same_file import others

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from virtquorum.host.compare import Options
    from virtquorum.host.doctor.view import View
    from virtquorum.host.same_file import Other
    from virtquorum.xml.record import Lowered

__all__ = ["image_files"]


def image_files(view: View, disk: Lowered, nodes: Sequence[Options]) -> Iterator[Ailment]:
    """The images of a disk, whose nodes these are, that are others by now, or none."""
    for one in others(view.monitor, nodes):
        if one.is_there:
            yield _other(view, disk, one, _format(one, nodes))
        else:
            yield _gone(view, disk, one)


def _other(view: View, disk: Lowered, one: Other, format: str) -> Ailment:
    path = shlex.quote(one.path)
    return Ailment(
        kind="other-file",
        severity=Severity.ERROR,
        domain=view.name,
        disk=disk.target,
        message=f"the guest has another file open than the one that '{one.path}' names, an "
        f"image of the disk '{disk.target}'; the next start would take that one, with "
        "whatever it holds",
        cause="the file was renamed or removed while the guest ran, and another one put in its "
        "place, as by restoring a backup",
        ways=(
            f"bring back the guest's own file, under the name '{one.path}'",
            "if it is a member: have the disk copied to the file that is there now: "
            f"'virtquorum patch {view.name} member replace {disk.target} {path} --file "
            f"{path} --format {format} --live'",
        ),
    )


def _format(one: Other, nodes: Sequence[Options]) -> str:
    drivers = [str(node["driver"]) for node in nodes if node.get("file") == one.node]
    return drivers[0] if drivers else "raw"


def _gone(view: View, disk: Lowered, one: Other) -> Ailment:
    return Ailment(
        kind="gone-image",
        severity=Severity.ERROR,
        domain=view.name,
        disk=disk.target,
        message=f"'{one.path}', an image of the disk '{disk.target}', is not there any more; the "
        "guest has the file open still, and the next start fails without it",
        cause="the file was removed or renamed while the guest ran, or its file system is not "
        "mounted any more",
        ways=(
            f"bring back the guest's own file, under the name '{one.path}'",
            *_made_anew(view, disk, one.path),
        ),
    )


def _made_anew(view: View, disk: Lowered, path: str) -> Iterator[str]:
    """How a member's image that is gone is made anew, and copied to."""
    found = member_at(disk.disk, path)
    if found is None:
        return
    way, _, image = found
    words = ["virtquorum", "patch", view.name, "member", "replace", way, path]
    words += ["--file", path, "--format", image.format or "raw", "--create", "--live"]
    record = view.definition_record
    defined = [one.disk for one in record.disks] if record is not None else []
    if any(one.name == disk.target and member_at(one, path) for one in defined):
        words.append("--config")
    yield f"have it made anew, with what the disk holds: '{shlex.join(words)}'"
