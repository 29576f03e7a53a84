"""From a disk of the model to its block graph.

Layers and defaults are libvirt's (``qemu_block.c``, as the arguments it
writes show): a storage node with auto-read-only and discard=unmap, a slice
node where a slice cannot stand on the format node, a format node, and for
the top image copy-on-read.  Members of a quorum are writable, other than
backing images; an image whose format is not named is refused, since QEMU
would probe it and a guest can make its disk look like any format.

What is not translated yet is an error; what concerns the guest's device and
not the graph is listed by ``leftover.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from virtquorum.errors import TranslationError
from virtquorum.model.identity import identity
from virtquorum.model.image import LARGEST_THRESHOLD, Image, Quorum, Terminator
from virtquorum.model.node import Malformed
from virtquorum.model.source import StoredSource
from virtquorum.model.sources import SOURCES
from virtquorum.model.sources.block import BlockSource
from virtquorum.model.sources.file import FileSource
from virtquorum.model.sources.nbd import NbdSource
from virtquorum.qemu import graph
from virtquorum.qemu.leftover import check_quorum_words
from virtquorum.qemu.names import Names
from virtquorum.xml.plan import fields_of

if TYPE_CHECKING:
    from virtquorum.model.disk import Disk
    from virtquorum.model.location import Location
    from virtquorum.model.node import Node

__all__ = ["build", "is_empty"]

#: libvirt's formats and QEMU's drivers for them.
_DRIVERS: Final = {
    "raw": "raw", "fat": "raw", "bochs": "bochs", "cloop": "cloop", "dmg": "dmg",
    "ploop": "parallels", "qcow": "qcow", "qcow2": "qcow2", "qed": "qed", "vdi": "vdi",
    "vhd": "vhdx", "vmdk": "vmdk", "vpc": "vpc",
}  # fmt: skip
#: Formats that can have a backing file.
_WITH_BACKING: Final = frozenset({"qcow", "qcow2", "qed", "vmdk"})
#: libvirt's cache modes: cache.direct and cache.no-flush.
_CACHE: Final[dict[str | None, tuple[bool | None, bool | None]]] = {
    None: (None, None), "default": (None, None),
    "none": (True, False), "directsync": (True, False),
    "writeback": (False, False), "writethrough": (False, False),
    "unsafe": (False, True),
}  # fmt: skip
_UNITS: Final[dict[str | None, int]] = {
    None: 1, "b": 1, "byte": 1, "bytes": 1,
    **{letter: 1024**power for power, letter in enumerate("kmgtpe", 1)},
    **{f"{letter}ib": 1024**power for power, letter in enumerate("kmgtpe", 1)},
    **{f"{letter}b": 1000**power for power, letter in enumerate("kmgtpe", 1)},
}  # fmt: skip


class _Common(NamedTuple):
    """What ``<driver>`` says for all images of the disk, and what the top says for itself."""

    cache: tuple[bool | None, bool | None]
    aio: graph.Aio | None
    discard: graph.Discard | None


def is_empty(disk: Disk) -> bool:
    """Whether a disk is a drive without a medium, which has no block node."""
    source = disk.image.source
    match source:
        case FileSource():
            empty = not source.file and source.fdgroup is None
        case BlockSource():
            empty = not source.dev
        case _:
            empty = False
    return empty and disk.device in ("cdrom", "floppy")


def build(disk: Disk, names: Names) -> graph.AnyBlock:
    """The block graph of a disk with a medium.

    Raises TranslationError, naming the disk, the place and the way out.
    """
    return _Builder(disk, names).build()


def _properties(node: Node) -> dict[str, Any]:
    """What a description says to be QEMU's properties as they are, by the graph's names.

    A switch that is off is left out: it is QEMU's default.
    """
    return {
        spelling.qemu.replace("-", "_"): value
        for field, spelling in fields_of(type(node)).items()
        if spelling.qemu is not None and (value := getattr(node, field)) not in (None, False)
    }


def _are(members: int) -> str:
    return "is 1 member" if members == 1 else f"are {members} members"


class _Builder:
    def __init__(self, disk: Disk, names: Names) -> None:
        self.disk = disk
        self.names = names
        driver = disk.driver
        cache = driver.cache
        if cache not in _CACHE:
            raise self._refused(
                f"the cache mode '{cache}' is unknown",
                driver.location,
                f"modes are: {', '.join(sorted(mode for mode in _CACHE if mode))}",
            )
        if cache in (None, "default") and disk.shareable and not disk.readonly:
            cache = "none"  # as libvirt does, for a disk that others write to as well
        if driver.io not in (None, "threads", "native", "io_uring"):
            raise self._refused(
                f"the I/O mode '{driver.io}' is unknown",
                driver.location,
                "modes are: io_uring, native, threads",
            )
        if driver.io == "native" and _CACHE[cache][0] is not True:
            raise self._refused(
                "io='native' needs cache='none' or 'directsync'",
                driver.location,
                "QEMU opens no image with aio=native through the page cache",
            )
        if driver.discard not in (None, "unmap", "ignore"):
            raise self._refused(
                f"discard='{driver.discard}' is unknown",
                driver.location,
                "it is 'unmap' or 'ignore'",
            )
        self.common = _Common(
            _CACHE[cache],
            cast("graph.Aio | None", driver.io),
            cast("graph.Discard | None", driver.discard),
        )
        self.read_only = bool(disk.readonly) or disk.device == "cdrom"
        self._check_switch("copy_on_read", driver.copy_on_read, driver.location)
        if driver.copy_on_read is True and self.read_only:
            raise self._refused(
                "copy_on_read needs a disk that is written to", driver.location, "leave it out"
            )

    def _refused(
        self, message: str, place: Location | None, remedy: str | None = None
    ) -> TranslationError:
        return TranslationError(
            message, location=place or self.disk.location, disk=self.disk.name, remedy=remedy
        )

    def _check_switch(self, name: str, value: object, place: Location | None) -> None:
        if isinstance(value, Malformed):
            raise self._refused(f"{name}='{value}' is neither 'on' nor 'off'", place)

    def build(self) -> graph.AnyBlock:
        disk = self.disk
        if disk.auth is not None or disk.encryption is not None:
            raise self._refused(
                "authentication and encryption are not translated yet",
                (disk.auth or disk.encryption or disk).location,
            )
        if disk.transient is not None:
            raise self._refused(
                "<transient/> is not translated yet: QEMU would keep what the guest writes",
                disk.transient.location,
                "remove it, and put an overlay on the image yourself",
            )
        check_quorum_words(disk)
        top = disk.image
        writable: dict[int, bool] = {id(top): not self.read_only}
        order = list(top.walk())
        names = {}
        for image in order:
            names[id(image)] = self.names.of(image)
            is_quorum = isinstance(image.source, Quorum)
            for below in image.below:
                if isinstance(below, Image):
                    writable[id(below)] = writable[id(image)] and is_quorum
        # What can be refused, in the order of the document, so that the first mistake is reported.
        storages: dict[int, graph.AnyBlock] = {}
        drivers: dict[int, str | None] = {}
        for image in order:
            drivers[id(image)] = self._driver(image)
            if isinstance(image.source, Quorum):
                self._check_quorum(image, image.source, writable[id(image)])
            else:
                name = self.names.beside(names[id(image)], "s")
                storages[id(image)] = self._storage(image, name)
        done: dict[int, graph.AnyBlock] = {}
        for image in reversed(order):
            storage = storages.get(id(image))
            done[id(image)] = self._image(
                image, names[id(image)], writable[id(image)], drivers[id(image)], storage, done
            )
        node = done[id(top)]
        if disk.driver.copy_on_read is True:
            node = graph.CopyOnRead(
                node_name=self.names.beside(names[id(top)], "c"), discard="unmap", file=node
            )
        return node

    def _image(
        self,
        image: Image,
        name: str,
        writable: bool,
        driver: str | None,
        storage: graph.AnyBlock | None,
        done: dict[int, graph.AnyBlock],
    ) -> graph.AnyBlock:
        """An image's top node, once those below it are done; a quorum has no storage."""
        file = storage
        if file is None:
            assert isinstance(image.source, Quorum)
            if driver is None:
                return self._quorum(image, image.source, name, writable, done)
            file = self._quorum(
                image, image.source, self.names.beside(name, "q"), writable, done, below_format=True
            )
        assert driver is not None
        return self._format(image, driver, file, name, writable, done)

    def _driver(self, image: Image) -> str | None:
        """QEMU's driver for an image's format; None for a quorum with nothing above it."""
        format = image.format
        if isinstance(image.source, Quorum) and format in (None, "quorum"):
            return None
        if format is None:
            if image is self.disk.image:
                return "raw"  # libvirt's default for a disk; it probes nothing either
            raise self._refused(
                "the format is not given, and QEMU would guess it from what the guest wrote",
                image.location,
                "name it: <format type='raw'/>, or what 'qemu-img info' says of an image you trust",
            )
        # libvirt's 'fat' is a directory's format.
        if format not in _DRIVERS or (format == "fat" and image.source.type != "dir"):
            raise self._refused(
                f"QEMU has no driver for the format '{format}'",
                image.location,
                f"formats are: {', '.join(sorted(_DRIVERS.keys() - {'fat'}))}",
            )
        return _DRIVERS[format]

    def _check_quorum(self, image: Image, quorum: Quorum, writable: bool) -> None:
        """Refuse what QEMU would refuse of a quorum, and what it would misread."""
        place = quorum.location or image.location
        for member in quorum.members:
            if isinstance(member, Terminator):
                raise self._refused(
                    "an empty <backingStore/> is no member", member.location or place, "remove it"
                )
        self._check_members_differ(quorum)
        members = len(quorum.members)
        threshold = self._threshold(quorum, members, place)
        where = self.disk.driver.location if image is self.disk.image else place
        rewrite, blkverify = quorum.rewrite_corrupted, quorum.blkverify
        self._check_switch("rewrite_corrupted", rewrite, where)
        self._check_switch("blkverify", blkverify, where)
        if quorum.read_pattern not in (None, "quorum", "fifo"):
            raise self._refused(
                f"the read pattern '{quorum.read_pattern}' is unknown",
                where,
                "it is 'quorum' or 'fifo'",
            )
        if blkverify and (members, threshold) != (2, 2):
            raise self._refused(
                "blkverify needs exactly two members and a threshold of 2",
                where,
                f"here are {members} and {threshold}; without it, members are voted on",
            )
        if blkverify and rewrite:
            raise self._refused(
                "rewrite_corrupted cannot go with blkverify", where, "leave one of them out"
            )
        if rewrite and not writable:
            raise self._refused(
                "rewrite_corrupted needs a quorum that is written to",
                where,
                "leave it out, or <readonly/>; a backing image is never written to",
            )

    def _quorum(
        self,
        image: Image,
        quorum: Quorum,
        name: str,
        writable: bool,
        done: dict[int, graph.AnyBlock],
        *,
        below_format: bool = False,
    ) -> graph.Quorum:
        """The node of a quorum that was checked."""
        direct, no_flush = self.common.cache
        return graph.Quorum(
            node_name=name,
            read_only=not writable,
            cache_direct=direct,
            cache_no_flush=no_flush,
            # QMP takes detect-zeroes=unmap only beside it.
            discard="unmap" if below_format else self.common.discard,
            detect_zeroes=None if below_format else self._detect_zeroes(image),
            children=tuple(done[id(one)] for one in quorum.members),
            **(_properties(quorum) | {"vote_threshold": quorum.vote_threshold}),
        )

    def _check_members_differ(self, quorum: Quorum) -> None:
        """Refuse one image as two members: it would vote twice, and QEMU minds only a writer."""
        seen: set[object] = set()
        for member in quorum.members:
            if not isinstance(member, Image) or isinstance(member.source, Quorum):
                continue
            same: object = identity(member.source) or member.source
            if same in seen:
                raise self._refused(
                    "this image is a member already, and would vote twice",
                    member.location,
                    "give each member an image of its own",
                )
            seen.add(same)

    def _threshold(self, quorum: Quorum, members: int, place: Location | None) -> int:
        threshold = quorum.vote_threshold
        if threshold is None:
            raise self._refused(
                "the quorum has no threshold",
                place,
                "say how many members must agree: threshold='2'",
            )
        if isinstance(threshold, Malformed) or not 1 <= threshold <= LARGEST_THRESHOLD:
            raise self._refused(
                f"the threshold '{threshold}' is no number from 1 to {LARGEST_THRESHOLD}",
                place,
                "it says how many members must agree",
            )
        if not members:
            raise self._refused(
                "the quorum has no members", place, "each is a <backingStore type='…'>"
            )
        if threshold > members:
            raise self._refused(
                f"the threshold is {threshold}, but there {_are(members)}",
                place,
                "lower it, or add members: each is a <backingStore type='…'>",
            )
        return threshold

    def _detect_zeroes(self, image: Image) -> graph.DetectZeroes | None:
        """What the top image says; libvirt turns 'unmap' into 'on' where discard is off."""
        said = self.disk.driver.detect_zeroes
        if image is not self.disk.image or said is None:
            return None
        if said not in ("off", "on", "unmap"):
            raise self._refused(
                f"detect_zeroes='{said}' is unknown",
                self.disk.driver.location,
                "it is 'off', 'on' or 'unmap'",
            )
        if said == "unmap" and self.common.discard != "unmap":
            return "on"
        return cast("graph.DetectZeroes", said)

    def _format(
        self,
        image: Image,
        driver: str,
        file: graph.AnyBlock,
        name: str,
        writable: bool,
        done: dict[int, graph.AnyBlock],
    ) -> graph.AnyBlock:
        direct, no_flush = self.common.cache
        discard = self.common.discard
        backing: graph.AnyBlock | graph.NoBacking | None = None
        if isinstance(image.backing, Image):
            if driver not in _WITH_BACKING:
                raise self._refused(
                    f"the format '{image.format or 'raw'}' has no backing images",
                    image.backing.location,
                    "qcow, qcow2, qed and vmdk have",
                )
            backing = done[id(image.backing)]
        elif isinstance(image.backing, Terminator) and driver in _WITH_BACKING:
            backing = graph.NoBacking()
        read_only = not writable
        detect_zeroes = self._detect_zeroes(image)
        offset, size = self._slice(image)
        cache_size = self._cache_size(image, driver)
        if driver == "raw":
            return graph.Raw(
                node_name=name, read_only=read_only, discard=discard, detect_zeroes=detect_zeroes,
                cache_direct=direct, cache_no_flush=no_flush, file=file, offset=offset, size=size,
            )  # fmt: skip
        if size is not None:
            file = graph.Raw(
                node_name=self.names.beside(name, "l"), file=file, offset=offset, size=size,
                auto_read_only=True, discard="unmap",
            )  # fmt: skip
        return graph.Format(
            node_name=name, read_only=read_only, discard=discard, detect_zeroes=detect_zeroes,
            cache_direct=direct, cache_no_flush=no_flush, format=driver, file=file, backing=backing,
            cache_size=cache_size,
        )  # fmt: skip

    def _slice(self, image: Image) -> tuple[int | None, int | None]:
        source = image.source
        if not isinstance(source, StoredSource) or not source.slices:
            return None, None
        one = source.slices[0]
        if (
            len(source.slices) > 1
            or one.type != "storage"
            or not isinstance(one.offset, int)
            or not isinstance(one.size, int)
            or one.offset < 0
            or one.size < 0
        ):
            raise self._refused(
                "this is no slice that QEMU could take",
                one.location,
                "it is one <slice type='storage' offset='…' size='…'/>, in bytes",
            )
        return one.offset, one.size

    def _cache_size(self, image: Image, driver: str) -> int | None:
        cache = image.metadata_cache
        if cache is None or cache.max_size is None:
            return None
        unit = _UNITS.get(cache.unit.lower() if cache.unit is not None else None)
        size = cache.max_size
        if driver != "qcow2" or unit is None or not isinstance(size, int) or size < 0:
            raise self._refused(
                "this is no metadata cache that QEMU could take",
                cache.location,
                "it is <max_size unit='KiB'>…</max_size>, for a qcow2 image",
            )
        return size * unit

    def _storage(self, image: Image, name: str) -> graph.AnyBlock:
        source = image.source
        place = source.location or image.location
        if isinstance(source, StoredSource):
            for what, value in (
                ("authentication is", source.auth),
                ("encryption is", source.encryption),
                ("persistent reservations are", source.reservations),
            ):
                if value is not None:
                    raise self._refused(f"{what} not translated yet", value.location or place)
        direct, no_flush = self.common.cache
        match source:
            case FileSource() | BlockSource():
                if isinstance(source, FileSource) and source.fdgroup is not None:
                    raise self._refused(
                        "an fdgroup is not translated: its descriptors are libvirt's",
                        place,
                        "name the file alone",
                    )
                path = source.file if isinstance(source, FileSource) else source.dev
                if not path:
                    raise self._refused(
                        "the image has no source",
                        place,
                        "type='file' takes <source file='…'/>, type='block' <source dev='…'/>",
                    )
                cls = graph.File if isinstance(source, FileSource) else graph.HostDevice
                return cls(
                    node_name=name, auto_read_only=True, discard="unmap", cache_direct=direct,
                    cache_no_flush=no_flush, aio=self.common.aio, **_properties(source),
                )  # fmt: skip
            case NbdSource():
                return graph.Nbd(
                    node_name=name, auto_read_only=True, discard="unmap", cache_direct=direct,
                    cache_no_flush=no_flush, server=self._nbd_server(source), **_properties(source),
                )  # fmt: skip
        types = sorted({type for type, _ in SOURCES} | {"quorum"})
        if source.type not in types:
            raise self._refused(
                f"the type '{source.type}' is unknown",
                image.location,
                f"types are: {', '.join(types)}",
            )
        raise self._refused(
            f"the source '{source.protocol or source.type}' is not translated yet",
            place,
            "file, block and network with protocol 'nbd' are",
        )

    def _nbd_server(self, source: NbdSource) -> graph.TcpServer | graph.UnixServer:
        if source.tls:
            raise self._refused(
                "TLS is not translated yet"
                if source.tls is True
                else f"tls='{source.tls}' is neither 'yes' nor 'no'",
                source.location,
                "serve it without TLS, through a tunnel" if source.tls is True else None,
            )
        hosts = source.hosts
        if len(hosts) != 1:
            raise self._refused(
                f"nbd takes one <host>, here are {len(hosts)}",
                source.location,
                "it is <host name='…' port='…'/>, and no more",
            )
        host = hosts[0]
        if host.transport == "unix":
            if not host.socket:
                raise self._refused(
                    "a host with transport='unix' needs a socket",
                    host.location,
                    "name its path: socket='…'",
                )
            return graph.UnixServer(path=host.socket)
        if host.transport not in (None, "tcp"):
            raise self._refused(
                f"QEMU reaches no nbd server over '{host.transport}'",
                host.location,
                "transport is 'tcp' or 'unix'",
            )
        if not host.name:
            raise self._refused(
                "the host has no name", host.location, "say where the server is: name='…'"
            )
        port = source.default_port if host.port is None else host.port
        if port is None or isinstance(port, Malformed) or not 1 <= port <= 65535:
            raise self._refused(f"the port '{port}' is no number from 1 to 65535", host.location)
        return graph.TcpServer(host=host.name, port=str(port))
