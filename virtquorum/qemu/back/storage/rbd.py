"""Ceph's block devices, from their nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from virtquorum.model.parts import Encryption
from virtquorum.model.sources.rbd import RbdSource
from virtquorum.qemu import graph

if TYPE_CHECKING:
    from virtquorum.model.parts import Auth
    from virtquorum.qemu.back.storage.context import Context

__all__ = ["source"]

_WITH_LOGIN = ("cephx", "none")


def source(block: graph.Rbd, context: Context, more: dict[str, Any]) -> RbdSource:
    """The source that an rbd node is."""
    if block.namespace:
        context.leave(block, "namespace", block.namespace, "libvirt 9.0 has none")
    if "/" in block.pool:
        raise context.error(block, "pool", f"is '{block.pool}', which holds a '/'")
    more = more | _encryption(block, context, more)
    return RbdSource(
        name=f"{block.pool}/{block.image}",
        hosts=tuple(context.host(server, None, block) for server in block.server),
        snapshot=block.snapshot,
        config=block.conf,
        auth=_auth(block, context),
        **more,
    )


def _auth(block: graph.Rbd, context: Context) -> Auth | None:
    auth = context.auth(block, "user", block.user, block.key_secret, "ceph")
    said = block.auth_client_required
    expected = _WITH_LOGIN if auth is not None else ()
    if said not in ((), expected):
        why = "libvirt asks for cephx with <auth>, and for nothing without"
        context.leave(block, "auth-client-required", ",".join(said), why)
    return auth


def _encryption(block: graph.Rbd, context: Context, more: dict[str, Any]) -> dict[str, Any]:
    if block.encrypt is None:
        return {}
    if "encryption" in more:
        context.leave(
            block, "encrypt", block.encrypt.key_secret, "the image above is encrypted, too"
        )
        return {}
    format = "luks2" if isinstance(block.encrypt, graph.RbdLuks2) else "luks"
    secret = context.secret(block, block.encrypt.key_secret, "passphrase")
    return {"encryption": Encryption(format=format, engine="librbd", secrets=(secret,))}
