"""No field of a disk goes in silence: arguments, a remark or a refusal change with each."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import pytest

from virtquorum.errors import EditError, TranslationError
from virtquorum.model.disk import Disk
from virtquorum.model.image import Image, Quorum, Terminator
from virtquorum.model.node import Described
from virtquorum.model.sources import SOURCES, source_class
from virtquorum.model.sources.network import NetworkSource
from virtquorum.qemu.provided import Provided, SecretFile
from virtquorum.qemu.translate import Translated, arguments, translate
from virtquorum.xml.domain import Domain
from virtquorum.xml.format import format_disk
from virtquorum.xml.plan import fields_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.model.spelling import Spelling

UUID = "11111111-2222-4333-8444-555555555555"
OTHER = "21111111-2222-4333-8444-555555555555"
PROVIDED = Provided(
    secrets={one: SecretFile(path=f"/secret/{one}") for one in (UUID, OTHER, "usage", "x")},
    secrets_directory="/secrets",
)
AUTH = f"<auth username='u'><secret type='{{}}' uuid='{UUID}'/></auth>"
SLICE = "<slices><slice type='storage' offset='0' size='1048576'/></slices>"
LUKS = (
    "<encryption format='luks' engine='qemu'>"
    f"<secret type='passphrase' uuid='{UUID}'/></encryption>"
)
HOST = "<host name='h' port='4444'/>"
TUNE = (
    "<iotune><read_iops_sec>7</read_iops_sec><write_bytes_sec>5</write_bytes_sec>"
    "<write_bytes_sec_max>9</write_bytes_sec_max></iotune>"
)
BASE = "<backingStore type='file'><format type='raw'/><source file='/base'/></backingStore>"


def disk(
    source: str, *, type: str = "file", target: str = "dev='vda' bus='virtio'", inside: str = "",
    more: str = "", format: str = "raw", attributes: str = "", in_driver: str = "",
) -> str:  # fmt: skip
    return (
        f"<disk type='{type}' {attributes}><driver name='qemu' type='{format}'>{in_driver}</driver>"
        f"<source {source}>{inside}</source>{more}<target {target}/></disk>"
    )


def network(protocol: str, name: str = "a/b", inside: str = HOST, more: str = "") -> str:
    return disk(f"protocol='{protocol}' name='{name}'{more}", type="network", inside=inside)


SCSI = "dev='sda' bus='scsi'"
PCI = "<address domain='0x0000' bus='0x01' slot='0x02' function='0x0'/>"
#: Disks that are translated, and that hold every part of the model.
DISKS = {
    "file": disk("file='/a'", format="qcow2", inside=SLICE + LUKS, more=BASE + TUNE,
                 in_driver="<metadata_cache><max_size unit='KiB'>64</max_size></metadata_cache>"),
    "scsi": disk(
        "dev='/dev/a'", type="block", target=SCSI, attributes="device='lun'",
        inside="<reservations managed='no'><source type='unix' path='/pr' mode='client'/>"
        "</reservations>",
    ),
    "disk on scsi": disk(
        "file='/a'", target=SCSI,
        more="<geometry cyls='100' heads='16' secs='63'/>"
        "<blockio logical_block_size='512' physical_block_size='512'/><boot order='1'/>"
        "<address type='drive' controller='0' bus='0' target='0' unit='1'/>",
    ),
    "ide": disk("file='/a'", target="dev='hda' bus='ide'",
                more="<geometry cyls='9' heads='2' secs='3'/>"),
    "usb": disk("file='/a'", target="dev='sda' bus='usb'",
                more="<address type='usb' bus='0' port='1'/>"),
    "cdrom": disk("file='/a'", target="dev='sda' bus='sata'", attributes="device='cdrom'"),
    "pci": disk("file='/a'", more="<address type='pci' domain='0' bus='0' slot='9' function='0'/>"),
    "mmio": disk("file='/a'", more="<address type='virtio-mmio'/>"),
    "transient": disk("file='/a'", more="<transient/>"),
    "dir": disk("dir='/d'", type="dir", format="fat", more="<readonly/>"),
    "nvme": disk("type='pci' managed='yes' namespace='1'", type="nvme", inside=PCI),
    "volume": disk("pool='p' volume='v'", type="volume"),
    "vhostuser": disk("type='unix' path='/s'", type="vhostuser",
                      inside="<reconnect enabled='yes' timeout='5'/>"),
    "nbd": network("nbd", more=" tls='yes'"),
    "nbd by socket": network("nbd", inside="<host transport='unix' socket='/s'/>"),
    "rbd": network("rbd", inside=f"{HOST}<snapshot name='s'/><config file='/c'/>"
                   + AUTH.format("ceph")),
    "rbd, decrypted": network("rbd", inside=HOST + LUKS.replace("'qemu'", "'librbd'")),
    "iscsi": network("iscsi", "iqn.a/1",
                     f"{HOST}<initiator><iqn name='iqn.b'/></initiator>{AUTH.format('iscsi')}"),
    "gluster": network("gluster"),
    "http": network("http", inside=f"{HOST}<cookies><cookie name='a'>b</cookie></cookies>"
                    "<readahead size='65536'/><timeout seconds='6'/>", more=" query='q'"),
    "https": network("https", inside=f"{HOST}<ssl verify='yes'/><cookies><cookie name='a'>b"
                     "</cookie></cookies>"),
    "ended": disk("file='/a'", format="qcow2", more="<backingStore/>"),
    "ftp": network("ftp"),
    "ftps": network("ftps"),
    "ssh": network("ssh"),
    "nfs": network("nfs", inside="<host name='h'/><identity user='+1' group='+2'/>"),
    "sheepdog": network("sheepdog"),
    "tftp": network("tftp"),
    "vxhs": network("vxhs"),
    "quorum": "<disk type='quorum' threshold='1'><driver name='qemu' type='quorum' "
    f"read_pattern='quorum'/>{BASE}{BASE.replace('/base', '/other')}"
    "<target dev='vda' bus='virtio'/></disk>",
    "quorum's 2014 words": f"<disk type='quorum'><threshold value='1'/>{BASE}"
    f"{BASE.replace('/base', '/other')}<target dev='vda' bus='virtio'/></disk>",
    "labelled": disk("file='/a'", inside="<seclabel model='dac' relabel='no'><label>l</label>"
                     "</seclabel>"),
}  # fmt: skip
#: s390 and pSeries have addresses of their own.
MACHINES = {
    "ccw": ("s390x", "s390-ccw-virtio", disk(
        "file='/a'", more="<boot order='1' loadparm='1'/>"
        "<address type='ccw' cssid='0xfe' ssid='0x0' devno='0x0001'/>")),
    "mmio": ("armv7l", "vexpress-a9", DISKS["mmio"]),
    "spapr-vio": ("ppc64", "pseries", disk(
        "file='/a'", target=SCSI, more="<address type='spapr-vio' reg='0x3000'/>")),
}  # fmt: skip


def domain(name: str, disk: str) -> Domain:
    arch, machine, _ = MACHINES.get(name, ("x86_64", "pc", ""))
    return Domain.from_text(
        f"<domain><os><type arch='{arch}' machine='{machine}'>hvm</type></os>"
        f"<iothreads>3</iothreads><devices>{disk}</devices></domain>"
    )


def outcome(name: str, disk: Disk) -> object:
    """What a person sees of a translation."""
    (found,) = translate(domain(name, format_disk(disk)), provided=PROVIDED)
    if isinstance(found, TranslationError):
        return found.message
    assert isinstance(found, Translated)
    files = found.built.files if found.built is not None else ()
    return arguments([found], "drive"), found.remarks, files


Path = tuple[str | int, ...]


def nodes(node: Any, at: Path = ()) -> Iterator[tuple[Path, Described]]:
    """Every node of a disk that has fields in XML, and the way to it."""
    if isinstance(node, Described):
        yield at, node
        for one in fields(node):
            if one.name not in ("location", "unmodelled"):
                yield from nodes(getattr(node, one.name), (*at, one.name))
    elif isinstance(node, tuple):
        for number, one in enumerate(node):
            yield from nodes(one, (*at, number))


def changed(node: Any, path: Path, value: Any) -> Any:
    """A copy of a tree with another value at a place."""
    if not path:
        return value
    first, rest = path[0], path[1:]
    if isinstance(first, int):
        return (*node[:first], changed(node[first], rest, value), *node[first + 1 :])
    return replace(node, **{first: changed(getattr(node, first), rest, value)})


def candidates(spelling: Spelling) -> list[Any]:
    """Values that a field could have."""
    match spelling.kind, spelling.codec:
        case "flag", _:
            return [True, None]
        case _, "integer":
            return [2, 4096, 3, None]
        case _, ("on-off" | "yes-no"):
            return [True, False, None]
        case _:
            return [*spelling.choices, "x", OTHER, "0x3", None]


#: What says nothing that QEMU or a person could need, wherever it is.
SILENT = {
    ("Image", "index"): "the number by which libvirt calls its own nodes",
    ("Image", "nodename"): "has no place in a disk's own image",
    ("Auth", "type"): "libvirt's old word for what the protocol says",
    **{
        (cls.__name__, "tls_from_config"): "libvirt's own note, in its status files"
        for key in SOURCES
        if (cls := source_class(*key)) is not None and issubclass(cls, NetworkSource)
    },
}
#: What says nothing in one of the disks.
SILENT_IN = {
    "cdrom": {("Disk", "readonly"): "it always is"},
    "vhostuser": {("Image", "format"): "its server's matter"},
    "nvme": {
        ("PciAddress", name): "how a guest would see the controller, which it does not"
        for name in ("multifunction", "zpci_uid", "zpci_fid")
    },
    "rbd, decrypted": {
        ("Encryption", name): "how libvirt would make the volume"
        for name in ("cipher_name", "cipher_size", "cipher_mode", "cipher_hash", "ivgen_name",
                     "ivgen_hash")
    },
}  # fmt: skip
#: What is refused whatever else it says, and the class of what is.
REFUSED = {
    "transient": "Transient", "volume": "VolumeSource", "sheepdog": "SheepdogSource",
    "tftp": "TftpSource", "vxhs": "VxhsSource", "spapr-vio": "SpaprVioAddress",
}  # fmt: skip


def written(cls: type[Any]) -> dict[str, Spelling]:
    """The fields of a class that are no nodes themselves."""
    kinds = ("attribute", "text", "flag")
    return {name: one for name, one in fields_of(cls).items() if one.kind in kinds}


def unheard(name: str, xml: str) -> set[tuple[str, str]]:
    """The fields of a disk whose value, whatever it is, does not matter to its translation."""
    (model,) = domain(name, xml).disks
    before = outcome(name, model)
    assert not isinstance(before, str), before
    heard, every = set(), set()
    for path, node in nodes(model):
        for field, spelling in written(type(node)).items():
            one = type(node).__name__, field
            every.add(one)
            others = [value for value in candidates(spelling) if value != getattr(node, field)]
            trees = (changed(model, (*path, field), value) for value in others)
            if one not in heard and any(differs(name, tree, before) for tree in trees):
                heard.add(one)
    return every - heard


def differs(name: str, other: Disk, before: object) -> bool:
    """Whether a disk's outcome is another one; what cannot be written cannot be."""
    try:
        return outcome(name, other) != before
    except EditError:
        return False


