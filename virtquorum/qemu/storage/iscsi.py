"""iSCSI units, which QEMU itself reaches."""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from virtquorum.qemu import graph

if TYPE_CHECKING:
    from virtquorum.model.location import Location
    from virtquorum.model.sources.iscsi import IscsiSource
    from virtquorum.qemu.storage.context import Context

__all__ = ["storage"]


def storage(
    source: IscsiSource, place: Location | None, name: str, context: Context
) -> graph.Iscsi:
    """The storage node of a unit."""
    target, slash, unit = (source.name or "").partition("/")
    if not target or (slash and not re.fullmatch(r"[0-9]{1,9}", unit)):
        raise context.refused(
            f"'{source.name or ''}' names no unit", place, "it is name='IQN' or name='IQN/LUN'"
        )
    auth = context.auth(source)
    return graph.Iscsi(
        **context.common(name),
        portal=_portal(source, context),
        target=target,
        lun=int(unit or 0),
        transport="tcp",
        user=auth.username if auth is not None else None,
        password_secret=context.password(auth, source) if auth is not None else None,
        initiator_name=source.initiator,
    )


def _portal(source: IscsiSource, context: Context) -> str:
    host = context.one_host(source)
    name, port = context.tcp_host(source, host), context.port(source, host)
    return f"[{name}]:{port}" if _is_ipv6(name) else f"{name}:{port}"


def _is_ipv6(name: str) -> bool:
    try:
        IPv6Address(name)
    except ValueError:
        return False
    return True
