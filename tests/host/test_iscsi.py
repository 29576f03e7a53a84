"""A volume of an iSCSI pool: its pool has the portal and the login, and QEMU reaches it itself."""

from __future__ import annotations

import json
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from tests.host.agreement import libvirts, our_own
from tests.host.definitions import described, domain, secrets
from tests.programs import missing, qemu, run
from tests.servers.iscsi import iscsi, missing_for_iscsi

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.skipif(
        find_spec("libvirt") is None or bool(missing()),
        reason=f"not installed: libvirt, {missing()}",
    ),
    pytest.mark.skipif(bool(missing_for_iscsi()), reason=f"not installed: {missing_for_iscsi()}"),
]

PASSWORD = b"of-sixteen-signs"
DISK = (
    "<disk type='volume'><driver name='qemu' type='raw'/><source pool='p' volume='unit:0:0:1'/>"
    "<target dev='vda' bus='virtio'/></disk>"
)


@pytest.fixture
def portal(host: Any, tmp_path: Path) -> Iterator[str]:
    """The portal of a server whose target is a pool 'p'; its unit 1 is full of fives."""
    import libvirt

    image = tmp_path / "unit"
    image.write_bytes(b"\5" * 1048576)
    usage = "<usage type='iscsi'><target>t</target></usage>"
    with (
        secrets(host, (usage, PASSWORD)),
        iscsi({1: image}, tmp_path, login=("someone", PASSWORD.decode())) as served,
    ):
        source = (
            f"<host name='127.0.0.1' port='{served.port}'/><device path='{served.target}'/>"
            "<initiator><iqn name='iqn.2020-01.org.example:me'/></initiator>"
            "<auth type='chap' username='someone'><secret usage='t'/></auth>"
        )
        try:
            made = host.storagePoolCreateXML(described("iscsi-direct", "/", source))
        except libvirt.libvirtError as error:
            if "missing backend" not in str(error):
                raise
            pytest.skip(f"this libvirt has no such pools: {error}")
        try:
            yield f"127.0.0.1:{served.port}"
        finally:
            made.destroy()


def test_qemu_reads_a_volume_with_a_login(
    portal: str, daemon: str, host: Any, tmp_path: Path
) -> None:
    assert our_own(daemon, DISK) == libvirts(host, DISK)
    file, folder = tmp_path / "d.xml", tmp_path / "secrets"
    file.write_text(domain(DISK))
    folder.mkdir()
    done = run("args", "--disks-only", "--connect", daemon, "--secrets-dir", folder, "--json", file)
    assert (done.code, done.err) == (0, "")
    assert PASSWORD.decode() not in done.out
    assert f"portal={portal}" in done.out
    with qemu(json.loads(done.out), tmp_path, machine="pc") as running:
        said = running.io("drive-vda", "read -P 5 0 64k")
    assert "read 65536/65536" in said
    assert "verification failed" not in said
