"""Where new images come to be: beside their place, and then in it, if nobody else is there.

``qemu-img create`` overwrites what it finds.  So it works in a directory of
our own beside the image's place (the same file system, closed to others, the
image's own name, which some formats write into the image), and the finished
file is linked into its place, which fails if there is one.
"""

from __future__ import annotations

import ctypes
import errno
import os
from contextlib import suppress
from secrets import token_hex
from typing import Final

__all__ = ["Workplace"]

#: What a new image's mode is; libvirt makes its volumes so.
_MODE: Final = 0o600
_OF_FOLDERS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_AT_FDCWD: Final = -100
_RENAME_NOREPLACE: Final = 1
#: What a file system without hard links says to one.
_NO_LINKS: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


class Workplace:
    """The directories and files that one call makes; ``undo`` removes them, and nothing else.

    ``owner`` is the user and the group (ids) that the files are for, None for
    those who make them.  Whoever may write to a directory may put something
    else in the place of ours there: so ours are held open, and what is in them
    is reached by that.
    """

    def __init__(self, owner: tuple[int, int] | None = None) -> None:
        self.owner = owner
        self._folders: dict[str, str] = {}
        #: Our directories, open.
        self._handles: dict[str, int] = {}
        self._made: list[tuple[str, int, int]] = []

    def temporary(self, path: str) -> str:
        """Where to make the file that shall come to ``path``; raises OSError."""
        directory, base = os.path.split(path)
        if directory not in self._folders:
            self._folders[directory] = self._folder(directory)
        return os.path.join(self._folders[directory], base)

    def scratch(self, path: str) -> str:
        """Where to make a file that is needed for a while, on the file system of ``path``."""
        folder = self._folder(os.path.dirname(path))
        self._folders[folder] = folder
        return os.path.join(folder, "scratch")

    def _folder(self, directory: str) -> str:
        folder = os.path.join(directory, f".virtquorum-{token_hex(6)}")
        os.mkdir(folder, 0o700)
        self._handles[folder] = os.open(folder, _OF_FOLDERS)
        if os.fstat(self._handles[folder]).st_uid != os.geteuid():
            raise OSError(errno.EPERM, "somebody else has put another directory in its place")
        return folder

    def put(self, path: str) -> None:
        """Bring a finished file to its place; raises FileExistsError if there is one by now."""
        folder, base = os.path.split(self.temporary(path))
        handle = os.open(
            base, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=self._handles[folder]
        )
        try:
            if self.owner is not None:
                os.fchown(handle, *self.owner)
            with suppress(OSError):  # FAT, say, knows no such mode
                os.fchmod(handle, _MODE)
            os.fsync(handle)  # a name without its data would be worse than no name
            status = os.fstat(handle)
        finally:
            os.close(handle)
        # Noted before, so that it is undone whatever happens; only this very file is.
        self._made.append((path, status.st_dev, status.st_ino))
        _bring(self._handles[folder], base, path)
        _sync(os.path.dirname(path))

    def clear(self) -> list[str]:
        """Remove the directories of our own and what is in them; returns those that stayed."""
        left = [folder for folder in self._folders.values() if not self._removed(folder)]
        for handle in self._handles.values():
            os.close(handle)
        self._folders.clear()
        self._handles.clear()
        return left

    def _removed(self, folder: str) -> bool:
        handle = self._handles[folder]
        try:
            for name in os.listdir(handle):
                with suppress(OSError):
                    os.unlink(name, dir_fd=handle)
            os.rmdir(folder)
        except OSError:
            return False
        return True

    def undo(self) -> list[str]:
        """Remove all that was made; returns what could not be removed."""
        left = []
        for path, device, inode in reversed(self._made):
            try:
                status = os.lstat(path)
                if (status.st_dev, status.st_ino) == (device, inode):
                    os.unlink(path)
            except FileNotFoundError:
                pass
            except OSError:
                left.append(path)
        self._made.clear()
        return left + self.clear()


def _bring(folder: int, base: str, path: str) -> None:
    """Give a file of an open directory a name that nobody has; raises OSError.

    Where it can, the old name stays: so long, no other file has its inode.
    """
    try:
        os.link(base, path, src_dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _rename_new(folder, base, path)


def _rename_new(folder: int, old: str, new: str) -> None:
    """renameat2(2) with RENAME_NOREPLACE, which Python does not have; raises OSError."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        raise OSError(errno.ENOSYS, "the file system has no hard links", new)
    names = os.fsencode(old), os.fsencode(new)
    if call(folder, names[0], _AT_FDCWD, names[1], _RENAME_NOREPLACE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), new)


def _sync(directory: str) -> None:
    with suppress(OSError):  # not every file system can
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
