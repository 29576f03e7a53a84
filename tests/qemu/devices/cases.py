"""Domains whose disks stand on every bus, with every option that a bus takes.

Each is one domain: its machine, what stands beside ``<devices>``, and what is
in them.  Sources are files that need not exist; ``sources`` says where to put
real ones.
"""

from __future__ import annotations

import shutil
from typing import NamedTuple

__all__ = ["CASES", "QUORUMS", "Case", "ccw", "controller", "disk", "drive", "pci", "quorum"]

#: The program of an architecture, where it is called otherwise.
_PROGRAMS = {"armv7l": "arm"}


class Case(NamedTuple):
    """A domain; ``starts`` says whether a QEMU can start with its disks on any image.

    ``memory``, in MiB, is what the machine takes.
    """

    machine: str
    devices: str
    beside: str = ""
    boot: str = ""
    starts: bool = True
    arch: str = "x86_64"
    memory: int = 64

    @property
    def program(self) -> str:
        """The QEMU of the architecture."""
        return f"qemu-system-{_PROGRAMS.get(self.arch, self.arch)}"

    @property
    def is_here(self) -> bool:
        """Whether the QEMU of the architecture is installed."""
        return shutil.which(self.program) is not None

    def xml(self, folder: str = "/i") -> str:
        """The domain, its images in a folder."""
        return (
            f"<domain type='qemu'><name>d</name><memory unit='MiB'>{self.memory}</memory>"
            f"<vcpu>1</vcpu>{self.beside}"
            f"<os><type arch='{self.arch}' machine='{self.machine}'>hvm</type>{self.boot}</os>"
            f"<devices><emulator>{shutil.which(self.program)}</emulator>"
            f"{self.devices.replace('FOLDER', folder)}<memballoon model='none'/></devices></domain>"
        )


def disk(
    target: str,
    bus: str,
    more: str = "",
    *,
    device: str = "disk",
    driver: str = "",
    of_target: str = "",
    of_disk: str = "",
    source: bool = True,
) -> str:
    """A disk on an image 'FOLDER/TARGET.img'."""
    held = f"<source file='FOLDER/{target}.img'/>" if source else ""
    return (
        f"<disk type='file' device='{device}' {of_disk}><driver name='qemu' type='raw' {driver}/>"
        f"{held}<target dev='{target}' bus='{bus}' {of_target}/>{more}</disk>"
    )


def pci(slot: int, function: int = 0, *, bus: int = 0, several: str = "") -> str:
    multi = f" multifunction='{several}'" if several else ""
    return (
        f"<address type='pci' domain='0x0000' bus='{bus:#04x}' slot='{slot:#04x}' "
        f"function='{function:#x}'{multi}/>"
    )


def drive(controller: int = 0, bus: int = 0, target: int = 0, unit: int = 0) -> str:
    return (
        f"<address type='drive' controller='{controller}' bus='{bus}' target='{target}' "
        f"unit='{unit}'/>"
    )


def ccw(ssid: int, devno: int) -> str:
    return f"<address type='ccw' cssid='0xfe' ssid='{ssid:#x}' devno='{devno:#06x}'/>"


def controller(type: str, index: int, model: str = "", more: str = "") -> str:
    said = f" model='{model}'" if model else ""
    return f"<controller type='{type}' index='{index}'{said}>{more}</controller>"


