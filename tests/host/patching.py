"""Quorum domains that are patched: planned and applied by functions in the bench's worker."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from tests.host.quorum_domains import DATA_TEXT, quorum_disk
from tests.libvirts import CallError, Guest, asked
from tests.libvirts.domains import disk_content, guest_xml, root_ports
from virtquorum.errors import HostError, LibvirtError
from virtquorum.host import patch
from virtquorum.host.change import ChangeError, Observer, apply
from virtquorum.host.define import plan_definition
from virtquorum.host.intent import MetadataIntent
from virtquorum.host.monitor import Monitor
from virtquorum.host.nodes import differences
from virtquorum.host.offline import StillOff
from virtquorum.host.session import Host
from virtquorum.host.start import plan_start
from virtquorum.model.image import Image
from virtquorum.model.sources.file import FileSource
from virtquorum.qemu.graph import flat
from virtquorum.stock.lift import lift
from virtquorum.stock.lower import lowerings
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.libvirts import Embed, System
    from virtquorum.host.change import Step
    from virtquorum.model.disk import Disk

__all__ = [
    "BOTH",
    "SIZE",
    "Web",
    "a_guest",
    "faults",
    "member",
    "ran",
    "refused",
    "run",
    "started_meanwhile",
    "state",
]

SIZE = 4 << 20
BOTH = {"live": True, "config": True}


def run(connection: Any, xml: str) -> None:
    """Define a domain and start it."""
    host = Host(connection)
    domain = Domain.from_text(xml)
    apply(plan_definition(host, domain).plan)
    apply(plan_start(host.domain(domain.domain_name or "")))


def ran(
    connection: Any, name: str, operation: str, arguments: list[Any], options: dict[str, Any]
) -> dict[str, Any]:
    """Plan a change and make it, unless the options have ``dry``; what the plan says."""
    dry = options.pop("dry", False)
    function: Callable[..., patch.Patch] = getattr(patch, operation)
    made = function(Host(connection).domain(name), *map(_read, arguments), **options)
    if not dry:
        assert apply(made) is None
    return said(made)


def started_meanwhile(
    connection: Any, name: str, operation: str, arguments: list[Any], options: dict[str, Any]
) -> str:
    """Make a change of a domain that is off, and start it just before it is changed."""
    host = Host(connection)
    made = getattr(patch, operation)(host.domain(name), *map(_read, arguments), **options)

    class Starting(Observer):
        def began(self, step: Step) -> None:
            if isinstance(step, StillOff):
                apply(plan_start(host.domain(name)))

    try:
        apply(made, Starting())
    except ChangeError as error:
        return f"{error.state}: {error.step}: {error.cause}"
    return "done"


def said(made: patch.Patch) -> dict[str, Any]:
    """What a plan says."""
    return {
        "lines": made.lines(),
        "lost": made.lost,
        "notes": made.notes,
        "findings": [one.rule for one in made.findings],
        "images": [str(one) for one in made.results],
    }


def _read(argument: Any) -> Any:
    """A disk for its XML, a member for its path and format."""
    match argument:
        case str() if argument.startswith("<disk"):
            return Domain.from_text(argument, "disk.xml").disks[0]
        case {"file": path, "format": format}:
            return Image(source=FileSource(file=path), format=format)
        case list():
            return [_read(one) for one in argument]
        case _:
            return argument


def state(connection: Any, name: str) -> dict[str, Any]:
    """The quorum disks of a domain, running (``live``) and defined (``config``).

    Each by its target: threshold, policies, and the members' paths in order.
    ``wrong`` is what QEMU has otherwise than the running domain's record says,
    ``strays`` are nodes of ours that no disk has, ``note`` is whether a change
    is noted as under way, and ``files`` are the placeholders, by their names.
    """
    domain = Host(connection).domain(name)
    found: dict[str, Any] = {"config": None, "live": None}
    directory = domain.host.placeholder_directory
    found["files"] = sorted(one for one in os.listdir(directory) if one.startswith(f"{name}-"))
    if domain.is_persistent:
        found["config"] = _disks(domain.lifted(inactive=True).machine_disks)
    if domain.is_active:
        text = domain.text()
        made = lowerings(lift(text), directory="/none")
        found["live"] = _disks([one.disk for one in made])
        monitor = domain.monitor
        wrong, known = [], set()
        for one in made:
            nodes = flat(one.built.top)
            wrong += differences(monitor, one.alias, nodes)
            known |= {str(node["node-name"]) for node in (*nodes, *one.guard)}
            known.add(f"{one.drive}-nosave")
            wrong += [f"no {one['node-name']}" for one in one.guard
                      if one["node-name"] not in monitor.nodes()]  # fmt: skip
        found["wrong"] = wrong
        found["strays"] = sorted(
            one for one in monitor.nodes().keys() - known if one.startswith("vq-")
        )
        found["note"] = MetadataIntent(monitor).read() is not None
        found["running"] = domain.state == "running"
    return found


def _disks(disks: Any) -> dict[str, Any]:
    return {one.name: _disk(one) for one in disks if one.quorums}


def _disk(disk: Disk) -> list[Any]:
    quorum = disk.quorums[0]
    policies = [quorum.read_pattern, quorum.rewrite_corrupted, quorum.blkverify]
    members = [getattr(one.source, "file", "quorum") for one in quorum.members]  # type: ignore[union-attr]
    return [quorum.threshold, policies, members]


class Web:
    """A guest that runs from a quorum of three, vda or sda, and is defined."""

    def __init__(
        self, bench: Embed | System, name: str, bus: str = "virtio", count: int = 3
    ) -> None:
        self.bench = bench
        self.name = name
        self.bus = bus
        self.target = "vda" if bus == "virtio" else "sda"
        self.images = [self.image(str(one), disk_content(DATA_TEXT)) for one in range(count)]
        disk = quorum_disk(self.target, self.images, bus=bus)
        devices = root_ports(4) if bus == "virtio" else ""
        xml = guest_xml(bench, name, disk, buses=["scsi"], devices=devices)
        bench.call(run, xml)
        self.guest = Guest(bench, name)
        self.guest.booted()

    def image(self, end: str, content: bytes = b"", size: int = SIZE) -> Path:
        """An image of the guest's, by the end of its name."""
        return self.bench.image(f"{self.name}-{end}", size, content)

    def patch(self, operation: str, *arguments: Any, **options: Any) -> dict[str, Any]:
        """Make a change; what its plan says."""
        found: dict[str, Any] = self.bench.call(ran, self.name, operation, list(arguments), options)
        return found

    def state(self) -> dict[str, Any]:
        """What it is made of; see the function of this name."""
        found: dict[str, Any] = self.bench.call(state, self.name)
        return found


