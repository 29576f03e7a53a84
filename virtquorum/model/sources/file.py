"""An image in a file."""

from __future__ import annotations

from typing import ClassVar

from virtquorum.model.node import node
from virtquorum.model.source import LocalSource
from virtquorum.model.spelling import Text, attribute

__all__ = ["FileSource"]


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class FileSource(LocalSource):
    """A file of this host; ``fdgroup`` names file descriptors handed to libvirt instead."""

    type: ClassVar[str] = "file"

    file: Text = attribute(qemu="filename")
    fdgroup: Text = attribute()
