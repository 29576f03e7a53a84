"""The files that stand for quorum disks in libvirt's eyes: made, looked at, removed.

A placeholder begins with a sentence that says what it is; behind that it is a
hole of the quorum's size.  Only a file that begins so, and holds nothing else,
is ever removed, and only while no domain names it: an image cannot be mistaken
for one.  A file that is nothing but a hole, as somebody makes it by hand, does
as well; nothing is written to it, and it is not removed.

On this machine they are files like any other.  On another one, or where this
user may not write, libvirt makes them, as volumes of a pool of that directory.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from virtquorum.errors import HostError, LibvirtError
from virtquorum.host.connection import asking
from virtquorum.host.owner import qemu_owner
from virtquorum.host.taken import names_of
from virtquorum.xml.format import escape

if TYPE_CHECKING:
    from virtquorum.host.session import Host

__all__ = ["SENTENCE", "SMALLEST", "Placeholders", "State"]

#: How each placeholder begins.
SENTENCE: Final = (
    b"This file is a virtquorum placeholder: it stands for a quorum disk in libvirt's eyes and "
    b"holds no data of the guest. The data is in the images that 'virtquorum list' names.\n"
)
#: The size (bytes) of one whose quorum's size is not known.
SMALLEST: Final = 1 << 20
#: How the names of placeholders end, those of half-made ones as well.
_ENDING: Final = ".placeholder"
#: What may be read of the beginning of one; file systems keep data in blocks.
_BLOCK: Final = 1 << 16
#: Any user's QEMU must find the file in the directory; only libvirt looks around in it.
_DIRECTORY_MODE: Final = 0o711
#: libvirt's VIR_ERR_NO_STORAGE_POOL, VIR_ERR_NO_STORAGE_VOL, VIR_ERR_NO_SUPPORT.
_NO_POOL, _NO_VOLUME, _NO_SUPPORT = 49, 50, 3

#: 'blank' is a hole without the sentence, 'other' a file that is no placeholder, 'unknown' one that
#: nobody here may look at; a file without a byte counts as missing.
State: TypeAlias = Literal["there", "blank", "missing", "other", "unknown"]


class Placeholders:
    """The placeholders on a libvirt's machine."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def state(self, path: str) -> State:
        """What is at a path."""
        if self.host.is_local:
            with suppress(PermissionError):
                return _local_state(path)
        volume = self._volume(path)
        if volume is None:
            return "unknown" if self._pool(path) is None else "missing"
        return self._volume_state(volume, path)

    def make(self, path: str, size: int | None, *, kept: bool = False) -> bool:
        """Make one of a size (bytes), or give that to one that is there; whether it is new.

        One that is ``kept`` need not be made where nobody here may look at it:
        a definition has it already.  Raises HostError for a file that is no
        placeholder, and where nobody here may make one.
        """
        state = self.state(path)
        if state == "other":
            raise _other(path)
        if state in ("there", "blank"):
            if size is not None:
                self._resize(path, size)
            return False
        if state == "unknown" and kept:
            return False
        if state == "unknown" and self._is_file(path):
            raise HostError(
                f"'{path}' is there, and this user may not look whether it is a placeholder; run "
                "it as root, or choose another directory, --placeholder-dir DIR"
            )
        if self.host.is_local and _may_make(path):
            return self._make_file(path, size or SMALLEST)
        self._make_volume(path, size or SMALLEST)
        return True

    def missing_directories(self, path: str) -> list[str]:
        """The directories that would have to be made for one, the innermost first."""
        found: list[str] = []
        directory = os.path.dirname(path)
        while self.host.is_local and directory and not os.path.lexists(directory):
            found.append(directory)
            directory = os.path.dirname(directory)
        return found

    def has_size(self, path: str, size: int | None) -> bool:
        """Whether one that is there has a size (bytes), as far as that is known here."""
        with suppress(OSError):
            return size is None or not self.host.is_local or os.stat(path).st_size == size
        return True

    def remove(self, path: str, *, of: str | None = None) -> str | None:
        """Remove one if it is there and no domain names it any more, but for the one ``of`` a name.

        Returns a sentence on why it stays, None if it is gone.
        """
        match self.state(path):
            case "missing":
                return None
            case "other":
                return f"'{path}' is no placeholder, or somebody has written to it, and stays"
            case "blank":
                return f"'{path}' was made by hand and stays"
            case "unknown":
                return f"the placeholder '{path}' stays on '{self.host.name}'; remove it there"
        if names := [one for one in names_of(self.host, path) if one != of]:
            return f"the placeholder '{path}' stays: it is that of the domain '{names[0]}'"
        if self.host.is_local and os.access(os.path.dirname(path), os.W_OK | os.X_OK):
            os.unlink(path)
            return None
        volume = self._volume(path)
        if volume is None:
            return f"the placeholder '{path}' stays; only its owner may remove it"
        with asking(f"the placeholder '{path}'"):
            volume.delete()
        return None

    # Files

    def _is_file(self, path: str) -> bool:
        """Whether there is something at a path of this machine, as far as that is to be seen."""
        return self.host.is_local and os.path.lexists(path)

    def _make_file(self, path: str, size: int) -> bool:
        """Make a whole file, so that none is ever half made; whether it is new."""
        directory = os.path.dirname(path)
        try:
            if not os.path.isdir(directory):
                os.makedirs(directory, exist_ok=True)
                os.chmod(directory, _DIRECTORY_MODE)
            handle, temporary = tempfile.mkstemp(_ENDING, ".", directory)  # mode 0600
            try:
                with os.fdopen(handle, "wb") as file:
                    self._write(file.fileno(), size)
                is_new = _put(temporary, path)
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(temporary)
        except OSError as error:
            said = (error.strerror or str(error)).lower()
            raise HostError(f"'{path}': {said}") from None
        if not is_new and self.state(path) not in ("there", "blank"):
            raise _other(path)
        return is_new

    def _write(self, handle: int, size: int) -> None:
        os.write(handle, SENTENCE)
        os.ftruncate(handle, max(size, len(SENTENCE)))
        # libvirt does that itself, unless its qemu.conf says dynamic_ownership = 0.
        owner = qemu_owner(self.host)
        if owner is not None:
            os.fchown(handle, *owner)

    def _resize(self, path: str, size: int) -> None:
        """Give one its quorum's size, as far as we may; only what is shown depends on it.

        One that two domains name stays as it is.
        """
        with suppress(OSError):
            if not self.host.is_local or os.stat(path).st_size == size:
                return
            if len(names_of(self.host, path)) <= 1:
                os.truncate(path, max(size, len(SENTENCE)))

    # Volumes

    def _pool(self, path: str) -> Any:
        """The active pool of a path's directory, None if there is none."""
        try:
            with asking(None):
                pool = self.host.connection.storagePoolLookupByTargetPath(os.path.dirname(path))
                return pool if pool.isActive() else None
        except LibvirtError as error:
            if error.code in (_NO_POOL, _NO_SUPPORT):
                return None
            raise

    def _volume(self, path: str) -> Any:
        """The volume that a path is, None if no pool has it."""
        pool = self._pool(path)
        if pool is None:
            return None
        try:
            with asking(None):
                pool.refresh()
                return pool.storageVolLookupByName(os.path.basename(path))
        except LibvirtError as error:
            if error.code == _NO_VOLUME:
                return None
            raise

    def _make_volume(self, path: str, size: int) -> None:
        pool = self._pool(path)
        if pool is None:
            raise self._nobody(path)
        xml = (
            f"<volume><name>{escape(os.path.basename(path))}</name>"
            f"<capacity unit='bytes'>{size}</capacity><allocation>0</allocation>"
            "<target><format type='raw'/></target></volume>"
        )
        with asking(f"the placeholder '{path}'"):
            volume = pool.createXML(xml)
            try:
                stream = self.host.connection.newStream()
                volume.upload(stream, 0, len(SENTENCE))
                stream.send(SENTENCE)
                stream.finish()
            except BaseException:
                volume.delete()
                raise

    def _volume_state(self, volume: Any, path: str) -> State:
        with asking(f"the placeholder '{path}'"):
            stream = self.host.connection.newStream()
            volume.download(stream, 0, len(SENTENCE))
            found: bytes = stream.recv(len(SENTENCE))
            stream.abort()
            _, capacity, allocation = volume.info()
        if _is_ours(found):
            return "there"
        return "blank" if capacity and not allocation else "other"

    def _nobody(self, path: str) -> HostError:
        directory = os.path.dirname(path)
        pool = (
            f"virsh -c '{self.host.uri}' pool-define-as virtquorum dir --target '{directory}', "
            "pool-build and pool-start it"
        )
        if not self.host.is_local:
            return HostError(
                f"libvirt on '{self.host.name}' has no pool of the directory '{directory}' to make "
                f"it in; make one: {pool}; or name the directory of a pool that there is, "
                "--placeholder-dir DIR"
            )
        ways = "run it as root, choose another directory, --placeholder-dir DIR"
        if self.host.root is None:  # an embedded driver has no pools
            ways += f", or have libvirt make it, in a pool of that directory: {pool}"
        return HostError(f"this user may not write to '{directory}'; {ways}")


