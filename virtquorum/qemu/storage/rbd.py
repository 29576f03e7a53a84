"""Ceph's block devices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.qemu import graph

if TYPE_CHECKING:
    from virtquorum.model.location import Location
    from virtquorum.model.sources.rbd import RbdSource
    from virtquorum.qemu.storage.context import Context

__all__ = ["storage"]


def storage(source: RbdSource, place: Location | None, name: str, context: Context) -> graph.Rbd:
    """The storage node of an image of a pool."""
    pool, slash, image = (source.name or "").partition("/")
    if not pool or not slash or not image:
        raise context.refused(
            "an rbd source is named by pool and image", place, "name='POOL/IMAGE'"
        )
    auth = context.auth(source)
    return graph.Rbd(
        **context.common(name),
        pool=pool,
        image=image,
        snapshot=source.snapshot,
        conf=source.config,
        server=tuple(context.inet(source, host) for host in source.hosts),
        encrypt=_encryption(source, context),
        user=auth.username if auth is not None else None,
        auth_client_required=("cephx", "none") if auth is not None else (),
        key_secret=context.password(auth, source) if auth is not None else None,
    )


def _encryption(source: RbdSource, context: Context) -> graph.RbdLuks | None:
    """What Ceph's library is to decrypt; QEMU's own encryption is the format node's."""
    encryption = context.encryption(source)
    if encryption is None or encryption.engine != "librbd":
        return None
    classes = {"luks": graph.RbdLuks, "luks2": graph.RbdLuks2}
    if encryption.format not in classes:
        raise context.refused(
            f"librbd knows no encryption '{encryption.format}'",
            encryption.location,
            "it is 'luks' or 'luks2'",
        )
    return classes[encryption.format](key_secret=context.passphrase(encryption))
