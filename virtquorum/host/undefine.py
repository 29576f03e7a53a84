"""Taking a definition away, and what is left behind when a domain has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.errors import HostError, LibvirtError
from virtquorum.host.change import Asked, Plan, Step
from virtquorum.host.connection import asking
from virtquorum.host.define import placeholder_files
from virtquorum.host.definition import RemovePlaceholder
from virtquorum.host.placeholders import Placeholders

if TYPE_CHECKING:
    from collections.abc import Iterable

    from virtquorum.host.change import Action, Course
    from virtquorum.host.domain import HostDomain
    from virtquorum.xml.domain import Domain

__all__ = [
    "Undefine",
    "destroy",
    "live_placeholders",
    "plan_undefine",
    "remove_placeholders",
    "runs",
]

#: virDomainUndefineFlagsValues, by the words of virsh's options.
FLAGS = {
    "managed-save": 1,
    "snapshots-metadata": 2,
    "nvram": 4,
    "keep-nvram": 8,
    "checkpoints-metadata": 16,
    "tpm": 32,
    "keep-tpm": 64,
}
#: libvirt's VIR_ERR_NO_DOMAIN, VIR_ERR_OPERATION_INVALID: it does not run.
_NO_DOMAIN, _NOT_RUNNING = 42, 55


def plan_undefine(domain: HostDomain, options: Iterable[str] = ()) -> Plan:
    """Plan to undefine a domain; ``options`` are of FLAGS.

    The placeholders go with it, unless it runs: then it is one that libvirt
    forgets when it ends.  Raises HostError for one that has no definition.
    """
    if not domain.is_persistent:
        raise HostError(
            f"{domain.where} has no definition to take away: it goes when it ends; "
            f"'virtquorum destroy {domain.name}' ends it"
        )
    steps: list[Step] = [Undefine(domain, options)]
    if not domain.is_active:
        placeholders = Placeholders(domain.host)
        files = placeholder_files(domain.text(inactive=True))
        steps += [RemovePlaceholder(placeholders, path) for path in files.values()]
    return Plan(title=f"undefine '{domain.name}'", domain=domain.name, steps=tuple(steps))


class Undefine(Step):
    """Take a definition away; the undo defines it again, unless somebody else has taken it."""

    final = True

    def __init__(self, domain: HostDomain, options: Iterable[str]) -> None:
        self.domain = domain
        self.options = tuple(options)
        self._was_there = True
        self._old = domain.text(inactive=True, secure=True).text

    @property
    def title(self) -> str:
        """What it does."""
        return f"undefine '{self.domain.name}'"

    @property
    def actions(self) -> tuple[Action, ...]:
        """The call."""
        words = [f" --{one}" for one in self.options]
        return (Asked(call=f"undefine {self.domain.name}{''.join(words)}"),)

    def do(self, course: Course) -> None:
        """Undefine it."""
        flags = 0
        for one in self.options:
            flags |= FLAGS[one]
        try:
            with asking(self.domain.where):
                self.domain.handle.undefineFlags(flags)
        except LibvirtError as error:
            self._was_there = error.code != _NO_DOMAIN
            raise

    def undo(self) -> None:
        """Define it again if it is gone."""
        domain = self.domain
        found = domain.host.domain_of_definition(None, domain.uuid)
        if self._was_there and (found is None or not found.is_persistent):
            with asking(domain.where):
                domain.host.connection.defineXMLFlags(self._old, 0)


def live_placeholders(domain: HostDomain, text: Domain | None = None) -> list[str]:
    """The placeholders that a running domain has and its definition has not.

    They are those of disks that were plugged in, and all of a domain without
    a definition: nothing needs them when it has ended.  ``text`` is its XML
    while it runs, which is asked for otherwise.
    """
    live = placeholder_files(text if text is not None else domain.text())
    if not live or not domain.is_persistent:
        return list(live.values())
    kept = set(placeholder_files(domain.text(inactive=True)).values())
    return [path for path in live.values() if path not in kept]


def destroy(domain: HostDomain, flags: int = 0) -> None:
    """End a domain that runs; ``flags`` are virDomainDestroyFlagsValues.

    An embedded libvirt may say that it does not run, or is not there, when it
    has just ended it.  Raises LibvirtError if it runs still.
    """
    try:
        with asking(domain.where):
            domain.handle.destroyFlags(flags)
    except LibvirtError as error:
        if error.code not in (_NO_DOMAIN, _NOT_RUNNING) or runs(domain):
            raise


def remove_placeholders(domain: HostDomain, paths: Iterable[str]) -> list[str]:
    """Remove placeholders of a domain that has ended; a sentence on each that stays."""
    if not paths or runs(domain):
        return []
    placeholders = Placeholders(domain.host)
    said = [placeholders.remove(path) for path in paths]
    return [one for one in said if one is not None]


def runs(domain: HostDomain) -> bool:
    """Whether a domain is active; one without a definition is gone when it has ended."""
    try:
        return domain.is_active
    except LibvirtError as error:
        if error.code == _NO_DOMAIN:
            return False
        raise
