"""The real programs that tests hold virtquorum against: started here, and stopped."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qemu.qmp.legacy import QEMUMonitorProtocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

QEMU = "qemu-system-x86_64"
NEEDED = (QEMU, "qemu-img", "qemu-nbd", "qemu-io", "virsh", "virt-xml-validate", "xmllint")


def missing() -> list[str]:
    """The programs that a test run needs and this machine lacks."""
    return [name for name in NEEDED if shutil.which(name) is None]


def qemu_img(*arguments: str | Path) -> str:
    """Run qemu-img; what it printed."""
    done = subprocess.run(
        ["qemu-img", *map(str, arguments)], check=True, capture_output=True, text=True, timeout=60
    )
    return done.stdout


def qemu_io(image: Path, format: str, *commands: str) -> str:
    """Run qemu-io commands on an image; what it printed."""
    options = [part for command in commands for part in ("-c", command)]
    done = subprocess.run(
        ["qemu-io", "-f", format, *options, str(image)],
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    return done.stdout


class Qemu:
    """A QEMU without a guest: its disks are opened and reached through the monitor."""

    def __init__(
        self, process: subprocess.Popen[bytes], monitor: QEMUMonitorProtocol, log: Path
    ) -> None:
        self.process = process
        self.monitor = monitor
        self._log = log

    def command(self, name: str, **arguments: Any) -> Any:
        """A QMP command's return value."""
        return self.monitor.cmd(name, **arguments)

    def io(self, drive: str, command: str) -> str:
        """A qemu-io command on a drive; what it printed."""
        before = self._log.stat().st_size
        answer = self.command(
            "human-monitor-command", **{"command-line": f'qemu-io {drive} "{command}"'}
        )
        with self._log.open("rb") as log:
            log.seek(before)
            return log.read().decode("utf-8", "replace") + str(answer)

    def events(self, name: str) -> list[dict[str, Any]]:
        """The data of the events of a name so far."""
        found: list[dict[str, Any]] = [
            dict(event["data"]) for event in self.monitor.get_events() if event["event"] == name
        ]
        return found

    def graph(self) -> dict[str, dict[str, Any]]:
        """The block nodes by name, as query-named-block-nodes has them."""
        nodes = self.command("query-named-block-nodes", flat=True)
        return {node["node-name"]: node for node in nodes}


@contextmanager
def qemu(arguments: Sequence[str], folder: Path) -> Iterator[Qemu]:
    """Start QEMU with arguments for its disks and stop it in the end.

    Raises AssertionError with QEMU's own words if it does not start.
    """
    socket, log = folder / "qmp.sock", folder / "qemu.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [QEMU, "-M", "none", "-nodefaults", "-display", "none", "-S",
             "-qmp", f"unix:{socket},server=on,wait=off", *arguments],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        _await(socket, process, log)
        monitor = QEMUMonitorProtocol(str(socket))
        monitor.connect()
        try:
            yield Qemu(process, monitor, log)
        finally:
            monitor.close()
    finally:
        process.terminate()
        process.wait(timeout=30)
        socket.unlink(missing_ok=True)


@contextmanager
def nbd_server(
    image: Path, socket: Path, *, format: str = "raw", export: str = ""
) -> Iterator[None]:
    """Serve an image with qemu-nbd on a unix socket."""
    log = socket.with_suffix(".log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["qemu-nbd", "--socket", str(socket), "--format", format, "--export-name", export,
             "--shared", "4", "--persistent", str(image)],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        _await(socket, process, log)
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def _await(socket: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 20
    while not socket.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"{process.args!r} did not start: {log.read_text()}")
        time.sleep(0.01)


def environment(**more: str) -> dict[str, str]:
    """The environment for a program under test."""
    return {**os.environ, "NO_COLOR": "1", **more}


def parse_json(text: str) -> Any:
    """JSON as a program printed it."""
    return json.loads(text)
