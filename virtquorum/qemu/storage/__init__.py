"""From a source to its storage node: one module for protocols that are alike."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from virtquorum.model.sources import SOURCES

if TYPE_CHECKING:
    from virtquorum.model.image import Image
    from virtquorum.model.location import Location
    from virtquorum.qemu.graph import Block
    from virtquorum.qemu.storage.context import Context

__all__ = ["storage"]

#: Where each source, by its type and protocol, is translated; the others QEMU does not have.
_MODULES: Final = {
    ("file", None): "local",
    ("block", None): "local",
    ("dir", None): "local",
    ("nvme", None): "local",
    ("network", "nbd"): "nbd",
    ("network", "rbd"): "rbd",
    ("network", "iscsi"): "iscsi",
    ("network", "gluster"): "gluster",
    ("network", "http"): "curl",
    ("network", "https"): "curl",
    ("network", "ftp"): "curl",
    ("network", "ftps"): "curl",
    ("network", "nfs"): "nfs",
    ("network", "ssh"): "ssh",
}
#: Where QEMU itself logs in.
_WITH_LOGIN: Final = frozenset({"rbd", "iscsi", "http", "https", "ftp", "ftps", "ssh"})
_GONE: Final = frozenset({"sheepdog", "tftp", "vxhs"})


def storage(image: Image, source: Any, name: str, context: Context) -> Block:
    """The storage node, of that name, of an image whose source is no quorum.

    Raises TranslationError.
    """
    key = (source.type, source.protocol)
    place = source.location or image.location
    if key in _MODULES:
        _check_parts(source, place, context)
        module = import_module(f"virtquorum.qemu.storage.{_MODULES[key]}")
        made: Block = module.storage(source, place, name, context)
        return made
    if source.protocol in _GONE:
        raise context.refused(f"QEMU has dropped the protocol '{source.protocol}'", place)
    if source.type == "vhostuser":
        raise context.refused(
            "a vhostuser disk has no block node, so it is no member and no backing image",
            place,
            "it can only be a disk of its own",
        )
    types = sorted({type for type, _ in SOURCES} | {"quorum"})
    if source.type not in types:
        raise context.refused(
            f"the type '{source.type}' is unknown", image.location, f"types are: {', '.join(types)}"
        )
    protocols = sorted(protocol for _, protocol in _MODULES if protocol)
    raise context.refused(
        f"the protocol '{source.protocol}' is unknown"
        if source.protocol
        else "the source has no protocol",
        place,
        f"protocols are: {', '.join(protocols)}",
    )


def _check_parts(source: Any, place: Location | None, context: Context) -> None:
    """Refuse what this kind of source would leave without effect: it was meant to protect."""
    auth = context.auth(source)
    if auth is not None and source.protocol not in _WITH_LOGIN:
        raise context.refused(
            f"QEMU logs in to no storage of the kind '{source.protocol or source.type}'",
            auth.location or place,
            f"remove <auth>; it is for {', '.join(sorted(_WITH_LOGIN))}",
        )
    if auth is not None and not auth.username:
        raise context.refused(
            "<auth> names no user", auth.location or place, "it is <auth username='…'>"
        )
    if source.reservations is not None and source.type not in ("file", "block"):
        raise context.refused(
            "persistent reservations are for block devices of this host",
            source.reservations.location or place,
            "remove them",
        )
    encryption = context.encryption(source)
    if encryption is not None and encryption.engine == "librbd" and source.protocol != "rbd":
        raise context.refused(
            "librbd decrypts images of rbd and no others",
            encryption.location or place,
            "the engine is 'qemu'",
        )
