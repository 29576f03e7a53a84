"""Fixes applied to the bytes of a document."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from virtquorum.check.finding import Edit, Finding

__all__ = ["apply"]


def apply(data: bytes, findings: Iterable[Finding]) -> tuple[bytes, list[Finding]]:
    """Apply the fixes of findings to a document's UTF-8 text.

    What comes back is the new text and the findings whose fixes are in it,
    in the order given.  A fix is applied wholly or not at all: one that
    would change what an earlier one has changed is left out, and found again
    when the new text is checked.  Findings that share one and the same fix
    are mended together.
    """
    taken: list[tuple[int, int]] = []
    applied: set[tuple[Edit, ...]] = set()
    edits: list[Edit] = []
    fixed = []
    for finding in findings:
        if finding.fix is None or not finding.fix.edits:
            continue
        own = finding.fix.edits
        if own not in applied:
            if _collides(own, taken, len(data)):
                continue
            applied.add(own)
            edits += own
            for edit in own:
                insort(taken, (edit.start, edit.stop))
        fixed.append(finding)
    return _spliced(data, edits), fixed


def _collides(own: Sequence[Edit], taken: Sequence[tuple[int, int]], size: int) -> bool:
    """Whether edits change what is taken, or one another's text, or lie outside."""
    last = 0
    for start, stop in sorted((edit.start, edit.stop) for edit in own):
        if not last <= start <= stop <= size:
            return True
        last = stop
        place = bisect_left(taken, (start, stop))
        # What is taken does not overlap: only the neighbours can touch this.
        for other, end in taken[max(0, place - 1) : place + 1]:
            if start < end and other < stop:
                return True
            # Nobody can tell which of two texts at one place comes first.
            if (start == stop or other == end) and start <= end and other <= stop:
                return True
    return False


def _spliced(data: bytes, edits: Iterable[Edit]) -> bytes:
    parts = []
    last = 0
    for edit in sorted(edits, key=lambda one: (one.start, one.stop)):
        parts += [data[last : edit.start], edit.text.encode("utf-8")]
        last = edit.stop
    return b"".join([*parts, data[last:]])
