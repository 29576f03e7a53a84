"""Controllers without an index have libvirt's; what is refused leaves nothing behind."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.qemu.devices.cases import Case, controller, disk, drive, pci
from tests.qemu.devices.devices import devices_of
from tests.qemu.devices.test_refusals import refusals, translations
from tests.qemu.embedded import NEEDED, native
from virtquorum.errors import TranslationError
from virtquorum.qemu.qmp import undo
from virtquorum.qemu.translate import STYLES, Style, Translated, arguments, commands


def without(type: str, model: str = "", more: str = "") -> str:
    """A controller without an index."""
    return controller(type, 0, model, more).replace(" index='0'", "")


_USB = "<address type='usb' bus='{}' port='1'/>"
_ICH9 = "".join(without("usb", f"ich9-{one}") for one in ("ehci1", "uhci1", "uhci2"))
#: Domains, and the controllers that their disks bring along.
UNNUMBERED = {
    "beside others": (
        "pc",
        without("scsi", "virtio-scsi") + controller("scsi", 0, "lsilogic")
        + without("scsi", "lsisas1078") + disk("sda", "scsi", drive(2))
        + disk("sdb", "scsi", drive(1)) + disk("sdc", "scsi"),
        {("scsi2", "megasas"), ("scsi1", "virtio-scsi-pci"), ("scsi0", "lsi")},
    ),
    "ports": (
        "q35",
        controller("pci", 0, "pcie-root") + without("pci", "pcie-root-port", pci(5))
        + without("pci", "pcie-root-port", pci(6)) + disk("vda", "virtio", pci(0, bus=2)),
        {("pci.2", "pcie-root-port")},
    ),
    "usb": (
        "pc",
        without("usb", "qemu-xhci") + without("usb", "ehci") + disk("sda", "usb", _USB.format(1)),
        {("usb1", "usb-ehci")},
    ),
    "usb 2 in parts": (
        "q35",
        _ICH9 + _ICH9 + disk("sda", "usb", _USB.format(1)),
        {("usb1", "ich9-usb-ehci1"), (None, "ich9-usb-uhci1"), (None, "ich9-usb-uhci2")},
    ),
    "usb 2 behind another": (
        "q35",
        controller("usb", 1, "qemu-xhci") + _ICH9 + disk("sda", "usb", _USB.format(0)),
        {("usb", "ich9-usb-ehci1"), (None, "ich9-usb-uhci1"), (None, "ich9-usb-uhci2")},
    ),
}  # fmt: skip


def named(devices: list[dict[str, Any]]) -> set[tuple[Any, Any]]:
    return {(one.get("id"), one["driver"]) for one in devices if "drive" not in one}


@pytest.mark.parametrize("name", UNNUMBERED)
def test_a_controller_without_an_index_has_the_first_free_one(name: str) -> None:
    machine, devices, expected = UNNUMBERED[name]
    assert named(devices_of(Case(machine, devices).xml()).devices) == expected


@NEEDED[0]
@NEEDED[1]
def test_libvirt_gives_the_same_indexes() -> None:
    cases = [Case(machine, devices) for machine, devices, _ in UNNUMBERED.values()]
    for case, found in zip(cases, native([one.xml() for one in cases], "-device"), strict=True):
        assert not isinstance(found, str), found
        theirs = [json.loads(one) for one in found["-device"]]
        ours = devices_of(case.xml()).devices
        assert named(ours) <= named(theirs)
        buses = {one["id"]: one["bus"] for one in theirs if "drive" in one}
        assert buses == {one["id"]: one["bus"] for one in ours if "drive" in one}


# Nothing of a refused disk is relied on


def drivers(found: list[Translated], style: Style) -> list[str]:
    if style == "qmp":
        every = [one["arguments"] for one in commands(found) if one["execute"] == "device_add"]
        return [str(one["driver"]) for one in every if isinstance(one, dict)]
    return [word for word in arguments(found, style) if "virtio-scsi" in word]


@pytest.mark.parametrize("style", STYLES)
def test_a_controller_goes_with_the_first_disk_that_is_taken(style: Style) -> None:
    limit = "<iotune><total_bytes_sec>{}</total_bytes_sec><group_name>g</group_name></iotune>"
    case = Case(
        "pc",
        controller("scsi", 0, "virtio-scsi") + disk("sda", "usb", limit.format(1))
        + disk("sdb", "scsi", limit.format(2)) + disk("sdc", "scsi") + disk("sdd", "scsi"),
    )  # fmt: skip
    every = translations(case, style)
    (refused,) = [one for one in every if isinstance(one, TranslationError)]
    assert refused.disk == "sdb"
    words = drivers([one for one in every if isinstance(one, Translated)], style)
    assert len([one for one in words if "virtio-scsi-pci" in one]) == 1


def test_a_port_is_still_told_where_the_first_disk_behind_it_is_refused() -> None:
    case = Case(
        "q35",
        controller("pci", 0, "pcie-root") + controller("pci", 1, "pcie-root-port", pci(5))
        + disk("vda", "virtio", pci(0, 1, bus=1)) + disk("vdb", "virtio", pci(0, bus=1)),
    )  # fmt: skip
    refused, taken = translations(case, "qmp")
    assert isinstance(refused, TranslationError)
    assert isinstance(taken, Translated)
    assert "-device pcie-root-port,id=pci.1" in taken.remarks[0]


def test_function_zero_comes_along() -> None:
    ports = (
        controller("pci", 1, "pcie-root-port", pci(2, several="on"))
        + controller("pci", 2, "pcie-root-port", pci(2, 1))
    )  # fmt: skip
    devices = devices_of(Case("q35", ports + disk("vda", "virtio", pci(0, bus=2))).xml()).devices
    assert [one["id"] for one in devices] == ["pci.2", "pci.1", "virtio-disk0"]


def test_a_broken_count_of_threads_is_for_the_disks_that_use_one() -> None:
    case = Case(
        "q35",
        disk("vda", "virtio") + disk("vdb", "virtio", driver="iothread='1'") + disk("vdc", "virtio")
        + disk("vdd", "virtio", driver="iothread='2'"),
        beside="<iothreads>two</iothreads>",
    )  # fmt: skip
    assert len(translations(case)) == 4
    found = refusals(case)
    assert [one.disk for one in found] == ["vdb", "vdd"]
    assert {one.message for one in found} == {"the number of iothreads is 'two'"}
    assert all(one.location is not None for one in found)


def test_a_zpci_without_a_uid_can_be_taken_away() -> None:
    zpci = pci(1).replace("/>", "><zpci fid='0x5'/></address>")
    case = Case("s390-ccw-virtio", disk("vda", "virtio", zpci), arch="s390x")
    (one,) = translations(case, "qmp")
    assert isinstance(one, Translated)
    added = [this["arguments"] for this in commands([one]) if this["execute"] == "device_add"]
    assert {
        "driver": "zpci",
        "id": "zpci-virtio-disk0",
        "fid": 5,
        "target": "virtio-disk0",
    } in added
    assert {"id": "zpci-virtio-disk0"} in [this["arguments"] for this in undo(commands([one]))]


def test_what_the_device_says_its_drive_does_not() -> None:
    words = "error_policy='stop' rerror_policy='report' cache='none'"
    (one,) = translations(Case("pc", disk("vda", "virtio", driver=words)))
    assert isinstance(one, Translated)
    said = arguments([one], "drive")
    drive_options = said[said.index("-drive") + 1]
    assert not [name for name in ("error", "writeback") if name in drive_options]
    assert "werror=stop,rerror=report" in said[said.index("-device") + 1]
