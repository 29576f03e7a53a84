"""Live changes made by functions that run in the bench's worker.

Graphs go there and back as flat lists of nodes.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from virtquorum.errors import HostError, MonitorError
from virtquorum.host.change import Observer, Plan, apply
from virtquorum.host.intent import NAMESPACE, Intention, MetadataIntent
from virtquorum.host.live import is_running
from virtquorum.host.monitor import GoneError, Monitor
from virtquorum.host.nodes import differences
from virtquorum.host.plug import attach, detach
from virtquorum.host.swap import Side, swap
from virtquorum.qemu.build import build
from virtquorum.qemu.graph import flat
from virtquorum.qemu.names import domain_names
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from virtquorum.host.change import Step

Flat = list[dict[str, Any]]


def member(path: Path | str, format: str = "raw", below: str = "") -> str:
    """A member's XML; ``below`` is that of its backing image."""
    return (
        f"<backingStore type='file'><format type='{format}'/><source file='{path}'/>"
        f"{below}</backingStore>"
    )


def graph(
    *members: Path | str,
    threshold: int = 2,
    target: str = "vda",
    driver: str = "type='quorum'",
    inner: str = "",
) -> Flat:
    """The flat list of a quorum disk; a member is a raw image's path, or XML."""
    spelled = "".join(
        one if str(one).startswith("<") else member(one)  # type: ignore[misc]
        for one in members
    )
    text = (
        f"<domain><devices><disk type='quorum' threshold='{threshold}'><driver {driver}/>{spelled}"
        f"<target dev='{target}'/>{inner}</disk></devices></domain>"
    )
    disks = Domain.from_text(text, "test").machine_disks
    return flat(build(disks[0], domain_names(disks)[0]).top)


def sides(old: Flat, new: Flat) -> tuple[Side, Side]:
    return Side(nodes=tuple(old)), Side(nodes=tuple(new))


def plan_swap(
    monitor: Monitor, alias: str, old: Flat, new: Flat, options: dict[str, Any]
) -> tuple[Step, ...]:
    before, after = sides(old, new)
    return swap(monitor, alias, before, after, intent=MetadataIntent(monitor), **options)


def swapped(
    connection: Any, name: str, alias: str, old: Flat, new: Flat, options: dict[str, Any]
) -> list[str]:
    """Make a swap; the plan's lines."""
    monitor = Monitor(connection.lookupByName(name))
    steps = plan_swap(monitor, alias, old, new, options)
    return applied(name, steps)


def applied(name: str, steps: Sequence[Step], observer: Observer | None = None) -> list[str]:
    plan = Plan(title="change a disk", domain=name, steps=tuple(steps))
    assert apply(plan, observer) is None
    return plan.lines()


def attached(connection: Any, name: str, alias: str, xml: str, new: Flat) -> list[str]:
    """Plug a disk in; the plan's lines."""
    monitor = Monitor(connection.lookupByName(name))
    side = Side(nodes=tuple(new))
    return applied(name, attach(monitor, alias, xml, side, intent=MetadataIntent(monitor)))


def detached(connection: Any, name: str, alias: str, old: Flat, seconds: float) -> list[str]:
    """Take a disk out; the plan's lines."""
    monitor = Monitor(connection.lookupByName(name))
    side, intent = Side(nodes=tuple(old)), MetadataIntent(monitor)
    return applied(name, detach(monitor, alias, side, intent=intent, seconds=seconds))


def state(connection: Any, name: str, alias: str, graphs: dict[str, Flat]) -> dict[str, Any]:
    """Which of some graphs QEMU has below a disk, and what else a change may leave behind.

    ``is``: the names of those that it has, whole; ``strays``: other nodes of
    ours; whether it is ``running``; the ``jobs``; whether there is a ``note``.
    """
    domain = connection.lookupByName(name)
    monitor = Monitor(domain)
    found = [key for key, nodes in graphs.items() if not differences(monitor, alias, nodes)]
    known = {one["node-name"] for key in found for one in graphs[key]}
    return {
        "is": found,
        "strays": sorted(one for one in monitor.nodes().keys() - known if one.startswith("vq-")),
        "running": domain.state()[0] == 1,
        "jobs": sorted(monitor.jobs()),
        "note": MetadataIntent(monitor).read() is not None,
    }


