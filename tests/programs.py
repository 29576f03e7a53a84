"""The real programs that tests hold virtquorum against: started here, and stopped."""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from qemu.qmp.legacy import QEMUMonitorProtocol

from virtquorum.cli.main import main
from virtquorum.cli.streams import Streams

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

QEMU = "qemu-system-x86_64"
NEEDED = (
    QEMU,
    "jing",
    "trang",
    "git",
    "qemu-img",
    "qemu-nbd",
    "qemu-io",
    "virsh",
    "virt-xml-validate",
    "xmllint",
)


def missing() -> list[str]:
    """The programs that a test run needs and this machine lacks."""
    return [name for name in NEEDED if shutil.which(name) is None]


def qemu_img(*arguments: str | int | Path) -> str:
    """Run qemu-img; what it printed.  Raises AssertionError with its words if it fails."""
    for _ in range(50):
        done = subprocess.run(
            ["qemu-img", *map(str, arguments)],
            check=False, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        # It gives up on LUKS where the clock has not moved; the next try works.
        if "Unable to get accurate CPU usage" not in done.stderr:
            break
    assert done.returncode == 0, done.stderr
    return done.stdout


def qemu_io(image: Path, format: str, *commands: str) -> str:
    """Run qemu-io commands on an image; what it printed, also of a pattern that is not there."""
    options = [part for command in commands for part in ("-c", command)]
    done = subprocess.run(
        ["qemu-io", "-f", format, *options, str(image)],
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 0 or "Pattern verification failed" in said, said
    return said


class Qemu:
    """A QEMU without a guest: its disks are opened and reached through the monitor."""

    def __init__(
        self, process: subprocess.Popen[bytes], monitor: QEMUMonitorProtocol, log: Path
    ) -> None:
        self.process = process
        self.monitor = monitor
        self._log = log
        self._events: list[dict[str, Any]] = []

    def command(self, name: str, **arguments: Any) -> Any:
        """A QMP command's return value."""
        return self.monitor.cmd(name, **arguments)

    def io(self, drive: str, command: str) -> str:
        """A qemu-io command on a drive, by its id; what it printed."""
        before = self._log.stat().st_size
        answer = self.command(
            "human-monitor-command", **{"command-line": f'qemu-io {drive} "{command}"'}
        )
        with self._log.open("rb") as log:
            log.seek(before)
            return log.read().decode("utf-8", "replace") + str(answer)

    def events(self, name: str) -> list[dict[str, Any]]:
        """The data of the events of a name so far."""
        self._events += [dict(event) for event in self.monitor.get_events()]
        return [dict(event["data"]) for event in self._events if event["event"] == name]

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


@contextmanager
def qemu(
    arguments: Sequence[str], folder: Path, machine: str = "none", program: str = QEMU
) -> Iterator[Qemu]:
    """Start QEMU with arguments for its disks, in a folder, and stop it in the end.

    A ``machine`` other than 'none' has buses for devices, another ``program``
    another architecture.

    Raises AssertionError with QEMU's own words if it does not start.
    """
    log = folder / "qemu.log"
    # Connected before QEMU starts: of a client that comes while QEMU sets up its monitor,
    # both QEMU's main loop and the monitor's thread may read, and bytes get lost.
    ours, theirs = socket.socketpair()
    with log.open("wb") as output, theirs:
        process = subprocess.Popen(
            [program, "-M", machine, "-nodefaults", "-display", "none", "-S",
             "-chardev", f"socket,id=monitor,fd={theirs.fileno()}",
             "-mon", "chardev=monitor,mode=control", *arguments],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=folder,
            pass_fds=[theirs.fileno()],
        )  # fmt: skip
    monitor = QEMUMonitorProtocol(ours)
    try:
        try:
            monitor.connect()
        except Exception as error:
            process.wait(timeout=20)
            said = log.read_text("utf-8", "replace")
            raise AssertionError(f"no connection to QEMU: {error}; it said: {said}") from error
        yield Qemu(process, monitor, log)
    finally:
        monitor.close()
        process.terminate()
        process.wait(timeout=30)


def refusal(arguments: Sequence[str], folder: Path) -> str:
    """What QEMU says when it does not take arguments; raises AssertionError if it does."""
    try:
        with qemu(arguments, folder):
            pass
    except AssertionError as error:
        return str(error)
    raise AssertionError("QEMU took the arguments")


@contextmanager
def nbd_server(
    image: Path, address: Path, *, format: str = "raw", export: str = ""
) -> Iterator[None]:
    """Serve an image with qemu-nbd on a unix socket."""
    log = address.with_suffix(".log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["qemu-nbd", "--socket", str(address), "--format", format, "--export-name", export,
             "--shared", "4", "--persistent", str(image)],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        _await(address, process, log)
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)
        address.unlink(missing_ok=True)


def _await(address: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 20
    while not address.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            said = log.read_text("utf-8", "replace")
            raise AssertionError(f"{process.args!r} did not start: {said}")
        time.sleep(0.01)


class Result(NamedTuple):
    """What a command line gave."""

    code: int
    out: str
    err: str


def run(
    *argv: str | Path, input: bytes = b"", encoding: str = "utf-8", terminal: bool = False
) -> Result:
    """Run a command line of virtquorum in this process; ``terminal`` is what its output says."""
    out = _Output(io.BytesIO(), encoding=encoding, newline="")
    out.terminal = terminal
    err = _Output(io.BytesIO(), encoding="utf-8", newline="")
    streams = Streams(input=io.BytesIO(input), out=out, err=err)
    code = main([str(one) for one in argv], streams)
    out.flush()
    err.flush()
    return Result(
        int(code), out.written.decode(encoding, "surrogateescape"), err.written.decode("utf-8")
    )


class _Output(io.TextIOWrapper):
    terminal = False

    @property
    def written(self) -> bytes:
        buffer = self.buffer
        assert isinstance(buffer, io.BytesIO)
        return buffer.getvalue()

    def isatty(self) -> bool:
        return self.terminal


_EVERYTHING = (
    "import pkgutil, importlib, virtquorum, lxml.etree, pickle, difflib, json, tempfile;"
    " [importlib.import_module(one.name) for one in"
    " pkgutil.walk_packages(virtquorum.__path__, 'virtquorum.')]"
)


def as_nobody(*argv: str | Path) -> subprocess.CompletedProcess[str]:
    """Run as a user who owns nothing; root may read and write everything."""
    drop = "import os,sys; os.setgroups([]); os.setgid(65534); os.setuid(65534);"
    code = f"{drop} sys.argv[0] = 'x'; from virtquorum.__main__ import run; run()"
    # What a user may not read may be where Python is: it is imported before.
    code = f"{_EVERYTHING}; {code}"
    return subprocess.run(
        [sys.executable, "-c", code, *argv],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def reachable(folder: Path) -> None:
    """Let any user pass through pytest's folders to this one, which stays closed for writing."""
    for one in (folder, *folder.parents):
        status = one.stat()
        if status.st_uid == os.geteuid() and not status.st_mode & 0o001:
            one.chmod(status.st_mode | 0o055)


def environment(**more: str) -> dict[str, str]:
    """The environment for a program under test."""
    return {**os.environ, "NO_COLOR": "1", **more}


def parse_json(text: str) -> Any:
    """JSON as a program printed it."""
    return json.loads(text)
