"""A connection to libvirt, and what it says no to, put into words.

libvirt-python is no part of a plain installation and takes a while to import,
so it is imported here when somebody connects, and nowhere else.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from virtquorum.errors import HostError, LibvirtError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["asking", "connected"]

_INSTALL: Final = (
    "install it: pip install 'virtquorum[libvirt]'; it is built, which on Debian needs "
    "python3-dev gcc pkg-config libvirt-dev"
)
#: libvirt's way of saying that the system said no: the errno stands in the first number.
_SYSTEM_ERROR: Final = 38
_NO_DAEMON: Final = (
    "start the daemon (libvirtd, or virtqemud with virtstoraged and virtsecretd), or name another "
    "connection: 'qemu:///system', 'qemu:///session'"
)
_NO_RIGHT: Final = "run it as root, or as a user whom libvirt lets in (on Debian the group libvirt)"
_OPEN: Final = "another process has this embedded driver open; end that, or wait for it"
#: What helps, by libvirt's number of the error (virErrorNumber).
_REMEDIES: Final[Mapping[int, str]] = {
    # NO_CONNECT: libvirt knows no such kind
    5: "connections are 'qemu:///system', 'qemu:///session', 'qemu+ssh://HOST/system'",
    45: _NO_RIGHT,  # AUTH_FAILED
    79: _NO_RIGHT,  # AUTH_CANCELLED
    88: _NO_RIGHT,  # ACCESS_DENIED
    94: _NO_RIGHT,  # AUTH_UNAVAILABLE
}
#: What helps where the daemon of this machine is not reached, by errno.
_ERRNOS: Final[Mapping[int, str]] = {
    errno.ENOENT: _NO_DAEMON,
    errno.ECONNREFUSED: _NO_DAEMON,
    errno.EACCES: _NO_RIGHT,
    errno.EPERM: _NO_RIGHT,
}


@contextmanager
def connected(uri: str | None) -> Iterator[Any]:
    """A connection (virConnect) that may read secrets, closed in the end.

    None is libvirt's own choice: LIBVIRT_DEFAULT_URI, what libvirt.conf says,
    or what it finds.  From here on libvirt prints no errors of its own to
    stderr in this process: it has one handler for all, and offers no way to
    learn which it was.  Raises HostError.
    """
    libvirt = _libvirt()
    libvirt.registerErrorHandler(_silence, None)
    with _told_of_pid_file(), asking(_called(uri), errnos=_ERRNOS if _is_here(uri) else {}):
        connection = libvirt.open(uri)
    try:
        yield connection
    finally:
        with suppress(libvirt.libvirtError):
            connection.close()


@contextmanager
def _told_of_pid_file() -> Iterator[None]:
    """What helps where an embedded driver is another process's."""
    try:
        yield
    except LibvirtError as error:
        if error.remedy is not None or "driver.pid" not in error.text:
            raise
        raise LibvirtError(error.what, code=error.code, text=error.text, remedy=_OPEN) from None


@contextmanager
def asking(
    what: str | None,
    remedies: Mapping[int, str] | None = None,
    *,
    errnos: Mapping[int, str] | None = None,
) -> Iterator[None]:
    """What libvirt raises inside the block becomes a LibvirtError.

    ``what`` is what it is asked about; ``remedies`` go before the common
    ones, by libvirt's number of the error; ``errnos`` are those for what the
    system says no to.
    """
    libvirt = _libvirt()
    try:
        yield
    except libvirt.libvirtError as error:
        code = error.get_error_code()
        raise LibvirtError(
            what,
            code=code,
            text=error.get_error_message() or str(error),
            remedy=_remedy(code, error.get_int1(), remedies or {}, errnos or {}),
        ) from None
    except ValueError:  # no C string: a NUL, or half of a surrogate pair
        raise HostError(f"{what or 'libvirt'}: no name in libvirt holds such characters") from None


def _called(uri: str | None) -> str:
    """A connection, for messages."""
    if uri:
        return f"the connection '{uri}'"
    given = os.environ.get("LIBVIRT_DEFAULT_URI")
    return (
        f"the connection '{given}' (LIBVIRT_DEFAULT_URI)" if given else "the connection to libvirt"
    )


def _is_here(uri: str | None) -> bool:
    """Whether a connection is to a daemon of this machine, by its socket."""
    if not uri:
        return True
    scheme, _, rest = uri.partition("://")
    return scheme.partition("+")[2] in ("", "unix") and rest[:1] in ("", "/")


def _remedy(
    code: int | None, number: int | None, remedies: Mapping[int, str], errnos: Mapping[int, str]
) -> str | None:
    if code is None:
        return None
    if code == _SYSTEM_ERROR and number is not None:
        return errnos.get(number)
    return remedies.get(code) or _REMEDIES.get(code)


def _libvirt() -> Any:
    """libvirt-python's module; raises HostError if it cannot be imported."""
    try:
        import libvirt
    except ModuleNotFoundError:
        raise HostError(f"libvirt-python is not installed; {_INSTALL}") from None
    except ImportError as error:
        raise HostError(f"libvirt-python cannot be loaded: {error}; {_INSTALL}") from None
    except Exception as error:  # its own, for which its module would be needed
        raise HostError(
            f"libvirt cannot be initialised: {error}; look at LIBVIRT_LOG_OUTPUTS and "
            "LIBVIRT_LOG_FILTERS in the environment"
        ) from None
    return libvirt


def _silence(_context: object, _error: object) -> None:
    """What libvirt would print is in the exception."""
