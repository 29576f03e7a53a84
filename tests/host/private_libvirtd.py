"""Run as a program: libvirtd with directories of its own, ``private_libvirtd.py ROOT``.

libvirt's daemon keeps its state, its configuration and its caches in places
that were fixed when it was built.  In a mount namespace (``unshare --mount``)
they are directories below ROOT, so nothing of this machine's libvirt is read
or written; the mounts go when the daemon does, however it ends.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

#: What the daemon writes to; all of /run, because its own directory there may be missing.
PLACES = ("/etc/libvirt", "/var/lib/libvirt", "/var/cache/libvirt", "/var/log/libvirt", "/run")

_DAEMON = """\
unix_sock_dir = "{root}"
auth_unix_ro = "none"
auth_unix_rw = "none"
log_outputs = "3:file:{root}/libvirtd.log"
"""
#: The UUID of the secret that opens the key for NBD over TLS.
TLS_KEY = "7a8c1f0e-92b4-4a3d-8a55-0d6f9d0c0f7e"
#: As another user QEMU could not reach the root, and libvirt would ask for its abilities each time.
_QEMU = f"""\
user = "root"
group = "root"
stdio_handler = "file"
nbd_tls_x509_secret_uuid = "{TLS_KEY}"
"""


def main() -> None:
    """Mount, configure, become libvirtd."""
    root = Path(sys.argv[1])
    for place in PLACES:
        own = root / place.removeprefix("/")
        own.mkdir(parents=True)
        subprocess.run(["mount", "--bind", own, place], check=True)
    Path("/etc/libvirt/qemu.conf").write_text(_QEMU)
    configuration = root / "libvirtd.conf"
    configuration.write_text(_DAEMON.format(root=root))
    argv = ["libvirtd", "-f", str(configuration), "-p", str(root / "libvirtd.pid")]
    os.execvp(argv[0], argv)  # noqa: S606


if __name__ == "__main__":
    main()
