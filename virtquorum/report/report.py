"""What every report format is handed, and the one interface that they share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from virtquorum.model.node import Node, node

if TYPE_CHECKING:
    from virtquorum.check.finding import Finding

__all__ = ["FileResult", "Reporter", "Run"]


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class FileResult(Node):
    """One file (or standard input) and what was found in it, in order of place.

    ``valid`` says that there is no error in it.  ``checked`` is False where
    the file could not be read at all; its one finding says why.
    """

    path: str
    valid: bool
    findings: tuple[Finding, ...] = ()
    checked: bool = True


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Run(Node):
    """All files of a run, in the order in which they were named, and remarks about the whole.

    ``remarks`` are sentences for the summary: that libvirt's grammar is not
    installed, say.  ``hidden`` counts findings that a baseline or a comment
    keeps back; ``seconds`` is how long the run took.
    """

    files: tuple[FileResult, ...]
    remarks: tuple[str, ...] = ()
    hidden: int = 0
    seconds: float = 0.0


class Reporter(Protocol):
    """A report format: the whole report as one text that ends with a line end."""

    def __call__(self, run: Run) -> str:
        """Write the report."""
