"""What QEMU's block drivers take and virtquorum has no property for, because XML has no words.

A name that is neither here nor a property of the class is none of QEMU's.  A
test holds the two together against the schema of the QEMU that is installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.qemu.graph import (
    BLOCKS,
    Cache,
    InetAddress,
    NfsServer,
    QcowAes,
    QcowLuks,
    RbdLuks,
    RbdLuks2,
    SshHash,
    SshKnownHosts,
    SshNoCheck,
    UnixServer,
)
from virtquorum.qemu.qapi import properties

if TYPE_CHECKING:
    from virtquorum.qemu.qapi import Struct

__all__ = ["FOREIGN_SERVERS", "LACKING", "NEWER", "SWITCHES_LACKING", "lacks"]

_EVERY: Final = frozenset({"force-share"})
_FILE: Final = frozenset({"aio-max-batch", "drop-cache", "locking", "x-check-cache-dropped"})
_CURL: Final = frozenset({"proxy-password-secret", "proxy-username"})
_OWN: Final[dict[str, frozenset[str]]] = {
    "file": _FILE, "host_device": _FILE, "host_cdrom": _FILE,
    "vvfat": frozenset({"fat-type", "label"}),
    "nbd": frozenset({"open-timeout", "reconnect-delay", "x-dirty-bitmap"}),
    "iscsi": frozenset({"header-digest", "timeout"}),
    "gluster": frozenset({"logfile"}),
    "ftp": _CURL, "ftps": _CURL, "http": _CURL | {"cookie"}, "https": _CURL | {"cookie"},
    "nfs": frozenset({"debug", "page-cache-size", "readahead-size", "tcp-syn-count"}),
    "qcow2": frozenset({
        "cache-clean-interval", "data-file", "l2-cache-entry-size", "l2-cache-size",
        "lazy-refcounts", "overlap-check", "pass-discard-other", "pass-discard-request",
        "pass-discard-snapshot", "refcount-cache-size",
    }),
    "copy-on-read": frozenset({"bottom"}),
}  # fmt: skip
#: By the class of a driver, or of a struct inside one, the names of QEMU 7.2.
LACKING: Final[dict[type[Struct], frozenset[str]]] = {
    **{cls: _EVERY | _OWN.get(driver, frozenset()) for driver, cls in BLOCKS.items()},
    InetAddress: frozenset({"ipv4", "ipv6", "keep-alive", "mptcp", "numeric", "to"}),
    UnixServer: frozenset({"abstract", "tight"}),
    **dict.fromkeys(
        (Cache, NfsServer, QcowAes, QcowLuks, RbdLuks, RbdLuks2, SshHash, SshKnownHosts,
         SshNoCheck),
        frozenset(),
    ),
}  # fmt: skip
#: Names of later versions, of any driver.
NEWER: Final = frozenset({
    "active", "discard-no-unref", "fua", "handshake-max-seconds", "keep-alive-count",
    "keep-alive-idle", "keep-alive-interval", "keep-data-file",
})  # fmt: skip
#: Those of them that are on or off.
SWITCHES_LACKING: Final = frozenset({
    "abstract", "discard-no-unref", "drop-cache", "force-share", "ipv4", "ipv6", "keep-alive",
    "lazy-refcounts", "locking", "mptcp", "numeric", "pass-discard-other", "pass-discard-request",
    "pass-discard-snapshot", "tight", "x-check-cache-dropped",
})  # fmt: skip
#: Kinds of servers that QEMU has and libvirt's XML has no words for.
FOREIGN_SERVERS: Final = ("fd", "vsock")


def lacks(cls: type[Struct], name: str) -> bool:
    """Whether QEMU has no property of that name where a class stands.

    Of a class that is no part of a block node nothing is known: False.
    """
    known = LACKING.get(cls)
    if known is None or name in known or name in NEWER:
        return False
    return all(name != (one.name or field) for field, one in properties(cls).items())
