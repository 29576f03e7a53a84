"""What QEMU opens for a disk: files, devices, sockets, as its block graph has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from virtquorum.qemu import graph, objects

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.qemu.build import Built
    from virtquorum.stock.lower import Lowering

__all__ = ["Opening", "openings"]

#: Files that libvirt opens itself, and passes to QEMU.
_PASSED: Final = "/dev/fdset/"


class Opening(NamedTuple):
    """One thing to be opened; ``kind`` says what should be there.

    ``wanted`` is a word of reach.MODES: 'rw', 'r', or 'x' for a directory
    whose files are opened.
    """

    disk: str | None
    path: str
    kind: Literal["file", "device", "socket", "directory", "secret"]
    wanted: str


def openings(lowering: Lowering) -> list[Opening]:
    """What is opened for one disk, each once; files that are yet to be written are left out."""
    built = lowering.built
    found = [*_blocks(lowering.disk.name, built.top), *_objects(lowering.disk.name, built)]
    return [one for one in dict.fromkeys(found) if not one.path.startswith(_PASSED)]


def _blocks(disk: str | None, top: graph.Block) -> Iterator[Opening]:
    rest = [(top, True)]
    while rest:
        one, writable = rest.pop()
        writable = writable and one.read_only is not True
        wanted = "rw" if writable else "r"
        match one:
            case graph.HostDevice(filename=name) | graph.HostCdrom(filename=name):
                yield Opening(disk, name, "device", wanted)
            case graph.File(filename=name):
                yield Opening(disk, name, "file", wanted)
            case graph.Vvfat(dir=name):
                yield Opening(disk, name, "directory", "r")
            case graph.Nbd(server=graph.UnixServer(path=name)):
                yield Opening(disk, name, "socket", "rw")
        backing = getattr(one, "backing", None)
        rest += [(below, writable and below is not backing) for below in reversed(graph.below(one))]


def _objects(disk: str | None, built: Built) -> Iterator[Opening]:
    written = {path for path, _ in built.files}
    for one in built.objects:
        match one:
            case objects.Secret(file=path) if path not in written:
                yield Opening(disk, path, "secret", "r")
            case objects.TlsCredsX509(dir=path):
                yield Opening(disk, path, "directory", "x")
            case objects.PrManagerHelper(path=path):
                yield Opening(disk, path, "socket", "rw")