_CACHES = ("none", "writethrough", "writeback", "directsync", "unsafe", "default")
_POLICIES = (
    "error_policy='stop'", "error_policy='report'", "error_policy='ignore'",
    "error_policy='enospace'", "rerror_policy='stop'", "rerror_policy='ignore'",
    "error_policy='enospace' rerror_policy='report'", "error_policy='stop' rerror_policy='ignore'",
)  # fmt: skip
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_NO_BOOT = "<boot dev='network'/>"
_ROOT_PORTS = (
    "<controller type='pci' index='0' model='pcie-root'/>"
    "<controller type='pci' index='1' model='pcie-root-port'><model name='pcie-root-port'/>"
    f"<target chassis='1' port='0x10'/>{pci(2, several='on')}</controller>"
    "<controller type='pci' index='2' model='pcie-root-port'><model name='ioh3420'/>"
    f"<target chassis='19' port='0x11' hotplug='off'/>{pci(2, 1)}</controller>"
    f"<controller type='pci' index='3' model='pcie-to-pci-bridge'>{pci(0, bus=1)}</controller>"
    f"<controller type='pci' index='4' model='dmi-to-pci-bridge'>{pci(0x1E)}</controller>"
    f"<controller type='pci' index='5' model='pci-bridge'><target chassisNr='77'/>"
    f"{pci(1, bus=4)}</controller>"
    "<controller type='pci' index='6' model='pcie-expander-bus'><target busNr='180'/>"
    f"{pci(4)}</controller>"
    f"<controller type='pci' index='7' model='pcie-root-port'>{pci(0, bus=6)}</controller>"
    f"<controller type='pci' index='8' model='pcie-switch-upstream-port'>{pci(0, bus=2)}"
    "</controller><controller type='pci' index='9' model='pcie-switch-downstream-port'>"
    f"{pci(3, bus=8)}</controller>"
)
_ICH9 = (
    controller("usb", 0, "ich9-ehci1", pci(0x1D, 7))
    + controller("usb", 0, "ich9-uhci1", "<master startport='0'/>" + pci(0x1D, 0, several="on"))
    + controller("usb", 0, "ich9-uhci2", "<master startport='2'/>" + pci(0x1D, 1))
    + controller("usb", 0, "ich9-uhci3", pci(0x1D, 2))
)
_SCSI_DRIVER = (
    "<driver queues='4' cmd_per_lun='50' max_sectors='512' ioeventfd='on' iothread='1' "
    "iommu='on' ats='on' packed='off' page_per_vq='on'/>"
)

