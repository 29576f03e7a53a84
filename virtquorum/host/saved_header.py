"""Whether a guest ran when its state was saved: libvirt keeps that, and tells nobody.

It is a number at the beginning of the file, which is libvirt's own: root's on
a system's libvirt, a user's on that user's.  Where it cannot be read, on another
machine say, nothing is known.
"""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from virtquorum.host.domain import HostDomain
    from virtquorum.host.session import Host

__all__ = ["ran_when_saved"]

_SYSTEM: Final = "/var/lib/libvirt/qemu/save"
#: The magic, the version, the length of the XML, whether it ran, and what is of no interest.
_HEADER: Final = struct.Struct("=16sIII")
_SIZE: Final = 92
_MAGIC: Final = b"LibvirtQemudSave"
_VERSION: Final = 2
#: The longest XML that is looked at (bytes).
_LONGEST: Final = 1 << 24


def ran_when_saved(domain: HostDomain) -> bool | None:
    """Whether a domain's saved state is that of a guest that ran; None where it cannot be known."""
    directory = _directory(domain.host)
    if directory is None or "/" in domain.name:
        return None
    with suppress(OSError):
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        found = os.open(os.path.join(directory, f"{domain.name}.save"), flags)
        with open(found, "rb") as file:
            head = file.read(_SIZE)
            ran, length = _read(head)
            if ran is not None and domain.uuid.encode() in file.read(length):
                return ran
    return None


def _read(head: bytes) -> tuple[bool | None, int]:
    """Whether it ran, and the length of the XML (bytes) that follows."""
    if len(head) < _SIZE:
        return None, 0
    magic, version, length, ran = _HEADER.unpack_from(head)
    if magic != _MAGIC or version != _VERSION or length > _LONGEST or ran not in (0, 1):
        return None, 0
    return bool(ran), length


def _directory(host: Host) -> str | None:
    """Where libvirt saves states, if that is on this machine."""
    if not host.is_local or host.driver != "QEMU":
        return None
    if host.root is not None:
        return os.path.join(host.root, "lib", "qemu", "save")
    if host.is_session:
        home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
        return os.path.join(home, "libvirt", "qemu", "save")
    return _SYSTEM
