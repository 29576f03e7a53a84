"""A volume of a libvirt storage pool."""

from __future__ import annotations

from typing import ClassVar

from virtquorum.model.node import node
from virtquorum.model.source import LocalSource
from virtquorum.model.spelling import Text, attribute

__all__ = ["VolumeSource"]


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class VolumeSource(LocalSource):
    """A volume of a libvirt storage pool; ``mode`` says who reaches an iSCSI pool's storage."""

    type: ClassVar[str] = "volume"

    pool: Text = attribute()
    volume: Text = attribute()
    mode: Text = attribute(choices=("host", "direct"))
