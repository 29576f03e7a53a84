"""What somebody else does while a change is made, by functions in the bench's worker."""

from __future__ import annotations

import os
import signal
import socket
import time
from typing import TYPE_CHECKING, Any

from tests.host.patching import _read
from tests.libvirts.asked import io, monitor
from virtquorum.errors import HostError
from virtquorum.host import patch
from virtquorum.host.change import ChangeError, Observer, apply
from virtquorum.host.convert import convert
from virtquorum.host.session import Host

if TYPE_CHECKING:
    from collections.abc import Callable

    from virtquorum.host.change import Step

__all__ = ["failed", "meddled", "slowed"]


class _At(Observer):
    """Does something once, when a step begins whose title has some words."""

    def __init__(self, words: str, act: Callable[[], None]) -> None:
        self.words = words
        self.act: Callable[[], None] | None = act

    def began(self, step: Step) -> None:
        if self.words in step.title and self.act is not None:
            act, self.act = self.act, None
            act()


def _applied(made: patch.Patch, observer: _At) -> str:
    said = "done"
    try:
        apply(made, observer)
    except ChangeError as error:
        said = f"{error.state}: {error}"
    assert observer.act is None, [one.title for one in made.steps]
    return said


def meddled(
    connection: Any,
    name: str,
    operation: str,
    arguments: list[Any],
    options: dict[str, Any],
    where: str,
    what: list[str],
) -> str:
    """Make a change; when a step with the words ``where`` begins, do ``what``.

    That is ['resume'], ['run', SERIAL] (resume, have the guest at that line
    write a sector, pause), ['kill'], or ['exchange', PATH, OTHER], which renames
    files.
    """
    function = convert if operation == "convert" else getattr(patch, operation)
    made = function(Host(connection).domain(name), *map(_read, arguments), **options)
    domain = connection.lookupByName(name)

    def act() -> None:
        match what:
            case ["resume"]:
                domain.resume()
            case ["run", serial]:
                domain.resume()
                _write(serial)
                domain.suspend()
            case ["kill"]:
                os.kill(os.getpid(), signal.SIGKILL)
            case ["exchange", path, other]:
                os.rename(path, f"{path}.away")
                os.rename(other, path)

    return _applied(made, _At(where, act))


def _write(serial: str) -> None:
    """Have a guest write a sector, and wait for its answer, which may be an error."""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(20)
        line.connect(serial)
        line.sendall(b"w 80 3c 66\n")
        said = b""
        while b"\n" not in said:
            said += line.recv(100)


def slowed(
    connection: Any, name: str, alias: str, target: str, member: dict[str, str]
) -> dict[str, Any]:
    """Add a member that becomes slow when much is left to be copied in the pause."""
    host = Host(connection)
    made = patch.add_member(host.domain(name), target, [_read(member)], live=True)
    limits = {"path": "/objects/vq-slow", "property": "limits"}

    def limit(bytes: int) -> None:
        monitor(connection, name, "qom-set", {**limits, "value": {"bps-write": bytes}})

    def act() -> None:
        limit(150_000)
        io(connection, name, alias, "write -P 0x66 0 2M")

    class Slow(_At):
        began_at = ended_at = 0.0

        def began(self, step: Step) -> None:
            super().began(step)
            if step.pauses:
                self.began_at = time.monotonic()

        def undoing(self, step: Step) -> None:
            if not self.ended_at:
                self.ended_at = time.monotonic()
                limit(0)

    monitor(connection, name, "object-add", {"qom-type": "throttle-group", "id": "vq-slow"})
    for step in made.steps:
        if step.title == "open the new members":
            step.nodes = _throttled(step.nodes)  # type: ignore[attr-defined]
    slow = Slow("end the copying", act)
    return {"said": _applied(made, slow), "paused": slow.ended_at - slow.began_at}


def _throttled(nodes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The last node with a filter above it, which takes its name."""
    *below, top = nodes
    name = f"{top['node-name']}x"
    above = {"driver": "throttle", "throttle-group": "vq-slow", "file": name}
    return [*below, {**top, "node-name": name}, {**above, "node-name": top["node-name"]}]


def failed(
    connection: Any,
    name: str,
    operation: str,
    arguments: list[Any],
    options: dict[str, Any],
    where: str,
) -> str:
    """Make a change of which a step fails, the last of those with the words ``where``."""
    host = Host(connection)
    made = getattr(patch, operation)(host.domain(name), *map(_read, arguments), **options)
    last = [one.title for one in made.steps if where in one.title][-1]

    def act() -> None:
        raise HostError("a fault")

    return _applied(made, _At(last, act))