CASES: dict[str, Case] = {
    # virtio
    "virtio on q35": Case("q35", disk("vda", "virtio") + disk("vdb", "virtio")),
    "virtio on pc": Case("pc", disk("vda", "virtio", pci(7)) + disk("vdz", "virtio", pci(8))),
    "virtio at addresses": Case(
        "pc",
        disk("vda", "virtio", pci(7, several="on")) + disk("vdb", "virtio", pci(7, 1))
        + disk("vdaa", "virtio", pci(8, several="off")),
    ),
    "virtio behind ports": Case(
        "q35",
        _ROOT_PORTS + disk("vda", "virtio", pci(0, bus=7)) + disk("vdb", "virtio", pci(0, bus=9))
        + disk("vdc", "virtio", pci(4, bus=3)) + disk("vdd", "virtio", pci(5, bus=5)),
        boot=_NO_BOOT,
    ),
    "virtio into ports": Case(
        "q35",
        "<controller type='pci' index='0' model='pcie-root'/>"
        + "".join(
            f"<controller type='pci' index='{one}' model='pcie-root-port'>{pci(one + 1)}"
            "</controller>"
            for one in (1, 2, 3)
        )
        + controller("scsi", 0, "virtio-scsi", "<driver iothread='2' iommu='on'/>" + pci(0, bus=3))
        + disk("vda", "virtio", pci(0, bus=1), driver="iommu='on' packed='on'")
        + disk("vdb", "virtio", pci(0, bus=2), driver="iothread='2'")
        + disk("sda", "scsi", "<iotune><read_iops_sec>100</read_iops_sec></iotune>"),
        beside="<iothreads>2</iothreads>",
    ),
    "virtio behind bridges": Case(
        "pc",
        f"<controller type='pci' index='1' model='pci-bridge'>{pci(9)}</controller>"
        "<controller type='pci' index='2' model='pci-expander-bus'><target busNr='200'/>"
        f"{pci(10)}</controller>"
        + disk("vda", "virtio", pci(1, bus=1)) + disk("vdb", "virtio", pci(2, bus=2)),
    ),
    "virtio models": Case(
        "pc",
        disk("vda", "virtio", pci(7), of_disk="model='virtio'")
        + disk("vdb", "virtio", pci(8), of_disk="model='virtio-transitional'")
        + disk("vdc", "virtio", pci(9), of_disk="model='virtio-non-transitional'"),
    ),
    "virtio options": Case(
        "q35",
        disk("vda", "virtio", "<serial>a-b_c.1+</serial>", driver="queues='4' queue_size='128'")
        + disk("vdb", "virtio", driver="ioeventfd='on' event_idx='off'")
        + disk("vdc", "virtio", driver="ioeventfd='off' event_idx='on'")
        + disk("vdd", "virtio", driver="iommu='on' ats='on' packed='on' page_per_vq='on'")
        + disk("vde", "virtio", driver="iommu='off' ats='off' packed='off' page_per_vq='off'")
        + disk("vdf", "virtio", "<acpi index='7'/>")
        + disk("vdg", "virtio", "<geometry cyls='100' heads='16' secs='63'/>")
        + disk("vdh", "virtio", "<blockio logical_block_size='4096' physical_block_size='4096' "
               "discard_granularity='65536'/>")
        + disk("vdi", "virtio", "<alias name='ua-my_disk-1'/>")
        + disk("vdj", "virtio", "<readonly/>")
        + disk("vdk", "virtio", "<serial>two words</serial>"),
    ),
    "virtio iothreads": Case(
        "q35",
        disk("vda", "virtio", driver="iothread='2'") + disk("vdb", "virtio", driver="iothread='2'")
        + disk("vdc", "virtio", driver="iothread='7'"),
        beside="<iothreads>3</iothreads><iothreadids><iothread id='7' thread_pool_min='2' "
        "thread_pool_max='8'/></iothreadids>",
    ),
    **{
        f"cache on {bus}": Case(
            "q35",
            "".join(
                disk(f"{prefix}{letter}", bus, driver=f"cache='{mode}'")
                for letter, mode in zip(_LETTERS, _CACHES, strict=False)
            ),
        )
        for bus, prefix in (("virtio", "vd"), ("scsi", "sd"), ("sata", "sd"), ("usb", "sd"))
    },
    **{
        f"policies on {bus}": Case(
            "q35",
            "".join(
                disk(f"{prefix}{letter}", bus, driver=words)
                for letter, words in zip(_LETTERS, _POLICIES, strict=False)
            ),
        )
        for bus, prefix in (("virtio", "vd"), ("scsi", "sd"), ("usb", "sd"))
    },
    "shareable": Case(
        "pc",
        disk("vda", "virtio", "<shareable/>")
        + disk("vdb", "virtio", "<shareable/><readonly/>")
        + disk("vdc", "virtio", "<shareable/>", driver="cache='writethrough'")
        + disk("vdd", "virtio", "<shareable/>", driver="cache='default'")
        + disk("sda", "scsi", "<shareable/>") + disk("hda", "ide", "<shareable/>")
        + disk("sdb", "usb", "<shareable/>"),
    ),
    # scsi
    **{
        f"scsi {model}": Case(
            "pc",
            controller("scsi", 0, model, pci(9)) + disk("sda", "scsi", drive(target=target))
            + disk("sdb", "scsi", drive(target=target and target - 1, unit=unit), device="cdrom"),
        )
        for model, target, unit in (
            ("lsilogic", 0, 3), ("lsisas1068", 1, 0), ("lsisas1078", 3, 1), ("vmpvscsi", 5, 0),
            ("virtio-scsi", 200, 300), ("virtio-transitional", 2, 4),
            ("virtio-non-transitional", 2, 4),
        )
    },
    **{
        f"scsi {model}": Case(
            "pc",
            controller("scsi", 0, model, pci(9)) + disk("sda", "scsi", drive(unit=2))
            + disk("sdb", "scsi", drive(unit=5)),
        )
        for model in ("am53c974", "dc390")
    },
    "scsi by target": Case("q35", "".join(disk(f"sd{one}", "scsi") for one in "abcg")),
    "virtio-scsi by target": Case(
        "q35",
        "".join(controller("scsi", number, "virtio-scsi") for number in range(4))
        + "".join(disk(f"sd{one}", "scsi") for one in "aghopqwx"),
    ),
    "scsi options": Case(
        "q35",
        controller("scsi", 0, "virtio-scsi", _SCSI_DRIVER)
        + disk("sda", "scsi", "<serial>S1</serial><wwn>5000c50015ea71ad</wwn>"
               "<vendor>A,,b=c,</vendor><product>ST\"'\\{},on=</product>")
        + disk("sdb", "scsi", of_target="rotation_rate='7200'")
        + disk("sdc", "scsi", "<geometry cyls='100' heads='16' secs='63'/>"
               "<blockio logical_block_size='512' physical_block_size='4096'/>")
        + disk("sdd", "scsi", "<serial>two words</serial>", device="cdrom")
        + disk("sde", "scsi", device="cdrom", source=False)
        + disk("sdf", "scsi", "<alias name='ua-x'/>"),
        beside="<iothreads>1</iothreads>",
    ),
    "scsi aliases": Case(
        "q35",
        controller("scsi", 0, "virtio-scsi", "<alias name='ua-c'/>") + disk("sda", "scsi"),
    ),
    "scsi on a second controller": Case(
        "q35",
        controller("scsi", 0, "virtio-scsi") + controller("scsi", 3, "lsisas1078")
        + disk("sda", "scsi", drive(3, 0, 2, 1)),
    ),
    # sata and ide
    "sata on q35": Case(
        "q35",
        "".join(disk(f"sd{one}", "sata") for one in "abfgh")
        + disk("sdm", "sata", device="cdrom", source=False),
    ),
    "sata on pc": Case(
        "pc", controller("sata", 0, "", pci(9)) + disk("sda", "sata", drive(unit=4))
    ),
    "sata made up on pc": Case("pc", disk("sdc", "sata")),
    "sata options": Case(
        "q35",
        controller("sata", 1, "", "<alias name='ua-sata'/>")
        + disk("sda", "sata", "<serial>S1</serial>", of_target="rotation_rate='1'")
        + disk("sdb", "sata", "<blockio logical_block_size='512' physical_block_size='4096' "
               "discard_granularity='0'/>")
        + disk("sdc", "sata", "<geometry cyls='100' heads='16' secs='63'/>")
        + disk("sdd", "sata", "<serial>CD</serial>", device="cdrom")
        + disk("sde", "sata", drive(1, unit=3)),
    ),
    "ide on pc": Case(
        "pc",
        disk("hda", "ide", "<wwn>0x5000c50015ea71ac</wwn><serial>I</serial>")
        + disk("hdb", "ide", "<geometry cyls='100' heads='16' secs='63' trans='lba'/>")
        + disk("hdc", "ide", device="cdrom", source=False)
        + disk("hdd", "ide", driver="cache='none'", of_target="rotation_rate='5400'"),
    ),
    "ide at an address": Case("pc", disk("hda", "ide", drive(bus=1, unit=1))),
    # usb
    **{
        f"usb {model}": Case(
            "pc", controller("usb", 0, model, pci(9)) + disk("sda", "usb") + disk("sdb", "usb")
        )
        for model in (
            "piix4-uhci", "ehci", "ich9-ehci1", "pci-ohci", "nec-xhci", "qemu-xhci",
        )
    },
    "usb on q35": Case("q35", disk("sda", "usb")),
    "usb on pc": Case("pc", disk("sda", "usb")),
    "usb piix3-uhci": Case(
        "pc", controller("usb", 0, "piix3-uhci", pci(1, 2)) + disk("sda", "usb")
    ),
    "usb companions": Case("q35", _ICH9 + disk("sda", "usb", "<address type='usb' bus='0' "
                                                  "port='2'/>")),
    "usb options": Case(
        "q35",
        "<controller type='usb' index='0' model='qemu-xhci' ports='8'/>"
        "<controller type='usb' index='1' model='nec-xhci'><alias name='ua-usb'/></controller>"
        + disk("sda", "usb", "<serial>U</serial><address type='usb' bus='0' port='3'/>",
               of_target="removable='on'")
        + disk("sdb", "usb", "<address type='usb' bus='1' port='2'/>", of_target="removable='off'")
        + disk("sdc", "usb", "<blockio logical_block_size='512' physical_block_size='4096'/>")
        + disk("sdd", "usb", device="cdrom"),
    ),
    # floppies
    "floppies on pc": Case(
        "pc",
        disk("fda", "fdc", device="floppy") + disk("fdb", "fdc", device="floppy", source=False),
        boot="<boot dev='fd'/>",
    ),
    "floppies on q35": Case(
        "q35",
        disk("fda", "fdc", "<boot order='2'/>", device="floppy", driver="cache='none'")
        + disk("fdb", "fdc", "<boot order='3'/>", device="floppy")
        + disk("vda", "virtio", "<boot order='1'/>"),
    ),
    "a second floppy": Case(
        "pc", disk("fdb", "fdc", "<boot order='2'/>", device="floppy")
    ),
    # boot order
    "boot orders": Case(
        "q35",
        disk("vda", "virtio", "<boot order='2'/>") + disk("sda", "sata", "<boot order='1'/>",
                                                          device="cdrom", source=False)
        + disk("vdb", "virtio"),
    ),
    "boot words": Case(
        "pc",
        disk("vdb", "virtio") + disk("hdb", "ide") + disk("vda", "virtio") + disk("hda", "ide")
        + disk("hdd", "ide", device="cdrom", source=False) + disk("hdc", "ide", device="cdrom")
        + disk("fda", "fdc", device="floppy"),
        boot="<boot dev='cdrom'/><boot dev='fd'/><boot dev='network'/><boot dev='hd'/>",
    ),
    "boot by default": Case("pc", disk("hdb", "ide") + disk("vda", "virtio") + disk("hda", "ide")),
    "boot from the network": Case(
        "q35", "<interface type='user'><boot order='1'/></interface>" + disk("vda", "virtio")
    ),
    # vhost-user
    "vhost-user": Case(
        "q35",
        "<disk type='vhostuser' device='disk'><driver name='qemu' type='raw' queues='2' "
        "queue_size='64' event_idx='on' packed='on' iommu='on'/>"
        "<source type='unix' path='FOLDER/vhost,1'><reconnect enabled='yes' timeout='10'/>"
        "</source><target dev='vda' bus='virtio'/></disk>"
        "<disk type='vhostuser' device='disk' model='virtio-non-transitional'>"
        "<source type='unix' path='FOLDER/vhost2'><reconnect enabled='no'/></source>"
        f"<target dev='vdb' bus='virtio'/>{pci(9)}</disk>"
        "<disk type='vhostuser' device='disk'><source type='unix' path='FOLDER/vhost3'/>"
        "<target dev='vdc' bus='virtio'/></disk>",
        beside="<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>",
        starts=False,
    ),
    "vhost-user, transitional": Case(
        "pc",
        "<disk type='vhostuser' device='disk' model='virtio-transitional'>"
        "<source type='unix' path='FOLDER/vhost1'/><target dev='vda' bus='virtio'/></disk>",
        beside="<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>",
        starts=False,
    ),
    "vhost-user on mmio": Case(
        "vexpress-a9",
        "<disk type='vhostuser' device='disk'>"
        "<source type='unix' path='FOLDER/vhost1'/><target dev='vda' bus='virtio'/></disk>",
        beside="<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>",
        starts=False, arch="armv7l",
    ),
    "a unit of the host": Case(
        "q35",
        controller("scsi", 0, "virtio-scsi")
        + "<disk type='block' device='lun' rawio='yes' sgio='filtered'>"
        "<driver name='qemu' type='raw' cache='none' error_policy='stop'/>"
        "<source dev='/dev/sg-none'/><target dev='sda' bus='scsi'/></disk>",
        starts=False,
    ),
    # other architectures
    "ccw": Case(
        "s390-ccw-virtio",
        disk("vda", "virtio", driver="ioeventfd='off' queues='2' iommu='on'")
        + disk("vdb", "virtio", "<boot order='1' loadparm='2'/>" + ccw(1, 0xA1B))
        + disk("vdc", "virtio", "<address type='pci' domain='0x0000' bus='0x00' slot='0x01' "
               "function='0x0'><zpci uid='0x0007' fid='0x00000003'/></address>")
        + controller("scsi", 0, "virtio-scsi", "<driver ioeventfd='on'/>" + ccw(2, 5))
        + disk("sda", "scsi"),
        arch="s390x",
    ),
    "mmio": Case(
        "vexpress-a9",
        disk("vda", "virtio", driver="event_idx='off'")
        + disk("vdb", "virtio", "<address type='virtio-mmio'/>")
        + controller("scsi", 0, "virtio-scsi") + disk("sda", "scsi"),
        arch="armv7l",
    ),
    "mmio on virt": Case(
        "virt",
        disk("vda", "virtio") + disk("vdb", "virtio", "<address type='virtio-mmio'/>")
        + controller("scsi", 0, "virtio-scsi") + disk("sda", "scsi"),
        arch="aarch64",
    ),
    "virt": Case(
        "virt",
        disk("vda", "virtio")
        + controller("usb", 0, "qemu-xhci") + disk("sdb", "usb")
        + controller("scsi", 0, "virtio-scsi") + disk("sdc", "scsi") + disk("sda", "sata"),
        arch="aarch64",
    ),
    "virt of riscv": Case("virt", disk("vda", "virtio"), arch="riscv64"),
    "pseries": Case(
        "pseries",
        disk("vda", "virtio") + disk("sda", "scsi") + disk("sdb", "usb"),
        arch="ppc64", memory=256,
    ),
    "a bus of a NUMA node": Case(
        "q35",
        "<controller type='pci' index='0' model='pcie-root'/>"
        "<controller type='pci' index='1' model='pcie-expander-bus'><target busNr='180'>"
        f"<node>0</node></target>{pci(4)}</controller>"
        f"<controller type='pci' index='2' model='pcie-root-port'>{pci(0, bus=1)}</controller>"
        + disk("vda", "virtio", pci(0, bus=2)),
        beside="<cpu><numa><cell id='0' cpus='0' memory='64' unit='MiB'/></numa></cpu>",
        starts=False,
    ),
    "usb of vt82c686b": Case(
        "fuloong2e", controller("usb", 0, "vt82c686b-uhci") + disk("sda", "usb"), arch="mips64el",
        starts=False,
    ),
    "spapr-vio": Case(
        "pseries",
        controller("scsi", 0, "ibmvscsi", "<address type='spapr-vio' reg='0x3000'/>")
        + disk("sda", "scsi"),
        arch="ppc64", memory=256,
    ),
    **{
        f"sd on {machine}": Case(
            machine, disk("sda", "sd", driver="cache='writethrough'"), arch=arch, memory=memory
        )
        for machine, arch, memory in (
            ("versatilepb", "armv7l", 128), ("raspi3b", "aarch64", 1024),
            ("vexpress-a9", "armv7l", 64),
        )
    },
}  # fmt: skip


