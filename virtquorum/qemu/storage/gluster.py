"""Files of Gluster volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.qemu import graph

if TYPE_CHECKING:
    from virtquorum.model.location import Location
    from virtquorum.model.sources.gluster import GlusterSource
    from virtquorum.qemu.storage.context import Context

__all__ = ["DEBUG", "storage"]

#: What libvirt says if its qemu.conf does not: errors and warnings.
DEBUG: Final = 4


def storage(
    source: GlusterSource, place: Location | None, name: str, context: Context
) -> graph.Gluster:
    """The storage node of a file of a volume."""
    volume, slash, path = (source.name or "").partition("/")
    if not volume or not slash or not path:
        raise context.refused(
            "a gluster source is named by volume and path", place, "name='VOLUME/PATH'"
        )
    if not source.hosts:
        raise context.refused("gluster needs a <host>", place, "it is <host name='…'/>")
    return graph.Gluster(
        **context.common(name),
        volume=volume,
        path=path,
        server=tuple(context.server(source, host) for host in source.hosts),
        debug=DEBUG,
    )
