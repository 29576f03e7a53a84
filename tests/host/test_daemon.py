"""The libvirtd of these tests leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.host.definitions import described
from tests.libvirtd import libvirtd, missing_for_libvirtd


def below(*places: str) -> list[str]:
    return sorted(str(one) for place in places for one in Path(place).rglob("*"))


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    missing = missing_for_libvirtd()
    if missing is not None:
        pytest.skip(missing)
    import libvirt

    places = ("/etc/libvirt", "/var/lib/libvirt", "/var/cache/libvirt", "/var/log/libvirt")
    before = below(*places), Path("/proc/mounts").read_text()
    with libvirtd() as uri:
        socket = Path(uri.partition("socket=")[2])
        connection = libvirt.open(uri)
        # What lasts, as far as the daemon goes.
        connection.secretDefineXML("<secret ephemeral='no'/>").setValue(b"value")
        connection.storagePoolDefineXML(described("dir", tmp_path))
        connection.close()
        assert (below(*places), Path("/proc/mounts").read_text()) == before
        # The owner of this socket is the process that has the program's id: it ends with it.
        assert socket.is_socket()
    assert (below(*places), Path("/proc/mounts").read_text()) == before
    assert not socket.parent.exists()
