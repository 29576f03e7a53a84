"""Sources whose storage cannot be had here: QEMU takes their options, and reaches nobody."""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING, NamedTuple

from virtquorum.qemu.provided import Provided, SecretFile

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["AWAY", "Away", "provided"]

#: A key as Ceph makes them; of any other bytes its library says at once that they are none.
_CEPH_KEY = b64decode("AQBWIiJjAAAAABAAIG1vcmUgdGhhbiBlbm91Z2g=")
_CEPH = (
    "[global]\nclient_mount_timeout = 1\nrados_mon_op_timeout = 1\nmon_host = 127.0.0.1:1\n"
    "keyring = /dev/null\n"
)
_HOSTS = "<host name='127.0.0.1' port='1'/>"
_RBD = f"{_HOSTS}<host name='::1' port='1'/><snapshot name='a@b'/><config file='DIR/ceph.conf'/>"
_AUTH = "<auth username='ali'><secret type='ceph' usage='ceph key'/></auth>"
_UNREACHABLE = "error connecting: Connection timed out"


def _librbd(format: str) -> str:
    return (
        f"<encryption format='{format}' engine='librbd'>"
        "<secret type='passphrase' usage='passphrase'/></encryption>"
    )


class Away(NamedTuple):
    """A source, its driver, and how QEMU says that it reached nobody (a regular expression)."""

    protocol: str
    type: str
    source: str
    unreachable: str


AWAY = {
    "rbd": Away(
        "rbd",
        "network",
        f"<source protocol='rbd' name='pool/an image'>{_RBD}{_AUTH}{_librbd('luks')}</source>",
        _UNREACHABLE,
    ),
    "rbd, luks2": Away(
        "rbd",
        "network",
        f"<source protocol='rbd' name='pool/image'>{_RBD}{_librbd('luks2')}</source>",
        _UNREACHABLE,
    ),
    "gluster": Away(
        "gluster",
        "network",
        f"<source protocol='gluster' name='volume/a path'>{_HOSTS}"
        "<host transport='unix' socket='/nowhere'/></source>",
        "Gluster connection for volume volume, path a path failed to connect",
    ),
    "nvme": Away(
        "nvme",
        "nvme",
        "<source type='pci' namespace='1'>"
        "<address domain='0x0000' bus='0xff' slot='0x1f' function='0x7'/></source>",
        ".*(/dev/vfio|VFIO|IOMMU|iommu)",
    ),
}


def provided(folder: Path) -> Provided:
    """The key and the passphrase; and Ceph's configuration, with which it gives up in a second."""
    (folder / "ceph.conf").write_text(_CEPH)
    (folder / "key").write_bytes(_CEPH_KEY)
    (folder / "passphrase").write_bytes(b"open sesame")
    return Provided(
        secrets={
            "ceph key": SecretFile(path=str(folder / "key")),
            "passphrase": SecretFile(path=str(folder / "passphrase")),
        }
    )
