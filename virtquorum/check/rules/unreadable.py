"""A file that cannot be opened or read."""

from __future__ import annotations

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Rule

__all__ = ["RULE"]

RULE = Rule(
    code="VQ001",
    name="unreadable",
    severity=Severity.ERROR,
    title="a file cannot be read",
    documentation="""
The file is not there, this user may not read it, or it is a directory without any `*.xml`. Nothing
is known of what is in it, so it counts as a failure and never as a pass; this finding cannot be
ignored, and the exit code is 3.

Look at the name. Run as a user who may read it, or pipe the XML in:
`virsh dumpxml web | virtquorum validate -`. Name a file that is to be left out with `--exclude`.
""",
    failing="",
    passing="",
    subject="input",
)
