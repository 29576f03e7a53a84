"""Programs in the background: started, waited for, and stopped by their own id."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["HERE", "PACKAGES", "Reach", "free_port", "lacks", "lacks_driver", "listens", "program"]

#: Debian's packages of the programs that servers and clients need.
PACKAGES = {
    "ganesha.nfsd": "nfs-ganesha and nfs-ganesha-vfs",
    "ip": "iproute2",
    "libvirtd": "libvirt-daemon-system",
    "losetup": "mount",
    "mount": "mount",
    "nsenter": "util-linux",
    "qemu-img": "qemu-utils",
    "qemu-io": "qemu-utils",
    "qemu-pr-helper": "qemu-system-common",
    "qemu-storage-daemon": "qemu-system-common",
    "qemu-system-x86_64": "qemu-system-x86",
    "rpcbind": "rpcbind",
    "ssh-keygen": "openssh-client",
    "sshd": "openssh-server",
    "tgtadm": "tgt",
    "tgtd": "tgt",
    "unshare": "util-linux",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Reach:
    """What a client is started with: words before its own, and variables of its environment."""

    before: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    def argv(self, *words: str) -> list[str]:
        """A command line, started so that it reaches the server."""
        return [*self.before, *words]

    def variables(self) -> dict[str, str]:
        """The whole environment."""
        return {**os.environ, **self.environment}


#: A client that needs nothing.
HERE = Reach()


def lacks(*names: str) -> list[str]:
    """Those of some programs that are not installed, with Debian's package where it is known."""
    places = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    missing = [name for name in names if shutil.which(name, path=places) is None]
    return [f"{name} (Debian: {PACKAGES[name]})" if name in PACKAGES else name for name in missing]


def lacks_driver(*drivers: str) -> list[str]:
    """Those of some block drivers that the installed QEMU does not load."""
    missing = []
    if lacks("qemu-img"):
        return lacks("qemu-img")
    for one in drivers:
        done = subprocess.run(
            ["qemu-img", "info", "--image-opts", f"driver={one}"],
            check=False, capture_output=True, text=True, timeout=30,
        )  # fmt: skip
        if "Unknown driver" in done.stderr:
            missing.append(f"QEMU's {one} (Debian: qemu-block-extra)")
    return missing


def free_port() -> int:
    """A TCP port of 127.0.0.1 on which nobody listens now."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def listens(port: int) -> bool:
    """Whether a port of 127.0.0.1 takes connections."""
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def program(
    argv: Sequence[str],
    log: Path,
    ready: Callable[[], bool],
    *,
    environment: Mapping[str, str] | None = None,
    refusal: type[AssertionError] = AssertionError,
    pass_fds: Sequence[int] = (),
    end: signal.Signals = signal.SIGTERM,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block ends; its output goes to ``log``.

    ``ready`` is asked until it says yes; the program inherits ``pass_fds``,
    and ``end`` ends it.  Raises AssertionError, or what ``refusal`` makes of
    it, with the program's words if it does not come up.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=log.parent,
            env={**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin",
                 **(environment or {})},
            pass_fds=pass_fds,
        )  # fmt: skip
    try:
        _await(process, ready, log, refusal)
        yield process
    finally:
        _stop(process, end)


def _await(
    process: subprocess.Popen[bytes],
    ready: Callable[[], bool],
    log: Path,
    refusal: type[AssertionError],
) -> None:
    deadline = time.monotonic() + 30
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            said = log.read_text("utf-8", "replace")
            raise refusal(f"{process.args!r} did not come up: {said}")
        time.sleep(0.01)


def _stop(process: subprocess.Popen[bytes], end: signal.Signals) -> None:
    process.send_signal(end)
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=30)
