"""Changes of a quorum disk that fail or are killed at a step: functions for the bench's worker."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

from tests.host.patching import _read
from virtquorum.errors import HostError
from virtquorum.host import patch
from virtquorum.host.change import ChangeError, Observer, apply
from virtquorum.host.monitor import Monitor
from virtquorum.host.session import Host

if TYPE_CHECKING:
    from virtquorum.host.change import Step

__all__ = ["closed", "fails_at", "killed_at", "taken_out_and_put_back"]


class _At(Observer):
    def __init__(self, at: str, how: str) -> None:
        self._at = at
        self._how = how

    def began(self, step: Step) -> None:
        if step.title.startswith(self._at):
            if self._how == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            raise HostError("a fault")


def _made(connection: Any, name: str, arguments: list[Any], at: str, how: str) -> str:
    made = patch.replace_member(
        Host(connection).domain(name), *map(_read, arguments), live=True, config=True
    )
    try:
        apply(made, _At(at, how))
    except ChangeError as error:
        return error.state
    raise AssertionError("it did not fail")


def fails_at(connection: Any, name: str, arguments: list[Any], at: str) -> str:
    """Replace a member, which fails when a step begins; the state in which that leaves things."""
    return _made(connection, name, arguments, at, "failed")


def killed_at(connection: Any, name: str, arguments: list[Any], at: str) -> None:
    """Replace a member, with this process killed when a step begins."""
    _made(connection, name, arguments, at, "killed")


def taken_out_and_put_back(connection: Any, name: str, quorum: str, number: int) -> None:
    """By hand: a member leaves its quorum and comes back as the last one."""
    member = _out(Monitor(connection.lookupByName(name)), quorum, number)
    monitor = Monitor(connection.lookupByName(name))
    monitor.command("x-blockdev-change", parent=quorum, node=member)


def closed(connection: Any, name: str, quorum: str, number: int) -> None:
    """By hand: a member leaves its quorum, and its nodes are closed."""
    monitor = Monitor(connection.lookupByName(name))
    member = _out(monitor, quorum, number)
    for one in (member, f"{member}-s"):
        monitor.command("blockdev-del", **{"node-name": one})


def _out(monitor: Monitor, quorum: str, number: int) -> str:
    place = f"children.{number}"
    member = next(child for edge in monitor.edges() for child in edge[2:] if
                  edge[:2] == (quorum, place))  # fmt: skip
    monitor.command("x-blockdev-change", parent=quorum, child=place)
    return member
