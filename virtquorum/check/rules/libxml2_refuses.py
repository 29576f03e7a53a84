"""What only libxml2's validator refuses."""

from __future__ import annotations

from virtquorum.check.finding import Severity
from virtquorum.check.rule import Rule

__all__ = ["RULE"]

RULE = Rule(
    code="VQ012",
    name="libxml2-refuses",
    severity=Severity.ERROR,
    title="libxml2 refuses what virtquorum accepts",
    documentation="""
libvirt validates with libxml2's RELAX NG. virtquorum asks it as well, because it is fast, and has a
validator of its own, because libxml2 cannot say what is wrong and where. This finding says that
libxml2 refuses a document in which the other one finds nothing: `virsh define --validate` refuses
it as well. libxml2's own words are shown; they name an element far outside, mostly.

There is no example, since no such document is known; if you meet one, it is worth a report.
""",
    failing="",
    passing="",
    subject="input",
)
