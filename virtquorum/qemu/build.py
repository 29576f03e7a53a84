"""From a disk of the model to its block graph.

Layers and defaults are libvirt's (``qemu_block.c``, as the arguments it
writes show): a storage node with auto-read-only and discard=unmap, a slice
node where a slice cannot stand on the format node, a format node, and for
the top image copy-on-read.  Members of a quorum are writable, other than
backing images; an image whose format is not named is refused, since QEMU
would probe it and a guest can make its disk look like any format.

Storage nodes are made in ``storage/``, one module a family of protocols.
What concerns the guest's device and not the graph is in ``devices/``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from virtquorum.errors import TranslationError
from virtquorum.model.image import Image, Quorum
from virtquorum.model.node import Malformed, Node, node
from virtquorum.model.sources.block import BlockSource
from virtquorum.model.sources.file import FileSource
from virtquorum.qemu import graph
from virtquorum.qemu.formats import Layers, format_class, format_node
from virtquorum.qemu.leftover import check_quorum_words
from virtquorum.qemu.provided import NOTHING, Provided
from virtquorum.qemu.storage import storage
from virtquorum.qemu.storage.context import Context
from virtquorum.qemu.throttling import throttling
from virtquorum.qemu.voting import check_quorum, quorum_node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.model.disk import Disk
    from virtquorum.model.location import Location
    from virtquorum.qemu.names import Names
    from virtquorum.qemu.objects import QemuObject, ThrottleGroup

__all__ = ["CACHE_MODES", "Built", "build", "has_node", "is_empty"]

#: libvirt's cache modes, as the node's cache.direct and cache.no-flush.
CACHE_MODES: Final[dict[str | None, graph.Cache | None]] = {
    None: None,
    "default": None,
    "none": graph.Cache(direct=True, no_flush=False),
    "directsync": graph.Cache(direct=True, no_flush=False),
    "writeback": graph.Cache(direct=False, no_flush=False),
    "writethrough": graph.Cache(direct=False, no_flush=False),
    "unsafe": graph.Cache(direct=False, no_flush=True),
}


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Built(Node):
    """A disk's block graph, and what it leans on.

    ``objects`` must be made before the graph; ``files``, by path, must be
    written before the objects (secrets: for the eyes of QEMU's user only).
    ``throttle`` holds the disk's limits, which ``-drive`` says itself and the
    other spellings put on top of the graph as a filter named ``throttle_name``.
    """

    top: graph.Block
    objects: tuple[QemuObject, ...] = ()
    files: tuple[tuple[str, bytes], ...] = ()
    throttle: ThrottleGroup | None = None
    throttle_name: str | None = None

    @property
    def filtered(self) -> graph.Block:
        """The graph with the disk's limits on top."""
        if self.throttle is None:
            return self.top
        return graph.Throttle(
            node_name=self.throttle_name, throttle_group=self.throttle.id, file=self.top
        )


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


def has_node(disk: Disk) -> bool:
    """Whether QEMU has a block node for a disk: not for an empty drive or a vhost-user server."""
    return not is_empty(disk) and disk.image.source.type != "vhostuser"


def build(disk: Disk, names: Names, provided: Provided = NOTHING) -> Built:
    """The block graph of a disk with a medium.

    Raises TranslationError, naming the disk, the place and the way out.
    """
    return _Builder(disk, names, provided).build()


def _lowest_first(top: Image) -> Iterator[Image]:
    """The images, each after those below it, and those in the order of the document."""
    found = []
    rest = [top]
    while rest:
        one = rest.pop()
        found.append(one)
        rest.extend(below for below in one.below if isinstance(below, Image))
    return reversed(found)


class _Builder:
    def __init__(self, disk: Disk, names: Names, provided: Provided) -> None:
        self.disk = disk
        self.names = names
        driver = disk.driver
        cache = self._one_of("cache mode", driver.cache, CACHE_MODES)
        is_written = not disk.readonly and disk.device != "cdrom"
        if cache in (None, "default") and disk.shareable and is_written:
            cache = "none"  # as libvirt does, for a disk that others write to as well
        aio = self._one_of("I/O mode", driver.io, ("io_uring", "native", "threads"))
        nodes_cache = CACHE_MODES[cache]
        if aio == "native" and not (nodes_cache and nodes_cache.direct):
            raise self._refused(
                "io='native' needs cache='none' or 'directsync'",
                driver.location,
                "QEMU opens no image with aio=native through the page cache",
            )
        discard = self._one_of("discard mode", driver.discard, ("ignore", "unmap"))
        self.read_only = bool(disk.readonly) or disk.device == "cdrom"
        self._check_switch("copy_on_read", driver.copy_on_read, driver.location)
        if driver.copy_on_read is True and self.read_only:
            raise self._refused(
                "copy_on_read needs a disk that is written to", driver.location, "leave it out"
            )
        self.context = Context(
            disk,
            provided,
            cache=nodes_cache,
            aio=cast("graph.Aio | None", aio),
            discard=cast("graph.Discard | None", discard),
            detect_zeroes=self._detect_zeroes(),
        )

    def _one_of(self, what: str, value: str | None, words: Any) -> str | None:
        """One of the words of ``<driver>``, or None."""
        if value is not None and value not in words:
            raise self._refused(
                f"the {what} '{value}' is unknown",
                self.disk.driver.location,
                f"modes are: {', '.join(sorted(word for word in words if word))}",
            )
        return value

    def _refused(
        self, message: str, place: Location | None, remedy: str | None = None
    ) -> TranslationError:
        return TranslationError(
            message, location=place or self.disk.location, disk=self.disk.name, remedy=remedy
        )

    def _check_switch(self, name: str, value: object, place: Location | None) -> None:
        if isinstance(value, Malformed):
            raise self._refused(f"{name}='{value}' is neither 'on' nor 'off'", place)

    def build(self) -> Built:
        disk = self.disk
        if disk.transient is not None:
            raise self._refused(
                "<transient/> is not translated: QEMU would keep what the guest writes",
                disk.transient.location,
                "remove it, and put an overlay on the image yourself",
            )
        if disk.quorum is not None and disk.auth is not None:
            raise self._refused(
                "<auth> says nothing to a quorum, which has no storage of its own",
                disk.auth.location,
                "put it into the <source> of the member that needs it",
            )
        check_quorum_words(disk)
        top = self._graph(disk.image)
        if disk.driver.copy_on_read is True:
            name = self.names.beside(self.names.of(disk.image), "c")
            top = graph.CopyOnRead(node_name=name, discard="unmap", file=top)
        throttle = throttling(disk, self.names.top)
        return Built(
            top=top,
            objects=tuple(self.context.objects.values()),
            files=tuple(self.context.files.items()),
            throttle=throttle,
            throttle_name=self.names.beside(self.names.top, "t") if throttle else None,
        )

    def _graph(self, top: Image) -> graph.Block:
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
        storages: dict[int, graph.Block] = {}
        classes: dict[int, type[graph.Format] | None] = {}
        for image in order:
            classes[id(image)] = format_class(image, self.context)
            if isinstance(image.source, Quorum):
                check_quorum(image, image.source, writable[id(image)], self.context)
            else:
                name = self.names.beside(names[id(image)], "s")
                storages[id(image)] = self._storage(image, name, writable[id(image)])
        done: dict[int, graph.Block] = {}
        for image in _lowest_first(top):
            done[id(image)] = self._image(
                image,
                names[id(image)],
                writable=writable[id(image)],
                cls=classes[id(image)],
                storage=storages.get(id(image)),
                done=done,
            )
        return done[id(top)]

    def _storage(self, image: Image, name: str, writable: bool) -> graph.Block:
        source = self.context.source(image)
        is_volume = image.source.type == "volume"
        if is_volume and self.disk.device == "lun" and source.type not in ("block", "network"):
            raise self._refused(
                "device='lun' needs a block device of the host, or an iSCSI unit, and the volume "
                f"is of type '{source.type}'",
                source.location or image.location,
                "use device='disk'",
            )
        if writable:
            self.context.writable.add(id(source))
        return storage(image, source, name, self.context)

    def _image(
        self,
        image: Image,
        name: str,
        *,
        writable: bool,
        cls: type[graph.Format] | None,
        storage: graph.Block | None,
        done: dict[int, graph.Block],
    ) -> graph.Block:
        """An image's top node, once those below it are done; a quorum has no storage."""
        source = image.source
        file = storage
        if isinstance(source, Quorum):
            file = quorum_node(
                image,
                source,
                name if cls is None else self.names.beside(name, "q"),
                writable=writable,
                below_format=cls is not None,
                members=tuple(done[id(one)] for one in source.members),
                context=self.context,
            )
        assert file is not None
        if cls is None:
            return file
        has_backing = isinstance(image.backing, Image)
        layers = Layers(
            name=name,
            writable=writable,
            file=file,
            backing=done[id(image.backing)] if has_backing else None,
            slice_name=lambda: self.names.beside(name, "l"),
        )
        return format_node(image, cls, layers, self.context)

    def _detect_zeroes(self) -> graph.DetectZeroes | None:
        """What is for the top image; libvirt turns 'unmap' into 'on' where discard is off."""
        said = self._one_of(
            "mode of detect_zeroes", self.disk.driver.detect_zeroes, ("off", "on", "unmap")
        )
        if said == "unmap" and self.disk.driver.discard != "unmap":
            return "on"
        return cast("graph.DetectZeroes | None", said)