@contextmanager
def a_guest(bench: Embed, name: str, bus: str = "scsi") -> Iterator[Web]:
    """A guest of a test's own; what it says is kept by its name."""
    found = Web(bench, name, bus)
    yield found
    with suppress(CallError):  # it may be off
        bench.call(asked.destroy, name)
    bench.call(asked.forget, name)


def member(path: Path, format: str = "raw") -> dict[str, str]:
    """A member as the functions of the worker take it."""
    return {"file": str(path), "format": format}


def refused(web: Web, operation: str, *arguments: Any, **options: Any) -> str:
    """What is said to a change that is refused, and changes nothing."""
    before = web.state()
    try:
        web.patch(operation, *arguments, **options)
    except CallError as error:
        text = error.text
    else:
        raise AssertionError(f"'{operation}' was not refused")
    assert web.state() == before
    assert before.get("wrong", []) == before.get("strays", []) == []
    return text


def faults(
    connection: Any,
    name: str,
    operation: str,
    arguments: list[Any],
    options: dict[str, Any],
    back: list[Any],
    step: int = 1,
) -> list[dict[str, Any]]:
    """A change with a fault at one of its calls after the other, until none is met.

    ``step`` is how many calls are passed over each time, and one more.
    ``back`` is [operation, arguments] of the change that undoes it.  For each:
    what the change said of itself, and the domain's state after it.
    """
    found: list[dict[str, Any]] = []
    number = 1 - step
    is_met = True
    while is_met:
        number += step
        host = _FaultyHost(connection)
        domain = host.domain(name)
        function: Callable[..., patch.Patch] = getattr(patch, operation)
        made = function(domain, *map(_read, arguments), **options)
        said = None
        with host.failing(number):
            try:
                apply(made)
            except ChangeError as error:
                said = f"{error.state}: {error.step}: {error.cause}"
        is_met = host.left <= 0
        found.append({"said": said, **state(connection, name)})
        whole = Host(connection).domain(name)
        MetadataIntent(whole.monitor).clear()
        _close_strays(whole)
        with suppress(HostError):
            apply(getattr(patch, back[0])(whole, *map(_read, back[1]), **options))
    return found


def _close_strays(domain: Any) -> None:
    for one in domain.monitor.nodes():
        if one.startswith("vq-standin"):
            domain.monitor.command("blockdev-del", **{"node-name": one})


class _FaultyHost(Host):
    """A host of which one call fails, the n-th from ``failing`` on."""

    left = 0

    @contextmanager
    def failing(self, number: int) -> Iterator[None]:
        """Within the block the n-th call of the monitor, or definition, fails."""
        self.left = number
        asked = Monitor.asked

        def counted(monitor: Monitor, what: str, call: Callable[[], Any]) -> Any:
            self._count(what)
            return asked(monitor, what, call)

        connection = self.connection
        self.connection = _Connection(connection, self._count)
        Monitor.asked = counted  # type: ignore[method-assign, assignment]
        try:
            yield
        finally:
            Monitor.asked = asked  # type: ignore[method-assign]
            self.connection = connection

    def _count(self, what: str) -> None:
        self.left -= 1
        if self.left == 0:
            raise LibvirtError(what, code=38, text="a fault")


class _Connection:
    """A connection whose definitions are counted before they are made."""

    def __init__(self, connection: Any, count: Callable[[str], None]) -> None:
        self._connection = connection
        self._count = count

    def __getattr__(self, name: str) -> Any:
        if name == "defineXMLFlags":
            self._count(name)
        return getattr(self._connection, name)
