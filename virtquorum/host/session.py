"""A libvirt, its domains, and the quorum disks in them.

::

    with virtquorum.host.connect("qemu:///system") as host:
        for disk in host.domain("web").quorum_disks():
            print(disk.name, disk.image.source.threshold)
"""

from __future__ import annotations

import os
import re
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

from virtquorum.errors import HostError, LibvirtError
from virtquorum.host.connection import asking, connected
from virtquorum.host.domain import HostDomain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from virtquorum.host.lookup import HostLookup

__all__ = ["OLDEST", "Host", "connect", "default_uri"]

#: The first libvirt that has <qemu:override>, as libvirt counts its versions.
OLDEST: Final = 8_002_000
#: Where placeholders are on a system's libvirt.
_SYSTEM_DIRECTORY: Final = "/var/lib/libvirt/virtquorum"
#: libvirt's VIR_ERR_NO_DOMAIN.
_NO_DOMAIN: Final = 42
#: From which size on (bytes) an embedded driver's log is put aside.
_LOG_SIZE: Final = 1 << 20
_UUID: Final = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
#: What the drivers without QEMU do with a lowered domain.
_OTHERS: Final = {
    "TEST": "libvirt's test driver drops what belongs to QEMU, <qemu:commandline> and "
    "<qemu:override>, so that a quorum disk would become its placeholder; 'dumpxml', 'diff' and "
    "'list', and 'define' of domains without a quorum, work there",
}


def default_uri() -> str | None:
    """The connection that virsh takes if nobody names one; None is libvirt's own choice."""
    return os.environ.get("VIRSH_DEFAULT_CONNECT_URI") or None


@contextmanager
def connect(uri: str | None = None) -> Iterator[Host]:
    """The libvirt at a URI, for the block; None is the one that virsh would take.

    An embedded driver runs in this process.  What it logs goes to
    ``virtquorum.log`` in its root, unless LIBVIRT_LOG_OUTPUTS says otherwise;
    libvirt would write it to stderr.  Raises HostError if there is none, it
    lets nobody in, its root is no absolute path, or libvirt-python is not
    installed.
    """
    uri = uri or default_uri()
    root = _embedded_root(uri or os.environ.get("LIBVIRT_DEFAULT_URI") or "")
    if root is not None:
        _log_into(root)
        _with_events()
    with connected(uri) as connection:
        host = Host(connection)
        if host.root is not None:
            host.settle()
        yield host


