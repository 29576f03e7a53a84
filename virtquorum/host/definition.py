"""The steps by which a domain's definition changes: placeholders, files, the definition itself."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING

from virtquorum.errors import HostError, LibvirtError, LoweredError
from virtquorum.host.change import Asked, Step, Text
from virtquorum.host.connection import asking

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from virtquorum.host.change import Action, Course
    from virtquorum.host.domain import HostDomain
    from virtquorum.host.placeholders import Placeholders, State
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
#: VIR_DOMAIN_UNDEFINE_KEEP_NVRAM and KEEP_TPM: the newest libvirts have both, other drivers none.
_KEEPING = (8 | 64, 8, 0)
#: libvirt's VIR_ERR_NO_SUPPORT, VIR_ERR_INVALID_ARG: it knows no such flag.
_NO_FLAG = (3, 8)


def difference(old: str, new: str, about: str) -> str:
    """The lines of a unified diff of two documents, with little around them; '' if they agree."""
    from difflib import unified_diff

    names = f"{about} (as it is)", f"{about} (new)"
    return "\n".join(unified_diff(old.splitlines(), new.splitlines(), *names, n=2, lineterm=""))


class MakePlaceholder(Step):
    """Make a placeholder, or give one that is there the quorum's size.

    One that is ``kept`` a definition has already.
    """

    def __init__(
        self, placeholders: Placeholders, path: str, size: int | None, *, kept: bool = False
    ) -> None:
        self.placeholders = placeholders
        self.path = path
        self.size = size
        self.kept = kept
        self._is_new = False
        self._title: str | None = None
        self._directories: list[str] = []

    @property
    def title(self) -> str:
        """What it does, by what is there; once it is done, what it did."""
        return self._title or self._worded()

    def _worded(self) -> str:
        state: State = "unknown"
        with suppress(HostError):
            state = self.placeholders.state(self.path)
        if state in ("there", "blank") or (state == "unknown" and self.kept):
            has_size = self.placeholders.has_size(self.path, self.size)
            size = "" if has_size else f", and give it {self.size} bytes"
            return f"keep the placeholder '{self.path}'{size}"
        size = f" of {self.size} bytes" if self.size is not None else ""
        return f"make the placeholder '{self.path}'{size}"

    def do(self, course: Course) -> None:
        """Make it."""
        self._title = self._worded()
        self._directories = self.placeholders.missing_directories(self.path)
        self._is_new = self.placeholders.make(self.path, self.size, kept=self.kept)

    def undo(self) -> None:
        """Remove it if this step has made it and no domain names it, and its directory."""
        if self._is_new:
            self.placeholders.remove(self.path)
        for directory in self._directories:
            with suppress(OSError):  # somebody else has made something in it
                os.rmdir(directory)


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
        self._is_written = False

    @property
    def title(self) -> str:
        """What it does, without what is in it."""
        return f"write '{self.path}', for QEMU alone"

    def do(self, course: Course) -> None:
        """Write it, wholly or not at all."""
        self._before = self._read()
        self._write(self._data)
        self._is_written = True

    def undo(self) -> None:
        """Bring back what was in it, or remove it, unless somebody else has written it since."""
        if not self._is_written or self._read() != self._data:
            return
        if self._before is not None:
            self._write(self._before)
        else:
            with suppress(FileNotFoundError):
                os.unlink(self.path)

    def _read(self) -> bytes | None:
        """What is in it, None where it is not there."""
        try:
            with open(self.path, "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._failed("read", error) from None

    def _failed(self, what: str, error: OSError) -> HostError:
        said = (error.strerror or str(error)).lower()
        return HostError(f"'{self.path}' cannot be {what}: {said}")

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
            raise self._failed("written", error) from None


class Define(Step):
    """Hand libvirt another definition of a domain, or a domain's first one.

    ``xml`` has the ``uuid``; ``planned`` is the definition that the change
    was planned on, None where there was none.  ``shown`` is what a dry run
    shows of it.  ``checks`` are looks at the domain right behind it, which
    raise HostError for what must not be.
    """

    def __init__(
        self, host: Host, name: str, xml: str, uuid: str, planned: str | None, shown: str
    ) -> None:
        self.host = host
        self.name = name
        self.xml = xml
        self.uuid = uuid
        self.shown = shown
        self.checks: list[Callable[[], object]] = []
        self._planned = planned
        self._old: str | None = None
        self._is_defined = False
        self._made: str | None = None

    @property
    def title(self) -> str:
        """What it does."""
        return f"define '{self.name}'"

    @property
    def actions(self) -> tuple[Action, ...]:
        """The difference."""
        return (Text(text=self.shown),) if self.shown else (Asked(call=f"define {self.name}"),)

    def do(self, course: Course) -> None:
        """Define it; libvirt validates it before.

        Raises HostError if the definition is not the one any more on which
        this was planned.
        """
        found = self._found()
        if (found.text(inactive=True).text if found is not None else None) != self._planned:
            was = "changed" if self._planned is not None else "defined"
            raise HostError(
                f"somebody else has {was} the domain '{self.name}' meanwhile; look at it, and try "
                "again"
            )
        if found is not None:
            self._old = found.text(inactive=True, secure=True).text
        # Before the call: its answer may be lost, and the definition there all the same.
        self._is_defined = True
        with asking(f"domain '{self.name}'"):
            self.host.connection.defineXMLFlags(self.xml, _VALIDATE)
        self._made = self._text(self._found())
        for check in self.checks:
            check()

    def undo(self) -> None:
        """Define what was before, or undefine it, if the definition is the one made here."""
        found = self._found()  # raises where libvirt does not answer, so nobody knows
        if not self._is_defined:
            return
        now = self._text(found)
        if now == self._old:
            return
        if self._made is not None and now != self._made:
            raise HostError(f"somebody else has changed the definition of '{self.name}' since")
        with asking(f"domain '{self.name}'"):
            if self._old is not None:
                self.host.connection.defineXMLFlags(self._old, 0)
        if self._old is None and found is not None:
            _undefine(found)

    def _found(self) -> HostDomain | None:
        """The domain, if it has a definition."""
        found = self.host.domain_of_definition(None, self.uuid)
        return found if found is not None and found.is_persistent else None

    def _text(self, found: HostDomain | None) -> str | None:
        return found.text(inactive=True, secure=True).text if found is not None else None


def _undefine(domain: HostDomain) -> None:
    """Take a definition away and nothing else: NVRAM and TPM state may have been there before."""
    for flags in _KEEPING:
        try:
            with asking(domain.where):
                domain.handle.undefineFlags(flags)
            return
        except LibvirtError as error:
            if error.code not in _NO_FLAG or not flags:
                raise


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
