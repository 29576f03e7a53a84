"""What a check of images found, as data."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from virtquorum.check.finding import Severity
from virtquorum.model.node import Node, node
from virtquorum.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from virtquorum.json_text import Json

__all__ = ["CheckResult", "Kind", "hopeless", "refused", "told"]

Kind: TypeAlias = Literal[
    "missing", "access", "device", "format", "size", "in-use", "confined", "elsewhere",
    "placeholder", "twice", "user",
]  # fmt: skip

#: Stands for an image's path where that is what differs; no path has it.
_IMAGE: Final = "\0"


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class CheckResult(Node):
    """One thing that a start or a change would stumble over, or that could not be found out.

    An error would make QEMU refuse the disk, or work on the wrong data; a
    warning may; a note says what was not looked at.  ``disk`` is the disk's
    target and ``path`` the image's, each None where it is about none.
    ``ways`` are ways out, each of which is enough.
    """

    severity: Severity
    kind: Kind
    message: str
    disk: str | None = None
    path: str | None = None
    ways: tuple[str, ...] = ()

    def __str__(self) -> str:
        disk = f"disk '{self.disk}': " if self.disk else ""
        path = f"image '{self.path}': " if self.path else ""
        ways = f"; {', or '.join(self.ways)}" if self.ways else ""
        return printable(f"{disk}{path}{self.message}{ways}")

    def to_json(self) -> dict[str, Json]:
        """The result in JSON types, all keys always there."""
        return {
            "severity": self.severity.value,
            "kind": self.kind,
            "disk": self.disk,
            "path": self.path,
            "message": self.message,
            "ways": list(self.ways),
        }


def told(results: Sequence[CheckResult]) -> list[tuple[Severity, str]]:
    """The results for people: what is so of several images of a disk in one way is said once."""
    groups: dict[tuple[object, ...], list[CheckResult]] = {}
    for one in results:
        said = (one.message, *(_without(one, way) for way in one.ways))
        groups.setdefault((one.severity, one.kind, one.disk, one.path is None, *said), []).append(
            one
        )
    return [(same[0].severity, _said_of(same)) for same in groups.values()]


def _without(one: CheckResult, text: str) -> str:
    """A text in which the image has no name, so that those of other images can be the same."""
    return text.replace(shlex.quote(one.path), _IMAGE) if one.path else text


def _said_of(same: Sequence[CheckResult]) -> str:
    first = same[0]
    paths = list(dict.fromkeys(one.path for one in same if one.path))
    if len(paths) < 2:
        return str(first)
    disk = f"disk '{first.disk}': " if first.disk else ""
    images = " ".join(f"'{one}'" for one in paths)
    every = " ".join(map(shlex.quote, paths))
    ways = ", or ".join(_without(first, way).replace(_IMAGE, every) for way in first.ways)
    said = f"{disk}images {images}, each: {first.message}{f'; {ways}' if ways else ''}"
    return printable(said)


def refused(results: Iterable[CheckResult]) -> bool:
    """Whether there is an error among them: what was to be done had better not be begun."""
    return any(one.severity is Severity.ERROR for one in results)


def hopeless(results: Iterable[CheckResult]) -> bool:
    """Whether QEMU would fail as surely without a look: an image is not there."""
    return any(one.severity is Severity.ERROR and one.kind == "missing" for one in results)
