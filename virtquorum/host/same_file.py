"""Whether the paths of a running domain's images still name the files that its QEMU has open.

QEMU keeps a file open whatever becomes of its name.  A change of a quorum may
open it anew, by that name, and the next start does.  A file that somebody has
put there meanwhile, an older copy or a blank one, would become a member with
another content.

What QEMU has open is seen in its ``/proc/PID/fd``: by root, and by the user as
whom it runs, on this machine.  QEMU tells itself which process it is.  Which of
its files is which node's is not seen, so two of its images that have exchanged
their names are taken for what they are called.
"""

from __future__ import annotations

import os
from contextlib import suppress
from stat import S_ISBLK, S_ISREG
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from virtquorum.errors import HostError
from virtquorum.host.change import Text
from virtquorum.host.compare import children_of, name_of, place_of
from virtquorum.host.hold import holds
from virtquorum.host.live import LiveStep

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from virtquorum.host.change import Action, Course
    from virtquorum.host.compare import Options
    from virtquorum.host.monitor import Monitor

__all__ = ["Kept", "NewFiles", "Other", "SameFiles", "StillNewFiles", "check_files", "others"]

#: The drivers of nodes that have a file of this machine, or a device.
_OF_FILES: Final = ("file", "host_device")
#: The formats in whose images the name of another one may stand.
_OVERLAYS: Final = ("qcow2", "qcow", "qed", "vmdk")
#: What a file is, whatever it is called: a device by its number, a file by its place on the disk.
_File: TypeAlias = tuple[Literal["file", "device"], int, int]


class Other(NamedTuple):
    """A node whose path does not name the file that QEMU has open.

    ``is_there`` is whether the path names another one; else it names none.
    """

    node: str
    path: str
    is_there: bool


def others(monitor: Monitor, nodes: Sequence[Options]) -> list[Other]:
    """The nodes of a flat list that QEMU has open under a name that is another file's by now.

    None of them where that cannot be known: on another machine, for a user who
    may not look, and where QEMU sees a file that this user does not.  A backing
    image that QEMU has found by itself is the node's above it.  Raises
    MonitorError and LibvirtError of what QEMU is asked.
    """
    wanted = [(name_of(one), _path(one)) for one in _with_paths(nodes)]
    process = _process(monitor) if wanted else None
    known = _opened(process)
    if process is None or not known:
        return []
    found = []
    for name, path in (*wanted, *_found_by_qemu(monitor, nodes)):
        with suppress(PermissionError):
            now = _named(process, path)
            if now not in known:
                found.append(Other(name, path, now is not None))
    return found


def _found_by_qemu(monitor: Monitor, nodes: Sequence[Options]) -> Iterator[tuple[str, str]]:
    """The files below nodes of a list that the list does not have, each with the node above."""
    above = [name_of(one) for one in nodes if one["driver"] in _OVERLAYS and "backing" not in one]
    if not above:
        return
    there, edges = monitor.nodes(), monitor.edges()
    known = {name_of(one) for one in nodes}
    for top in above:
        rest = [top]
        while rest:
            name = rest.pop()
            rest += [child for parent, _, child in edges if parent == name and child not in known]
            path = str(there.get(name, {}).get("file", ""))
            if name != top and path.startswith("/") and there[name]["drv"] in _OF_FILES:
                yield top, path


def _with_paths(nodes: Iterable[Options]) -> list[Options]:
    return [one for one in nodes if one["driver"] in _OF_FILES and _path(one).startswith("/")]


def _path(one: Options) -> str:
    return str(one["filename"])


def _process(monitor: Monitor) -> int | None:
    """The QEMU of a domain, by the number of one of its threads; None on another machine."""
    from virtquorum.host.session import Host

    if not Host(monitor.domain.connect()).is_local:
        return None
    cpus = monitor.command("query-cpus-fast")
    thread = next((int(one["thread-id"]) for one in cpus), None)
    uuid = str(monitor.asked("look up its UUID", monitor.domain.UUIDString))
    # In another container, a number of QEMU's may be that of somebody else here.
    return thread if thread is not None and uuid.encode() in _words(thread) else None


