"""A domain that a newer virtquorum has lowered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.check.finding import Severity
from virtquorum.check.lowered import HINT, PLUGGED, problems
from virtquorum.check.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.check.rule import Problem
    from virtquorum.xml.document import Element

__all__ = ["RULE"]


def check(root: Element) -> Iterator[Problem]:
    """See RULE."""
    return problems(root, "newer")


RULE = Rule(
    code="VQ602",
    name="record-newer",
    severity=Severity.WARNING,
    title="a domain was lowered by a newer virtquorum",
    documentation="""
The record of the quorum disks says its version, and this one is higher than what this virtquorum
reads. What it would make of it is anybody's guess, so it is neither lifted nor lowered anew.
libvirt and QEMU do not care: the domain runs.

Use a virtquorum that is as new as the one that lowered the domain; newer ones read the older
records.
""",
    failing=PLUGGED.replace("version='1'", "version='2'"),
    passing=PLUGGED,
    subject="lowered",
    check=check,
    hint=HINT,
)
