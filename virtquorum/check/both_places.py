"""What may be written on a disk or in its source, and is written in both places."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from virtquorum.check.changes import element_removed
from virtquorum.check.rule import Problem, Repair

if TYPE_CHECKING:
    from virtquorum.model.disk import Disk
    from virtquorum.model.node import Described
    from virtquorum.xml.document import Element

__all__ = ["in_both"]


def in_both(disk: Disk, outer: Described, inner: Described, name: str) -> Problem:
    """The problem of an element on the disk and in its source; the later one is the place."""
    on_disk: Element = outer.location  # type: ignore[assignment]
    in_source: Element = inner.location  # type: ignore[assignment]
    # By their order: there may be no offsets.
    children = disk.location.children  # type: ignore[union-attr]
    first, later = on_disk, in_source
    if children.index(in_source.parent) < children.index(on_disk):
        first, later = later, first
    where = "in the <source> of the disk" if first is in_source else "on the disk"
    return Problem(
        later,
        f"there is an <{name}> {where} already, in line {first.line}",
        expected=f"one <{name}>, on the disk or in its <source>",
        fix=partial(_removed, later, name) if outer == inner else None,
    )


def _removed(element: Element, name: str) -> Repair:
    return Repair(f"remove the <{name}> that says the same again", (element_removed(element),))
