"""Disks that are converted: planned and applied by functions in the bench's worker."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import libvirt

from tests.host.faulting import Blow, blows
from tests.host.patching import _read as read
from tests.host.patching import said
from tests.libvirts import Guest, asked
from tests.libvirts.domains import disk_content, disk_xml, guest_xml
from tests.nightly import NIGHTLY
from virtquorum.errors import VirtquorumError
from virtquorum.host import convert, patch
from virtquorum.host.change import ChangeError, Observer, apply
from virtquorum.host.intent import MetadataIntent
from virtquorum.host.mend import close_all
from virtquorum.host.monitor import Monitor
from virtquorum.host.nodes import differences
from virtquorum.host.patch.record import as_recorded
from virtquorum.host.session import Host
from virtquorum.host.swap import Side
from virtquorum.images.program import Interrupted
from virtquorum.model.image import Image
from virtquorum.model.sources.file import FileSource
from virtquorum.stock.lift import lift
from virtquorum.stock.lower import lowerings

if TYPE_CHECKING:
    from tests.libvirts import Bench
    from virtquorum.host.change import Step
    from virtquorum.host.domain import HostDomain
    from virtquorum.model.disk import Disk

__all__ = ["BOTH", "CONTENT", "SIZE", "Stock", "converted", "struck", "whole"]

SIZE = 4 << 20
CONTENT = b"what was there"
BOTH = {"live": True, "config": True}


def planned(domain: HostDomain, word: str, arguments: list[Any], options: dict[str, Any]) -> Any:
    """The plan of 'convert' or 'convert_back'; a member is {"file": …, "format": …}."""
    if word == "convert":
        target, members = arguments
        new = [Image(source=FileSource(file=one["file"]), format=one["format"]) for one in members]
        return convert.convert(domain, target, new, **options)
    return convert.convert_back(domain, *arguments, **options)


def converted(
    connection: Any, name: str, word: str, arguments: list[Any], options: dict[str, Any]
) -> dict[str, Any]:
    """Plan a conversion and make it, unless the options have ``dry``; what the plan says."""
    dry = options.pop("dry", False)
    made = planned(Host(connection).domain(name), word, arguments, options)
    if not dry:
        assert apply(made) is None
    return said(made)


def patched(connection: Any, name: str, operation: str, arguments: list[Any]) -> None:
    """Make another change of the running domain."""
    domain = Host(connection).domain(name)
    apply(getattr(patch, operation)(domain, *map(read, arguments), live=True))


def resized(connection: Any, name: str, target: str, size: int) -> None:
    """What 'virsh blockresize' does; ``size`` in bytes."""
    connection.lookupByName(name).blockResize(target, size, libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES)


def mirrored(connection: Any, name: str, target: str, path: str | None) -> None:
    """What 'virsh blockcopy' begins, and without a path what 'virsh blockjob --abort' ends."""
    domain = connection.lookupByName(name)
    if path is None:
        domain.blockJobAbort(target, 0)
        return
    flags = libvirt.VIR_DOMAIN_BLOCK_COPY_REUSE_EXT | libvirt.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB
    xml = f"<disk type='file'><driver type='raw'/><source file='{path}'/></disk>"
    domain.blockCopy(target, xml, {}, flags)


def saved(connection: Any, name: str) -> None:
    """What 'virsh managedsave' does."""
    connection.lookupByName(name).managedSave(0)


def saved_meanwhile(
    connection: Any, name: str, word: str, arguments: list[Any], options: dict[str, Any], at: str
) -> str:
    """A conversion, as a step of which begins the domain is saved; what it says."""
    domain = Host(connection).domain(name)

    class Saves(Observer):
        def began(self, step: Step) -> None:
            if step.title == at:
                domain.handle.managedSave(0)

    try:
        apply(planned(domain, word, arguments, options), Saves())
    except ChangeError as error:
        return f"{error.state}: {error}"
    raise AssertionError("it was made")


def moved_away(
    connection: Any, name: str, arguments: list[Any], options: dict[str, Any], path: str
) -> str:
    """A conversion in whose pause an image is moved away, to '….away'; what it says."""
    domain = Host(connection).domain(name)

    class Moves(Observer):
        def began(self, step: Step) -> None:
            if step.title == "open the quorum as it shall be":
                os.rename(path, f"{path}.away")

    try:
        apply(planned(domain, "convert", arguments, options), Moves())
    except ChangeError as error:
        return f"{error.state}: {error}"
    raise AssertionError("it was made")


def whole(connection: Any, name: str, target: str, images: list[str]) -> dict[str, Any]:
    """What there is of a disk: in the running domain (``live``), in the definition (``config``).

    A stock disk is its path, a quorum its threshold and its members' paths.
    ``wrong`` is what QEMU has otherwise, ``strays`` are nodes of ours that the
    disk has not; ``files`` are the placeholders, ``images`` digests.
    """
    domain = Host(connection).domain(name)
    directory = domain.host.placeholder_directory
    there = os.listdir(directory) if os.path.isdir(directory) else []
    found: dict[str, Any] = {
        "live": None,
        "config": None,
        "files": sorted(one for one in there if one.startswith(f"{name}-")),
        "images": [_digest(one) for one in images],
    }
    if domain.is_persistent:
        found["config"] = _disk(domain.lifted(inactive=True).disk(target))
    if domain.is_active:
        found |= _live(domain, target)
    return found


def _digest(path: str) -> str | None:
    return sha256(Path(path).read_bytes()).hexdigest()[:8] if os.path.exists(path) else None


def _disk(disk: Disk) -> Any:
    if disk.quorum is None:
        return getattr(disk.image.source, "file", None)
    members = [getattr(one.source, "file", None) for one in disk.quorum.members]  # type: ignore[union-attr]
    return [disk.quorum.threshold, members]


def _live(domain: HostDomain, target: str) -> dict[str, Any]:
    text, monitor = domain.text(), domain.monitor
    disk = lift(text).disk(target)
    wrong, known = [], set()
    for one in as_recorded(text, lowerings(lift(text), directory="/none")):
        nodes = Side.of(one.built).nodes
        wrong += differences(monitor, one.alias, nodes)
        known |= {str(node["node-name"]) for node in (*nodes, *one.guard)}
        known.add(f"{one.drive}-nosave")
    if disk.quorum is None:
        frontend = monitor.needed_frontend(disk.alias or "")
        if not str(frontend.node).startswith("libvirt-"):
            wrong.append(f"the disk is at {frontend.node}")
    return {
        "live": _disk(disk),
        "wrong": wrong,
        "strays": sorted(one for one in monitor.nodes().keys() - known if one.startswith("vq-")),
        "note": MetadataIntent(monitor).read() is not None,
        "jobs": sorted(monitor.jobs()),
        "running": domain.state == "running",
    }


def struck(
    connection: Any,
    name: str,
    word: str,
    arguments: list[Any],
    options: dict[str, Any],
    number: int,
    when: str,
    blow: Blow,
) -> dict[str, Any]:
    """A conversion of which one call is struck: what it said of itself, and if there was one."""
    plan = planned(Host(connection).domain(name), word, arguments, options)
    struck = blows()
    with struck.armed(number, when, blow):
        outcome: object = "done"
        try:
            late = apply(plan)
            outcome = "done" if late is None else f"too late for {late}"
        except ChangeError as error:
            outcome = f"{error.state}: {error.step}: {error.cause}"
        except Interrupted as error:
            outcome = f"interrupted by {error.number}"
    return {"said": outcome, "met": struck.is_met, "calls": struck.made}


def every_blow(
    connection: Any,
    name: str,
    word: str,
    arguments: list[Any],
    options: dict[str, Any],
    when: str,
    back: list[Any],
    images: list[str],
) -> list[dict[str, Any]]:
    """A conversion with a fault at every second or fourth of its calls that change something.

    It fails before the odd ones, or after even ones.  After one that was
    made nevertheless, ``back`` is made: [word, arguments].
    """
    found = []
    for number in range(1 if when == "before" else 2, 1000, 2 if NIGHTLY else 4):
        one = struck(connection, name, word, arguments, options, number, when, "error")
        state = whole(connection, name, arguments[0], images)
        found.append({**one, **state})
        domain = Host(connection).domain(name)
        MetadataIntent(domain.monitor).clear()
        # What a last step that failed has left open.
        close_all(domain.monitor, set(state["strays"]))
        with suppress(VirtquorumError):
            apply(planned(domain, back[0], back[1], {**BOTH, "compare": False, "checks": False}))
        if not one["met"]:
            return found
    raise AssertionError("it does not end")


class _Interrupts(Observer):
    """Sends SIGINT as soon as a long step gets on."""

    def __init__(self, words: str) -> None:
        self.words = words

    def progress(self, step: Step, done: int, total: int) -> None:
        if self.words in step.title:
            signal.raise_signal(signal.SIGINT)


def interrupted(
    connection: Any, name: str, word: str, arguments: list[Any], options: dict[str, Any], words: str
) -> int | None:
    """A conversion that is interrupted in a step; the signal's number, None if it is not."""
    plan = planned(Host(connection).domain(name), word, arguments, options)
    try:
        apply(plan, _Interrupts(words))
    except Interrupted as error:
        return error.number
    return None


