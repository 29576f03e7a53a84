"""SSH: an sshd of the user who runs the tests, with keys of its own.

libssh looks for known hosts and keys below the home directory that the
password database names, whatever HOME says; nss_wrapper gives the client
another database.
"""

from __future__ import annotations

import getpass
import os
import pwd
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.servers.process import Reach, free_port, lacks, lacks_driver, listens, program

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Ssh", "missing_for_ssh", "ssh"]

_WRAPPER = "libnss_wrapper.so"
_FOLDERS = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib")


class Ssh(NamedTuple):
    """A running server: its port, how to reach it, and its key's fingerprint (sha256, hex)."""

    port: int
    reach: Reach
    user: str


def missing_for_ssh() -> list[str]:
    """What this machine lacks for such a server."""
    found = [*lacks("sshd", "ssh-keygen"), *lacks_driver("ssh")]
    return found if _wrapper() else [*found, f"{_WRAPPER} (Debian: libnss-wrapper)"]


def _wrapper() -> Path | None:
    every = (Path(folder) / _WRAPPER for folder in _FOLDERS)
    return next((one for one in every if one.exists()), None)


@contextmanager
def ssh(folder: Path) -> Iterator[Ssh]:
    """Serve the files of this machine on a port of 127.0.0.1 to the current user."""
    home, port = folder / "home", free_port()
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    for key in (folder / "host", home / ".ssh" / "id_ed25519"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    known = (folder / "host.pub").read_text().split()[:2]
    (home / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{port} {' '.join(known)}\n")
    settings = {
        "Port": str(port), "ListenAddress": "127.0.0.1", "HostKey": str(folder / "host"),
        "AuthorizedKeysFile": str(home / ".ssh" / "id_ed25519.pub"), "PidFile": "none",
        "UsePAM": "no", "StrictModes": "no", "PasswordAuthentication": "no",
        "PermitRootLogin": "prohibit-password", "Subsystem": "sftp internal-sftp",
    }  # fmt: skip
    (folder / "config").write_text("".join(f"{key} {value}\n" for key, value in settings.items()))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd insists on it
    argv = ["/usr/sbin/sshd", "-D", "-e", "-f", str(folder / "config")]
    with program(argv, folder / "sshd.log", lambda: listens(port)):
        yield Ssh(port, _reach(folder, home), getpass.getuser())


def _reach(folder: Path, home: Path) -> Reach:
    own = pwd.getpwuid(os.geteuid())
    entry = f"{own.pw_name}:x:{own.pw_uid}:{own.pw_gid}::{home}:/bin/sh\n"
    (folder / "passwd").write_text(entry)
    (folder / "group").write_text(f"{own.pw_name}:x:{own.pw_gid}:\n")
    return Reach(
        environment={
            "LD_PRELOAD": str(_wrapper()),
            "NSS_WRAPPER_PASSWD": str(folder / "passwd"),
            "NSS_WRAPPER_GROUP": str(folder / "group"),
        }
    )
