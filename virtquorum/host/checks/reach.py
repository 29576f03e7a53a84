"""Whether a user may open files, on the whole way to each of them.

Also run as a program (``python -I -S reach.py``), which becomes another user
and asks the system: that is the truth, with access control lists, file systems
of other machines and whatever else decides.  It is handed JSON and imports
nothing but the standard library:

    {"user": [uid, gid, [group, …]] or null, "asked": [[path, "r" or "rw" or "x"], …]}

and answers with one Refusal, or null, for each.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MODES", "Refusal", "first_refusal"]

#: What is wanted of a file, in access(2)'s words; 'x' is to enter a directory.
MODES = {"r": os.R_OK, "rw": os.R_OK | os.W_OK, "x": os.X_OK}
#: Linux gives up after so many symbolic links.
_LINKS = 40


class Refusal(NamedTuple):
    """Where the way to a file ends, and why.

    ``why`` is 'search' (``place`` is a directory that may not be entered),
    'open' (the file itself may not be opened so), 'read-only' (its file system
    is mounted so), 'missing' or 'links' (they go in a circle).
    """

    place: str
    why: str


def first_refusal(path: str, wanted: str, allows: Callable[[str, int], bool]) -> Refusal | None:
    """The first place on the way to a file that stops somebody, None if nothing does.

    ``path`` is absolute, ``wanted`` a word of MODES; ``allows(path, mode)`` is
    access(2), with a path in which nothing is a link.  Raises PermissionError
    where the one who asks does not get on.
    """
    at, links = "/", 0
    rest = path.split("/")[::-1]
    while rest:
        part = rest.pop()
        if part in ("", "."):
            continue
        if not allows(at, os.X_OK):
            return Refusal(at, "search")
        if part == "..":
            at = os.path.dirname(at)
            continue
        below = os.path.join(at, part)
        try:
            is_link = stat.S_ISLNK(os.lstat(below).st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return Refusal(below, "missing")
        if not is_link:
            at = below
            continue
        links += 1
        if links > _LINKS:
            return Refusal(path, "links")
        target = os.readlink(below)
        at = "/" if target.startswith("/") else at
        rest += target.split("/")[::-1]
    return None if allows(at, MODES[wanted]) else Refusal(at, _why(at, wanted))


def _why(path: str, wanted: str) -> str:
    if wanted == "x":
        return "search"
    if wanted == "rw" and os.statvfs(path).f_flag & os.ST_RDONLY:
        return "read-only"
    return "open"


def _main() -> None:
    asked = json.load(sys.stdin)
    if asked["user"] is not None:
        uid, gid, groups = asked["user"]
        os.setgroups(groups)
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    json.dump([_stopped(path, wanted) for path, wanted in asked["asked"]], sys.stdout)


def _stopped(path: str, wanted: str) -> Refusal | None:
    """The same for this process."""
    try:
        return first_refusal(path, wanted, os.access)
    except PermissionError as error:  # a file system of its user's own, as FUSE has them
        return Refusal(error.filename or path, "search")


if __name__ == "__main__":
    _main()