def _words(process: int) -> list[bytes]:
    with suppress(OSError), open(f"/proc/{process}/cmdline", "rb") as file:
        return file.read().split(b"\0")
    return []


def _opened(process: int | None) -> set[_File] | None:
    """The files that a process has open; None for none, and one that may not be looked at."""
    if process is None:
        return None
    folder = f"/proc/{process}/fd"
    found: set[_File] = set()
    try:
        names = os.listdir(folder)
        for name in names:
            with suppress(FileNotFoundError):
                found |= {*_files(os.stat(os.path.join(folder, name)))}
    except OSError:
        return None
    return found


def _files(status: os.stat_result) -> Iterator[_File]:
    """What a file is, if it can be an image."""
    if S_ISBLK(status.st_mode):
        yield "device", os.major(status.st_rdev), os.minor(status.st_rdev)
    elif S_ISREG(status.st_mode):
        yield "file", status.st_dev, status.st_ino


def _named(process: int, path: str) -> _File | None:
    """What a path names for a process; None for nothing that can be an image.

    libvirt gives QEMU a /dev of its own.  Raises PermissionError where that cannot be seen.
    """
    try:
        return next(_files(os.stat(f"/proc/{process}/root{path}")), None)
    except PermissionError:
        raise
    except OSError:
        return None


class Kept(NamedTuple):
    """Two graphs of a disk, and the names of nodes that stay open from one to the other.

    ``anew`` are those of nodes of both that are copied to, and opened anew.
    """

    old: Sequence[Options]
    new: Sequence[Options]
    kept: Collection[str]
    anew: Collection[str]


def check_files(monitor: Monitor, graphs: Kept) -> list[Other]:
    """The images that stay and whose path names another file by now.

    A graph that keeps such an image is refused, unless it is a step out of
    that: another one goes or is copied to, and this one need not be opened.
    So is one of which no image is there any more under its name: at the next
    start nothing would be left.  Raises HostError; that a single image is gone
    is QEMU's to refuse.
    """
    stays = [place_of(one) for one in graphs.new if name_of(one) not in graphs.anew]
    places = {name_of(one): place_of(one) for one in graphs.old}
    found = others(monitor, graphs.old)
    staying = [one for one in found if places[one.node] in stays]
    bad = [one for one in staying if one.is_there]
    gone = [one for one in staying if not one.is_there]
    if gone and _is_gone(graphs.new, [places[one.node] for one in gone]):
        raise _gone(monitor, gone)
    # What is copied to is open as well by then, under another name.
    is_mended = bool(graphs.anew) or len(staying) < len(found)
    if bad and not (is_mended and all(one.node in graphs.kept for one in bad)):
        raise _refusal(monitor, graphs.old, bad)
    return bad


def _is_gone(graph: Sequence[Options], places: Sequence[Options]) -> bool:
    """Whether a graph has no member, or image, that could be opened without these places."""
    gone: set[str] = set()
    for one in graph:  # those below come first
        children = children_of(one)
        is_quorum = one["driver"] == "quorum"
        lost = gone.issuperset(children) if is_quorum else not gone.isdisjoint(children)
        if lost or place_of(one) in places:
            gone.add(name_of(one))
    return name_of(graph[-1]) in gone


def _gone(monitor: Monitor, found: Sequence[Other]) -> HostError:
    paths = ", ".join(repr(one) for one in dict.fromkeys(one.path for one in found))
    return HostError(
        f"domain '{monitor.name}': of the images that would be left none is there: {paths}, which "
        "the guest has open still; at the next start its data would be gone; keep a member that is "
        f"there, or have the disk copied to a new one first ('virtquorum doctor {monitor.name}')"
    )


