"""QEMU's block graph, typed: the QAPI type BlockdevOptions, as far as disks need it.

A node is one ``BlockdevOptions`` with its children inside it.  ``options``
gives it in JSON types, in QAPI's names; the spellings (``-drive``, later
``-blockdev`` and QMP) are made of that and of nothing else.
"""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

from virtquorum.json_text import Json
from virtquorum.model.node import Node, node

__all__ = [
    "Aio",
    "Block",
    "CopyOnRead",
    "DetectZeroes",
    "Discard",
    "File",
    "Format",
    "HostDevice",
    "Nbd",
    "NoBacking",
    "Quorum",
    "Raw",
    "ReadPattern",
    "TcpServer",
    "UnixServer",
    "options",
    "uses_null",
]

Aio = Literal["threads", "native", "io_uring"]
DetectZeroes = Literal["off", "on", "unmap"]
Discard = Literal["unmap", "ignore"]
ReadPattern = Literal["quorum", "fifo"]


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Block(Node):
    """What every node has; None leaves QEMU's default."""

    driver: ClassVar[str]

    node_name: str | None = None
    read_only: bool | None = None
    auto_read_only: bool | None = None
    discard: Discard | None = None
    detect_zeroes: DetectZeroes | None = None
    cache_direct: bool | None = None
    cache_no_flush: bool | None = None


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class File(Block):
    """A file of the host."""

    driver: ClassVar[str] = "file"

    filename: str
    aio: Aio | None = None


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class HostDevice(File):
    """A block device of the host."""

    driver: ClassVar[str] = "host_device"


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class TcpServer(Node):
    """A server on a TCP port; QAPI has the port as a text."""

    host: str
    port: str


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class UnixServer(Node):
    """A server on a unix socket."""

    path: str


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Nbd(Block):
    """An export of an NBD server."""

    driver: ClassVar[str] = "nbd"

    server: TcpServer | UnixServer
    export: str | None = None


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class NoBacking(Node):
    """``"backing": null``: the chain ends here, whatever the image's header says."""


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Raw(Block):
    """The raw format; ``offset`` and ``size`` (bytes) name a part of the file."""

    driver: ClassVar[str] = "raw"

    file: AnyBlock
    offset: int | None = None
    size: int | None = None


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Format(Block):
    """An image format; ``format`` is QEMU's driver name.

    ``backing`` is None where the header of the image decides.
    """

    format: str
    file: AnyBlock
    backing: AnyBlock | NoBacking | None = None
    cache_size: int | None = None


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class CopyOnRead(Block):
    """The filter that writes what it reads from a backing image."""

    driver: ClassVar[str] = "copy-on-read"

    file: AnyBlock


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Quorum(Block):
    """A vote over ``children``."""

    driver: ClassVar[str] = "quorum"

    children: tuple[AnyBlock, ...]
    vote_threshold: int
    read_pattern: ReadPattern | None = None
    rewrite_corrupted: bool | None = None
    blkverify: bool | None = None


AnyBlock: TypeAlias = File | HostDevice | Nbd | Raw | Format | CopyOnRead | Quorum

#: Fields of a Block that are spelled otherwise than with '-' for '_'.
_QAPI = {"cache_direct": "cache.direct", "cache_no_flush": "cache.no-flush"}
_COMMON = tuple(name for name in Block.compared())


def options(top: AnyBlock) -> dict[str, Json]:
    """A node and all below it as BlockdevOptions, children inline, in JSON types."""
    done: dict[int, dict[str, Json]] = {}
    for one in _lowest_first(top):
        done[id(one)] = _own_options(one, done)
    return done[id(top)]


def uses_null(top: AnyBlock) -> bool:
    """Whether a node or one below it ends its chain, which dotted keys cannot say."""
    return any(
        isinstance(one, Format) and isinstance(one.backing, NoBacking) for one in _lowest_first(top)
    )


def _lowest_first(top: AnyBlock) -> list[AnyBlock]:
    order: list[AnyBlock] = []
    rest = [top]
    while rest:
        one = rest.pop()
        order.append(one)
        rest.extend(_below(one))
    return order[::-1]


def _below(one: AnyBlock) -> list[AnyBlock]:
    match one:
        case Quorum():
            return list(one.children)
        case Format():
            backing = one.backing
            return (
                [one.file]
                if backing is None or isinstance(backing, NoBacking)
                else [one.file, backing]
            )
        case Raw() | CopyOnRead():
            return [one.file]
        case _:
            return []


def _own_options(one: AnyBlock, below: dict[int, dict[str, Json]]) -> dict[str, Json]:
    own: dict[str, Json] = {"driver": one.format if isinstance(one, Format) else one.driver}
    cache: dict[str, Json] = {}
    for name in _COMMON:
        value = getattr(one, name)
        if value is None:
            continue
        if name.startswith("cache_"):
            cache[_QAPI[name].partition(".")[2]] = value
        else:
            own[name.replace("_", "-")] = value
    if cache:
        own["cache"] = cache
    match one:
        case File():
            own["filename"] = one.filename
            if one.aio is not None:
                own["aio"] = one.aio
        case Nbd():
            server = one.server
            own["server"] = (
                {"type": "unix", "path": server.path}
                if isinstance(server, UnixServer)
                else {"type": "inet", "host": server.host, "port": server.port}
            )
            if one.export is not None:
                own["export"] = one.export
        case Raw():
            if one.offset is not None:
                own["offset"] = one.offset
            if one.size is not None:
                own["size"] = one.size
            own["file"] = below[id(one.file)]
        case Format():
            if one.cache_size is not None:
                own["cache-size"] = one.cache_size
            own["file"] = below[id(one.file)]
            if isinstance(one.backing, NoBacking):
                own["backing"] = None
            elif one.backing is not None:
                own["backing"] = below[id(one.backing)]
        case CopyOnRead():
            own["file"] = below[id(one.file)]
        case Quorum():
            own["vote-threshold"] = one.vote_threshold
            if one.read_pattern is not None:
                own["read-pattern"] = one.read_pattern
            if one.rewrite_corrupted is not None:
                own["rewrite-corrupted"] = one.rewrite_corrupted
            if one.blkverify is not None:
                own["blkverify"] = one.blkverify
            own["children"] = [below[id(child)] for child in one.children]
    return own
