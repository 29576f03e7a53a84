"""Changes of quorum disks that meet others: functions for the bench's worker."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from tests.host.live import Flat, state
from tests.host.patching import _read
from virtquorum.errors import HostError
from virtquorum.host import patch
from virtquorum.host.change import Observer, Plan, apply
from virtquorum.host.intent import Intention, MetadataIntent
from virtquorum.host.live import BEGINNING
from virtquorum.host.mend import mend
from virtquorum.host.monitor import Monitor
from virtquorum.host.nodes import close
from virtquorum.host.session import Host

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from virtquorum.host.change import Step

#: operation, arguments, options
Planned = tuple[str, list[Any], dict[str, Any]]


def _plan(connection: Any, name: str, planned: Planned) -> patch.Patch:
    operation, arguments, options = planned
    function: Callable[..., patch.Patch] = getattr(patch, operation)
    return function(Host(connection).domain(name), *map(_read, arguments), **options)


def both(connection: Any, name: str, first: Planned, second: Planned) -> list[str | None]:
    """Two changes that are planned before either is made; what each of them says."""
    return [_said(one) for one in [_plan(connection, name, one) for one in (first, second)]]


def _said(plan: Plan, observer: Observer | None = None) -> str | None:
    try:
        assert apply(plan, observer) is None
    except HostError as error:
        return str(error)
    return None


def titled_by_hand(connection: Any, name: str, planned: Planned, at: str | None) -> str | None:
    """A change whose definition somebody gives a title meanwhile: when a step begins, or before."""
    made = _plan(connection, name, planned)

    def by_hand() -> None:
        connection.lookupByName(name).setMetadata(1, "by hand", None, None, 2)

    if at is None:
        by_hand()
    return _said(made, _At(at, by_hand))


class _At(Observer):
    """Does something when a step begins."""

    def __init__(self, at: str | None, does: Callable[[], None]) -> None:
        self._at = at
        self._does = does

    def began(self, step: Step) -> None:
        if step.title == self._at:
            self._does()


def begun_together(connection: Any, name: str, planned: Planned) -> str | None:
    """A change that begins in the moment in which another one does."""
    made = _plan(connection, name, planned)
    monitor = Monitor(connection.lookupByName(name))
    monitor.command("blockdev-add", **{"driver": "null-co", "node-name": BEGINNING})
    try:
        return _said(made)
    finally:
        monitor.command("blockdev-del", **{"node-name": BEGINNING})


@contextmanager
def _slowly() -> Iterator[None]:
    """Within the block copies are slow enough to be met."""
    told = Monitor.command

    def command(monitor: Monitor, what: str, /, **arguments: Any) -> Any:
        if what == "blockdev-mirror":
            arguments["speed"] = 1 << 20
        return told(monitor, what, **arguments)

    Monitor.command = command  # type: ignore[method-assign]
    try:
        yield
    finally:
        Monitor.command = told  # type: ignore[method-assign]


def killed_in_the_copy(connection: Any, name: str, planned: Planned) -> None:
    """A change whose process is killed while it copies."""

    class Kills(Observer):
        def progress(self, step: Step, done: int, total: int) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

    with _slowly():
        apply(_plan(connection, name, planned), Kills())


def saved_in_the_copy(connection: Any, name: str, planned: Planned) -> list[str]:
    """A change while whose copying somebody saves the domain; what libvirt says to that."""
    import libvirt

    domain = connection.lookupByName(name)
    found: list[str] = []

    class Saves(Observer):
        def progress(self, step: Step, done: int, total: int) -> None:
            if not found:
                found.append("saved")
                try:
                    domain.managedSave(0)
                except libvirt.libvirtError as error:
                    found.append(str(error))

    with _slowly(), suppress(HostError):
        apply(_plan(connection, name, planned), Saves())
    return found


def titles(connection: Any, name: str, planned: Planned) -> list[str]:
    """The steps of a change."""
    return [one.title for one in _plan(connection, name, planned).steps]


def half_plugged(
    connection: Any, name: str, alias: str, xml: str, new: Flat, opened: Flat
) -> dict[str, Any]:
    """A plug of which a placeholder is there, some nodes and the note, mended; what there is then.

    ``opened`` are the nodes that are open, of those of the ``new`` graph.
    """
    domain = connection.lookupByName(name)
    monitor = Monitor(domain)
    intent = MetadataIntent(monitor)
    for one in opened:
        monitor.command("blockdev-add", **one)
    domain.attachDeviceFlags(xml, 1)
    intent.write(Intention.of("attach", alias, ran=True, old=None, new=new))
    found = mend(monitor, intent)
    assert found is not None
    said = _said(Plan(title="mend it", domain=name, steps=found.steps))
    there = state(connection, name, alias, {})
    plugged = alias in monitor.devices()
    intent.clear()
    if plugged:
        domain.detachDeviceAlias(alias, 1)
    close(monitor, opened)
    return {"goal": found.goal, "said": said, "plugged": plugged, **there}
