"""What a running libvirt knows and does: ``connect(uri)`` is the way in."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from virtquorum.host.session import Host

__all__ = ["connect"]


def connect(uri: str | None = None) -> AbstractContextManager[Host]:
    """The libvirt at a URI, for the block of a ``with``; None is the one that virsh would take.

    Raises HostError if there is none, it lets nobody in, or libvirt-python is
    not installed.
    """
    from virtquorum.host.session import connect

    return connect(uri)
