"""More findings than are reported."""

from __future__ import annotations

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Rule

__all__ = ["RULE"]

RULE = Rule(
    code="VQ022",
    name="too-many",
    severity=Severity.ERROR,
    title="a file has more findings than are reported",
    documentation="""
Of one file 2,000 findings are reported, the first ones by place, and this one says where they end.
A file with so many is damaged as a whole, or made to keep a checker busy: nobody reads them, and
the reports of a hundred thousand would take gigabytes.

Mend what is reported, or look at one rule after the other with `--select`.
""",
    failing="",
    passing="",
    subject="input",
)
