"""Live changes that are disturbed: by a fault at any call, a signal, an end of QEMU or ours.

A fault is put between the change and libvirt: the n-th call fails before it is
made, or after it.  The functions run in the bench's worker.
"""

from __future__ import annotations

import os
import re
import signal
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

from tests.host.live import Flat, applied, attached, plan_swap, state
from virtquorum.errors import LibvirtError, VirtquorumError
from virtquorum.host.change import ChangeError, Observer, Plan, apply
from virtquorum.host.intent import MetadataIntent
from virtquorum.host.live import BEGINNING
from virtquorum.host.mend import mend
from virtquorum.host.monitor import GoneError, Monitor
from virtquorum.host.nodes import close, differences
from virtquorum.host.plug import attach, detach
from virtquorum.host.swap import Side
from virtquorum.images.program import Interrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from virtquorum.host.change import Step

When = Literal["before", "after"]
#: A call that changes nothing.
_QUESTION = re.compile("query-|x-debug-query|qom-list|look|read")


class FaultyMonitor(Monitor):
    """Fails the n-th call to libvirt, counted from 1, before it is made or after it; then no more.

    It fails none until ``fault`` says which, and counts from there on.  With
    ``forever`` all calls after it fail as well, the undoing's too: as if the
    process had been killed there.
    """

    def __init__(self, domain: Any) -> None:
        super().__init__(domain)
        self.calls = 0
        self._fail = 0
        self._when: When = "before"
        self._forever = False

    def fault(self, number: int, when: When, *, forever: bool = False) -> None:
        self.calls, self._fail, self._when, self._forever = 0, number, when, forever

    def asked(self, what: str, call: Callable[[], Any]) -> Any:
        if self._forever and 0 < self._fail < self.calls:
            error = LibvirtError(what, code=38, text="a fault that stays")
            raise GoneError(error, "connection")
        if (self._when == "after" or self._forever) and _QUESTION.match(what):
            return super().asked(what, call)  # before it all is as after the call before
        self.calls += 1
        is_failing = self.calls == self._fail
        if is_failing:
            self.calls += self._forever
        if is_failing and self._when == "before":
            raise LibvirtError(what, code=38, text="a fault before the call")
        answer = super().asked(what, call)
        if is_failing:
            raise LibvirtError(what, code=38, text="a fault after the call")
        return answer


def every_fault(
    connection: Any,
    name: str,
    alias: str,
    old: Flat,
    new: Flat,
    options: dict[str, Any],
    when: When,
) -> list[dict[str, Any]]:
    """A swap with a fault at its first call, at its second, and so on until none is met.

    For each: what the change said of itself (``said``, None for success), and
    the ``state`` after it.  Each begins with the old graph.
    """
    found: list[dict[str, Any]] = []
    domain = connection.lookupByName(name)
    for number in range(1, 1000):
        monitor = FaultyMonitor(domain)
        steps = plan_swap(monitor, alias, old, new, options)
        monitor.fault(number, when)
        said, step = None, None
        try:
            apply(Plan(title="change a disk", domain=name, steps=steps))
        except ChangeError as error:
            said, step = error.state, error.step
        is_met = monitor.calls >= number
        after = state(connection, name, alias, {"old": old, "new": new})
        found.append({"said": said, "step": step, "met": is_met, **after})
        _back(connection, name, alias, old, new)
        if not is_met:
            return found
    raise AssertionError("it does not end")


def _back(connection: Any, name: str, alias: str, old: Flat, new: Flat) -> None:
    """Bring the old graph back after a change that was made, tidied or not."""
    domain = connection.lookupByName(name)
    monitor = Monitor(domain)
    MetadataIntent(monitor).clear()
    _end_beginning(monitor)
    if differences(monitor, alias, new):
        return
    names = {one["node-name"] for one in new}
    with suppress(VirtquorumError):
        for one in list(monitor.nodes()):
            if one.startswith("vq-standin"):
                monitor.command("blockdev-del", **{"node-name": one})
    close(monitor, [one for one in old if one["node-name"] not in names])
    steps = plan_swap(monitor, alias, new, old, {"fill": False})
    apply(Plan(title="go back", domain=name, steps=steps))


