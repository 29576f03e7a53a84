"""The note of a start: it is in the definition before, and in the live XML until the guest runs."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from virtquorum.errors import LibvirtError
from virtquorum.host.author import this_process
from virtquorum.host.change import Asked, Step
from virtquorum.host.connection import asking
from virtquorum.host.intent import NAMESPACE, PREFIX, start_text

if TYPE_CHECKING:
    from virtquorum.host.change import Action, Course
    from virtquorum.host.domain import HostDomain

__all__ = ["ForgetStart", "NoteStart", "clear_note"]

#: VIR_DOMAIN_METADATA_ELEMENT, VIR_DOMAIN_AFFECT_LIVE, VIR_DOMAIN_AFFECT_CONFIG
_ELEMENT: Final = 2
_LIVE, _CONFIG = 1, 2
#: libvirt's VIR_ERR_NO_DOMAIN_METADATA; NO_DOMAIN and OPERATION_INVALID of one that has ended.
_NO_NOTE, _NO_DOMAIN, _NOT_RUNNING = 80, 42, 55


class NoteStart(Step):
    """Write into the definition that it is being started, from where the live XML gets it.

    So a guest that waits, paused, for a start that was cut short is told from
    one that somebody has started paused.
    """

    def __init__(self, domain: HostDomain) -> None:
        self.domain = domain
        self._text = start_text(str(this_process()))

    @property
    def title(self) -> str:
        """What it does."""
        return "write down that it is being started"

    @property
    def actions(self) -> tuple[Action, ...]:
        """The call."""
        name = self.domain.name
        return (Asked(call=f"metadata --config {name} {NAMESPACE} --set '<change …/>'"),)

    def do(self, course: Course) -> None:
        """Write it, in the place of one that another start has left."""
        # A guest is not kept from starting where its definition cannot be written: who may start
        # it need not be allowed to, by libvirt's access control, and the disk may be full.
        with suppress(LibvirtError):
            _set(self.domain, self._text, _CONFIG)

    def undo(self) -> None:
        """Take it away, and no other."""
        if f"{this_process()}" in (_get(self.domain, _CONFIG) or ""):
            _set(self.domain, None, _CONFIG)


class ForgetStart(Step):
    """Take the note of the start away again, where the guest runs and in the definition."""

    def __init__(self, domain: HostDomain) -> None:
        self.domain = domain

    @property
    def title(self) -> str:
        """What it does."""
        return "take away the note of the start"

    @property
    def actions(self) -> tuple[Action, ...]:
        """The call."""
        return (Asked(call=f"metadata --live --config {self.domain.name} {NAMESPACE} --remove"),)

    def do(self, course: Course) -> None:
        """Take it away; with a guest that has ended meanwhile its note has gone."""
        clear_note(self.domain, live=True)
        clear_note(self.domain, live=False)

    def undo(self) -> None:
        """Nothing: it is the last."""


def clear_note(domain: HostDomain, *, live: bool) -> None:
    """Take the note of a start away, if there is one; raises LibvirtError."""
    try:
        flags = _LIVE if live else _CONFIG
        if _get(domain, flags) is not None:
            _set(domain, None, flags)
    except LibvirtError as error:
        if error.code not in (_NO_DOMAIN, _NOT_RUNNING):
            raise


def _get(domain: HostDomain, flags: int) -> str | None:
    try:
        with asking(domain.where):
            return str(domain.handle.metadata(_ELEMENT, NAMESPACE, flags))
    except LibvirtError as error:
        if error.code == _NO_NOTE:
            return None
        raise


def _set(domain: HostDomain, text: str | None, flags: int) -> None:
    with asking(domain.where):
        domain.handle.setMetadata(_ELEMENT, text, PREFIX, NAMESPACE, flags)
