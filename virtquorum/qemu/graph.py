"""QEMU's block graph, typed: the QAPI type BlockdevOptions, as far as disks need it.

A node is one ``BlockdevOptions`` with its children inside it.  Two graphs in
JSON types are made of it, and of those all spellings: ``options`` has the
children inline, ``flat`` is a list of nodes, those below first, that name
their children.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from virtquorum.model.node import Node, node
from virtquorum.qemu.qapi import (
    Struct,
    child,
    children,
    choice,
    choices,
    integer,
    json_of,
    properties,
    struct,
    structs,
    switch,
    text,
    union,
    unions,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from virtquorum.json_text import Json

__all__ = [
    "BLOCKS",
    "Aio",
    "AnyBlock",
    "Block",
    "Bochs",
    "Cache",
    "Cloop",
    "CopyOnRead",
    "CowFormat",
    "DetectZeroes",
    "Discard",
    "Dmg",
    "File",
    "Format",
    "Ftp",
    "Ftps",
    "Gluster",
    "HostCdrom",
    "HostDevice",
    "Http",
    "Https",
    "InetAddress",
    "Iscsi",
    "Luks",
    "Nbd",
    "Nfs",
    "NfsServer",
    "NoBacking",
    "Nvme",
    "Parallels",
    "Qcow",
    "Qcow2",
    "QcowAes",
    "QcowLuks",
    "Qed",
    "Quorum",
    "Raw",
    "Rbd",
    "RbdLuks",
    "RbdLuks2",
    "ReadPattern",
    "Ssh",
    "SshHash",
    "SshKnownHosts",
    "SshNoCheck",
    "Throttle",
    "UnixServer",
    "Vdi",
    "Vhdx",
    "Vmdk",
    "Vpc",
    "Vvfat",
    "below",
    "flat",
    "lowest_first",
    "merged",
    "options",
    "uses_null",
]

Aio = Literal["threads", "native", "io_uring"]
DetectZeroes = Literal["off", "on", "unmap"]
Discard = Literal["unmap", "ignore"]
ReadPattern = Literal["quorum", "fifo"]


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Cache(Struct):
    """Whether the host's page cache is passed by, and whether flushes are ignored."""

    direct: bool | None = switch()
    no_flush: bool | None = switch()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Block(Struct):
    """What every node has; None leaves QEMU's default."""

    driver: ClassVar[str]

    node_name: str | None = text()
    read_only: bool | None = switch()
    auto_read_only: bool | None = switch()
    discard: Discard | None = choice("ignore", "unmap")
    detect_zeroes: DetectZeroes | None = choice("off", "on", "unmap")
    cache: Cache | None = struct(Cache)


# Storage


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class File(Block):
    """A file of the host."""

    driver: ClassVar[str] = "file"

    filename: str = text(required=True)
    aio: Aio | None = choice("threads", "native", "io_uring")
    pr_manager: str | None = text()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class HostDevice(File):
    """A block device of the host."""

    driver: ClassVar[str] = "host_device"


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class HostCdrom(File):
    """A drive of the host for optical discs."""

    driver: ClassVar[str] = "host_cdrom"


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Nvme(Block):
    """A namespace of an NVMe controller; ``device`` is its PCI address, '0000:01:00.0'."""

    driver: ClassVar[str] = "nvme"

    device: str = text(required=True)
    namespace: int = integer(required=True)


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Vvfat(Block):
    """A directory, shown as a FAT file system."""

    driver: ClassVar[str] = "vvfat"

    dir: str = text(required=True)
    floppy: bool | None = switch()
    rw: bool | None = switch()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class InetAddress(Struct):
    """A TCP port of a host; QAPI has the port as a text."""

    host: str = text(required=True)
    port: str = text(required=True)


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class UnixServer(Struct):
    """A server on a unix socket."""

    path: str = text(required=True)


