"""A QEMU without a guest whose monitor is a socket that it inherits: it is there in 20 ms."""

from __future__ import annotations

import json
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.programs import QEMU
from tests.servers.process import HERE, lacks, program

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tests.servers.process import Reach

__all__ = ["NO_QEMU", "RefusedError", "Running", "started"]

#: Why nothing can be held against QEMU here, '' where it can.
NO_QEMU = ", ".join(lacks(QEMU, "qemu-img", "qemu-io", "qemu-storage-daemon"))

_PATIENCE = 60


class RefusedError(AssertionError):
    """QEMU does not take what it was given; the text is its own."""


class Running:
    """A running QEMU: commands, and what it reports of its block nodes."""

    def __init__(self, channel: socket.socket, log: Path) -> None:
        self._channel = channel
        self._lines = channel.makefile("rb")
        self._log = log

    def greeted(self) -> bool:
        """Whether it has opened its disks and talks; False once it has ended instead."""
        return bool(self._lines.readline())

    def close(self) -> None:
        """Hang up."""
        self._lines.close()
        self._channel.close()

    def tell(self, command: Mapping[str, Any]) -> Any:
        """A command's return value; raises RefusedError with QEMU's words."""
        self._channel.sendall(json.dumps(command).encode() + b"\n")
        while line := self._lines.readline():
            answer = json.loads(line)
            if "error" in answer:
                raise RefusedError(f"{command['execute']}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]
        said = self._log.read_text("utf-8", "replace")
        raise RefusedError(f"{command['execute']}: QEMU has ended: {said}")

    def command(self, name: str, **arguments: Any) -> Any:
        """A command by its name; see ``tell``."""
        return self.tell({"execute": name, "arguments": arguments})

    def io(self, drive: str, command: str) -> str:
        """A qemu-io command on a drive's id or a node's name; what it printed."""
        before = self._log.stat().st_size
        line = {"command-line": f'qemu-io {drive} "{command}"'}
        answer = self.command("human-monitor-command", **line)
        with self._log.open("rb") as log:
            log.seek(before)
            return log.read().decode("utf-8", "replace") + str(answer)

    def nodes(self) -> dict[str, dict[str, Any]]:
        """The block nodes by name, as query-named-block-nodes has them."""
        nodes = self.command("query-named-block-nodes", flat=True)
        return {node["node-name"]: node for node in nodes}

    def edges(self) -> set[tuple[str, str, str]]:
        """Which node is which child of which: (parent, 'file' or 'backing' or …, child)."""
        graph = self.command("x-debug-query-block-graph")
        names = {
            node["id"]: node["name"] for node in graph["nodes"] if node["type"] == "block-driver"
        }
        return {
            (names[edge["parent"]], edge["name"], names[edge["child"]])
            for edge in graph["edges"]
            if edge["parent"] in names
        }

    def objects(self) -> dict[str, str]:
        """The objects of users, and their types."""
        if "objects" not in {one["name"] for one in self.command("qom-list", path="/")}:
            return {}  # there never was one
        found = self.command("qom-list", path="/objects")
        return {
            one["name"]: one["type"].removeprefix("child<").removesuffix(">")
            for one in found
            if one["type"].startswith("child<")
        }


@contextmanager
def started(words: Sequence[str], folder: Path, reach: Reach = HERE) -> Iterator[Running]:
    """Start QEMU with arguments, and stop it in the end.

    Its own words go to ``qemu.log`` in ``folder``, which is where it runs.
    Raises RefusedError with them if it does not take the arguments.
    """
    ours, its = socket.socketpair()
    ours.settimeout(_PATIENCE)
    log = folder / "qemu.log"
    log.unlink(missing_ok=True)
    argv = [
        *reach.argv(QEMU, "-M", "none", "-nodefaults", "-display", "none", "-S"),
        "-chardev", f"socket,id=monitor,fd={its.fileno()}", "-mon", "monitor,mode=control", *words,
    ]  # fmt: skip
    running = Running(ours, log)

    def ready() -> bool:
        its.close()  # else nobody would see that QEMU has ended
        return running.greeted()

    try:
        with program(
            argv, log, ready,
            environment=reach.environment, refusal=RefusedError, pass_fds=[its.fileno()],
        ):  # fmt: skip
            running.command("qmp_capabilities")
            yield running
    finally:
        its.close()
        running.close()