class Host:
    """A libvirt that can be asked, by an open connection (virConnect).

    ``uri`` is the connection's own name for itself, ``driver`` libvirt's word
    for it: 'QEMU', 'TEST', 'LXC'.
    """

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        with asking("the connection"):
            self.uri = str(connection.getURI())
            self.driver = str(connection.getType()).upper()

    @property
    def root(self) -> str | None:
        """The root directory of an embedded driver, None for a daemon."""
        return _embedded_root(self.uri)

    @property
    def is_local(self) -> bool:
        """Whether files that libvirt names are files of this machine."""
        parts = urlsplit(self.uri)
        return parts.hostname is None and parts.scheme.partition("+")[2] in ("", "unix")

    @property
    def name(self) -> str:
        """The machine, as it calls itself; for messages."""
        with asking(self.where):
            return str(self.connection.getHostname())

    @property
    def where(self) -> str:
        """The connection, for messages."""
        return f"the connection '{self.uri}'"

    @property
    def is_session(self) -> bool:
        """Whether it is a user's own libvirt."""
        return urlsplit(self.uri).path == "/session"

    @property
    def version(self) -> tuple[int, int, int]:
        """The version of the libvirt that is asked, of the daemon that is."""
        number = self._version()
        return number // 1_000_000, number // 1_000 % 1_000, number % 1_000

    def _version(self) -> int:
        with asking(self.where):
            return int(self.connection.getLibVersion())

    @property
    def placeholder_directory(self) -> str:
        """Where placeholders are made on this libvirt's machine, if nobody says otherwise.

        '' where that is not known: below the home of a user on another machine.
        """
        if self.root is not None:
            return os.path.join(self.root, "virtquorum")
        if self.is_session:
            if not self.is_local:
                return ""
            home = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
            return os.path.join(home, "libvirt", "virtquorum")
        return _SYSTEM_DIRECTORY

    @property
    def lookup(self) -> HostLookup | None:
        """What can be asked for volumes and secrets; None where a driver has none."""
        if self.root is not None:
            return None
        from virtquorum.host.lookup import HostLookup

        return HostLookup(self.connection)

    def is_alive(self) -> bool:
        """Whether the connection still answers."""
        try:
            with asking(None):
                return bool(self.connection.isAlive())
        except HostError:
            return False

    def need_qemu(self) -> None:
        """Raise HostError where a quorum disk cannot run: another hypervisor, an old libvirt."""
        if self.driver != "QEMU":
            raise HostError(
                f"{self.where}: {_OTHERS.get(self.driver, _other(self.driver))}; connect to QEMU, "
                "'qemu:///system' say"
            )
        if self._version() < OLDEST:
            said = ".".join(str(one) for one in self.version)
            raise HostError(
                f"{self.where}: quorum disks need libvirt 8.2, which has <qemu:override>, and this "
                f"is libvirt {said}; upgrade it"
            )

    def domain(self, word: str, *, settle: bool = True) -> HostDomain:
        """The domain of an id, UUID or name, in this order, as virsh has it.

        With ``settle`` its state can be relied on, also when libvirt has just
        been started and is looking for its guests.  Raises LibvirtError for
        one that is not there.
        """
        for find in self._ways(word):
            found = self._found(find, word)
            if found is not None:
                if settle:
                    found.settle()
                return found
        raise self._not_found(word)

    def domain_of_definition(self, name: str | None, uuid: str | None) -> HostDomain | None:
        """The domain that has a UUID, or else the name; None if there is none."""
        for find, word in (
            (self.connection.lookupByUUIDString, uuid),
            (self.connection.lookupByName, name),
        ):
            found = self._found(find, word) if word else None
            if found is not None:
                return found
        return None

    def _found(self, find: Callable[[str], Any], word: str) -> HostDomain | None:
        try:
            with asking(f"domain '{word}'"):
                return HostDomain(self, find(word))
        except LibvirtError as error:
            if error.code != _NO_DOMAIN:
                raise
            return None

    def domains(self, *, active: bool = True, inactive: bool = True) -> list[HostDomain]:
        """The domains that run, and those that do not, the former by id, the latter by name."""
        flags = (1 if active else 0) | (2 if inactive else 0)
        if not flags:
            return []
        with asking(self.where):
            found = [HostDomain(self, one) for one in self.connection.listAllDomains(flags)]
        return sorted(found, key=lambda one: (one.id is None, one.id or 0, one.name))

    def settle(self) -> None:
        """Wait until a libvirt that has just been started has found its running guests again."""
        for one in self.domains(inactive=False):
            one.settle()

    def names(self) -> list[str]:
        """The names of all domains, in order."""
        with asking(self.where):
            return sorted(str(one.name()) for one in self.connection.listAllDomains())

    def _ways(self, word: str) -> list[Callable[[str], Any]]:
        connection = self.connection
        ways = [connection.lookupByName]
        if _UUID.fullmatch(word):
            ways.insert(0, connection.lookupByUUIDString)
        if word.isascii() and word.isdigit() and int(word) < 2**31:
            ways.insert(0, lambda word: connection.lookupByID(int(word)))
        return ways

    def _not_found(self, word: str) -> LibvirtError:
        from difflib import get_close_matches

        near = get_close_matches(word, self.names(), 1, 0.6)
        remedy = "'virsh list --all' has those that there are"
        if near:
            remedy = f"did you mean '{near[0]}'?"
        return LibvirtError(
            f"domain '{word}'", code=_NO_DOMAIN, text="Domain not found", remedy=remedy
        )


def _other(driver: str) -> str:
    return (
        f"it is the {driver} driver's, and only QEMU has quorum disks; 'dumpxml', 'diff' and "
        "'list', and 'define' of domains without a quorum, work there"
    )


def _embedded_root(uri: str) -> str | None:
    """The root directory of an embedded driver's URI; None for any other URI."""
    parts = urlsplit(uri)
    if parts.path != "/embed":
        return None
    return next(iter(parse_qs(parts.query).get("root", [])), "")


def _log_into(root: str) -> None:
    """Have an embedded driver log into its root; libvirt looks once, when it is imported.

    Raises HostError for a relative root, as libvirt would.  A log that has grown large is put
    aside, as ``virtquorum.log.1``, in the place of the one before it.
    """
    if root and not os.path.isabs(root):
        raise HostError(
            f"the connection 'qemu:///embed?root={root}': the root directory of an embedded "
            f"libvirt is an absolute path; 'qemu:///embed?root={os.path.abspath(root)}', say"
        )
    if any(os.environ.get(name) for name in ("LIBVIRT_LOG_OUTPUTS", "LIBVIRT_DEBUG")):
        return
    with suppress(OSError):
        os.makedirs(root, exist_ok=True)
        if ":" not in root and os.access(root, os.W_OK | os.X_OK):
            log = f"{root}/virtquorum.log"
            os.environ["LIBVIRT_LOG_OUTPUTS"] = f"3:file:{log}"
            if os.stat(log).st_size > _LOG_SIZE:
                os.replace(log, f"{log}.1")


def _with_events() -> None:
    from virtquorum.host.events import run_events

    with asking("the connection to libvirt"):
        run_events()
