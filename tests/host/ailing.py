"""What crashes and hands do to a domain, done on purpose; for the bench's worker."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

from tests.host.doctored import doctored, planned
from tests.host.faulting import blows
from virtquorum.errors import HostError
from virtquorum.host.author import Author, this_process
from virtquorum.host.change import Plan, apply
from virtquorum.host.doctor import examine, treat
from virtquorum.host.intent import Intention, MetadataIntent
from virtquorum.host.nodes import point
from virtquorum.host.patch.record import changed_record
from virtquorum.host.session import Host
from virtquorum.host.swap import Side, stand_in
from virtquorum.qemu.graph import flat
from virtquorum.stock.lift import lift
from virtquorum.stock.lower import lowerings
from virtquorum.xml.record import NAMESPACE

__all__ = [
    "at_placeholder",
    "at_stand_in",
    "close",
    "doctor",
    "exchange",
    "forget_disk",
    "forget_record",
    "interrupted",
    "kinds",
    "noted",
    "open_node",
    "run",
    "start_copy",
    "unseen",
    "use_node",
]  # fmt: skip


def run(connection: Any, name: str, command: str, arguments: dict[str, Any]) -> Any:
    """Send QEMU a command."""
    return Host(connection).domain(name).monitor.command(command, **arguments)


def open_node(connection: Any, name: str, node: str) -> None:
    """Open a node of nothing."""
    run(connection, name, "blockdev-add", {"driver": "null-co", "node-name": node, "size": 4 << 20})


def close(connection: Any, name: str, *nodes: str) -> None:
    """Close nodes."""
    for node in nodes:
        run(connection, name, "blockdev-del", {"node-name": node})


def forget_disk(connection: Any, name: str, target: str) -> None:
    """Take a disk out of the record of the running domain."""
    domain = Host(connection).domain(name)
    kept = changed_record(domain.text(), target, None)
    domain.handle.setMetadata(2, kept, "virtquorum", NAMESPACE, 1)


def use_node(connection: Any, name: str, node: str, folder: str) -> None:
    """Have somebody read a node, by a socket in a folder."""
    run(connection, name, "nbd-server-start",
        {"addr": {"type": "unix", "data": {"path": f"{folder}/nbd"}}})  # fmt: skip
    run(connection, name, "block-export-add",
        {"type": "nbd", "id": node, "node-name": node})  # fmt: skip


def start_copy(connection: Any, name: str, job: str, source: str) -> None:
    """Copy a disk for nobody."""
    open_node(connection, name, "vq-target")
    run(connection, name, "blockdev-mirror",
        {"job-id": job, "device": source, "target": "vq-target", "sync": "full",
         "auto-dismiss": False})  # fmt: skip


def _lowering(domain: Any, target: str) -> Any:
    made = lowerings(lift(domain.text()), directory="/none")
    return next(one for one in made if one.disk.name == target)


def at_stand_in(connection: Any, name: str, target: str) -> None:
    """Leave a disk at the stand-in, without its note."""
    domain = Host(connection).domain(name)
    one = _lowering(domain, target)
    between = stand_in(one.alias, 4 << 20)
    domain.monitor.command("blockdev-add", **between)
    point(domain.monitor, one.alias, between["node-name"])  # type: ignore[arg-type]
    close(connection, name, one.drive)


def at_placeholder(connection: Any, name: str, target: str) -> None:
    """Point a disk at its placeholder, which its guard would forbid."""
    domain = Host(connection).domain(name)
    one = _lowering(domain, target)
    for node in reversed(one.guard):
        close(connection, name, str(node["node-name"]))
    monitor = domain.monitor
    of_libvirt = next(
        node for node, seen in monitor.nodes().items()
        if node.startswith("libvirt-") and seen["file"].endswith(f"{name}-{target}.placeholder")
        and node.endswith("-format")
    )  # fmt: skip
    domain.handle.suspend()
    point(monitor, one.alias, of_libvirt)
    domain.handle.resume()


def exchange(connection: Any, name: str, target: str, threshold: int) -> None:
    """Change a threshold in QEMU, and write it down nowhere."""
    from virtquorum.host.swap import swap

    domain = Host(connection).domain(name)
    one = _lowering(domain, target)
    old = flat(one.built.top)
    new = [*old[:-1], {**old[-1], "vote-threshold": threshold}]
    monitor = domain.monitor
    steps = swap(monitor, one.alias, Side(nodes=tuple(old)), Side(nodes=tuple(new)),
                 intent=MetadataIntent(monitor))  # fmt: skip
    apply(Plan(title="change a disk", domain=name, steps=steps))


def forget_record(connection: Any, name: str, flags: int) -> None:
    """Take the record away: 1 that of the running domain, 2 the definition's."""
    connection.lookupByName(name).setMetadata(2, None, "x", NAMESPACE, flags)


def noted(connection: Any, name: str, by: str | int) -> None:
    """Write the note of a change, by a process of this machine or by another's author."""
    domain = Host(connection).domain(name)
    monitor = domain.monitor
    if isinstance(by, int):
        with open(f"/proc/{by}/stat") as file:
            start = file.read().rpartition(")")[2].split()[19]
        by = str(this_process()._replace(pid=by, start=start))
    assert by == "" or Author.of(by) is not None
    one = _lowering(domain, "vda")
    nodes = flat(one.built.top)
    intention = Intention.of("swap", one.alias, ran=True, old=nodes, new=nodes)
    MetadataIntent(monitor).write(replace(intention, by=by))


def kinds(connection: Any, name: str | None = None) -> list[str]:
    """What the doctor finds, notes as well."""
    host = Host(connection)
    return [one.kind for one in examine(host, host.domain(name) if name else None)]


def change(connection: Any, name: str, done: list[Any], options: dict[str, Any]) -> None:
    """Make a change."""
    apply(planned(connection, name, done, options))


def doctor(connection: Any, name: str | None, options: list[str]) -> list[Any]:
    """The exit code and the output of the command with --json, without a process of its own."""
    import io

    from virtquorum.cli.doctor import _json, _treated
    from virtquorum.cli.streams import Streams

    host = Host(connection)
    out, err = io.StringIO(), io.StringIO()
    streams = Streams(input=io.BytesIO(), out=out, err=err)
    treated = _treated(
        host,
        host.domain(name) if name else None,
        streams,
        dry_run="--dry-run" in options,
        yes="--yes" in options,
        as_json=True,
    )
    return [1 if treated.left else 0, _json(host.uri, treated), err.getvalue()]


def unseen(connection: Any, name: str, number: int) -> list[list[Any]]:
    """What is found while libvirt fails at the n-th question."""
    door = blows()
    door.only_changes = False
    host = Host(connection)
    domain = host.domain(name)
    with door.armed(number, "before", "error"):
        return [[one.kind, one.plan is None] for one in examine(host, domain) if one.is_wrong]


def interrupted(connection: Any, name: str, number: int) -> dict[str, Any]:
    """A doctor that is gone after the n-th of its own changes, and one after it."""
    host = Host(connection)
    door = blows()
    door.only_changes = True
    with door.armed(number, "after", "cut"), suppress(HostError):
        treat(host, host.domain(name), agreed=lambda _: False)
    return {"met": door.is_met, **doctored(connection, name)}
