"""Arguments of a quorum that were changed, taken out, or put into another order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.check.finding import Severity
from virtquorum.check.lowered import EXAMPLE, HINT, problems
from virtquorum.check.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.check.rule import Problem
    from virtquorum.xml.document import Element

__all__ = ["RULE"]


def check(root: Element) -> Iterator[Problem]:
    """See RULE."""
    return problems(root, "argument")


RULE = Rule(
    code="VQ606",
    name="arguments-changed",
    severity=Severity.ERROR,
    title="the arguments for a quorum disk are not those that were written",
    documentation="""
The block nodes of a quorum disk stand in `<qemu:commandline>`, one `-blockdev` each, those below
first. The record knows them by digests. One that is changed or gone is more than a repair of the
command line: the disk in the record, which `virtquorum dumpxml` shows and of which the arguments
are made anew at the next change, says something else.

Change the quorum disk instead: `virtquorum edit --force DOMAIN` drops what was changed here and
takes your change; of a file, `virtquorum lift --force FILE`, then your change, then `virtquorum
lower`. To keep what was changed, have it read back: `virtquorum from-args` makes a disk of such
arguments.
""",
    failing=EXAMPLE.replace('"vote-threshold":2', '"vote-threshold":1'),
    passing=EXAMPLE,
    subject="lowered",
    check=check,
    hint=HINT,
)
