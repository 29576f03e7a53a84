"""What is not made, because it is no file: each kind of source with the way to make it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from virtquorum.model.image import Image

__all__ = ["elsewhere"]


def elsewhere(image: Image) -> str:
    """Why an image without a path of this host is left alone, and who makes it."""
    source: Any = image.source
    match source.type:
        case "network":
            return f"left alone: it is behind the protocol '{source.protocol}', and made there"
        case "volume":
            return (
                f"left alone: a volume is made in its pool, '{source.pool}' "
                "(virsh vol-create-as, say)"
            )
        case "file" if source.fdgroup is not None:
            return f"left alone: it is the open file that libvirt calls '{source.fdgroup}'"
        case "file" | "block":
            return "left alone: its <source> names nothing"
        case "dir":
            return "left alone: it is a directory, shown as a disk"
        case _:
            return f"left alone: a source of the type '{source.type}' is not made here"
