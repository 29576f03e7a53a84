"""What a finding is recognised by when the lines around it have moved."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from virtquorum.check.finding import Finding

__all__ = ["fingerprints", "relative"]

#: A place that a message names: it moves with the lines, and the finding stays the same.
_PLACE = re.compile(r"\b(lines?|columns?) \d+")


def fingerprints(findings: Iterable[Finding]) -> Iterator[tuple[Finding, str]]:
    """Each finding with its fingerprint: 32 hexadecimal digits, different for each of a run.

    They are made of file, rule, element path and message, and of a running
    number where all these are equal.
    """
    seen: Counter[tuple[str, ...]] = Counter()
    for one in findings:
        key = (relative(one.file), one.rule, one.path, _PLACE.sub(r"\1", one.message))
        text = "\0".join((*key, str(seen[key])))
        seen[key] += 1
        yield one, hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def relative(path: str) -> str:
    """A path as programs compare it: without './' in front."""
    while path.startswith("./"):
        path = path[2:].lstrip("/")
    return path
