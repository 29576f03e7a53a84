"""A finding: one thing wrong in a document, with its place, as data."""

from __future__ import annotations

from enum import Enum
from typing import ClassVar

from virtquorum.model.node import Node, node

__all__ = ["Edit", "Excerpt", "Finding", "Fix", "Severity"]


class Severity(Enum):
    """How bad a finding is.

    An error is refused by libvirt or QEMU, or does something other than what
    was written.  A warning works and is most likely not what was meant.  A
    note is worth knowing.
    """

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"

    @property
    def rank(self) -> int:
        """The place in the order, 0 for the worst."""
        return _RANKS[self]


_RANKS = {severity: number for number, severity in enumerate(Severity)}


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Edit(Node):
    """Other text in a place of a document.

    ``start`` and ``stop`` are offsets in its UTF-8 text; the lines and
    columns (in characters, from 1) say the same for people and programs,
    with the end behind the last character.
    """

    start: int
    stop: int
    text: str
    line: int
    column: int
    end_line: int
    end_column: int


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Fix(Node):
    """A safe way to mend a finding: what it does, and the edits that do it."""

    description: str
    edits: tuple[Edit, ...]


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Excerpt(Node):
    """The part of a source line around a finding; ``first`` is the column of its first character.

    The line is whole where it is short; ``cut_before`` and ``cut_behind`` say where it is not.
    """

    text: str
    first: int = 1
    cut_before: bool = False
    cut_behind: bool = False


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Finding(Node):
    """One thing wrong in a document.

    ``file`` is the name under which the document was given; lines and
    columns count from 1, columns in characters, and the end is behind the
    last character.  They are 0 in a finding about what stands in no document:
    an option, which ``file`` names then.  ``path`` is the way to the element
    ('devices.disk[0].backingStore[2]', '' for the document).  ``expected``
    says in words what should stand there, and ``fix`` how to mend it, where
    there is a safe way.  Findings are ordered by place, and equal if place,
    rule and message are.
    """

    _compared: ClassVar[tuple[str, ...]] = (
        "file", "line", "column", "end_line", "end_column", "rule", "message", "path",
    )  # fmt: skip

    file: str
    line: int
    column: int
    end_line: int
    end_column: int
    rule: str
    message: str
    path: str = ""
    expected: str | None = None
    severity: Severity = Severity.ERROR
    fix: Fix | None = None
    excerpt: Excerpt | None = None

    @property
    def key(self) -> tuple[str | int, ...]:
        """What findings are compared by."""
        return tuple(getattr(self, name) for name in self._compared)

    def __lt__(self, other: Finding) -> bool:
        return self.key < other.key
