"""Files replaced wholly, or not at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress

from virtquorum.errors import UnreadableError

__all__ = ["replace"]


def replace(path: str, data: bytes, name: str) -> None:
    """Put other bytes in the place of a file, which keeps its owner, mode and attributes.

    A symbolic link stays one, and the file that it leads to is replaced; a
    file that is not there is made.  ``name`` is what the error calls it.
    Raises UnreadableError; the file is then as it was.
    """
    folder, base = os.path.split(os.path.realpath(path))
    path = os.path.join(folder, base)
    try:
        # The name of the file need not leave room for more than a few characters.
        handle, temporary = tempfile.mkstemp(prefix=f".{base[:40]}.", dir=folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                _copy_attributes(path, file.fileno())
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
    except OSError as error:
        raise UnreadableError(
            f"cannot be written: {(error.strerror or str(error)).lower()}; it is as it was",
            file=name,
        ) from None


def _copy_attributes(path: str, handle: int) -> None:
    """Give an open file the owner, mode and extended attributes of another one, if there is one."""
    try:
        status, own = os.stat(path), os.fstat(handle)
    except FileNotFoundError:
        mask = os.umask(0o077)  # there is no other way to ask for it
        os.umask(mask)
        os.fchmod(handle, 0o666 & ~mask)
        return
    if (status.st_uid, status.st_gid) != (own.st_uid, own.st_gid):
        os.fchown(handle, status.st_uid, status.st_gid)
    os.fchmod(handle, status.st_mode & 0o7777)
    with suppress(OSError):  # not every file system has them; SELinux's label is one
        for name in os.listxattr(path):
            os.setxattr(handle, name, os.getxattr(path, name))
