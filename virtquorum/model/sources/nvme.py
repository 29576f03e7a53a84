"""An NVMe controller of the host."""

from __future__ import annotations

from typing import ClassVar

from virtquorum.model.node import node
from virtquorum.model.parts import PciAddress
from virtquorum.model.source import LocalSource
from virtquorum.model.spelling import Integer, Text, YesNo, attribute, child

__all__ = ["NvmeSource"]


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class NvmeSource(LocalSource):
    """A namespace of an NVMe controller, used by QEMU itself."""

    type: ClassVar[str] = "nvme"

    bus: Text = attribute("type", choices=("pci",))
    managed: YesNo = attribute(of="yes-no")
    namespace: Integer = attribute(of="integer")
    address: PciAddress | None = child(PciAddress, "address")
