"""A placeholder with another source than the file that was made for it."""

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
    return problems(root, "source")


RULE = Rule(
    code="VQ604",
    name="placeholder-source",
    severity=Severity.ERROR,
    title="the placeholder of a quorum disk has another source",
    documentation="""
A placeholder is a raw file that holds none of the guest's data. What is written as its source now
is not what the guest sees: the device is pointed at the quorum, whatever the source. But libvirt
opens it, locks it, labels it and changes its owner, and so an image that is put there may be
damaged or denied to others; the guard, which keeps copies and backups from reading the placeholder,
watches the old file.

To put the guest on another image, change the quorum domain: `virtquorum edit --force DOMAIN`, or
`virtquorum lift --force` (either forgets this source), then your change, then `virtquorum lower`.
To move the placeholder, lift the domain and lower it with `--placeholder-dir`.
""",
    failing=PLUGGED.replace(
        "<source file='/srv/p/ledger-vdb.placeholder'/>", "<source file='/srv/images/other.raw'/>"
    ),
    passing=PLUGGED,
    subject="lowered",
    check=check,
    hint=HINT,
)
