"""A finding: one thing wrong in a document, with its place, as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Edit:
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Fix:
    """A safe way to mend a finding: what it does, and the edits that do it."""

    description: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Excerpt:
    """The part of a source line around a finding; ``first`` is the column of its first character.

    The line is whole where it is short; ``cut_before`` and ``cut_behind`` say where it is not.
    """

    text: str
    first: int = 1
    cut_before: bool = False
    cut_behind: bool = False


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Finding:
    """One thing wrong in a document.

    ``file`` is the name under which the document was given; lines and
    columns count from 1, columns in characters, and the end is behind the
    last character.  ``path`` is the way to the element
    ('devices.disk[0].backingStore[2]', '' for the document).  ``expected``
    says in words what should stand there, and ``fix`` how to mend it, where
    there is a safe way.  Findings are ordered by place.
    """

    file: str
    line: int
    column: int
    end_line: int
    end_column: int
    rule: str
    message: str
    path: str = ""
    expected: str | None = field(default=None, compare=False)
    severity: Severity = field(default=Severity.ERROR, compare=False)
    fix: Fix | None = field(default=None, compare=False)
    excerpt: Excerpt | None = field(default=None, compare=False)
