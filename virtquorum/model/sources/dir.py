"""A directory shown as a FAT file system."""

from __future__ import annotations

from typing import ClassVar

from virtquorum.model.node import node
from virtquorum.model.source import LocalSource
from virtquorum.model.spelling import Text, attribute

__all__ = ["DirSource"]


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class DirSource(LocalSource):
    """A directory of this host, shown to the guest as a FAT file system."""

    type: ClassVar[str] = "dir"

    dir: Text = attribute()
