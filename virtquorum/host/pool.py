"""From a volume of a pool to what it is, by libvirt's rules (virDomainStorageSourceTranslate…)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from virtquorum.errors import HostError, InputError
from virtquorum.model.node import Node, node
from virtquorum.model.parts import Auth, Host, Secret
from virtquorum.model.sources.block import BlockSource
from virtquorum.model.sources.dir import DirSource
from virtquorum.model.sources.file import FileSource

if TYPE_CHECKING:
    from collections.abc import Callable

    from virtquorum.model.image import AnySource
    from virtquorum.model.sources.iscsi import IscsiSource
    from virtquorum.model.sources.volume import VolumeSource
    from virtquorum.xml.document import Element

__all__ = ["Pool", "check", "resolved"]

#: Pools whose volumes are paths of this host.
_BY_PATH: Final = frozenset({"dir", "fs", "netfs", "logical", "disk", "scsi", "zfs", "vstorage"})
_ISCSI: Final = frozenset({"iscsi", "iscsi-direct"})
#: virStorageVolType in words, by its number.
_VOLUMES: Final = ("file", "block", "dir", "network", "netdir", "ploop")
_MODES: Final = (None, "host", "direct")


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Pool(Node):
    """What a pool's XML says that makes a disk of its volumes."""

    name: str
    type: str
    source_name: str = ""
    directory: str = ""
    hosts: tuple[Host, ...] = ()
    devices: tuple[str, ...] = ()
    initiator: str | None = None
    auth: Auth | None = None

    @classmethod
    def of(cls, name: str, xml: str) -> Pool:
        """Read libvirt's description of a pool; raises HostError if it is none."""
        from virtquorum.xml.document import Document

        try:
            root = Document.from_text(xml, f"pool {name}").root
        except InputError as error:
            raise HostError(f"libvirt's XML of the pool '{name}' is unreadable: {error}") from None
        source = next(iter(root.elements("source")), root)
        iqns = [one for outer in source.elements("initiator") for one in outer.elements("iqn")]
        return cls(
            name=name,
            type=root.attributes.get("type", ""),
            source_name="".join(one.text.strip() for one in source.elements("name")),
            directory="".join(one.attributes.get("path", "") for one in source.elements("dir")),
            hosts=tuple(_host(one) for one in source.elements("host")),
            devices=tuple(one.attributes.get("path", "") for one in source.elements("device")),
            initiator=iqns[0].attributes.get("name") if iqns else None,
            auth=next((_auth(one) for one in source.elements("auth")), None),
        )


def _host(element: Element) -> Host:
    """A pool's host; an iSCSI host without a port has 3260."""
    port = element.attributes.get("port", "")
    return Host(
        name=element.attributes.get("name"),
        port=int(port) if port.isascii() and port.isdigit() else 3260,
        transport="tcp",
    )


def _auth(element: Element) -> Auth:
    """A pool's login as a disk has it: without its type, and the secret with one."""
    secret = next(iter(element.elements("secret")), None)
    return Auth(
        username=element.attributes.get("username"),
        secret=None
        if secret is None
        else Secret(
            type=secret.attributes.get("type", "iscsi"),
            uuid=secret.attributes.get("uuid"),
            usage=secret.attributes.get("usage"),
        ),
    )


def check(source: VolumeSource, pool: Pool) -> None:
    """Raise HostError if libvirt makes no disks of any such pool's volumes, started or not."""
    if source.mode not in _MODES:
        raise HostError(f"the mode '{source.mode}' is unknown; modes are: host, direct")
    if source.mode is not None and pool.type != "iscsi":
        raise HostError(
            f"mode='{source.mode}' is for pools of type 'iscsi', and '{pool.name}' is of type "
            f"'{pool.type}'; leave the mode out"
        )
    if pool.type not in _BY_PATH | _ISCSI:
        raise HostError(
            f"libvirt makes no disks of volumes of the pool '{pool.name}', which is of type "
            f"'{pool.type}'; {_instead(source, pool)}"
        )


def _instead(source: VolumeSource, pool: Pool) -> str:
    """How a disk says without a pool what such a volume is."""
    match pool.type:
        case "rbd":
            name = f"{pool.source_name}/{source.volume}"
        case "gluster":
            inside = [part for part in pool.directory.split("/") if part]
            name = "/".join([pool.source_name, *inside, source.volume or ""])
        case _:
            return "name the device that it is: type='block' and <source dev='…'/>"
    return f"name it as it is: type='network' and <source protocol='{pool.type}' name='{name}'>"


def resolved(
    source: VolumeSource, pool: Pool, volume_type: int, path: Callable[[], str]
) -> AnySource:
    """What a volume is; ``volume_type`` is virStorageVolType, ``path`` asks for the volume's.

    A login that stands with the volume says nothing: libvirt takes the
    pool's.  Raises HostError where libvirt makes no disk of it.
    """
    if pool.type in _BY_PATH:
        return _by_path(source, pool, volume_type, path)
    if pool.type == "iscsi" and source.mode != "direct":
        return BlockSource(dev=path(), **_kept(source, local=True))
    return _unit(source, pool)


def _by_path(
    source: VolumeSource, pool: Pool, volume_type: int, path: Callable[[], str]
) -> AnySource:
    word = _VOLUMES[volume_type] if 0 <= volume_type < len(_VOLUMES) else str(volume_type)
    kept = _kept(source, local=True)
    match word:
        case "file" | "ploop":
            return FileSource(file=path(), **kept)
        case "block":
            return BlockSource(dev=path(), **kept)
        case "dir":
            return DirSource(dir=path(), **kept)
    raise HostError(
        f"the volume '{source.volume}' is of type '{word}', which is no disk in a pool of type "
        f"'{pool.type}'"
    )


def _unit(source: VolumeSource, pool: Pool) -> IscsiSource:
    """A unit of the target that an iSCSI pool is, for QEMU to reach by itself."""
    from virtquorum.model.sources.iscsi import IscsiSource

    if len(pool.hosts) != 1 or not pool.devices:
        raise HostError(
            f"the pool '{pool.name}' has {len(pool.hosts)} hosts and {len(pool.devices)} targets; "
            "libvirt takes volumes of one host and its target"
        )
    parts = (source.volume or "").split(":")
    if len(parts) != 4:
        raise HostError(
            f"the volume '{source.volume}' is named as no unit of a target is; it is 'unit:0:0:LUN'"
        )
    return IscsiSource(
        name=f"{pool.devices[0]}/{parts[3]}",
        hosts=pool.hosts,
        initiator=pool.initiator,
        **{**_kept(source, local=False), "auth": pool.auth},
    )


def _kept(source: VolumeSource, *, local: bool) -> dict[str, Any]:
    """What the volume's own source carries; labels and start-up are for what is local."""
    kept: dict[str, Any] = {
        "location": source.location,
        "slices": source.slices,
        "encryption": source.encryption,
        "reservations": source.reservations,
    }
    if local:
        kept |= {"seclabels": source.seclabels, "startup_policy": source.startup_policy}
    return kept
