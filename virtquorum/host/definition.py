"""The steps by which a domain's definition changes: placeholders, files, the definition itself."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING

from virtquorum.errors import HostError, LoweredError
from virtquorum.host.change import Asked, Step, Text
from virtquorum.host.connection import asking

if TYPE_CHECKING:
    from collections.abc import Sequence

    from virtquorum.host.change import Action, Course
    from virtquorum.host.domain import HostDomain
    from virtquorum.host.placeholders import Placeholders
    from virtquorum.host.session import Host
    from virtquorum.model.disk import Disk
    from virtquorum.xml.domain import Domain

__all__ = [
    "Define",
    "MakePlaceholder",
    "RemovePlaceholder",
    "VerifyDefinition",
    "WriteFile",
    "difference",
]

#: VIR_DOMAIN_DEFINE_VALIDATE: libvirt holds it against its own grammar first.
_VALIDATE = 1


def difference(old: str, new: str, about: str) -> str:
    """The lines of a unified diff of two documents, with little around them; '' if they agree."""
    from difflib import unified_diff

    names = f"{about} (as it is)", f"{about} (new)"
    return "\n".join(unified_diff(old.splitlines(), new.splitlines(), *names, n=2, lineterm=""))


class MakePlaceholder(Step):
    """Make a placeholder, or give one that is there the quorum's size."""

    def __init__(self, placeholders: Placeholders, path: str, size: int | None) -> None:
        self.placeholders = placeholders
        self.path = path
        self.size = size
        self._is_new = placeholders.state(path) != "there"

    @property
    def title(self) -> str:
        """What it does."""
        size = f" of {self.size} bytes" if self.size is not None else ""
        return f"make the placeholder '{self.path}'{size}"

    def do(self, course: Course) -> None:
        """Make it."""
        self.placeholders.make(self.path, self.size)

    def undo(self) -> None:
        """Remove it if it was not there."""
        if self._is_new:
            self.placeholders.remove(self.path)


class RemovePlaceholder(Step):
    """Remove a placeholder that nothing needs any more.

    ``stayed`` is a sentence on why it stays, None where it is gone.
    """

    def __init__(self, placeholders: Placeholders, path: str) -> None:
        self.placeholders = placeholders
        self.path = path
        self.stayed: str | None = None

    @property
    def title(self) -> str:
        """What it does."""
        return f"remove the placeholder '{self.path}'"

    def do(self, course: Course) -> None:
        """Remove it."""
        self.stayed = self.placeholders.remove(self.path)

    def undo(self) -> None:
        """Nothing: it is removed when nothing is undone any more."""


class WriteFile(Step):
    """Write a file that only QEMU's user may read: a secret's value, cookies.

    ``owner`` are user and group (ids), None for those of this process.
    """

    def __init__(self, path: str, data: bytes, owner: tuple[int, int] | None) -> None:
        self.path = path
        self.owner = owner
        self._data = data
        self._before: bytes | None = None
        with suppress(FileNotFoundError, PermissionError), open(path, "rb") as file:
            self._before = file.read()

    @property
    def title(self) -> str:
        """What it does, without what is in it."""
        return f"write '{self.path}', for QEMU alone"

    def do(self, course: Course) -> None:
        """Write it, wholly or not at all."""
        self._write(self._data)

    def undo(self) -> None:
        """Bring back what was in it, or remove it."""
        if self._before is not None:
            self._write(self._before)
        else:
            with suppress(FileNotFoundError):
                os.unlink(self.path)

    def _write(self, data: bytes) -> None:
        try:
            handle, temporary = tempfile.mkstemp(dir=os.path.dirname(self.path))  # mode 0600
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                    if self.owner is not None:
                        os.fchown(file.fileno(), *self.owner)
                os.replace(temporary, self.path)
            except BaseException:
                with suppress(FileNotFoundError):
                    os.unlink(temporary)
                raise
        except OSError as error:
            said = (error.strerror or str(error)).lower()
            raise HostError(f"'{self.path}' cannot be written: {said}") from None


class Define(Step):
    """Hand libvirt another definition of a domain, or a domain's first one.

    ``shown`` is what a dry run shows of it.
    """

    def __init__(
        self, host: Host, name: str, xml: str, existing: HostDomain | None, shown: str
    ) -> None:
        self.host = host
        self.name = name
        self.xml = xml
        self.shown = shown
        self._old: str | None = None
        if existing is not None and existing.is_persistent:
            self._old = existing.text(inactive=True, secure=True).text

    @property
    def title(self) -> str:
        """What it does."""
        return f"define '{self.name}'"

    @property
    def actions(self) -> tuple[Action, ...]:
        """The difference."""
        return (Text(text=self.shown),) if self.shown else (Asked(call=f"define {self.name}"),)

    def do(self, course: Course) -> None:
        """Define it; libvirt validates it before."""
        with asking(f"domain '{self.name}'"):
            self.host.connection.defineXMLFlags(self.xml, _VALIDATE)

    def undo(self) -> None:
        """Define what was before, or undefine it."""
        if self._old is not None:
            with asking(f"domain '{self.name}'"):
                self.host.connection.defineXMLFlags(self._old, 0)
            return
        found = self.host.domain_of_definition(self.name, None)
        if found is not None and found.is_persistent:
            with asking(found.where):
                found.handle.undefine()


class VerifyDefinition(Step):
    """See that the definition which libvirt now has means the quorum disks that were handed over.

    Raises HostError if it does not, and the definition is undone.
    """

    final = True

    def __init__(self, host: Host, name: str, disks: Sequence[Disk]) -> None:
        self.host = host
        self.name = name
        self.disks = tuple(disks)

    @property
    def title(self) -> str:
        """What it does."""
        return f"find the quorum disks in libvirt's definition of '{self.name}'"

    def do(self, course: Course) -> None:
        """Read the definition back."""
        found = self.host.domain_of_definition(self.name, None)
        if found is None:
            raise HostError(f"libvirt has no domain '{self.name}' any more")
        try:
            lifted = found.lifted(inactive=True)
        except LoweredError as error:
            raise HostError(f"libvirt changed the definition: {error}") from None
        _compare(self.disks, lifted)

    def undo(self) -> None:
        """Nothing was changed."""


def _compare(wanted: Sequence[Disk], lifted: Domain) -> None:
    have = {one.name: one for one in lifted.machine_disks if one.quorums}
    for disk in wanted:
        found = have.pop(disk.name, None)
        if found is None:
            raise HostError(f"libvirt's definition has lost the quorum disk '{disk.name}'")
        if (found.image, found.driver) != (disk.image, disk.driver):
            raise HostError(f"libvirt's definition has another quorum disk '{disk.name}'")
    if have:
        more = ", ".join(f"'{name}'" for name in have)
        raise HostError(f"libvirt's definition has more quorum disks than it was given: {more}")