ALL = {**DISKS, **{name: xml for name, (_, _, xml) in MACHINES.items()}}


@pytest.mark.parametrize("name", sorted(ALL.keys() - REFUSED.keys()))
def test_every_field_is_heard(name: str) -> None:
    silent = unheard(name, ALL[name])
    allowed = SILENT_IN.get(name, {}).keys()
    assert silent - SILENT.keys() == set(allowed)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_whatever_it_says(name: str) -> None:
    (model,) = domain(name, ALL[name]).disks
    assert isinstance(outcome(name, model), str)
    assert REFUSED[name] in {type(node).__name__ for _, node in nodes(model)}


def test_every_class_is_in_some_disk() -> None:
    found = {type(node) for name in ALL for _, node in nodes(domain(name, ALL[name]).disks[0])}
    assert {cls.__name__ for cls in classes() - found} == set()


def classes() -> set[type[Any]]:
    """Every class that a disk can hold, by the descriptions."""
    found: set[type[Any]] = set()
    rest: list[type[Any]] = [Disk, Image, Quorum, Terminator]
    rest += [cls for key in SOURCES if (cls := source_class(*key)) is not None]
    while rest:
        cls = rest.pop()
        if cls not in found:
            found.add(cls)
            for one in fields_of(cls).values():
                rest.extend([one.of] if isinstance(one.of, type) else (one.of or {}).values())
    return found