def quorum(target: str, bus: str, more: str = "", *, of_disk: str = "", driver: str = "") -> str:
    """A disk on two of three images 'FOLDER/TARGET.img', '.b' and '.c'."""
    members = "".join(
        "<backingStore type='file'><format type='raw'/>"
        f"<source file='FOLDER/{target}.{one}'/></backingStore>"
        for one in ("img", "b", "c")
    )
    return (
        f"<disk type='quorum' threshold='2' {of_disk}><driver name='qemu' type='quorum' {driver}/>"
        f"{members}<target dev='{target}' bus='{bus}'/>{more}</disk>"
    )


_GROUP = "<iotune><total_iops_sec>{}</total_iops_sec><group_name>g,1</group_name></iotune>"

#: What libvirt does not know of.
QUORUMS: dict[str, Case] = {
    "quorums": Case(
        "pc",
        quorum("vda", "virtio", "<boot order='1'/><serial>Q1</serial>", driver="queues='2'")
        + quorum("vdb", "virtio", _GROUP.format(100), driver="cache='writethrough'")
        + quorum("vdc", "virtio", _GROUP.format(100))
        + controller("scsi", 0, "virtio-scsi")
        + quorum("sda", "scsi", "<wwn>5000c50015ea71ad</wwn>", driver="error_policy='stop'")
        + quorum("sdb", "scsi", "<iotune><read_bytes_sec>4096</read_bytes_sec></iotune>")
        + quorum("sdc", "sata") + quorum("hda", "ide", driver="cache='none'")
        + controller("usb", 0, "qemu-xhci") + quorum("sdd", "usb", driver="copy_on_read='on'")
        + quorum("sde", "scsi", "<readonly/>", of_disk="device='cdrom'")
        + quorum("fda", "fdc", of_disk="device='floppy'"),
    ),
}  # fmt: skip
