"""libvirts of a test's own: where they live, how they are asked, how they are struck down."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.libvirts import asked
from tests.libvirts.client import Client
from tests.libvirts.held import REPOSITORY

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Mapping
    from pwd import struct_passwd

    from tests.libvirts.client import Pending
    from tests.libvirts.held import Holder

__all__ = ["WORKER", "Bench", "Embed", "System", "copy_cache", "listens", "until"]

#: What virsh may be asked a second time.
_QUESTIONS: Final = ("domblklist", "domblkstat", "domuuid", "dumpxml", "list")
#: What calls functions with a connection.
WORKER: Final = "tests.libvirts.worker"


def until(true: Callable[[], bool], otherwise: Callable[[], str], seconds: float = 20) -> None:
    """Wait for something; raises AssertionError with what ``otherwise`` says."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.004)


class Bench:
    """A libvirt, its guests, and a worker that calls functions with a connection to it.

    ``folder`` is for images and whatever else a test needs; it is short, may
    be entered by any user, and goes with the libvirt.  ``guests`` below
    it holds the guests' serial ports.
    """

    #: Where QEMU's own output is, below the root.
    logs: str
    #: Where libvirt notes the ids of guests, below the root.
    pid_files: str
    #: Where libvirt keeps what it knows of QEMU, below the root.
    cache: str
    #: QEMU's user and group.
    owner: tuple[int, int] = (0, 0)

    def __init__(self, root: Path, held: Holder, uri: str) -> None:
        self.root = root
        self.uri = uri
        self.folder = root / "f"
        self.guests = root / "g"
        self.held = held
        self._client: Client | None = None
        self._worker: int | None = None
        self.folder.mkdir()
        self.guests.mkdir()
        os.chown(self.guests, *self.owner)

    def start(self) -> None:
        """Start what has to run and does not."""

    def seed(self, known: Path) -> None:
        """Give it what another one knows of QEMU, before it starts."""
        copy_cache(known, self.root / self.cache)

    # Functions

    def call(self, function: Callable[..., Any], *arguments: Any, timeout: float = 60) -> Any:
        """What a module's function makes of a connection (virConnect) and arguments.

        It runs in the worker, whose module of that name it is found in.
        Arguments and result are JSON.  Raises CallError, GoneError.
        """
        return self.begin(function, *arguments).result(timeout)

    def begin(self, function: Callable[..., Any], *arguments: Any) -> Pending:
        """The same without waiting; one call at a time."""
        if self._client is None:
            self._client = self._connected()
        return self._client.begin(function, arguments)

    def _connected(self) -> Client:
        place, log = self.root / "worker", self.root / "worker.log"
        place.unlink(missing_ok=True)
        self._worker = worker = self.held.start(
            [sys.executable, "-m", WORKER, place, self.uri],
            self.environment(),
            output=log,
            errors=log,
        )
        until(lambda: place.exists() or not self.held.runs(worker), log.read_text)
        assert place.exists(), log.read_text()
        return Client(place)

    def leave(self) -> None:
        """Let the worker end as a program that is done; the next call begins another one."""
        if self._client is not None and self._worker is not None:
            self._client.close()
            self.held.wait(self._worker)
        self._client = self._worker = None

    def kill_worker(self) -> None:
        """Kill the worker (SIGKILL), in the middle of a call if it does one; guests go on."""
        if self._client is not None and self._worker is not None:
            self.held.signal(self._worker, signal.SIGKILL)
            self.held.wait(self._worker)
            self._client.close()
        self._client = self._worker = None

    def signal_worker(self, number: int) -> None:
        """Send the worker a signal."""
        assert self._worker is not None
        self.held.signal(self._worker, number)

    # Programs

    def run(
        self, *argv: str | Path, input: str = "", timeout: float = 60, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a program with this libvirt as its default; ``more`` is for its environment."""
        return self.held.run(argv, self.environment(**more), input=input, timeout=timeout)

    def virsh(self, *argv: str | Path) -> str:
        """What virsh prints; raises AssertionError with its words if it fails."""
        words = ("virsh", "--quiet", "--connect", self.uri, *argv)
        done = self.run(*words)
        # An embedded libvirt may crash when it is closed while it still finds its guests again.
        if done.returncode < 0 and argv[0] in _QUESTIONS:
            done = self.run(*words)
        assert done.returncode == 0, f"virsh {argv}: {done.returncode} {done.stdout}{done.stderr}"
        return done.stdout

    def virtquorum(
        self, *argv: str | Path, input: str = "", timeout: float = 60, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the command, with this libvirt as its default."""
        words = (sys.executable, "-m", "virtquorum", *argv)
        return self.run(*words, input=input, timeout=timeout, **more)

    def environment(self, **more: str) -> Mapping[str, str]:
        """What programs find in theirs."""
        return {
            "LIBVIRT_DEFAULT_URI": self.uri,
            "LIBVIRT_LOG_OUTPUTS": f"3:file:{self.root}/libvirt.log",
            "PYTHONPATH": str(REPOSITORY),
            "NO_COLOR": "1",
            **more,
        }

    # Guests

    def image(self, name: str, size: int = 4 << 20, content: bytes = b"") -> Path:
        """A raw image of QEMU's user, in ``folder``; ``size`` in bytes."""
        place = self.folder / name
        place.write_bytes(content)
        os.truncate(place, size)
        self.give(place)
        return place

    def give(self, place: Path) -> None:
        """Make QEMU's user the owner of a file."""
        os.chown(place, *self.owner)

    def pid(self, name: str) -> int:
        """The id of a guest's process."""
        return int((self.root / self.pid_files / f"{name}.pid").read_text())

    def kill_guest(self, name: str) -> None:
        """Kill a guest (SIGKILL) behind libvirt's back."""
        pid = self.pid(name)
        assert self.held.signal(pid, signal.SIGKILL)
        self.held.wait(pid)

    def log(self, name: str) -> str:
        """What QEMU and libvirt wrote about a guest; '' before its first start."""
        place = self.root / self.logs / f"{name}.log"
        return place.read_text("utf-8", "replace") if place.exists() else ""

    def io(self, name: str, drive: str, command: str) -> str:
        """A qemu-io command on a guest's frontend or block node; what it printed.

        ``drive`` is a frontend's alias (then the command goes through the
        frontend's drive, whatever that is now) or a node's name.
        """
        before = len(self.log(name))
        answer = self.call(asked.io, name, drive, command)
        if not answer.strip():
            until(
                lambda: any(word in self.log(name)[before:] for word in ("ops;", "ailed", "rror")),
                lambda: f"qemu-io {command}: {self.log(name)[before:]}",
            )
        return self.log(name)[before:] + str(answer)

    def looked_up(self, name: str) -> dict[str, Any]:
        """See asked.looked_up."""
        found: dict[str, Any] = self.call(asked.looked_up, name)
        return found

    def destroy_guests(self) -> None:
        """Destroy the running guests and forget the others, as far as libvirt does it.

        What they said goes as well: another guest of the name has not said it.
        """
        self.call(asked.destroy_all)
        for one in self.guests.glob("*.said"):
            one.unlink()


class Embed(Bench):
    """The embedded driver: no daemon; one process at a time has it."""

    logs = "log/qemu"
    pid_files = "run/qemu"
    cache = "cache/qemu"

    def run(
        self, *argv: str | Path, input: str = "", timeout: float = 60, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """As Bench has it; the worker leaves before."""
        self.leave()
        return super().run(*argv, input=input, timeout=timeout, **more)

    def restart(self) -> None:
        """Another process is the driver from here on; guests stay."""
        self.leave()

    def kill(self) -> None:
        """The driver's process is killed; guests stay."""
        self.kill_worker()


class System(Bench):
    """A libvirtd, and virtlogd, with directories of their own; QEMU is another user."""

    logs = "var/log/libvirt/qemu"
    pid_files = "run/libvirt/qemu"
    cache = "var/cache/libvirt/qemu"

    def __init__(self, root: Path, held: Holder, uri: str, user: struct_passwd) -> None:
        self.owner = (user.pw_uid, user.pw_gid)
        super().__init__(root, held, uri)
        self.socket = root / "libvirt-sock"
        self.daemons: dict[str, int] = {}

    def start(self) -> None:
        """Start what does not run: virtlogd, libvirtd."""
        self._start("virtlogd", ("virtlogd", "-f", self.root / "virtlogd.conf",
                                 "-p", self.root / "virtlogd.pid"),
                    self.root / "run/libvirt/virtlogd-sock")  # fmt: skip
        self._start("libvirtd", ("libvirtd", "-f", self.root / "libvirtd.conf",
                                 "-p", self.root / "libvirtd.pid"), self.socket)  # fmt: skip

    def _start(self, name: str, argv: tuple[str | Path, ...], place: Path) -> None:
        if name in self.daemons and self.held.runs(self.daemons[name]):
            return
        place.unlink(missing_ok=True)
        log = self.root / f"{name}.output"
        self.daemons[name] = pid = self.held.start(argv, output=log, errors=log)
        until(lambda: listens(place) or not self.held.runs(pid), log.read_text)
        assert listens(place), log.read_text()

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Kill libvirtd; guests and virtlogd stay."""
        self.held.signal(self.daemons["libvirtd"], number)
        self.held.wait(self.daemons["libvirtd"])

    def restart(self) -> None:
        """Stop libvirtd and start it again; guests and virtlogd stay.

        The worker's connection is over then: it is given another one.
        """
        self.leave()
        self.kill(signal.SIGTERM)
        self.start()

    def show_device(self, place: str) -> None:
        """Let libvirt see a device of this machine that came after it was started.

        Its /dev is a directory of its own.
        """
        if self.held.run(("test", "-b", place)).returncode == 0:
            return
        number = os.stat(place).st_rdev
        made = ("mknod", place, "b", str(os.major(number)), str(os.minor(number)))
        done = self.held.run(made)
        assert done.returncode == 0, done.stderr

    def connect(self) -> Any:
        """A connection of this process; the caller closes it."""
        import libvirt

        return libvirt.open(self.uri)


def listens(path: Path) -> bool:
    """Whether somebody listens on a unix socket, which is there a little before."""
    with socket.socket(socket.AF_UNIX) as one:
        return one.connect_ex(str(path)) == 0


def copy_cache(seed: Path, place: Path) -> None:
    """Give a libvirt what another one knows of QEMU, with the times of its files."""
    shutil.copytree(seed, place, dirs_exist_ok=True)
