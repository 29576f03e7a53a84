"""The note of a start: it is in the definition before, and in the live XML until the guest runs.

libvirt takes it from the definition into the live XML, so a start that is cut
short there has it in both.  Next the live one gets the running domain's id, and
the definition's goes; so whoever starts the domain later has nothing of it, or
a note with an id that is not its own.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from virtquorum.errors import LibvirtError
from virtquorum.host.author import this_process
from virtquorum.host.change import Asked, Step
from virtquorum.host.connection import asking
from virtquorum.host.intent import NAMESPACE, PREFIX, START, VERSION, start_text, words_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from virtquorum.host.change import Action, Course
    from virtquorum.host.domain import HostDomain

__all__ = ["ForgetEarlier", "ForgetStart", "NoteStart", "NoteStarted", "NoteStep", "clear_note"]

#: VIR_DOMAIN_METADATA_ELEMENT, VIR_DOMAIN_AFFECT_LIVE, VIR_DOMAIN_AFFECT_CONFIG
_ELEMENT: Final = 2
_LIVE, _CONFIG = 1, 2
#: libvirt's VIR_ERR_NO_DOMAIN_METADATA; NO_DOMAIN and OPERATION_INVALID of one that has ended.
_NO_NOTE, _NO_DOMAIN, _NOT_RUNNING = 80, 42, 55


class NoteStep(Step):
    """A step at a domain's notes; ``stayed`` is a sentence on one that was left where it is."""

    def __init__(self, domain: HostDomain) -> None:
        self.domain = domain
        self.stayed: str | None = None

    def undo(self) -> None:
        """Nothing: the guest that the note is of is undone next, or nothing is undone any more."""


class NoteStart(NoteStep):
    """Write into the definition that it is being started, from where the live XML gets it.

    So a guest that waits, paused, for a start that was cut short is told from
    one that somebody has started paused.
    """

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
        """Write it, in the place of one that another start has left; of nothing else."""
        # A guest is not kept from starting where its definition cannot be written: who may start
        # it need not be allowed to, by libvirt's access control, and the disk may be full.
        with suppress(LibvirtError):
            found = _get(self.domain, _CONFIG)
            self.stayed = _strange(self.domain, found, live=False)
            if self.stayed is None:
                _set(self.domain, start_text(str(this_process())), _CONFIG)

    def undo(self) -> None:
        """Take it away, and no other."""
        if _is_ours(_get(self.domain, _CONFIG)):
            _set(self.domain, None, _CONFIG)


class NoteStarted(NoteStep):
    """Write down which domain was started, and take the note out of the definition again."""

    @property
    def title(self) -> str:
        """What it does."""
        return "write down that QEMU has been started"

    @property
    def actions(self) -> tuple[Action, ...]:
        """The calls."""
        name = self.domain.name
        return (
            Asked(call=f"metadata --live {name} {NAMESPACE} --set '<change …/>'"),
            Asked(call=f"metadata --config {name} {NAMESPACE} --remove"),
        )

    def do(self, course: Course) -> None:
        """Write it, in the place of the start's own note; no start fails for it."""
        with suppress(LibvirtError):
            if _is_ours(_get(self.domain, _LIVE)):
                _set(self.domain, start_text(str(this_process()), self.domain.id), _LIVE)
        with suppress(LibvirtError):
            if _is_ours(_get(self.domain, _CONFIG)):
                _set(self.domain, None, _CONFIG)


class ForgetEarlier(NoteStep):
    """Take the note of an earlier start out of the definition, so that this one has it not."""

    def __init__(self, domain: HostDomain) -> None:
        super().__init__(domain)
        self._old: str | None = None

    @property
    def title(self) -> str:
        """What it does."""
        return "take away the note of an earlier start"

    @property
    def actions(self) -> tuple[Action, ...]:
        """The call."""
        return (Asked(call=f"metadata --config {self.domain.name} {NAMESPACE} --remove"),)

    def do(self, course: Course) -> None:
        """Take it away; raises LibvirtError."""
        found = _get(self.domain, _CONFIG)
        self.stayed = _strange(self.domain, found, live=False)
        if found is not None and self.stayed is None:
            self._old = found
            _set(self.domain, None, _CONFIG)

    def undo(self) -> None:
        """Write it again, unless there is another one."""
        if self._old is not None and _get(self.domain, _CONFIG) is None:
            _set(self.domain, self._old, _CONFIG)


class ForgetStart(NoteStep):
    """Take the note of the start away again, in the definition and where the guest runs.

    The live one goes last: as long as one is left, a look at the live XML
    finds it.  ``kinds`` are those that are taken away.
    """

    def __init__(self, domain: HostDomain, kinds: Collection[str] = (START,)) -> None:
        super().__init__(domain)
        self.kinds = kinds

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
        defined = clear_note(self.domain, live=False, kinds=self.kinds)
        live = clear_note(self.domain, live=True)
        self.stayed = live or defined


def clear_note(domain: HostDomain, *, live: bool, kinds: Collection[str] = (START,)) -> str | None:
    """Take a note of one of these kinds away, if there is one; raises LibvirtError.

    Any other, and one of another version, is left; a sentence on it then.
    """
    flags = _LIVE if live else _CONFIG
    try:
        found = _get(domain, flags)
        left = _strange(domain, found, live=live, kinds=kinds)
        if found is not None and left is None:
            _set(domain, None, flags)
    except LibvirtError as error:
        if error.code not in (_NO_DOMAIN, _NOT_RUNNING):
            raise
        return None
    return left


def _strange(
    domain: HostDomain, text: str | None, *, live: bool, kinds: Collection[str] = (START,)
) -> str | None:
    """A sentence on a note that is none of these kinds, or of another version; None without."""
    if text is None:
        return None
    words = words_of(text)
    version, kind = words.get("version"), words.get("kind")
    if version == VERSION and kind in kinds:
        return None
    where = "its metadata" if live else "the metadata of its definition"
    return (
        f"{domain.where}: the note '{NAMESPACE}' in {where} is of version '{version}' and kind "
        f"'{kind}' and no start's, so it stays; 'virtquorum doctor {domain.name}' says what can "
        "be done"
    )


def _is_ours(text: str | None) -> bool:
    """Whether a note is that of a start that this process makes."""
    words = words_of(text) if text is not None else {}
    return (words.get("version"), words.get("kind")) == (VERSION, START) and (
        words.get("by") == str(this_process())
    )


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
