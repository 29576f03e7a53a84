"""A record of quorum disks that does not read as virtquorum wrote it."""

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
    return problems(root, "record", "disk")


RULE = Rule(
    code="VQ601",
    name="record-damaged",
    severity=Severity.ERROR,
    title="the record of a lowered domain is not as it was written",
    documentation="""
A lowered domain, which is what `virtquorum lower` and `virtquorum define` give to libvirt, keeps
its quorum disks in `<metadata>`, below `<virtquorum xmlns='urn:virtquorum:domain:1.0'>`. From there
`virtquorum lift`, `dumpxml` and `edit` have them. What stands in this record and cannot be read as
`<lowered>` with one quorum disk would be lost without a word, so nothing is lifted until it is
mended.

A disk in it that was changed by hand (a threshold, a member's path) is found by the digest that
`<lowered>` has in the attribute `disk`; a record without it is believed. Quotes, prefixes,
indentation and comments do not count.

The guest does not notice either: QEMU has its arguments from `<qemu:commandline>`.

Put back what was there, from a backup or from `virsh dumpxml` of the running domain. A change of
the disk is made with `virtquorum edit` or `patch`. One that was made in the record already can be
carried over: `virtquorum dumpxml --inactive --force web` prints the domain with the disk as the
record has it now, and `virtquorum define` defines that.

If a record does not read at all and there is nothing else, write the quorum disk anew in the place
of its placeholder, take the record and the arguments whose node names begin with `vq-` out, and
lower the domain again.
""",
    failing=PLUGGED.replace("<lowered target='vdb'", "<lowered target='vdc'"),
    passing=PLUGGED,
    subject="lowered",
    check=check,
    hint=HINT,
)
