"""Whether a file's mode and access control list let a user in: for who cannot become that user."""

from __future__ import annotations

import errno
import os
import stat
import struct
from typing import Final, NamedTuple

__all__ = ["Entry", "UnknownError", "acl_of", "allows"]

_XATTR: Final = "system.posix_acl_access"
_VERSION: Final = 2
_HEADER: Final = struct.Struct("<I")
_ENTRY: Final = struct.Struct("<HHI")
#: The tags of an access control list's entries (linux/posix_acl.h).
_USER_OBJ, _USER, _GROUP_OBJ, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20


class UnknownError(Exception):
    """What this user cannot even look at; the text is the path."""


class Entry(NamedTuple):
    """An entry of an access control list; ``bits`` are read 4, write 2, execute 1."""

    tag: int
    bits: int
    id: int


def acl_of(path: str) -> tuple[Entry, ...]:
    """The access control list of a file, empty if its mode says all; raises OSError."""
    try:
        data = os.getxattr(path, _XATTR)
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.EOPNOTSUPP, errno.ENOSYS):
            return ()
        raise
    if len(data) < _HEADER.size or _HEADER.unpack_from(data) != (_VERSION,):
        return ()
    return tuple(Entry(*one) for one in _ENTRY.iter_unpack(data[_HEADER.size :]))


def allows(path: str, mode: int, uid: int, groups: frozenset[int]) -> bool:
    """access(2) for another user; raises UnknownError for what cannot be looked at."""
    try:
        status = os.stat(path)
        entries = acl_of(path)
    except OSError as error:
        raise UnknownError(path) from error
    if uid == 0:
        return mode != os.X_OK or stat.S_ISDIR(status.st_mode) or bool(status.st_mode & 0o111)
    if mode & os.W_OK and os.statvfs(path).f_flag & os.ST_RDONLY:
        return False
    return _bits(status, entries, uid, groups, mode) & mode == mode


def _bits(
    status: os.stat_result, entries: tuple[Entry, ...], uid: int, groups: frozenset[int], mode: int
) -> int:
    """What a user may: by the first that fits of owner, user, groups, others (acl(5))."""
    bits = status.st_mode
    if status.st_uid == uid:
        return bits >> 6 & 7
    if not entries or not bits & 0o070:  # with an empty mask Linux does not look at the list
        return (bits >> 3 if status.st_gid in groups else bits) & 7
    mask = next((one.bits for one in entries if one.tag == _MASK), 7)
    for one in entries:
        if one.tag == _USER and one.id == uid:
            return one.bits & mask
    fitting = [
        one.bits & mask
        for one in entries
        if (one.tag == _GROUP and one.id in groups)
        or (one.tag == _GROUP_OBJ and status.st_gid in groups)
    ]
    if fitting:  # one that allows all of it is enough; they do not add up
        return next((one for one in fitting if one & mode == mode), 0)
    return next((one.bits for one in entries if one.tag == _OTHER), 0)
