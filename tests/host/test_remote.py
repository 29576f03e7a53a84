"""The libvirt of another machine, over SSH: what it has is not looked for on this one."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.host.definitions import described, domain, pool, secrets
from tests.libvirtd import root_of
from tests.programs import missing, run
from tests.servers.process import lacks
from tests.servers.ssh import missing_for_ssh, ssh

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.skipif(
        find_spec("libvirt") is None or bool(missing()),
        reason=f"not installed: libvirt, {missing()}",
    ),
    pytest.mark.skipif(
        bool(missing_for_ssh() or lacks("ssh", "nc")),
        reason=f"not installed: {[*missing_for_ssh(), *lacks('ssh', 'nc')]}",
    ),
]

#: ssh is told where the keys are, and asked for nothing.
_SSH = """\
#!/bin/sh
exec ssh -F none -o BatchMode=yes -o IdentitiesOnly=yes -o IdentityFile={home}/.ssh/id_ed25519 \\
    -o UserKnownHostsFile={home}/.ssh/{known} "$@"
"""


@pytest.fixture
def remote(daemon: str, tmp_path: Path) -> Iterator[str]:
    """The URI of the libvirtd of these tests, over SSH; it knows the host by its key."""
    socket = root_of(daemon) / "libvirt-sock"
    command = tmp_path / "ssh"
    with ssh(tmp_path) as served:
        command.write_text(_SSH.format(home=tmp_path / "home", known="known_hosts"))
        command.chmod(0o755)
        yield (
            f"qemu+ssh://{served.user}@127.0.0.1:{served.port}/system?socket={socket}"
            f"&command={command}&proxy=netcat"
        )


DISK = (
    "<disk type='volume'><driver name='qemu' type='raw'/><source pool='p' volume='v'>"
    "<encryption format='luks'><secret type='passphrase' usage='x'/></encryption></source>"
    "<target dev='vda' bus='virtio'/></disk>"
)


def test_volumes_and_secrets_of_another_machine(
    remote: str, daemon: str, host: Any, tmp_path: Path
) -> None:
    """The volume is where only the daemon sees it, and the secret's file is on this machine."""
    there, folder, file = Path("/var/lib/libvirt/disks"), tmp_path / "secrets", tmp_path / "d.xml"
    (root_of(daemon) / there.relative_to("/")).mkdir()
    folder.mkdir()
    file.write_text(domain(DISK))
    usage = "<usage type='volume'><volume>x</volume></usage>"
    with secrets(host, (usage, b"value")), pool(host, described("dir", there), "v"):
        assert not there.exists()
        asked = ("--disks-only", "--connect", remote, "--secrets-dir", folder)
        done = run("args", "--json", *asked, file)
    assert (done.code, done.err) == (0, "")
    (written,) = folder.iterdir()
    assert written.read_bytes() == b"value"
    words = ",".join(json.loads(done.out))
    assert f"file.filename={there}/v," in words
    assert f"file={written}" in words


def test_a_machine_that_is_not_known(remote: str, tmp_path: Path) -> None:
    """What ssh says goes into the message, and not past it."""
    file = tmp_path / "d.xml"
    file.write_text(domain(DISK))
    (tmp_path / "ssh").write_text(_SSH.format(home=tmp_path / "home", known="none"))
    done = run("args", "--disks-only", "--connect", remote, file)
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith(f"virtquorum: the connection '{remote}': libvirt says: ")
    assert "Host key verification failed" in done.err
    assert done.err.count("\n") == 1
