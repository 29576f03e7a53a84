"""An iSCSI unit."""

from __future__ import annotations

from typing import ClassVar

from virtquorum.model.node import node
from virtquorum.model.sources.network import NetworkSource
from virtquorum.model.spelling import Text, attribute

__all__ = ["IscsiSource"]


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class IscsiSource(NetworkSource):
    """A unit of an iSCSI target; ``name`` is IQN[/LUN]."""

    protocol: ClassVar[str | None] = "iscsi"
    default_port: ClassVar[int | None] = 3260

    initiator: Text = attribute("name", inside="initiator/iqn")
