"""Which devices a running QEMU takes: some can only be there from the start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.qemu.qapi import properties

if TYPE_CHECKING:
    from collections.abc import Collection

    from virtquorum.qemu.devices.device import Device

__all__ = ["AT_START", "FIXED", "why_not_running"]

#: Drivers that are made only while QEMU starts, or whose buses are fixed then.
AT_START: Final = frozenset({
    "floppy", "ich9-usb-ehci1", "ich9-usb-uhci1", "ich9-usb-uhci2", "ich9-usb-uhci3", "ide-cd",
    "ide-hd", "isa-fdc", "pci-ohci", "pxb", "pxb-pcie", "spapr-vscsi", "vhost-user-blk",
    "virtio-blk-device", "virtio-scsi-device",
})  # fmt: skip


#: Controllers into whose bus a running QEMU plugs nothing.
FIXED: Final = frozenset({"i82801b11-bridge", "pxb", "pxb-pcie", "x3130-upstream"})


def why_not_running(device: Device, root_bus: str | None, fixed: Collection[str]) -> str | None:
    """Why a running QEMU would not take a device, None if it does.

    ``root_bus`` is its PCI root, and ``fixed`` are the names of other buses
    into which nothing is plugged, or of their controllers.
    """
    if device.driver in AT_START:
        return f"QEMU plugs in no {device.driver} while it runs"
    known = properties(type(device))
    bus = getattr(device, "bus", None) or (root_bus if "addr" in known else None)
    if bus == "pcie.0" or bus in fixed or (bus or "").partition(".")[0] in fixed:
        return f"QEMU plugs nothing into '{bus}' while it runs"
    if "." in (getattr(device, "addr", None) or ""):
        return "QEMU plugs in no function beside function 0 while it runs"
    return None