def _end_beginning(monitor: Monitor) -> None:
    """Close what a change leaves that is killed while it begins; the doctor does so too."""
    if BEGINNING in monitor.nodes():
        monitor.command("blockdev-del", **{"node-name": BEGINNING})


def every_attach_fault(
    connection: Any, name: str, alias: str, xml: str, new: Flat, when: When
) -> list[dict[str, Any]]:
    """An attach with a fault at its first call, at its second, and so on, as ``every_fault``.

    ``is`` says whether QEMU has the disk whole, ``left`` what there is of it.
    """
    found: list[dict[str, Any]] = []
    domain = connection.lookupByName(name)
    side = Side(nodes=tuple(new))
    for number in range(1, 1000):
        monitor = FaultyMonitor(domain)
        steps = attach(monitor, alias, xml, side, intent=MetadataIntent(monitor))
        monitor.fault(number, when)
        said, step = None, None
        try:
            apply(Plan(title="attach a disk", domain=name, steps=steps))
        except ChangeError as error:
            said, step = error.state, error.step
        is_met = monitor.calls >= number
        found.append({"said": said, "step": step, **_plugged(domain, alias, new)})
        _unplug(domain, alias, side)
        if not is_met:
            return found
    raise AssertionError("it does not end")


def _plugged(domain: Any, alias: str, new: Flat) -> dict[str, Any]:
    monitor = Monitor(domain)
    names = {one["node-name"] for one in new} & monitor.nodes().keys()
    left = sorted(names | ({alias} & monitor.devices()))
    note = ["note"] if MetadataIntent(monitor).read() else []
    return {
        "is": not differences(monitor, alias, new),
        "left": left + note,
        "running": domain.state()[0] == 1,
    }


def _unplug(domain: Any, alias: str, side: Side) -> None:
    monitor = Monitor(domain)
    _end_beginning(monitor)
    intent = MetadataIntent(monitor)
    intent.clear()
    if alias in monitor.devices():
        steps = detach(monitor, alias, side, intent=intent)
        apply(Plan(title="detach a disk", domain=domain.name(), steps=steps))


class Signalling(Observer):
    """Sends this process a signal when the n-th step begins, and others while that is undone."""

    def __init__(self, number: int, *, copying: bool = False) -> None:
        self.began_count = 0
        self._number = number
        self._copying = copying

    def began(self, step: Step) -> None:
        self.began_count += 1
        if self.began_count == self._number and not self._copying:
            signal.raise_signal(signal.SIGTERM)

    def progress(self, step: Step, done: int, total: int) -> None:
        if self._copying:
            signal.raise_signal(signal.SIGINT)

    def undoing(self, step: Step) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)


def every_signal(
    connection: Any, name: str, alias: str, old: Flat, new: Flat
) -> list[dict[str, Any]]:
    """A swap with a signal at its first step, at its second, and so on; then one in the copying.

    ``said`` is 'interrupted', or the number of a signal that came too late.
    """
    found: list[dict[str, Any]] = []
    domain = connection.lookupByName(name)
    count = len(plan_swap(Monitor(domain), alias, old, new, {}))
    for observer in [*(Signalling(one + 1) for one in range(count)), Signalling(0, copying=True)]:
        steps = plan_swap(Monitor(domain), alias, old, new, {})
        said: object = None
        try:
            said = apply(Plan(title="change a disk", domain=name, steps=steps), observer)
        except Interrupted as interrupted:
            said = f"interrupted by {interrupted.number}"
        step = steps[observer.began_count - 1].title
        after = state(connection, name, alias, {"old": old, "new": new})
        found.append({"said": said, "step": step, **after})
        _back(connection, name, alias, old, new)
    return found


