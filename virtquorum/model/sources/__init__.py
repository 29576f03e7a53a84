"""Every source of libvirt's ``<disk>``, one file each.

A source's class describes its XML and its QEMU properties; to add a
protocol, write its file and enter it in ``SOURCES``.  The files are imported
when a document first holds such a source: most domains hold two or three of
the nineteen, and a command line tool starts often.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, TypeAlias

from virtquorum.model.source import Source

if TYPE_CHECKING:
    from virtquorum.model.sources.block import BlockSource
    from virtquorum.model.sources.dir import DirSource
    from virtquorum.model.sources.file import FileSource
    from virtquorum.model.sources.ftp import FtpSource
    from virtquorum.model.sources.ftps import FtpsSource
    from virtquorum.model.sources.gluster import GlusterSource
    from virtquorum.model.sources.http import HttpSource
    from virtquorum.model.sources.https import HttpsSource
    from virtquorum.model.sources.iscsi import IscsiSource
    from virtquorum.model.sources.nbd import NbdSource
    from virtquorum.model.sources.nfs import NfsSource
    from virtquorum.model.sources.nvme import NvmeSource
    from virtquorum.model.sources.rbd import RbdSource
    from virtquorum.model.sources.sheepdog import SheepdogSource
    from virtquorum.model.sources.ssh import SshSource
    from virtquorum.model.sources.tftp import TftpSource
    from virtquorum.model.sources.vhostuser import VhostUserSource
    from virtquorum.model.sources.volume import VolumeSource
    from virtquorum.model.sources.vxhs import VxhsSource

    KnownSource: TypeAlias = (
        FileSource
        | BlockSource
        | DirSource
        | VolumeSource
        | NvmeSource
        | VhostUserSource
        | NbdSource
        | RbdSource
        | IscsiSource
        | GlusterSource
        | HttpSource
        | HttpsSource
        | FtpSource
        | FtpsSource
        | NfsSource
        | SshSource
        | SheepdogSource
        | VxhsSource
        | TftpSource
    )

__all__ = [
    "SOURCES",
    "BlockSource",
    "DirSource",
    "FileSource",
    "FtpSource",
    "FtpsSource",
    "GlusterSource",
    "HttpSource",
    "HttpsSource",
    "IscsiSource",
    "NbdSource",
    "NfsSource",
    "NvmeSource",
    "RbdSource",
    "SheepdogSource",
    "SshSource",
    "TftpSource",
    "VhostUserSource",
    "VolumeSource",
    "VxhsSource",
    "source_class",
]

#: (type, protocol) of a source, and the class in the module of that name.
SOURCES: dict[tuple[str, str | None], str] = {
    ("file", None): "FileSource",
    ("block", None): "BlockSource",
    ("dir", None): "DirSource",
    ("volume", None): "VolumeSource",
    ("nvme", None): "NvmeSource",
    ("vhostuser", None): "VhostUserSource",
    ("network", "nbd"): "NbdSource",
    ("network", "rbd"): "RbdSource",
    ("network", "iscsi"): "IscsiSource",
    ("network", "gluster"): "GlusterSource",
    ("network", "http"): "HttpSource",
    ("network", "https"): "HttpsSource",
    ("network", "ftp"): "FtpSource",
    ("network", "ftps"): "FtpsSource",
    ("network", "nfs"): "NfsSource",
    ("network", "ssh"): "SshSource",
    ("network", "sheepdog"): "SheepdogSource",
    ("network", "vxhs"): "VxhsSource",
    ("network", "tftp"): "TftpSource",
}
_CLASSES: dict[tuple[str, str | None], type[Source]] = {}
_MODULES = {name: protocol or type for (type, protocol), name in SOURCES.items()}


def source_class(type: str, protocol: str | None) -> type[Source] | None:
    """The class for a source, None where libvirt's disk has no such source."""
    key = type, protocol if type == "network" else None
    found = _CLASSES.get(key)
    if found is None and (name := SOURCES.get(key)) is not None:
        found = _CLASSES[key] = __getattr__(name)
    return found


def __getattr__(name: str) -> type[Source]:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: type[Source] = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = found
    return found