def detached_by_reset(connection: Any, name: str, alias: str, old: Flat) -> list[str]:
    """Take a disk out of a guest that lets go of it when it is reset, once it has been asked."""
    domain = connection.lookupByName(name)

    class Resets(Observer):
        def began(self, step: Step) -> None:
            if step.title == "take the disk out of the guest":
                threading.Timer(0.3, lambda: domain.reset(0)).start()

    monitor = Monitor(domain)
    side, intent = Side(nodes=tuple(old)), MetadataIntent(monitor)
    return applied(name, detach(monitor, alias, side, intent=intent, seconds=20), Resets())


def elsewhere(connection: Any, name: str, target: str, was: str, now: str) -> None:
    """Have QEMU read one export in the place of another, under the same names of nodes."""
    from virtquorum.host.session import Host
    from virtquorum.stock.lift import lift
    from virtquorum.stock.lower import lowerings

    domain = Host(connection).domain(name)
    made = lowerings(lift(domain.text()), directory="/none")
    one = next(one for one in made if one.disk.name == target)
    old = flat(one.built.top)
    new = [{**node, "export": now} if node.get("export") == was else node for node in old]
    assert old != new
    steps = plan_swap(domain.monitor, one.alias, old, new, {"fill": False})
    applied(name, steps)


def looked_at_while_saved(connection: Any, name: str, saves: int, path: str) -> dict[str, Any]:
    """Whether a guest runs, each time it is paused for a save that fails, and how often it was."""
    import libvirt

    domain = connection.lookupByName(name)
    monitor = Monitor(domain)
    forbid: dict[str, Any] = {
        "driver": "blkdebug", "node-name": "vq-vda-nosave",
        "image": {"driver": "null-co", "size": 512}, "take-child-perms": ["write"],
    }  # fmt: skip
    monitor.command("blockdev-add", **forbid)

    def save() -> None:
        for _ in range(saves):
            with suppress(libvirt.libvirtError):
                domain.save(path)

    thread = threading.Thread(target=save)
    thread.start()
    answers = []
    while thread.is_alive():
        if domain.state() == [libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_SAVE]:
            answers.append(is_running(monitor))
    monitor.command("blockdev-del", **{"node-name": "vq-vda-nosave"})
    return {"count": len(answers), "answers": sorted(set(answers)), "runs": is_running(monitor)}


def told(connection: Any, name: str, command: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """What becomes of a monitor command that is refused."""
    try:
        Monitor(connection.lookupByName(name)).command(command, **arguments)
    except MonitorError as error:
        return {"text": str(error), "kind": error.kind, "words": error.text, **error.command}
    raise AssertionError("it was not refused")


def seen(connection: Any, name: str, alias: str) -> dict[str, Any]:
    """What a monitor shows."""
    monitor = Monitor(connection.lookupByName(name))
    frontend = monitor.frontend(alias)
    return {
        "nodes": sorted(monitor.nodes()),
        "edges": sorted(monitor.edges()),
        "frontend": None if frontend is None else [frontend.path, frontend.node],
        "devices": sorted(monitor.devices()),
        "objects": sorted(monitor.objects()),
        "jobs": sorted(monitor.jobs()),
    }


def after_the_end(connection: Any, name: str, how: str) -> dict[str, Any]:
    """What a monitor says when there is nobody to ask: after 'destroy', or 'close'."""
    domain = connection.lookupByName(name)
    monitor = Monitor(domain)
    if how == "destroy":
        domain.destroy()
    try:
        monitor.nodes()
    except GoneError as error:
        return {"gone": error.gone, "text": str(error), "code": error.code}
    raise AssertionError("somebody answered")


def noted(connection: Any, name: str, old: Flat | None, new: Flat | None) -> dict[str, Any]:
    """An intention that was written and read again, and its place in the XML."""
    domain = connection.lookupByName(name)
    intent = MetadataIntent(Monitor(domain))
    before = intent.read()
    intention = Intention.of("swap", "ua-<vda>", ran=True, old=old, new=new)
    intent.write(intention)
    read, live = intent.read(), domain.XMLDesc(0)
    intent.clear()
    intent.clear()
    assert before is None
    assert intent.read() is None
    assert read is not None
    return {"same": read == intention, "graphs": list(read.graphs), "live": live}


def strange_note(connection: Any, name: str) -> str:
    """What is said of a note that a later version wrote."""
    domain = connection.lookupByName(name)
    intent = MetadataIntent(Monitor(domain))
    domain.setMetadata(2, "<change version='2' kind='swap'/>", "x", NAMESPACE, 1)
    try:
        intent.read()
    except HostError as error:
        return str(error)
    finally:
        intent.clear()
    raise AssertionError("it was read")