def signalled(connection: Any, name: str, alias: str, old: Flat, new: Flat, at: str) -> int:
    """A swap that a signal comes to just before the step of a title; its number."""
    steps = plan_swap(Monitor(connection.lookupByName(name)), alias, old, new, {})
    before = next(step for step, after in pairwise(steps) if after.title == at)

    class Signals(Observer):
        def began(self, step: Step) -> None:
            if step is before:
                signal.raise_signal(signal.SIGTERM)

    try:
        apply(Plan(title="change a disk", domain=name, steps=steps), Signals())
    except Interrupted as interrupted:
        return interrupted.number
    raise AssertionError("it was made")


def broken_undo(
    connection: Any, name: str, alias: str, old: Flat, new: Flat, times: int = 1000
) -> dict[str, Any]:
    """A swap whose new graph QEMU refuses, and whose old graph it refuses then as well.

    That goes for the first ``times`` attempts.
    """

    class Stubborn(Monitor):
        left = times

        def command(self, command: str, /, **arguments: Any) -> Any:
            is_top = command == "blockdev-add" and arguments["node-name"] == old[-1]["node-name"]
            if is_top and self.left > 0:
                self.left -= 1
                arguments["driver"] = "no-such-driver"
            return super().command(command, **arguments)

    monitor = Stubborn(connection.lookupByName(name))
    steps = plan_swap(monitor, alias, old, new, {})
    try:
        apply(Plan(title="change a disk", domain=name, steps=steps))
    except ChangeError as error:
        return {
            "text": str(error), "state": error.state,
            **state(connection, name, alias, {"old": old, "new": new}),
        }  # fmt: skip
    raise AssertionError("it was not refused")


def killed_qemu(
    connection: Any, name: str, alias: str, old: Flat, new: Flat, at: str
) -> dict[str, Any]:
    """A swap while whose step of a title QEMU is killed."""
    domain = connection.lookupByName(name)

    class Kills(Observer):
        def began(self, step: Step) -> None:
            if step.title == at:
                domain.destroy()

    steps = plan_swap(Monitor(domain), alias, old, new, {})
    try:
        apply(Plan(title="change a disk", domain=name, steps=steps), Kills())
    except ChangeError as error:
        cause = error.cause
        gone = cause.gone if isinstance(cause, GoneError) else None
        return {"state": error.state, "gone": gone, "text": str(error), "code": error.code}
    return {"state": None}


def every_detach_fault(
    connection: Any, name: str, alias: str, xml: str, nodes: Flat, when: When
) -> list[dict[str, Any]]:
    """A detach with a fault at its first call, at its second, and so on, as ``every_fault``."""
    found: list[dict[str, Any]] = []
    domain = connection.lookupByName(name)
    side = Side(nodes=tuple(nodes))
    for number in range(1, 1000):
        plain = Monitor(domain)
        plug = attach(plain, alias, xml, side, intent=MetadataIntent(plain))
        apply(Plan(title="attach a disk", domain=name, steps=plug))
        monitor = FaultyMonitor(domain)
        steps = detach(monitor, alias, side, intent=MetadataIntent(monitor))
        monitor.fault(number, when)
        said, step = None, None
        try:
            apply(Plan(title="detach a disk", domain=name, steps=steps))
        except ChangeError as error:
            said, step = error.state, error.step
        is_met = monitor.calls >= number
        found.append({"said": said, "step": step, **_plugged(domain, alias, nodes)})
        _unplug(domain, alias, side)
        close(plain, nodes)
        if not is_met:
            return found
    raise AssertionError("it does not end")


def every_crash(
    connection: Any, name: str, alias: str, old: Flat, new: Flat
) -> list[dict[str, Any]]:
    """A swap cut short at its first call, at its second, and so on, each mended afterwards."""
    found: list[dict[str, Any]] = []
    domain = connection.lookupByName(name)
    for number in range(1, 1000):
        monitor = FaultyMonitor(domain)
        steps = plan_swap(monitor, alias, old, new, {})
        monitor.fault(number, "before", forever=True)
        is_met, step = False, None
        try:
            apply(Plan(title="change a disk", domain=name, steps=steps))
        except ChangeError as error:
            is_met, step = True, error.step
        said = mended(connection, name)
        after = state(connection, name, alias, {"old": old, "new": new})
        found.append({"goal": said, "step": step, **after})
        _back(connection, name, alias, old, new)
        if not is_met:
            return found
    raise AssertionError("it does not end")