def _refusal(monitor: Monitor, old: Sequence[Options], found: Sequence[Other]) -> HostError:
    paths = ", ".join(repr(one) for one in dict.fromkeys(one.path for one in found))
    is_one = len(found) == 1
    said = (
        "is not the file that the guest has open: somebody has put another one in its place"
        if is_one
        else "are not the files that the guest has open: somebody has put others in their place"
    )
    way = f"bring back what the guest has open, under the same name{'s' * (not is_one)}"
    more = (
        f"have the guest's disk copied to {'it' if is_one else 'them, one after the other'}: "
        f"'virtquorum doctor {monitor.name}' prints the command"
        if any(one["driver"] == "quorum" for one in old)
        else f"copy the disk elsewhere first ('virsh blockcopy {monitor.name} …')"
    )
    return HostError(f"domain '{monitor.name}': {paths} {said}; {way}, or {more}")


class _Looking(LiveStep):
    """A look at the files that QEMU has open."""

    @property
    def actions(self) -> tuple[Action, ...]:
        """What is looked at."""
        return (Text(text="qemu: query-cpus-fast (thread-id), and the files that it has open"),)


class SameFiles(_Looking):
    """See that what stays is what the guest has open, right before it is paused.

    What stays though it is another file (``check_files``) has to be held (``HoldImages``).
    """

    words = "see that the images' names are those of the files that the guest has open"

    def __init__(self, monitor: Monitor, alias: str, graphs: Kept) -> None:
        super().__init__(monitor)
        self.alias = alias
        self.graphs = graphs

    def do(self, course: Course) -> None:
        """Raise HostError for an image whose path names another file, and that may not stay so."""
        found = {one.node for one in check_files(self.monitor, self.graphs)}
        stay = [one for one in self.graphs.old if name_of(one) in found]
        there = self.monitor.nodes()
        for one in holds(self.alias, stay):
            if name_of(one) not in there:
                raise HostError(
                    f"domain '{self.monitor.name}': QEMU would open '{one['image']}' anew, whose "
                    "path names another file than the one that the guest has open; bring that back"
                )


class NewFiles(_Looking):
    """See which files the paths of new nodes name; those of ``opened`` QEMU must have open by now.

    ``files`` are what the paths name, where that can be seen, and ``process`` is
    QEMU then.
    """

    words = "see which files the new members are"

    def __init__(
        self, monitor: Monitor, nodes: Iterable[Options], opened: Iterable[Options]
    ) -> None:
        super().__init__(monitor)
        self.nodes = _with_paths(nodes)
        self.opened = {_path(one) for one in _with_paths(opened)}
        self.files: dict[str, _File] = {}
        self.process: int | None = None

    def do(self, course: Course) -> None:
        """Note them; raises HostError for one that is another file already."""
        process = self.process = _process(self.monitor)
        known = _opened(process)
        if process is None or not known:
            return
        for path in dict.fromkeys(map(_path, self.nodes)):
            with suppress(PermissionError):
                now = _named(process, path)
                if path in self.opened and now not in known:
                    raise _exchanged(self.monitor, path)
                if now is not None:
                    self.files[path] = now


class StillNewFiles(LiveStep):
    """See that the new members are the files still that were opened, and copied to.

    QEMU opens a file by its name again when it begins to be written to, or is
    so no more.
    """

    words = "see that the new members are these files still"

    def __init__(self, monitor: Monitor, seen: NewFiles) -> None:
        super().__init__(monitor)
        self.seen = seen

    @property
    def actions(self) -> tuple[Action, ...]:
        """What is looked at."""
        return (Text(text="qemu: the files that it has open"),)

    def do(self, course: Course) -> None:
        """Raise HostError for a path that names another file, or one that QEMU has not open."""
        process = self.seen.process if self.seen.files else None
        known = _opened(process)
        if process is None or known is None:
            return
        for path, file in self.seen.files.items():
            if _named(process, path) != file or file not in known:
                raise _exchanged(self.monitor, path)


def _exchanged(monitor: Monitor, path: str) -> HostError:
    return HostError(
        f"domain '{monitor.name}': '{path}' is not the file any more that was opened for the disk: "
        "somebody has put another one in its place, or taken it away, meanwhile; try again when "
        "nobody does"
    )