_SERVERS = {"inet": InetAddress, "unix": UnixServer}


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Nbd(Block):
    """An export of an NBD server."""

    driver: ClassVar[str] = "nbd"

    server: InetAddress | UnixServer = union("type", _SERVERS, required=True)
    export: str | None = text()
    tls_creds: str | None = text()
    tls_hostname: str | None = text(since=(7, 0))


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class RbdLuks(Struct):
    """LUKS that Ceph's library decrypts."""

    key_secret: str = text(required=True)


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class RbdLuks2(RbdLuks):
    """LUKS2 that Ceph's library decrypts."""


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Rbd(Block):
    """An image of a Ceph pool."""

    driver: ClassVar[str] = "rbd"

    pool: str = text(required=True)
    namespace: str | None = text()
    image: str = text(required=True)
    snapshot: str | None = text()
    conf: str | None = text()
    server: tuple[InetAddress, ...] = structs(InetAddress)
    encrypt: RbdLuks | None = union("format", {"luks": RbdLuks, "luks2": RbdLuks2}, since=(6, 1))
    user: str | None = text()
    auth_client_required: tuple[str, ...] = choices("cephx", "none")
    key_secret: str | None = text()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Iscsi(Block):
    """A unit of an iSCSI target; ``portal`` is 'host:port', IPv6 in brackets."""

    driver: ClassVar[str] = "iscsi"

    portal: str = text(required=True)
    target: str = text(required=True)
    lun: int | None = integer()
    transport: str = choice("tcp", "iser", required=True)
    user: str | None = text()
    password_secret: str | None = text()
    initiator_name: str | None = text()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Gluster(Block):
    """A file of a Gluster volume."""

    driver: ClassVar[str] = "gluster"

    volume: str = text(required=True)
    path: str = text(required=True)
    server: tuple[InetAddress | UnixServer, ...] = unions("type", _SERVERS, required=True)
    debug: int | None = integer()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Ftp(Block):
    """A file that libcurl reads; ``readahead`` in bytes, ``timeout`` in seconds."""

    driver: ClassVar[str] = "ftp"

    url: str = text(required=True)
    username: str | None = text()
    password_secret: str | None = text()
    readahead: int | None = integer()
    timeout: int | None = integer()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Ftps(Ftp):
    """A file on an FTP server, over TLS."""

    driver: ClassVar[str] = "ftps"

    sslverify: bool | None = switch()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Http(Ftp):
    """A file on a web server."""

    driver: ClassVar[str] = "http"

    cookie_secret: str | None = text()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Https(Http):
    """A file on a web server, over TLS."""

    driver: ClassVar[str] = "https"

    sslverify: bool | None = switch()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class NfsServer(Struct):
    """An NFS server; it has no port."""

    host: str = text(required=True)


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Nfs(Block):
    """A file on an NFS server, as the user and group of these numbers."""

    driver: ClassVar[str] = "nfs"

    server: NfsServer = union("type", {"inet": NfsServer}, required=True)
    path: str = text(required=True)
    user: int | None = integer()
    group: int | None = integer()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class SshNoCheck(Struct):
    """Any host key is taken."""


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class SshHash(Struct):
    """The host key must have this fingerprint."""

    type: str = choice("md5", "sha1", "sha256", required=True)
    hash: str = text(required=True)


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class SshKnownHosts(Struct):
    """The host key must be in ~/.ssh/known_hosts."""


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Ssh(Block):
    """A file reached over SSH."""

    driver: ClassVar[str] = "ssh"

    path: str = text(required=True)
    server: InetAddress = struct(InetAddress, required=True)
    user: str | None = text()
    host_key_check: SshNoCheck | SshHash | SshKnownHosts | None = union(
        "mode", {"none": SshNoCheck, "hash": SshHash, "known_hosts": SshKnownHosts}
    )


# Formats


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class NoBacking(Node):
    """``"backing": null``: the chain ends here, whatever the image's header says."""


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Format(Block):
    """What every format has."""

    file: AnyBlock = child(required=True)


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Raw(Format):
    """The raw format; ``offset`` and ``size`` (bytes) name a part of the file."""

    driver: ClassVar[str] = "raw"

    offset: int | None = integer()
    size: int | None = integer()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Luks(Format):
    """A LUKS container."""

    driver: ClassVar[str] = "luks"

    key_secret: str | None = text()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Bochs(Format):
    """Bochs' images, read only."""

    driver: ClassVar[str] = "bochs"


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Cloop(Format):
    """Compressed loop images, read only."""

    driver: ClassVar[str] = "cloop"


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Dmg(Format):
    """Apple's disk images, read only."""

    driver: ClassVar[str] = "dmg"


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Parallels(Format):
    """Parallels' images (libvirt: ploop)."""

    driver: ClassVar[str] = "parallels"


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Vdi(Format):
    """VirtualBox's images."""

    driver: ClassVar[str] = "vdi"


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Vhdx(Format):
    """Hyper-V's images (libvirt: vhd)."""

    driver: ClassVar[str] = "vhdx"


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Vpc(Format):
    """Virtual PC's images."""

    driver: ClassVar[str] = "vpc"


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class CowFormat(Format):
    """A format with backing images; None leaves it to the image's header."""

    backing: AnyBlock | NoBacking | None = child()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class QcowAes(Struct):
    """The old encryption of qcow and qcow2."""

    key_secret: str | None = text()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class QcowLuks(Struct):
    """LUKS inside qcow2."""

    key_secret: str | None = text()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Qcow2(CowFormat):
    """qcow2; ``cache_size`` is that of its metadata, in bytes."""

    driver: ClassVar[str] = "qcow2"

    cache_size: int | None = integer()
    encrypt: QcowAes | QcowLuks | None = union("format", {"aes": QcowAes, "luks": QcowLuks})


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Qcow(CowFormat):
    """qcow, the first version."""

    driver: ClassVar[str] = "qcow"

    encrypt: QcowAes | None = union("format", {"aes": QcowAes})


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Qed(CowFormat):
    """QEMU's enhanced disk format."""

    driver: ClassVar[str] = "qed"


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Vmdk(CowFormat):
    """VMware's images."""

    driver: ClassVar[str] = "vmdk"