def onto_full(
    connection: Any, name: str, arguments: list[Any], options: dict[str, Any], full: str
) -> str:
    """A conversion onto an image whose writes fail as on a full file system; what it says."""

    class Full(Monitor):
        def command(self, command: str, /, **arguments: Any) -> Any:
            if command == "blockdev-add" and arguments.get("filename") == full:
                outer = str(arguments["node-name"])
                super().command(command, **{**arguments, "node-name": f"{outer}x"})
                error = {"event": "none", "iotype": "write", "errno": 28}
                arguments = {"driver": "blkdebug", "node-name": outer, "image": f"{outer}x",
                             "inject-error": [error]}  # fmt: skip
            answer = super().command(command, **arguments)
            if command == "blockdev-del" and f"{arguments['node-name']}x" in self.nodes():
                super().command(command, **{"node-name": f"{arguments['node-name']}x"})
            return answer

    class Domain(type(Host(connection).domain(name))):  # type: ignore[misc]
        @property
        def monitor(self) -> Monitor:
            return Full(self.handle)

    host = Host(connection)
    plan = planned(Domain(host, host.domain(name).handle), "convert", arguments, options)
    try:
        apply(plan)
    except ChangeError as error:
        return f"{error.state}: {error}"
    raise AssertionError("it was made")


