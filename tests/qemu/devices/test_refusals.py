"""What no device can say is refused by its name; test_libvirt.py asks libvirt as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.qemu.devices.cases import Case, ccw, controller, disk, drive, pci
from virtquorum.errors import TranslationError
from virtquorum.qemu.translate import Style, Translated, arguments, commands, translate
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from collections.abc import Sequence


_SHARED = "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"


def vhost(more: str = "", of_disk: str = "", bus: str = "virtio") -> str:
    return (
        f"<disk type='vhostuser' device='disk' {of_disk}><driver name='qemu' type='raw' {more}/>"
        f"<source type='unix' path='/s'/><target dev='vda' bus='{bus}'/></disk>"
    )


def lun(source: str, more: str = "", *, format: str = "raw", bus: str = "scsi") -> str:
    return (
        f"<disk {source} device='lun'><driver name='qemu' type='{format}'/>{more}"
        f"<target dev='sda' bus='{bus}'/></disk>"
    )


_PORT = (
    "<controller type='pci' index='0' model='pcie-root'/>"
    f"<controller type='pci' index='1' model='pcie-root-port'>{pci(2)}</controller>"
)
_USB = "<address type='usb' bus='{}' port='{}'/>"
#: Cases in which one disk is refused, and what is said of it.
REFUSED: dict[str, tuple[Case, str]] = {
    # targets and buses
    "xen": (Case("pc", disk("xvda", "xen")), "bus 'xen' is Xen's, and QEMU has no such disks"),
    "uml": (Case("pc", disk("ubda", "uml")),
            "bus 'uml' is User Mode Linux's, and QEMU has no such disks"),
    "an unknown bus": (Case("pc", disk("vda", "nvme")), "the bus is 'nvme'"),
    "ide on q35": (Case("q35", disk("hda", "ide")), "a machine 'q35' has no IDE controller"),
    "no floppies": (Case("virt", disk("fda", "fdc", device="floppy"), arch="aarch64"),
                    "a machine 'virt' takes no floppies"),
    "no SD cards": (Case("pc", disk("sda", "sd")), "a machine 'pc' has no slot for SD cards"),
    "a floppy elsewhere": (Case("pc", disk("sda", "sata", device="floppy")),
                           "a floppy cannot be on bus 'sata'"),
    "a disk among floppies": (Case("pc", disk("fda", "fdc")), "a disk cannot be on bus 'fdc'"),
    "a cdrom on virtio": (Case("pc", disk("vda", "virtio", device="cdrom")),
                          "a cdrom cannot be on bus 'virtio'"),
    "a read-only ide disk": (Case("pc", disk("hda", "ide", "<readonly/>")),
                             "a disk on bus 'ide' cannot be read-only"),
    "an empty disk": (Case("pc", disk("vda", "virtio", source=False)),
                      "the image has no source"),
    "an empty USB drive": (Case("pc", disk("sda", "usb", device="cdrom", source=False)),
                           "a USB drive needs a medium"),
    "a name that is no number": (Case("pc", disk("disk1", "virtio")),
                                 "the target 'disk1' says no number"),
    "an unknown device": (Case("pc", disk("vda", "virtio", device="tape")),
                          "the device is 'tape'"),
    # options
    "an unknown model": (Case("pc", disk("vda", "virtio", of_disk="model='x'")),
                         "the model is 'x'"),
    "a model elsewhere": (Case("q35", disk("sda", "sata", of_disk="model='virtio'")),
                          "the model 'virtio' is not for bus 'sata'"),
    "a model without PCI": (
        Case("s390-ccw-virtio", disk("vda", "virtio", of_disk="model='virtio-transitional'"),
             arch="s390x"),
        "the model 'virtio-transitional' needs PCI"),
    "raw I/O of a disk": (Case("pc", disk("sda", "scsi", of_disk="rawio='yes'")),
                          "rawio is only for device='lun'"),
    "unfiltered SCSI": (
        Case("q35", lun("type='block' sgio='unfiltered'", "<source dev='/d'/>")),
        "sgio='unfiltered' needs a kernel that is no longer made"),
    "a tray of a disk": (Case("pc", disk("vda", "virtio", of_target="tray='open'")),
                         "only a cdrom or a floppy has a tray"),
    "a file as lun": (Case("q35", lun("type='file'", "<source file='/a'/>")),
                      "device='lun' needs a block device of the host, or an iSCSI unit"),
    "qcow2 as lun": (Case("q35", lun("type='block'", "<source dev='/d'/>", format="qcow2")),
                     "device='lun' cannot have the format 'qcow2'"),
    "lun on sata": (Case("q35", lun("type='block'", "<source dev='/d'/>", bus="sata")),
                    "device='lun' cannot be on bus 'sata'"),
    **{
        f"{words} on {bus}": (
            Case("q35", disk(target, bus, driver=words)),
            f"QEMU's {driver} has no place for {words}",
        )
        for words in ("queues='2'", "queue_size='64'", "iothread='1'", "event_idx='on'",
                      "ioeventfd='on'", "iommu='on'", "ats='on'", "packed='on'", "page_per_vq='on'")
        for target, bus, driver in (("sda", "sata", "ide-hd"), ("sda", "usb", "usb-storage"))
    },
    "a wwn on usb": (Case("q35", disk("sda", "usb", "<wwn>5000c50015ea71ad</wwn>")),
                     "QEMU's usb-storage has no place for <wwn>5000c50015ea71ad</wwn>"),
    "a vendor on sata": (Case("q35", disk("sda", "sata", "<vendor>V</vendor>")),
                         "QEMU's ide-hd has no place for <vendor>V</vendor>"),
    "a rotation rate on virtio": (
        Case("q35", disk("vda", "virtio", of_target="rotation_rate='7200'")),
        "QEMU's virtio-blk-pci has no place for rotation_rate='7200'"),
    "removable on sata": (Case("q35", disk("sda", "sata", of_target="removable='on'")),
                          "QEMU's ide-hd has no place for removable='on'"),
    "policies of a floppy": (
        Case("pc", disk("fda", "fdc", device="floppy", driver="error_policy='stop'")),
        "QEMU's floppy has no place for error_policy='stop'"),
    "translation on scsi": (
        Case("q35", disk("sda", "scsi", "<geometry cyls='1' heads='1' secs='1' trans='lba'/>")),
        "QEMU's scsi-hd has no place for trans='lba'"),
    "an error policy of reads": (
        Case("q35", disk("vda", "virtio", driver="rerror_policy='enospace'")),
        "rerror_policy is 'enospace'"),
    "too many queues": (Case("q35", disk("vda", "virtio", driver="queues='65536'")),
                        "queues is 65536"),
    "a switch that is none": (Case("q35", disk("vda", "virtio", driver="packed='maybe'")),
                              "packed is 'maybe'"),
    "a size that is none": (
        Case("q35", disk("vda", "virtio", "<blockio logical_block_size='4k'/>")),
        "logical_block_size is '4k', which is no number"),
    "a serial with a quote": (Case("q35", disk("vda", "virtio", "<serial>a\"b</serial>")),
                              "the serial 'a\"b' cannot be said"),
    "a short wwn": (Case("q35", disk("sda", "scsi", "<wwn>5000</wwn>")), "the wwn is '5000'"),
    "a long vendor": (Case("q35", disk("sda", "scsi", "<vendor>123456789</vendor>")),
                      "the vendor '123456789' cannot be said"),
    "a long product": (Case("q35", disk("sda", "scsi", "<product>12345678901234567</product>")),
                       "the product '12345678901234567' cannot be said"),
    "an alias with a comma": (Case("q35", disk("vda", "virtio", "<alias name='ua-a,b'/>")),
                              "the alias 'ua-a,b' is no id that QEMU takes"),
    "no such iothread": (
        Case("q35", disk("vda", "virtio", driver="iothread='3'"),
             beside="<iothreads>2</iothreads>"),
        "the domain has no iothread 3"),
    # addresses
    "an address of another kind": (
        Case("q35", disk("vda", "virtio", drive())),
        "a virtio disk cannot have an address of type 'drive' on a machine 'q35'"),
    "ccw on q35": (
        Case("q35", disk("vda", "virtio", "<address type='ccw' cssid='0xfe' ssid='0' "
                         "devno='1'/>")),
        "a virtio disk cannot have an address of type 'ccw' on a machine 'q35'"),
    "a SATA disk on PCI": (Case("q35", disk("sda", "sata", pci(5))),
                           "a disk on bus 'sata' cannot have an address of type 'pci'"),
    "a USB disk on PCI": (Case("q35", disk("sda", "usb", pci(5))),
                          "a disk on bus 'usb' cannot have an address of type 'pci'"),
    "the machine's own slot": (
        Case("q35", disk("vda", "virtio", pci(31, 2))),
        "the PCI address 0000:00:1f.2 is that of a device of the machine itself"),
    "another PCI domain": (
        Case("q35", disk("vda", "virtio", pci(0, bus=1).replace("0x0000", "0x0001"))),
        "the PCI address 0001:01:00.0 is in another domain"),
    "slot 32": (Case("q35", disk("vda", "virtio", pci(32))), "slot is 32"),
    "slot 0 of a bridge": (
        Case("pc", f"<controller type='pci' index='1' model='pci-bridge'>{pci(9)}</controller>"
             + disk("vda", "virtio", pci(0, bus=1))),
        "slot 0 of the pci-bridge 1 takes no device"),
    "an unknown bridge": (
        Case("q35", "<controller type='pci' index='1' model='pcie-root-port'><model name='x'/>"
             "</controller>" + disk("vda", "virtio", pci(0, bus=1))),
        "the name of the model is 'x'"),
    "a port that leads nowhere": (Case("q35", disk("sda", "usb", _USB.format(0, "1.x"))),
                                  "the USB port is '1.x'"),
    "no second USB bus": (Case("q35", disk("sda", "usb", _USB.format(1, 1))),
                          "the domain has no usb controller 1"),
    "USB switched off": (
        Case("q35", controller("usb", 0, "none") + disk("sda", "usb")),
        "the domain has USB switched off"),
    "USB without a controller": (
        Case("virt", disk("sda", "usb"), arch="aarch64"), "the domain has no usb controller 0"),
    "companions alone": (
        Case("q35", controller("usb", 0, "ich9-uhci1") + disk("sda", "usb")),
        "usb controller 0 is only companions"),
    "a SATA port too far": (Case("q35", disk("sda", "sata", drive(unit=6))),
                            "the unit of a sata address is 6"),
    "an IDE bus too far": (Case("pc", disk("hda", "ide", drive(bus=2))),
                           "the bus of an ide address is 2"),
    "a second IDE controller": (Case("pc", disk("hde", "ide")),
                                "the controller of an ide address is 1"),
    "a third floppy": (Case("pc", disk("fdc", "fdc", device="floppy")),
                       "the controller of a floppy's address is 1"),
    "a unit too far": (
        Case("pc", controller("scsi", 0, "lsilogic") + disk("sda", "scsi", drive(unit=8))),
        "the unit of a disk on a controller 'lsilogic' is 8"),
    "a target on a narrow bus": (
        Case("pc", controller("scsi", 0, "lsilogic") + disk("sda", "scsi", drive(target=1))),
        "the target of a disk on a controller 'lsilogic' is 1"),
    "a target too far": (
        Case("q35", controller("scsi", 0, "virtio-scsi") + disk("sda", "scsi", drive(target=256))),
        "the target of a disk on a controller 'virtio-scsi' is 256"),
    "a unit too far on virtio-scsi": (
        Case("q35", controller("scsi", 0, "virtio-scsi") + disk("sda", "scsi", drive(unit=16384))),
        "the unit of a disk on a controller 'virtio-scsi' is 16384"),
    "an unknown controller": (
        Case("q35", controller("scsi", 0, "buslogic") + disk("sda", "scsi")),
        "the model of scsi controller 0 is 'buslogic'"),
    "a SCSI controller without PCI": (
        Case("s390-ccw-virtio", controller("scsi", 0, "virtio-transitional")
             + disk("sda", "scsi"), arch="s390x"),
        "scsi controller 0 of model 'virtio-transitional' needs PCI"),
    "a controller of no number": (
        Case("pc", controller("scsi", 0, "virtio-scsi").replace("'0'", "'zero'")
             + disk("sda", "scsi")),
        "the index of a scsi controller is 'zero'"),
    "a controller of a large number": (
        Case("pc", controller("scsi", 2**31, "virtio-scsi") + disk("sda", "scsi")),
        "the index of a scsi controller is '2147483648'"),
    "two controllers of one number": (
        Case("pc", controller("scsi", 0, "virtio-scsi") * 2 + disk("sda", "scsi")),
        "there are several scsi controllers 0"),
    "two USB controllers of one number": (
        Case("pc", controller("usb", 0, "ehci") * 2 + disk("sda", "usb")),
        "there are several usb controllers 0"),
    "a port at the root's number": (
        Case("q35", "<controller type='pci' model='pcie-root-port'/>"
             + disk("vda", "virtio", pci(0, bus=1))),
        "pci controller 0 has the model 'pcie-root-port', and it is the root"),
    "bridges in a circle": (
        Case("pc", controller("pci", 1, "pci-bridge", pci(3, bus=2))
             + controller("pci", 2, "pci-bridge", pci(3, bus=1))
             + disk("vda", "virtio", pci(4, bus=1))),
        "pci controller 1 is on bus 2, which is not nearer to the root"),
    "a bridge behind itself": (
        Case("pc", controller("pci", 1, "pci-bridge", pci(3, bus=1))
             + disk("vda", "virtio", pci(4, bus=1))),
        "pci controller 1 is on bus 1, which is not nearer to the root"),
    "a port on pSeries' bus": (
        Case("q35", controller("pci", 1, "pcie-root-port",
                               "<address type='spapr-vio' reg='0x1000'/>")
             + disk("vda", "virtio", pci(0, bus=1))),
        "pci controller 1 cannot have an address of type 'spapr-vio'"),
    "a port on s390's channels": (
        Case("q35", controller("pci", 1, "pcie-root-port", ccw(0, 1))
             + disk("vda", "virtio", pci(0, bus=1))),
        "pci controller 1 cannot have an address of type 'ccw'"),
    "a controller on USB": (
        Case("q35", controller("sata", 1, "", _USB.format(0, 1)) + disk("sda", "sata", drive(1))),
        "sata controller 1 cannot have an address of type 'usb'"),
    "a long USB port": (
        Case("q35", disk("sda", "usb", _USB.format(0, "1" * 5000))),
        f"the USB port is '{'1' * 5000}'"),
    # boot order
    "boot 0": (Case("q35", disk("vda", "virtio", "<boot order='0'/>")), "the boot order is 0"),
    "boot orders in two places": (
        Case("q35", disk("vda", "virtio", "<boot order='1'/>"), boot="<boot dev='hd'/>"),
        "the domain has a boot order both in <os> and on its devices"),
    # two at one place
    "one id": (
        Case("q35", disk("vda", "virtio", "<alias name='ua-x'/>")
             + disk("vdb", "virtio", "<alias name='ua-x'/>")),
        "the id 'ua-x' is also that of disk 'vda'"),
    "one PCI address": (
        Case("q35", _PORT + disk("vda", "virtio", pci(0, bus=1))
             + disk("vdb", "virtio", pci(0, bus=1))),
        "the PCI address 0000:01:00.0 is also that of disk 'vda'"),
    "one SATA port": (
        Case("q35", disk("sda", "sata") + disk("sdb", "sata", drive(unit=0))),
        "the address sata 0:0:0:0 is also that of disk 'sda'"),
    "one USB port": (
        Case("q35", disk("sda", "usb", _USB.format(0, 1)) + disk("sdb", "usb", _USB.format(0, 1))),
        "the USB port 1 of bus 0 is also that of disk 'sda'"),
    "one boot order": (
        Case("q35", disk("vda", "virtio", "<boot order='1'/>")
             + disk("vdb", "virtio", "<boot order='1'/>")),
        "disk 'vda' has the same boot order"),
    # vhost-user
    "vhost-user on sata": (Case("q35", vhost(bus="sata"), beside=_SHARED),
                           "a vhost-user disk is a virtio disk"),
    **{
        f"vhost-user with {words}": (
            Case("q35", vhost(words), beside=_SHARED),
            f"a vhost-user disk leaves {words.partition('=')[0]} to its server",
        )
        for words in ("cache='none'", "io='native'", "discard='unmap'", "detect_zeroes='on'",
                      "copy_on_read='on'")
    },
    "vhost-user on s390's channels": (
        Case("s390-ccw-virtio", vhost(), arch="s390x", beside=_SHARED),
        "QEMU has no vhost-user disk on s390's channel subsystem"),
}  # fmt: skip
#: What libvirt takes of these, and what then becomes of it.
TAKEN = {
    "no floppies": "QEMU finds no bus for it",
    "no SD cards": "QEMU has nowhere to put the card",
    "an empty USB drive": "QEMU wants a medium",
    "a model without PCI": "QEMU has no such device",
    "a port on pSeries' bus": "QEMU's port has no such property",
    "a controller on USB": "QEMU's controller has no such property",
    "a SCSI controller without PCI": "QEMU has no such device",
    "vhost-user on s390's channels": "QEMU has no such device",
    "queue_size='64' on sata": "libvirt drops it",
    "queue_size='64' on usb": "libvirt drops it",
    "policies of a floppy": "libvirt drops them",
    "too many queues": "QEMU has 16 bits for them",
    "an alias with a comma": "QEMU takes no such id",
    "a SATA port too far": "QEMU finds no such bus",
    "an IDE bus too far": "QEMU finds no such bus",
    "a unit too far": "QEMU takes none above 7",
    "a target too far": "QEMU takes none above 255",
    "a unit too far on virtio-scsi": "QEMU takes none above 16383",
}


def translations(case: Case, style: Style = "drive") -> list[Translated | TranslationError]:
    return list(translate(Domain.from_text(case.xml()), style=style))


def refusals(case: Case, style: Style = "drive") -> list[TranslationError]:
    return [one for one in translations(case, style) if isinstance(one, TranslationError)]


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_in_these_words(name: str) -> None:
    case, message = REFUSED[name]
    (found,) = refusals(case)
    assert found.message == message
    assert found.location is not None
    assert str(found).isprintable()


def test_a_disk_that_is_refused_takes_nothing_from_the_others() -> None:
    case = Case(
        "q35",
        disk("sda", "scsi", drive(unit=99)) + disk("sdb", "scsi", "<vendor>123456789</vendor>")
        + disk("sdc", "scsi") + disk("sdd", "scsi"),
    )  # fmt: skip
    every = translations(case)
    assert [isinstance(one, TranslationError) for one in every] == [True, True, False, False]
    words = arguments([one for one in every if isinstance(one, Translated)], "drive")
    assert [one for one in words if one.startswith("lsi,")] == ["lsi,id=scsi0"]


# What a running QEMU does not take


def remarks(every: Sequence[Any]) -> list[str]:
    return [remark for one in every for remark in one.remarks]


@pytest.mark.parametrize(
    ("machine", "devices", "message"),
    [
        ("q35", disk("sda", "sata"), "QEMU plugs in no ide-hd while it runs"),
        ("pc", disk("hda", "ide"), "QEMU plugs in no ide-hd while it runs"),
        ("pc", disk("fda", "fdc", device="floppy"), "QEMU plugs in no floppy while it runs"),
        ("q35", disk("vda", "virtio"), "QEMU plugs nothing into 'pcie.0' while it runs"),
        (
            "pc",
            disk("vda", "virtio", pci(7, 1)),
            "QEMU plugs in no function beside function 0 while it runs",
        ),
    ],
)
def test_what_cannot_be_plugged_in_is_refused(machine: str, devices: str, message: str) -> None:
    (found,) = refusals(Case(machine, devices), "qmp")
    assert found.message == message
    assert found.remedy is not None
    assert "--no-frontend" in found.remedy
    assert refusals(Case(machine, devices), "blockdev") == []


def test_what_qemu_must_be_started_with_is_told() -> None:
    case = Case(
        "q35",
        _PORT + controller("scsi", 0, "virtio-scsi", "<driver iothread='1'/>")
        + disk("vda", "virtio", pci(0, bus=1)) + disk("sda", "scsi"),
        beside="<iothreads>1</iothreads>",
    )  # fmt: skip
    every = translations(case, "qmp")
    assert remarks(every) == [
        "needs -device pcie-root-port,id=pci.1,bus=pcie.0,addr=0x2,port=16,chassis=1 "
        "when QEMU is started",
        "needs -object iothread,id=iothread1 -device virtio-scsi-pci,id=scsi0,iothread=iothread1 "
        "when QEMU is started",
    ]
    said = commands([one for one in every if isinstance(one, Translated)])
    drivers = [one["arguments"] for one in said if one["execute"] == "device_add"]
    assert [one["driver"] for one in drivers if isinstance(one, dict)] == [
        "virtio-blk-pci", "scsi-hd",
    ]  # fmt: skip
    assert "object-add" not in {one["execute"] for one in said}


def test_what_no_argument_can_say_is_told() -> None:
    case = Case(
        "q35",
        vhost(), beside=_SHARED,
    )  # fmt: skip
    (said,) = remarks(translations(case))
    assert said.startswith("needs memory that its server can share: -object memory-backend-memfd")
    tray = Case("q35", disk("sda", "sata", device="cdrom", of_target="tray='open'"))
    assert remarks(translations(tray)) == ["tray='open': QEMU starts with the tray closed"]
