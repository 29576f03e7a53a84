"""iSCSI: a tgtd on a port of 127.0.0.1, with CHAP where a login is wanted."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from tests.servers.process import free_port, lacks, lacks_driver, listens, program

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["Iscsi", "iscsi", "missing_for_iscsi"]

_CONTROL = 7700


class Iscsi(NamedTuple):
    """A running server: its port, and the name of its one target."""

    port: int
    target: str


def missing_for_iscsi() -> list[str]:
    """What this machine lacks for such a server."""
    return [*lacks("tgtd", "tgtadm"), *lacks_driver("iscsi")]


@contextmanager
def iscsi(
    images: Mapping[int, Path], folder: Path, *, login: tuple[str, str] | None = None
) -> Iterator[Iscsi]:
    """Serve images as units, by their numbers (1 and up), of one target.

    ``login`` is a user and a password of at least 12 signs, CHAP's bounds.
    """
    served = Iscsi(free_port(), "iqn.2020-01.org.example:disks")
    socket = folder / "tgtd"
    variables = {"TGT_IPC_SOCKET": str(socket)}

    def say(*words: str) -> None:
        argv = ["/usr/sbin/tgtadm", "--control-port", str(_CONTROL), "--lld", "iscsi", *words]
        subprocess.run(
            argv, check=True, capture_output=True, timeout=30, env={**os.environ, **variables}
        )

    argv = ["/usr/sbin/tgtd", "-f", "--iscsi", f"portal=127.0.0.1:{served.port}",
            "--control-port", str(_CONTROL)]  # fmt: skip
    there = socket.with_name(f"tgtd.{_CONTROL}")
    with program(
        argv, folder / "tgtd.log", lambda: there.exists() and listens(served.port),
        environment=variables, end=signal.SIGKILL,  # at SIGTERM it waits for its clients
    ):  # fmt: skip
        target = ("--mode", "target", "--tid", "1")
        say("--op", "new", *target, "-T", served.target)
        for number, file in images.items():
            say("--op", "new", "--mode", "logicalunit", "--tid", "1", "--lun", str(number),
                "-b", str(file))  # fmt: skip
        say("--op", "bind", *target, "-I", "127.0.0.1")
        if login is not None:
            user, password = login
            say("--op", "new", "--mode", "account", "--user", user, "--password", password)
            say("--op", "bind", "--mode", "account", "--tid", "1", "--user", user)
        yield served
