"""Images that are not looked at by path: volumes of pools, and all images of another machine.

libvirt's storage drivers know the sizes, owners and modes of volumes of active
pools.  What is in no such pool was not looked at, and is said.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from virtquorum.check.finding import Severity
from virtquorum.check.rule import positions
from virtquorum.errors import HostError, InputError
from virtquorum.host.checks.result import CheckResult
from virtquorum.host.connection import asking
from virtquorum.images.opened import local_path
from virtquorum.model.sources.volume import VolumeSource
from virtquorum.xml.document import Document

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from virtquorum.host.checks.process import QemuProcess
    from virtquorum.model.disk import Disk
    from virtquorum.model.image import Image

__all__ = ["Volume", "Volumes", "remote_results"]

_NO_VOLUME: Final = 50


class Volume(NamedTuple):
    """What a pool knows of a volume: capacity in bytes; owner and mode where it says them."""

    capacity: int
    format: str | None = None
    uid: int | None = None
    gid: int | None = None
    mode: int | None = None
    path: str | None = None


class Volumes:
    """A libvirt's volumes; it is asked once for each."""

    def __init__(self, connection: Any, *, remote: bool) -> None:
        self._connection = connection
        self._remote = remote
        self._seen: dict[tuple[str, ...], Volume | None] = {}

    def size(self, image: Image) -> int | None:
        """The virtual size (bytes) of an image that libvirt knows, None if it knows none."""
        found = self.of(image)
        return found.capacity if found is not None else None

    def of(self, image: Image) -> Volume | None:
        """The volume that an image is; by its path only on another machine."""
        source = image.source
        if isinstance(source, VolumeSource):
            return self._volume("volume", source.pool or "", source.volume or "")
        path = local_path(image) if self._remote else None
        return self._volume("path", path) if path is not None else None

    def _volume(self, *key: str) -> Volume | None:
        if key not in self._seen:
            self._seen[key] = None
            with suppress(HostError):
                self._seen[key] = self._asked(*key)
        return self._seen[key]

    def _asked(self, kind: str, *names: str) -> Volume:
        with asking("a volume"):
            if kind == "path":
                found = self._connection.storageVolLookupByPath(*names)
            else:
                pool = self._connection.storagePoolLookupByName(names[0])
                found = pool.storageVolLookupByName(names[1])
            volume = _described(int(found.info()[1]), found.XMLDesc())
            return volume._replace(path=found.path())


def _described(capacity: int, xml: str) -> Volume:
    """A volume by libvirt's XML of it."""
    try:
        root = Document.from_text(xml, "volume").root
    except InputError:
        return Volume(capacity)
    for target in root.elements("target"):
        formats = [one.attributes.get("type") for one in target.elements("format")]
        for one in target.elements("permissions"):
            words = {part.name: part.text.strip() for part in one.elements()}
            with suppress(ValueError, KeyError):
                return Volume(
                    capacity, next(iter(formats), None), int(words["owner"]), int(words["group"]),
                    int(words["mode"], 8),
                )  # fmt: skip
        return Volume(capacity, next(iter(formats), None))
    return Volume(capacity)


def remote_results(
    disks: Sequence[Disk], volumes: Volumes, process: QemuProcess | None, host: str
) -> Iterator[CheckResult]:
    """What the pools of another machine say of the disks' images, and which they do not know."""
    for disk in disks:
        for one in positions(disk):
            path = local_path(one.image)
            if path is None:
                continue
            volume = volumes.of(one.image)
            if volume is None:
                yield CheckResult(
                    severity=Severity.NOTE, kind="elsewhere", disk=disk.name, path=path,
                    message=f"was not looked at: it is on '{host}', and in no active pool there",
                    ways=("run virtquorum there", "make a pool of its directory, or refresh it: "
                          "'virsh pool-refresh'"),
                )  # fmt: skip
            elif process is not None and not _may(volume, process):
                yield CheckResult(
                    severity=Severity.WARNING, kind="access", disk=disk.name, path=path,
                    message=f"on '{host}' it is of user {volume.uid} and group {volume.gid}, mode "
                    f"{volume.mode:04o}, and QEMU will be user {process.uid} and group "
                    f"{process.gid} there",
                    ways=(f"chown {process.uid}:{process.gid} '{path}' on '{host}'",),
                )  # fmt: skip


def _may(volume: Volume, process: QemuProcess) -> bool:
    """Whether owner and mode let QEMU read and write, as far as they tell."""
    if volume.mode is None or process.uid == 0:
        return True
    shift = 6 if volume.uid == process.uid else 3 if volume.gid == process.gid else 0
    return volume.mode >> shift & 6 == 6
