"""Files on NFS servers, which QEMU itself reaches."""

from __future__ import annotations

import grp
import pwd
import re
from typing import TYPE_CHECKING

from virtquorum.qemu import graph

if TYPE_CHECKING:
    from collections.abc import Callable

    from virtquorum.model.location import Location
    from virtquorum.model.sources.nfs import NfsSource
    from virtquorum.qemu.storage.context import Context

__all__ = ["storage"]


def storage(source: NfsSource, place: Location | None, name: str, context: Context) -> graph.Nfs:
    """The storage node of a file on a server."""
    host = context.one_host(source)
    if host.port is not None:
        raise context.refused("an nfs host has no port", host.location, "leave it out")
    if not source.name:
        raise context.refused("an nfs source is named by its path", place, "name='/EXPORT/FILE'")
    return graph.Nfs(
        **context.common(name),
        server=graph.NfsServer(host=context.tcp_host(source, host)),
        path=source.name,
        user=_number("user", source.user, lambda one: pwd.getpwnam(one).pw_uid, place, context),
        group=_number("group", source.group, lambda one: grp.getgrnam(one).gr_gid, place, context),
    )


def _number(
    what: str,
    said: str | None,
    look_up: Callable[[str], int],
    place: Location | None,
    context: Context,
) -> int | None:
    """A user's or group's number; as for libvirt, '+0' is a number, '0' a name before it is one."""
    if said is None:
        return None
    if not said.startswith("+"):
        try:
            return look_up(said)
        except (KeyError, ValueError):  # no such name, or one that no system could hold
            pass
    if re.fullmatch(r"\+?[0-9]{1,9}", said) is None:
        raise context.refused(
            f"there is no {what} '{said}' on this machine", place, f"write its number: {what}='+0'"
        )
    return int(said)
