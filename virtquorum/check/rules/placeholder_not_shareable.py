"""A placeholder of which libvirt would take a snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.check.finding import Severity
from virtquorum.check.lowered import HINT, PLUGGED, domains
from virtquorum.check.rule import Problem, Rule
from virtquorum.xml.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.xml.document import Element

__all__ = ["RULE"]


def check(root: Element) -> Iterator[Problem]:
    """See RULE."""
    for domain in domains(root):
        record = Record.of(domain)
        for one in record.disks if record is not None else ():
            assert record is not None
            placeholder = record.placeholder(one)
            if placeholder is not None and not placeholder.elements("shareable"):
                yield Problem(
                    placeholder,
                    f"the placeholder of the quorum disk '{one.target}' is not shareable, so "
                    "libvirt would take snapshots of it that hold nothing",
                    expected="<shareable/>",
                )


RULE = Rule(
    code="VQ610",
    name="placeholder-not-shareable",
    severity=Severity.WARNING,
    title="a placeholder is not shareable, and libvirt would take snapshots of it",
    documentation="""
An external snapshot puts an overlay on a disk's image, and what the guest writes goes there. On a
placeholder it is an overlay on an empty file: the guest goes on writing to the quorum, and whoever
goes back to the snapshot finds nothing changed. libvirt refuses such snapshots of a disk that is
`<shareable/>`, because an overlay cannot be shared; this is why placeholders are. The guest's
device is as the quorum disk says.

Put `<shareable/>` back into the placeholder. Lifting and lowering the domain does it as well.
""",
    failing=PLUGGED.replace("      <shareable/>\n", ""),
    passing=PLUGGED,
    subject="lowered",
    check=check,
    hint=HINT,
)
