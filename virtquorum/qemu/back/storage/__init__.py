"""From a storage node to its source: one module for protocols that are alike."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from virtquorum.qemu.back.storage.context import Context
    from virtquorum.qemu.graph import Block

__all__ = ["source"]

_MODULES: Final = {
    "file": "local", "host_device": "local", "host_cdrom": "local", "vvfat": "local",
    "nvme": "local", "nbd": "nbd", "rbd": "rbd", "iscsi": "iscsi", "gluster": "gluster",
    "http": "curl", "https": "curl", "ftp": "curl", "ftps": "curl", "nfs": "nfs", "ssh": "ssh",
}  # fmt: skip


def source(block: Block, context: Context, more: dict[str, Any]) -> Any:
    """The source that a storage node is; ``more`` are the slice and the encryption of its image.

    Raises ArgumentError for what QEMU would refuse.
    """
    module = import_module(f"virtquorum.qemu.back.storage.{_MODULES[block.driver]}")
    return module.source(block, context, more)
