"""An image on a block device."""

from __future__ import annotations

from typing import ClassVar

from virtquorum.model.node import node
from virtquorum.model.source import LocalSource
from virtquorum.model.spelling import Text, attribute

__all__ = ["BlockSource"]


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class BlockSource(LocalSource):
    """A block device of this host."""

    type: ClassVar[str] = "block"

    dev: Text = attribute(qemu="filename")
