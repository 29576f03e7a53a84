"""Whether QEMU's user may open what a disk needs, and the ways out where it may not.

libvirt gives QEMU the files that it knows of.  It knows none that only the
command line names, and leaves them as they are.
"""

from __future__ import annotations

import json
import os
import shlex
import stat
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from virtquorum.check.finding import Severity
from virtquorum.host.checks import reach
from virtquorum.host.checks.permission import UnknownError, acl_of, allows
from virtquorum.host.checks.process import group_name, user_name
from virtquorum.host.checks.reach import Refusal
from virtquorum.host.checks.result import CheckResult

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from virtquorum.host.checks.openings import Opening
    from virtquorum.host.checks.process import QemuProcess

__all__ = ["access_results", "refusals"]

#: Seconds; a path may lie on a server that does not answer.
_TIMEOUT: Final = 30
_WORDS: Final = {"r": "read", "rw": "read and written"}
_LETTERS: Final = {"r": "r", "rw": "rw", "x": "x"}


def access_results(
    found: Sequence[Opening],
    placeholders: Sequence[Opening],
    process: QemuProcess,
    *,
    given: bool,
) -> Iterator[CheckResult]:
    """What of this machine QEMU's user could not open, each image once.

    Of ``placeholders``, which may be missing, only the way to them counts
    where libvirt makes them QEMU's own (``given``).
    """
    every = [*found, *placeholders]
    answers = refusals([(one.path, one.wanted) for one in every], process)
    if answers is None:
        seconds = f"was not found out within {_TIMEOUT} seconds: a file system does not answer"
        yield CheckResult(
            severity=Severity.WARNING, kind="access",
            message=f"whether QEMU's user may open the images {seconds}",
        )  # fmt: skip
        return
    for count, (one, answer) in enumerate(zip(every, answers, strict=True)):
        is_placeholder = count >= len(found)
        if isinstance(answer, UnknownError):
            yield _unknown(one, answer, process)
        elif answer is None or (is_placeholder and not _hinders(answer, given=given)):
            continue
        else:
            yield _refused(one, answer, process, is_placeholder=is_placeholder)


def _hinders(answer: Refusal, *, given: bool) -> bool:
    """Whether libvirt would not mend it for a placeholder."""
    return answer.why == "search" or (answer.why == "open" and not given)


