"""Images that somebody else has open: another domain, or any QEMU program, by its locks.

QEMU locks single bytes of each image (``block/file-posix.c``): byte 100 + n is
locked by who does n, byte 200 + n by who lets nobody else do n; a quorum lets
nobody else write to its members.
"""

from __future__ import annotations

import fcntl
import os
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from virtquorum.check.finding import Severity
from virtquorum.errors import InputError
from virtquorum.host.checks.result import CheckResult
from virtquorum.host.connection import asking
from virtquorum.model.image import Image
from virtquorum.xml.domain import Domain
from virtquorum.xml.record import Record

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from virtquorum.host.checks.openings import Opening
    from virtquorum.model.disk import Disk

__all__ = ["LOCKED", "Use", "domains_in_use", "is_locked", "use_results"]

#: How the message on an image begins that no running domain is known to have, and is locked.
LOCKED: Final = "is locked"
#: What QEMU's bytes say: somebody writes; nobody else may read; nobody else may write.
_WRITES, _NO_READERS, _NO_WRITERS = 101, 200, 201
#: struct flock of 64-bit systems: type, whence, start, length, process.
_FLOCK: Final = struct.Struct("hhqqi4x")


class Use(NamedTuple):
    """A domain that has an image open, and whether it writes to it."""

    domain: str
    writable: bool


def domains_in_use(connection: Any, own: str | None) -> dict[str, Use]:
    """What the running domains but one have open, by path; ``own`` is that one's UUID."""
    found: dict[str, Use] = {}
    with asking("the running domains"):
        domains = connection.listAllDomains(_ACTIVE)
    for one in domains:
        if one.UUIDString() == own:
            continue
        with suppress(Exception), asking("a domain"):  # it may have ended since
            for path, writable in _paths(one.XMLDesc()):
                found[path] = Use(one.name(), writable or (path in found and found[path].writable))
    return found


#: VIR_CONNECT_LIST_DOMAINS_ACTIVE
_ACTIVE: Final = 1


def _paths(xml: str) -> Iterator[tuple[str, bool]]:
    """The files and devices of a domain's disks, those of its quorums too."""
    try:
        domain = Domain.from_text(xml, "domain")
    except InputError:
        return
    record = Record.of(domain.document.root)
    disks = list(domain.machine_disks)
    if record is not None:
        disks += [one.disk for one in record.disks]
    for disk in disks:
        yield from _of_disk(disk)


def _of_disk(disk: Disk) -> Iterator[tuple[str, bool]]:
    rest = [(disk.image, not disk.readonly and disk.device != "cdrom")]
    while rest:
        image, writable = rest.pop()
        path = getattr(image.source, "file", None) or getattr(image.source, "dev", None)
        if isinstance(path, str):
            yield os.path.realpath(path), writable
        is_quorum = image.source.type == "quorum"
        rest += [(one, writable and is_quorum) for one in image.below if isinstance(one, Image)]


def is_locked(path: str, *, writable: bool) -> bool:
    """Whether QEMU could not lock an image of this machine, since somebody else has."""
    watched = [_WRITES, _NO_READERS, *((_NO_WRITERS,) if writable else ())]
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return any(_held(handle, byte) for byte in watched)
    except OSError:  # no locks on this file system, and QEMU goes without
        return False
    finally:
        os.close(handle)


def _held(handle: int, byte: int) -> bool:
    asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0)
    answer = fcntl.fcntl(handle, fcntl.F_OFD_GETLK, asked)
    return bool(_FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)


def use_results(
    found: Sequence[Opening], used: Mapping[str, Use], own: Collection[str], *, here: bool
) -> Iterator[CheckResult]:
    """The images that others have open so that QEMU would not share them."""
    ours = {os.path.realpath(path) for path in own}
    for one in found:
        path = os.path.realpath(one.path) if here else one.path
        if path in ours or one.kind not in ("file", "device"):
            continue
        use = used.get(path)
        writable = one.wanted == "rw"
        if use is not None and (use.writable or writable):
            yield _result(
                one, f"is in use by the running domain '{use.domain}'",
                (f"switch that off: 'virsh shutdown {use.domain}'", "give this one a copy"),
            )  # fmt: skip
        elif here and is_locked(path, writable=writable):
            yield _result(
                one, f"{LOCKED}: another process has it open, and QEMU will not share it",
                (f"end that process; 'fuser {path}' names it", "give this domain a copy"),
            )  # fmt: skip


def _result(one: Opening, message: str, ways: tuple[str, ...]) -> CheckResult:
    return CheckResult(
        severity=Severity.ERROR, kind="in-use", disk=one.disk, path=one.path, message=message,
        ways=ways,
    )  # fmt: skip