def _other(path: str) -> HostError:
    return HostError(
        f"'{path}' is there and is no placeholder; move it away, or choose another "
        "directory, --placeholder-dir DIR"
    )


def _local_state(path: str) -> State:
    """What is at a path of this machine; raises PermissionError where one may not look."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return "missing"
    except PermissionError:
        raise
    except OSError:  # a link
        return "other"
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            return "other"
        if status.st_size == 0:
            return "missing"
        if _is_ours(os.read(handle, _BLOCK)) and _is_hole(handle):
            return "there"
        return "blank" if _is_blank(handle) else "other"
    finally:
        os.close(handle)


def _is_ours(beginning: bytes) -> bool:
    """Whether a file begins as placeholders do and goes on with zeros."""
    return beginning.startswith(SENTENCE) and not beginning[len(SENTENCE) :].strip(b"\0")


def _is_hole(handle: int) -> bool:
    """Whether a file has nothing behind its first block; so it is where holes are not known."""
    try:
        return os.lseek(handle, _BLOCK, os.SEEK_DATA) >= os.fstat(handle).st_size
    except OSError:
        return True


def _is_blank(handle: int) -> bool:
    """Whether a file is known to be one hole."""
    try:
        os.lseek(handle, 0, os.SEEK_DATA)
    except OSError as error:
        return error.errno == errno.ENXIO
    return False


def _put(temporary: str, path: str) -> bool:
    """Give a whole file its name; False where another file has got that meanwhile."""
    if _is_empty(path):
        os.replace(temporary, path)
        return True
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    return True


def _is_empty(path: str) -> bool:
    """Whether a file is there without a byte in it."""
    with suppress(OSError):
        status = os.lstat(path)
        return stat.S_ISREG(status.st_mode) and status.st_size == 0
    return False


def _may_make(path: str) -> bool:
    """Whether this user may make a file, and the directory for it if that is missing."""
    directory = os.path.dirname(path)
    while directory and not os.path.lexists(directory):
        directory = os.path.dirname(directory)
    return os.access(directory or ".", os.W_OK | os.X_OK)