def refusals(
    asked: Sequence[tuple[str, str]], process: QemuProcess
) -> list[Refusal | UnknownError | None] | None:
    """Where QEMU's user would be stopped; None if nobody answered.

    As root (who can become that user) and for this user's own QEMU the system
    is asked; else it is worked out by modes and access control lists.
    """
    if not asked:
        return []
    uid = os.geteuid()
    if uid not in (0, process.uid):
        return [_worked_out(path, wanted, process) for path, wanted in asked]
    user = [process.uid, process.gid, list(process.groups)] if uid == 0 else None
    command = [sys.executable, "-I", "-S", reach.__file__]
    given = json.dumps({"user": user, "asked": asked})
    try:
        done = subprocess.run(
            command, input=given, capture_output=True, text=True, timeout=_TIMEOUT, check=True,
            cwd="/",
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None
    except (subprocess.CalledProcessError, OSError):  # root of a user namespace is not all users
        return [_worked_out(path, wanted, process) for path, wanted in asked]
    return [None if one is None else Refusal(*one) for one in json.loads(done.stdout)]


def _worked_out(path: str, wanted: str, process: QemuProcess) -> Refusal | UnknownError | None:
    groups = frozenset((process.gid, *process.groups))
    try:
        return reach.first_refusal(
            path, wanted, lambda at, mode: allows(at, mode, process.uid, groups)
        )
    except UnknownError as error:
        return error
    except PermissionError:
        return UnknownError(path)


def _unknown(one: Opening, error: UnknownError, process: QemuProcess) -> CheckResult:
    return CheckResult(
        severity=Severity.WARNING,
        kind="access",
        disk=one.disk,
        path=one.path,
        message=f"whether QEMU's user {process} may open it cannot be found out: '{error}' cannot "
        "be looked at by this user",
        ways=("run it as root",),
    )


def _refused(
    one: Opening, answer: Refusal, process: QemuProcess, *, is_placeholder: bool
) -> CheckResult:
    place, why = answer
    kind = "placeholder" if is_placeholder else "access"
    match why:
        case "missing":
            kind = "missing"
            message, ways = _missing(one, place)
        case "links":
            message, ways = "its symbolic links lead in a circle", ("name the file itself",)
        case "read-only":
            message = f"the file system of '{place}' is mounted read-only"
            ways = ("mount it for writing (mount -o remount,rw)", "make the disk <readonly/>")
        case _:
            message, ways = _denied(one, place, why, process)
    return CheckResult(
        severity=Severity.ERROR,
        kind=kind,  # type: ignore[arg-type]
        disk=one.disk,
        path=one.path,
        message=message,
        ways=ways,
    )


def _missing(one: Opening, place: str) -> tuple[str, tuple[str, ...]]:
    match one.kind:
        case "file":
            make = "make it: 'virtquorum create'"
        case "device":
            make = "make it (lvcreate, say), or look at the name"
        case "socket":
            make = "start the server that listens there"
        case _:
            make = "look at the name"
    if place == one.path:
        return "does not exist", (make,)
    return f"does not exist, because '{place}' does not", (make,)


def _denied(
    one: Opening, place: str, why: str, process: QemuProcess
) -> tuple[str, tuple[str, ...]]:
    """What stands in the way at a place, and what mends it."""
    try:
        status = os.stat(place)
    except OSError as error:
        said = (error.strerror or str(error)).lower()
        return f"'{place}' lets not even this user in: {said}", ("look at what is mounted there",)
    wanted = "x" if why == "search" else one.wanted
    owner = f"{user_name(status.st_uid)}:{group_name(status.st_gid)}"
    said = f"{owner}, mode {stat.S_IMODE(status.st_mode):04o}"
    with suppress(OSError):
        said += ", with an access control list" if acl_of(place) else ""
    where = "its directory" if why == "search" else ("it" if place == one.path else f"'{place}'")
    if why == "search":
        message = f"QEMU's user {process} may not enter '{place}' ({said})"
    else:
        message = f"{where} cannot be {_WORDS[one.wanted]} by QEMU's user {process}: it is {said}"
    return message, tuple(_ways(one, place, wanted, status, process))


def _ways(
    one: Opening, place: str, wanted: str, status: os.stat_result, process: QemuProcess
) -> Iterator[str]:
    letters, quoted = _LETTERS[wanted], shlex.quote(place)
    if process.uid == 0:
        yield (
            "root itself is kept out: by the file system (NFS with root_squash, FUSE), or because "
            f"it is immutable (chattr -i {quoted})"
        )
        return
    if status.st_uid == process.uid:
        yield f"chmod u+{letters} {quoted}"
        return
    by_list = f"setfacl -m u:{process.name}:{letters} {quoted}"
    if wanted == "x":
        yield by_list
        yield f"chmod {'g' if _is_in(status, process) else 'o'}+x {quoted}"
    else:
        yield from _given(one, quoted, letters, status, process)
        yield by_list
    if status.st_uid == 0 and process.relabels and not process.own_label:
        yield (
            "let this domain's QEMU be root: <seclabel type='static' model='dac' relabel='no'>"
            "<label>+0:+0</label></seclabel>"
        )


def _given(
    one: Opening, quoted: str, letters: str, status: os.stat_result, process: QemuProcess
) -> Iterator[str]:
    """How a file comes to be QEMU's, or its group's."""
    if one.kind == "device":
        yield f"chown {process.name} {quoted}, by a rule of udev for longer than this boot"
    else:
        wanted = reach.MODES[one.wanted]
        more = "" if status.st_mode >> 6 & wanted == wanted else f" and chmod u+{letters} {quoted}"
        yield f"chown {process.name}:{process.group} {quoted}{more}"
    if _is_in(status, process):
        yield f"chmod g+{letters} {quoted}"
    elif one.kind == "file":
        yield f"chgrp {process.group} {quoted} and chmod g+{letters} {quoted}"


def _is_in(status: os.stat_result, process: QemuProcess) -> bool:
    """Whether QEMU's user is in the group that a file is of."""
    return status.st_gid in (process.gid, *process.groups)