def mended(connection: Any, name: str) -> str | None:
    """Mend what a change has left; the state that it has now."""
    monitor = Monitor(connection.lookupByName(name))
    found = mend(monitor, MetadataIntent(monitor))
    if found is None:
        return None
    applied(name, found.steps)
    return found.goal


def every_plug_crash(
    connection: Any, name: str, alias: str, xml: str, nodes: Flat
) -> list[dict[str, Any]]:
    """An attach, or else a detach, cut short at each call in turn, each mended afterwards."""
    found: list[dict[str, Any]] = []
    domain = connection.lookupByName(name)
    side, plain = Side(nodes=tuple(nodes)), Monitor(domain)
    for kind in ("attach", "detach"):
        for number in range(1, 1000):
            if kind == "detach" and alias not in plain.devices():
                attached(connection, name, alias, xml, nodes)
            monitor = FaultyMonitor(domain)
            intent = MetadataIntent(monitor)
            steps = (
                attach(monitor, alias, xml, side, intent=intent)
                if kind == "attach"
                else detach(monitor, alias, side, intent=intent)
            )
            monitor.fault(number, "before", forever=True)
            is_met, step = False, None
            try:
                apply(Plan(title="change a disk", domain=name, steps=steps))
            except ChangeError as error:
                is_met, step = True, error.step
            said = mended(connection, name)
            after = {"kind": kind, "goal": said, "step": step, **_plugged(domain, alias, nodes)}
            found.append(after)
            _end_beginning(plain)
            if kind == "attach":
                _unplug(domain, alias, side)
            if not is_met:
                break
    _unplug(domain, alias, side)
    return found


def moved_away(
    connection: Any, name: str, alias: str, old: Flat, new: Flat, path: str
) -> dict[str, Any]:
    """A swap in whose pause an image is moved away, and a mending that cannot find it either.

    What both say of themselves; the image is back in the end, and the guest mended.
    """
    monitor = Monitor(connection.lookupByName(name))

    class Moves(Observer):
        def began(self, step: Step) -> None:
            if step.title == "open the quorum as it shall be":
                os.rename(path, f"{path}.away")

    steps = plan_swap(monitor, alias, old, new, {})
    said = [_said(name, steps, Moves())]
    between = state(connection, name, alias, {"old": old, "new": new})
    mending = mend(monitor, MetadataIntent(monitor))
    assert mending is not None
    said.append(_said(name, mending.steps))
    after = state(connection, name, alias, {"old": old, "new": new})
    os.rename(f"{path}.away", path)
    return {"said": said, "between": between, "after": after, "goal": mended(connection, name)}


def cut(connection: Any, name: str, alias: str, old: Flat, new: Flat, at: str) -> str:
    """A swap that is cut short when the step of a title begins; what it says of itself."""

    class Cut(Monitor):
        is_cut = False

        def asked(self, what: str, call: Callable[[], Any]) -> Any:
            if self.is_cut:
                raise GoneError(LibvirtError(what, code=38, text="cut"), "connection")
            return super().asked(what, call)

    monitor = Cut(connection.lookupByName(name))

    class Cuts(Observer):
        def began(self, step: Step) -> None:
            monitor.is_cut = monitor.is_cut or step.title == at

    return _said(name, plan_swap(monitor, alias, old, new, {}), Cuts())


def _said(name: str, steps: Sequence[Step], observer: Observer | None = None) -> str:
    """How a change fails that must."""
    try:
        applied(name, steps, observer)
    except ChangeError as error:
        return f"{error.state}: {error}"
    raise AssertionError("it was made")


def killed(connection: Any, name: str, alias: str, old: Flat, new: Flat, at: str) -> None:
    """A swap whose process is killed when the step of a title begins."""

    class Kills(Observer):
        def began(self, step: Step) -> None:
            if step.title == at:
                os.kill(os.getpid(), signal.SIGKILL)

    steps = plan_swap(Monitor(connection.lookupByName(name)), alias, old, new, {})
    applied(name, steps, Kills())
