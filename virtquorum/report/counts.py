"""A run in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.check.finding import Severity
from virtquorum.model.node import Node, node

if TYPE_CHECKING:
    from collections.abc import Mapping

    from virtquorum.report.report import Run

__all__ = ["Counts"]


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Counts(Node):
    """How many files and findings there are.

    A file is one of ``valid`` (no error in it), ``invalid`` and
    ``unreadable``.  ``findings`` has a number for each severity;
    ``fixable`` is how many findings have a fix.
    """

    valid: int
    invalid: int
    unreadable: int
    findings: Mapping[Severity, int]
    fixable: int

    @classmethod
    def from_run(cls, run: Run) -> Counts:
        """Count a run."""
        found = [one for file in run.files for one in file.findings]
        checked = [file for file in run.files if file.checked]
        valid = sum(file.valid for file in checked)
        numbers = dict.fromkeys(Severity, 0)
        for one in found:
            numbers[one.severity] += 1
        return cls(
            valid=valid,
            invalid=len(checked) - valid,
            unreadable=len(run.files) - len(checked),
            findings=numbers,
            fixable=sum(one.fix is not None for one in found),
        )