# Filters, and the vote


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class CopyOnRead(Block):
    """The filter that writes what it reads from a backing image."""

    driver: ClassVar[str] = "copy-on-read"

    file: AnyBlock = child(required=True)


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Throttle(Block):
    """The filter that keeps within the limits of a throttle-group."""

    driver: ClassVar[str] = "throttle"

    throttle_group: str = text(required=True)
    file: AnyBlock = child(required=True)


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Quorum(Block):
    """A vote over ``children``."""

    driver: ClassVar[str] = "quorum"

    vote_threshold: int = integer(required=True)
    read_pattern: ReadPattern | None = choice("quorum", "fifo")
    rewrite_corrupted: bool | None = switch()
    blkverify: bool | None = switch()
    children: tuple[AnyBlock, ...] = children()


AnyBlock: TypeAlias = Block

_CLASSES: tuple[type[Block], ...] = (
    File, HostDevice, HostCdrom, Nvme, Vvfat, Nbd, Rbd, Iscsi, Gluster, Http, Https, Ftp, Ftps,
    Nfs, Ssh, Raw, Luks, Bochs, Cloop, Dmg, Parallels, Vdi, Vhdx, Vpc, Qcow, Qcow2, Qed, Vmdk,
    CopyOnRead, Throttle, Quorum,
)  # fmt: skip
#: QEMU's drivers, by their names, as far as a disk of libvirt's can need them.
BLOCKS: dict[str, type[Block]] = {cls.driver: cls for cls in _CLASSES}


def options(top: Block, apart: Collection[Block] = ()) -> dict[str, Json]:
    """A node and all below it as BlockdevOptions, children inline, in JSON types.

    Those that stand ``apart``, by identity, are named.
    """
    done: dict[int, dict[str, Json]] = {}
    named = {id(one) for one in apart}

    def inline(below: Block | NoBacking) -> Json:
        if not isinstance(below, Block):
            return None
        return below.node_name if id(below) in named else done[id(below)]

    for one in lowest_first(top):
        done[id(one)] = {"driver": one.driver, **json_of(one, inline)}
    return done[id(top)]


def flat(top: Block) -> list[dict[str, Json]]:
    """A node and all below it as BlockdevOptions that name their children; those come first."""

    def named(below: Block | NoBacking) -> Json:
        return below.node_name if isinstance(below, Block) else None

    return [{"driver": one.driver, **json_of(one, named)} for one in lowest_first(top)]


def merged(top: Block) -> list[Block]:
    """The highest backing nodes that QEMU would not take inline as they are.

    It puts inline options together with the name that the header of the image
    above gives, unless they have a ``file.filename`` (``bdrv_open_backing_file``):
    a URL of ours gives way to the header's, and anything else is refused.
    """
    found: list[Block] = []
    rest = [top]
    while rest:
        one = rest.pop()
        backing = getattr(one, "backing", None)
        if isinstance(backing, Block) and not isinstance(getattr(backing, "file", None), File):
            found.append(backing)
        rest.extend(each for each in below(one) if not found or each is not found[-1])
    return found


def uses_null(top: Block) -> bool:
    """Whether a node or one below it ends its chain, which dotted keys cannot say."""
    return any(
        isinstance(one, CowFormat) and isinstance(one.backing, NoBacking)
        for one in lowest_first(top)
    )


def lowest_first(top: Block) -> list[Block]:
    """A node and all below it, each behind those below it."""
    order: list[Block] = []
    rest = [top]
    while rest:
        one = rest.pop()
        order.append(one)
        rest.extend(below(one))
    return order[::-1]


def below(one: Block) -> list[Block]:
    """The nodes directly below a node, in order."""
    found: list[Block] = []
    for name, property in properties(type(one)).items():
        if property.kind == "child":
            value = getattr(one, name)
            if isinstance(value, Block):
                found.append(value)
        elif property.kind == "children":
            found.extend(getattr(one, name))
    return found
