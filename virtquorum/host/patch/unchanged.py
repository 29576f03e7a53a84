"""A change is made to what it was planned on, or not at all: steps and looks that see to that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.errors import HostError
from virtquorum.host.change import Step
from virtquorum.host.copy import EndCopy
from virtquorum.host.definition import Define, VerifyDefinition
from virtquorum.host.live import Suspend, Write
from virtquorum.host.patch.record import written_record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from virtquorum.host.change import Course
    from virtquorum.host.domain import HostDomain
    from virtquorum.xml.domain import Domain

__all__ = ["SameDefinition", "placed", "same_record"]


class SameDefinition(Step):
    """See that a domain's definition is the one on which a change was planned."""

    def __init__(self, domain: HostDomain, text: Domain) -> None:
        self.domain = domain
        self.text = text

    @property
    def title(self) -> str:
        """What it does."""
        return f"see that nobody has changed the definition of '{self.domain.name}' meanwhile"

    def do(self, course: Course) -> None:
        """Look."""
        self.look()

    def look(self) -> None:
        """Raise HostError if it is another one."""
        if self.domain.text(inactive=True, secure=True).text != self.text.text:
            raise HostError(f"{self.domain.where}: its definition was changed meanwhile; try again")

    def undo(self) -> None:
        """Nothing was changed."""


def same_record(domain: HostDomain, text: Domain) -> None:
    """Raise HostError if a running domain has other quorum disks than when its XML was read."""
    if written_record(domain.text()) != written_record(text):
        raise HostError(f"{domain.where}: its quorum disks were changed meanwhile; try again")


def placed(steps: Sequence[Step], found: Sequence[Step], *, copied: bool) -> list[Step]:
    """The steps of the running domain with those of its definition, ``found``, among them.

    They come behind the note of what is under way.  But a definition that
    names new members waits until those have all that the disk has (``copied``
    is whether they are copied to), while the guest is paused: should all end
    before, the next start must not let them vote.
    """
    at = next((at for at, one in enumerate(steps, 1) if isinstance(one, Write)), 0)
    late = [one for one in found if isinstance(one, Define | VerifyDefinition | SameDefinition)]
    ends = [
        at for at, one in enumerate(steps, 1) if isinstance(one, EndCopy if copied else Suspend)
    ]
    if not ends or not late:
        return [*steps[:at], *found, *steps[at:]]
    early = [one for one in found if one not in late]
    return [*steps[:at], *early, *steps[at : ends[0]], *late, *steps[ends[0] :]]
