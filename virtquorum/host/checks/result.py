"""What a check of images found, as data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from virtquorum.check.finding import Severity
from virtquorum.model.node import Node, node
from virtquorum.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from virtquorum.json_text import Json

__all__ = ["CheckResult", "Kind", "refused"]

Kind: TypeAlias = Literal[
    "missing", "access", "device", "format", "size", "in-use", "confined", "elsewhere",
    "placeholder", "user",
]  # fmt: skip


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


def refused(results: Iterable[CheckResult]) -> bool:
    """Whether there is an error among them: what was to be done had better not be begun."""
    return any(one.severity is Severity.ERROR for one in results)
