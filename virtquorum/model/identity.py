"""What makes two images the same: a key for a source that two spellings of one place share.

Only what is written counts.  Nothing is looked up: a symbolic link, a bind
mount or two names of one host are not followed, so two sources with different
keys may be one image, and '..' is taken out of a path as if no step before it
were a link.
"""

from __future__ import annotations

import posixpath
import re
from math import inf
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from virtquorum.model.node import Malformed
from virtquorum.model.source import ForeignSource

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from virtquorum.model.image import AnySource
    from virtquorum.model.parts import Host, Slice

__all__ = ["Identity", "identity"]

#: A path that normalising leaves as it is, for most of them.
_PLAIN: Final = re.compile(r"(?:/[^/.][^/]*)+")

Key: TypeAlias = "tuple[Hashable, ...]"


class Identity(NamedTuple):
    """Where an image's data is.

    ``key`` is that of the storage.  The image takes the bytes from ``start``
    up to ``stop`` of it, all of them unless the source has a slice.
    """

    key: Key
    start: int = 0
    stop: float = inf

    @property
    def local(self) -> bool:
        """Whether the storage is a file or device of this host, which QEMU locks as a whole."""
        return self.key[0] == "path"

    def overlaps(self, other: Identity) -> bool:
        """Whether two images have a byte in common."""
        return self.key == other.key and self.start < other.stop and other.start < self.stop


def identity(source: AnySource) -> Identity | None:
    """Where a source's data is; None where the document does not say, or nobody but libvirt knows.

    A quorum has no data of its own.  A file and a block device at one path
    are the same.  A volume is known by its pool and name, an NVMe namespace
    by its controller's address.  Of a network source count the protocol, the
    servers (in any order, by lower-case name, with the protocol's own port
    where none is written) and what the protocol calls the image.
    """
    if isinstance(source, ForeignSource):
        return None
    finder = _FINDERS.get(source.protocol or source.type)
    key = finder(source) if finder is not None else None
    if key is None:
        return None
    slices: tuple[Slice, ...] = getattr(source, "slices", ())
    if not slices:
        return Identity(key)
    # As libvirt does: the first one of that type.
    one = next((one for one in slices if one.type == "storage"), None)
    if one is None:
        return Identity(key)
    offset, size = one.offset, one.size
    if not isinstance(offset, int) or not isinstance(size, int):
        return None
    return Identity(key, offset, offset + size)


def _path(text: str | None) -> str | None:
    """A path without what says nothing; None for none."""
    if not text:
        return None
    if _PLAIN.fullmatch(text):
        return text
    path = posixpath.normpath(text)
    return path[1:] if path.startswith("//") else path


def _file(source: Any) -> Key | None:
    path = _path(source.file)
    return None if path is None else ("path", path)


def _block(source: Any) -> Key | None:
    path = _path(source.dev)
    return None if path is None else ("path", path)


def _dir(source: Any) -> Key | None:
    path = _path(source.dir)
    return None if path is None else ("dir", path)


def _volume(source: Any) -> Key | None:
    if not source.pool or not source.volume:
        return None
    return "volume", source.pool, source.volume


def _nvme(source: Any) -> Key | None:
    address, namespace = source.address, source.namespace
    if address is None or not isinstance(namespace, int):
        return None
    parts = [_number(one) for one in (address.domain, address.bus, address.slot, address.function)]
    return None if None in parts else ("nvme", *parts, namespace)


def _number(text: str | None) -> int | None:
    """A number as libvirt reads it in an address: decimal, 0x… or 0…, and 0 where there is none."""
    if text is None:
        return 0
    base = 16 if text[:2] in ("0x", "0X") else 8 if text[:1] == "0" else 10
    try:
        return int(text, base)
    except ValueError:
        return None


def _servers(source: Any) -> frozenset[Key] | None:
    """The servers of a network source; None if one of them is not told."""
    found: set[Key] = set()
    default: int | None = source.default_port
    hosts: Sequence[Host] = source.hosts
    for host in hosts:
        if host.transport == "unix":
            socket = _path(host.socket)
            if socket is None:
                return None
            found.add(("unix", socket))
            continue
        if not host.name or isinstance(host.port, Malformed):
            return None
        # libvirt takes 0 for no port.
        found.add((_host(host.name), host.port or default))
    return frozenset(found)


def _host(name: str) -> str:
    if ":" in name:
        from ipaddress import ip_address

        try:
            return str(ip_address(name.strip("[]")))
        except ValueError:
            pass
    return name.lower().removesuffix(".")


def _network(named: Callable[[Any], Key | None]) -> Callable[[Any], Key | None]:
    """A finder for a protocol: its servers, of which there must be one, and what it names."""

    def find(source: Any) -> Key | None:
        name = named(source)
        servers = _servers(source)
        if name is None or not servers:
            return None
        return source.protocol, servers, *name

    return find


def _named(source: Any) -> Key | None:
    return (source.name,) if source.name else None


def _nbd(source: Any) -> Key:
    return (source.name or "",)  # the server's default export


def _iscsi(source: Any) -> Key | None:
    if not source.name:
        return None
    target, _, unit = source.name.partition("/")
    # iSCSI names are compared without regard to case; libvirt takes unit 0 where none is written.
    return target.lower(), unit.lstrip("0")


def _gluster(source: Any) -> Key | None:
    volume, _, path = (source.name or "").partition("/")
    return (volume, posixpath.normpath(f"/{path.lstrip('/')}")) if volume and path else None


def _nfs(source: Any) -> Key | None:
    return (posixpath.normpath(f"/{source.name.lstrip('/')}"),) if source.name else None


def _ssh(source: Any) -> Key | None:
    path = _path(source.name)
    if path is None:
        return None
    if path.startswith("/"):
        return (path,)
    # It begins in somebody's home.
    return path, source.auth.username if source.auth is not None else None


def _url(source: Any) -> Key | None:
    if not source.name:
        return None
    query = (getattr(source, "query", None) or "").removeprefix("?")
    return source.name.removeprefix("/"), query


def _rbd(source: Any) -> Key | None:
    """An RBD image; where no monitors are written, the configuration says which cluster it is."""
    servers = _servers(source)
    if not source.name or servers is None:
        return None
    cluster = servers or (_path(source.config) or "/etc/ceph/ceph.conf")
    return "rbd", cluster, source.name, source.snapshot


def _sheepdog(source: Any) -> Key | None:
    servers = _servers(source)
    if not source.name or servers is None:
        return None
    return "sheepdog", servers or frozenset({("localhost", source.default_port)}), source.name


_FINDERS: Final[dict[str, Callable[[Any], Key | None]]] = {
    "file": _file,
    "block": _block,
    "dir": _dir,
    "volume": _volume,
    "nvme": _nvme,
    "nbd": _network(_nbd),
    "rbd": _rbd,
    "iscsi": _network(_iscsi),
    "gluster": _network(_gluster),
    "http": _network(_url),
    "https": _network(_url),
    "ftp": _network(_url),
    "ftps": _network(_url),
    "tftp": _network(_url),
    "nfs": _network(_nfs),
    "ssh": _network(_ssh),
    "sheepdog": _sheepdog,
    "vxhs": _network(_named),
}