def qemu_killed(
    connection: Any, name: str, word: str, arguments: list[Any], options: dict[str, Any], at: str
) -> str:
    """A conversion in a step of which QEMU is ended; what it says."""
    domain = Host(connection).domain(name)

    class Kills(Observer):
        def began(self, step: Step) -> None:
            if step.title == at:
                domain.handle.destroy()

    try:
        apply(planned(domain, word, arguments, options), Kills())
    except ChangeError as error:
        return f"{error.state}: {error}"
    raise AssertionError("it was made")


def started_meanwhile(connection: Any, name: str, arguments: list[Any]) -> None:
    """A conversion of a domain that is off, and is started when all is copied."""
    domain = Host(connection).domain(name)

    class Starts(Observer):
        def began(self, step: Step) -> None:
            if step.title.startswith("see that"):
                domain.handle.create()

    apply(planned(domain, "convert", arguments, {}), Starts())


class Stock:
    """A guest that boots from a stock disk; ``image`` is its image, of a format."""

    def __init__(
        self,
        bench: Bench,
        name: str,
        *,
        bus: str = "virtio",
        run: bool = True,
        xml: str | None = None,
        **more: Any,
    ) -> None:
        self.bench = bench
        self.name = name
        self.target = "vda" if bus == "virtio" else "sda"
        self.path = self.image("0", disk_content(CONTENT))
        disk = xml or disk_xml(self.target, self.path, bus=bus)
        disk = disk.replace(f"<alias name='ua-{self.target}'/>", "")
        bench.call(asked.define, guest_xml(bench, name, disk, buses=["scsi"], **more))
        self.guest = Guest(bench, name)
        if run:
            self.start()

    def start(self, boots: int = 1) -> None:
        """Start it, and wait until it has booted for the n-th time."""
        self.bench.call(asked.start, self.name)
        self.guest.booted(boots)

    def image(self, end: str, content: bytes = b"", size: int = SIZE) -> Path:
        """An image of the guest's, by the end of its name."""
        return self.bench.image(f"{self.name}-{end}", size, content)

    def new(self, end: str, format: str = "raw") -> dict[str, str]:
        """A new member: raw images are made, others are not there."""
        path = self.image(end) if format == "raw" else self.bench.folder / f"{self.name}-{end}"
        return {"file": str(path), "format": format}

    def convert(self, *members: dict[str, str], **options: Any) -> dict[str, Any]:
        """Make a quorum of it; what the plan says."""
        return self._made("convert", [self.target, list(members)], options)

    def back(self, *member: str, **options: Any) -> dict[str, Any]:
        """Make a stock disk of it; what the plan says."""
        return self._made("convert_back", [self.target, *(member or ("0",))], options)

    def _made(self, word: str, arguments: list[Any], options: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self.bench.call(converted, self.name, word, arguments, options)
        return found

    def state(self, *images: Path | str) -> dict[str, Any]:
        """See whole()."""
        found: dict[str, Any] = self.bench.call(
            whole, self.name, self.target, [str(one) for one in images]
        )
        return found

    def settled(self, live: Any, config: Any, *files: str, images: Any = ()) -> dict[str, Any]:
        """The state of a guest that runs, and of which no change has left anything."""
        return {
            "live": live, "config": config, "files": list(files), "images": list(images),
            "wrong": [], "strays": [], "note": False, "jobs": [], "running": True,
        }  # fmt: skip

    def off(self, config: Any, *files: str, images: Any = ()) -> dict[str, Any]:
        """The state of one that is off."""
        return {"live": None, "config": config, "files": list(files), "images": list(images)}

    @property
    def placeholder(self) -> str:
        """The name of its placeholder."""
        return f"{self.name}-{self.target}.placeholder"

    def destroy(self) -> None:
        """Switch it off."""
        self.bench.call(asked.destroy, self.name)
