"""What the doctor finds: what is wrong, how it came, and what mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.check.finding import Severity
from virtquorum.model.node import Node, node

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from virtquorum.host.change import Plan
    from virtquorum.json_text import Json

    Key: TypeAlias = tuple[str, str | None, str | None, str]

__all__ = ["KINDS", "Ailment"]

#: Each kind of ailment, in a few words.
KINDS = {
    "unfinished": "a change was cut short",
    "under-way": "a change goes on",
    "unreadable-note": "the note of a change cannot be read",
    "placeholder-in-use": "the guest reads and writes the placeholder, not its quorum",
    "stand-in": "the guest's disk is at the stand-in, where every request is an error",
    "elsewhere": "the guest's disk is at another node than its quorum",
    "graph": "QEMU has another quorum than the record says",
    "other-file": "the path of an image names another file than the guest has open",
    "gone-image": "an image that the guest has open is not there any more",
    "guard": "nothing keeps others from the placeholder",
    "saving": "nothing forbids to save a domain that would come back with other disks",
    "detached": "the guest has let go of a disk, of which something is left",
    "half-detached": "libvirt has a disk that QEMU has not",
    "job": "a copy goes on that nobody waits for",
    "nodes": "block nodes that no disk needs",
    "objects": "objects that no disk needs",
    "no-record": "a lowered domain without its record",
    "changed": "a lowered domain that was changed by hand",
    "newer": "a domain that was lowered by a newer virtquorum",
    "untranslatable": "a recorded disk that has no graph",
    "placeholder-gone": "a placeholder that is not there",
    "placeholder-size": "a placeholder that is smaller than its quorum",
    "placeholder-other": "a file in the place of a placeholder",
    "overlay": "what libvirt left of a transient disk",
    "orphan": "a placeholder that no domain has",
    "unseen": "a domain that cannot be looked at",
    "stale": "the definition has images that the guest does not write to",
    "differs": "the definition has other quorum disks than the running domain",
    "paused": "a paused guest",
}


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Ailment(Node):
    """One thing that is wrong with a domain, or with the placeholders of a connection.

    ``kind`` is of KINDS; ``domain`` and ``disk`` (a target) are None where it
    is of none.  ``cause`` says how it may have come; ``mending`` what
    ``plan`` makes of it, None where only a person can decide: then ``ways``
    are what that person can do.  What ``asks`` loses something, or may: it is
    mended only if somebody agrees.  A note is nothing wrong.
    """

    kind: str
    severity: Severity
    domain: str | None = None
    disk: str | None = None
    message: str
    cause: str | None = None
    mending: str | None = None
    asks: bool = False
    ways: tuple[str, ...] = ()
    plan: Callable[[], Plan] | None = None

    @property
    def key(self) -> Key:
        """What tells it from others."""
        return self.kind, self.domain, self.disk, self.message

    @property
    def is_wrong(self) -> bool:
        """Whether it is more than a note."""
        return self.severity is not Severity.NOTE

    def to_json(self) -> dict[str, Json]:
        """As ``schemas/doctor.schema.json`` has it, without what became of it."""
        return {
            "kind": self.kind,
            "severity": self.severity.value,
            "domain": self.domain,
            "disk": self.disk,
            "message": self.message,
            "cause": self.cause,
            "mending": self.mending,
            "asks": self.asks,
            "ways": list(self.ways),
        }
