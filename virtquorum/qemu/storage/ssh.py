"""Files reached over SSH."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.qemu import graph

if TYPE_CHECKING:
    from virtquorum.model.location import Location
    from virtquorum.model.sources.ssh import SshSource
    from virtquorum.qemu.storage.context import Context

__all__ = ["storage"]


def storage(source: SshSource, place: Location | None, name: str, context: Context) -> graph.Ssh:
    """The storage node of a file on a host.  QEMU logs in with the user's keys or agent."""
    if not source.name:
        raise context.refused("an ssh source is named by its path", place, "name='/PATH'")
    auth = context.auth(source)
    return graph.Ssh(
        **context.common(name),
        path=source.name,
        server=context.inet(source, context.one_host(source)),
        user=auth.username if auth is not None else None,
    )
