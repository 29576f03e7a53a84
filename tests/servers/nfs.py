"""NFS: nfs-ganesha and rpcbind in network and mount namespaces of their own.

QEMU's driver asks the port mapper, on port 111 of the server; there is no way
to tell it ports.  rpcbind listens on all interfaces, so both get a network of
their own in which there is only loopback; a client enters it.  That takes root.
"""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from tests.servers.process import Reach, lacks, lacks_driver, program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Nfs", "missing_for_nfs", "nfs"]

_CONFIGURATION = """\
NFS_CORE_PARAM {{
    Protocols = 3; NFS_Port = 2049; MNT_Port = 20048;
    Enable_NLM = false; Enable_RQUOTA = false; Enable_UDP = false;
}}
NFS_KRB5 {{ Active_krb5 = false; }}
EXPORT_DEFAULTS {{ Access_Type = RW; Squash = No_Root_Squash; SecType = sys; }}
EXPORT {{
    Export_Id = 1; Path = "{folder}"; Pseudo = "/disks"; Protocols = 3; Transports = TCP;
    FSAL {{ Name = VFS; }}
}}
"""


class Nfs(NamedTuple):
    """A running server: how to reach it; its host is 127.0.0.1, its paths are this machine's."""

    reach: Reach


def missing_for_nfs() -> list[str]:
    """What this machine lacks for such a server."""
    found = lacks("ganesha.nfsd", "rpcbind", "unshare", "nsenter", "ip", "mount")
    found += lacks_driver("nfs")
    return found if os.geteuid() == 0 else [*found, "root"]


@contextmanager
def nfs(exported: Path, folder: Path) -> Iterator[Nfs]:
    """Export a folder; ``folder`` is for the server's own files."""
    configuration, log = folder / "ganesha.conf", folder / "ganesha.log"
    configuration.write_text(_CONFIGURATION.format(folder=exported))
    # It holds the namespaces; /run is empty in them, since rpcbind's socket lies there.
    inside = "ip link set lo up && mount -t tmpfs none /run && echo up && exec sleep 100000"
    holder = ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", inside]
    with program(holder, folder / "net.log", lambda: _says(folder / "net.log", "up")) as process:
        reach = Reach(before=("nsenter", "--net", "--mount", f"--target={process.pid}", "--"))
        mapper = reach.argv("rpcbind", "-f")
        server = reach.argv("ganesha.nfsd", "-F", "-f", str(configuration), "-L", str(log),
                            "-p", str(folder / "ganesha.pid"))  # fmt: skip
        with (
            program(mapper, folder / "rpcbind.log", lambda: _answers(reach)),
            program(
                server,
                folder / "out.log",
                lambda: _says(log, "NFS SERVER INITIALIZED"),
                end=signal.SIGKILL,  # at SIGTERM it takes its time
            ),
        ):
            yield Nfs(reach)


def _says(log: Path, words: str) -> bool:
    return log.exists() and words in log.read_text("utf-8", "replace")


def _answers(reach: Reach) -> bool:
    done = subprocess.run(
        reach.argv("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/111"),
        check=False, capture_output=True, timeout=10,
    )  # fmt: skip
    return done.returncode == 0
