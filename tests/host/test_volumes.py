"""Volumes are found where libvirt has them; and what it says no to."""

from __future__ import annotations

import shutil
import struct
import subprocess
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.host.definitions import described, pool
from tests.programs import qemu_img
from tests.servers.loop import missing_for_loop
from virtquorum.errors import HostError, LibvirtError
from virtquorum.host.lookup import HostLookup, connect
from virtquorum.model.parts import Auth, Encryption, Host, Reservations, Seclabel, Secret, Slice
from virtquorum.model.sources.block import BlockSource
from virtquorum.model.sources.dir import DirSource
from virtquorum.model.sources.file import FileSource
from virtquorum.model.sources.iscsi import IscsiSource
from virtquorum.model.sources.volume import VolumeSource
from virtquorum.qemu.build import build
from virtquorum.qemu.names import domain_names
from virtquorum.qemu.provided import Provided
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.model.image import AnySource

pytestmark = pytest.mark.skipif(
    find_spec("libvirt") is None, reason="libvirt-python is not installed"
)

UUID = "5f0c64ff-1f0b-4d3e-9a67-0d6f9d0c0f9a"

# Every kind of pool: libvirt's test driver has them all, in memory, with types of their volumes

TARGET = "<host name='h.example.org'/><device path='iqn.2024-01.org.example:t'/>"
#: What each kind of pool has to have.
SOURCES = {
    "dir": "",
    "fs": "<device path='/dev/x'/>",
    "netfs": "<host name='h'/><dir path='/d'/>",
    "vstorage": "<name>v</name>",
    "logical": "<name>v</name>",
    "disk": "<device path='/dev/x'/>",
    "scsi": "<adapter type='scsi_host' name='host0'/>",
    "zfs": "<name>v</name>",
    "iscsi": TARGET,
    "iscsi-direct": f"{TARGET}<initiator><iqn name='iqn.2024-01.org.example:me'/></initiator>",
}
FILES = ("dir", "fs", "netfs", "vstorage")
#: Where the volume 'v' is; some pools have a place of their own.
DEVICES = {
    "logical": "/dev/v/v", "zfs": "/dev/zvol/v/v",
    **dict.fromkeys(("disk", "scsi", "iscsi"), "/pool/v"),
}  # fmt: skip


@contextmanager
def memory(type: str, source: str | None = None, volume: str = "v") -> Iterator[HostLookup]:
    """A libvirt in memory, its test driver, with one pool 'p' and a volume of that name."""
    import libvirt

    with connect("test:///default") as lookup:
        connection = libvirt.open("test:///default")
        more = SOURCES[type] if source is None else source
        with pool(connection, described(type, "/pool", more), volume):
            yield lookup
        connection.close()


@pytest.mark.parametrize("type", FILES)
def test_a_volume_is_a_file(type: str) -> None:
    with memory(type) as lookup:
        assert lookup.volume(VolumeSource(pool="p", volume="v")) == FileSource(file="/pool/v")


@pytest.mark.parametrize("type", DEVICES)
def test_a_volume_is_a_block_device(type: str) -> None:
    with memory(type) as lookup:
        found = lookup.volume(VolumeSource(pool="p", volume="v"))
        assert found == BlockSource(dev=DEVICES[type])


NO_DISKS = {
    "mpath": ("", "name the device that it is: type='block' and <source dev='…'/>"),
    "rbd": (
        "<name>cephs</name><host name='h'/>",
        "name it as it is: type='network' and <source protocol='rbd' name='cephs/v'>",
    ),
    "gluster": (
        "<name>bricks</name><host name='h'/><dir path='/a/b/'/>",
        "name it as it is: type='network' and <source protocol='gluster' name='bricks/a/b/v'>",
    ),
}


@pytest.mark.parametrize("type", NO_DISKS)
def test_pools_that_libvirt_makes_no_disks_of(type: str) -> None:
    source, remedy = NO_DISKS[type]
    with memory(type, source) as lookup, pytest.raises(HostError) as caught:
        lookup.volume(VolumeSource(pool="p", volume="v"))
    assert str(caught.value) == (
        f"libvirt makes no disks of volumes of the pool 'p', which is of type '{type}'; {remedy}"
    )


def test_the_mode_is_for_iscsi() -> None:
    with memory("iscsi") as lookup:
        found = lookup.volume(VolumeSource(pool="p", volume="v", mode="host"))
        assert found == BlockSource(dev="/pool/v")
        with pytest.raises(HostError, match="'both' is unknown; modes are: host, direct"):
            lookup.volume(VolumeSource(pool="p", volume="v", mode="both"))
    for type in ("dir", "iscsi-direct"):
        with memory(type) as lookup, pytest.raises(HostError, match="leave the mode out"):
            lookup.volume(VolumeSource(pool="p", volume="v", mode="host"))


IQN = "iqn.2024-01.org.example:t"
INITIATOR = "<initiator><iqn name='iqn.2024-01.org.example:me'/></initiator>"
LOGIN = f"<auth type='chap' username='u'><secret uuid='{UUID}'/></auth>"
HOST = Host(name="h.example.org", port=3260, transport="tcp")


@pytest.mark.parametrize(("type", "mode"), [("iscsi", "direct"), ("iscsi-direct", None)])
@pytest.mark.parametrize(
    ("source", "more"),
    [
        (TARGET, {}),
        (TARGET.replace("org'", "org' port='0'"), {}),
        (
            TARGET.replace("org'", "org' port='3261'"),
            {"hosts": (Host(name="h.example.org", port=3261, transport="tcp"),)},
        ),
        (TARGET + INITIATOR, {"initiator": "iqn.2024-01.org.example:me"}),
        (TARGET + LOGIN, {"auth": Auth(username="u", secret=Secret(type="iscsi", uuid=UUID))}),
        (
            TARGET + LOGIN.replace(f"uuid='{UUID}'", "usage='x'"),
            {"auth": Auth(username="u", secret=Secret(type="iscsi", usage="x"))},
        ),
    ],
    ids=["plain", "port 0", "port", "initiator", "login", "login by usage"],
)
def test_a_volume_is_a_unit(type: str, mode: str | None, source: str, more: dict[str, Any]) -> None:
    if type == "iscsi-direct" and INITIATOR not in source:
        source += INITIATOR  # libvirt demands one
        more = {"initiator": "iqn.2024-01.org.example:me", **more}
    with memory(type, source, "unit:0:0:5") as lookup:
        found = lookup.volume(VolumeSource(pool="p", volume="unit:0:0:5", mode=mode))
    assert found == IscsiSource(**{"name": f"{IQN}/5", "hosts": (HOST,), **more})


def test_what_is_no_unit() -> None:
    with memory("iscsi", volume="five") as lookup, pytest.raises(HostError, match="'unit:0:0:LUN'"):
        lookup.volume(VolumeSource(pool="p", volume="five", mode="direct"))


CARRIED: dict[str, Any] = {
    "slices": (Slice(type="storage", offset=0, size=512),),
    "encryption": Encryption(format="luks", secrets=(Secret(type="passphrase", uuid=UUID),)),
    "reservations": Reservations(managed=False, source_type="unix", path="/s", mode="client"),
}
LOCAL: dict[str, Any] = {
    "seclabels": (Seclabel(model="dac", relabel=False),),
    "startup_policy": "optional",
}


def test_the_volume_keeps_what_its_source_carries() -> None:
    with memory("dir") as lookup:
        found = lookup.volume(VolumeSource(pool="p", volume="v", **CARRIED, **LOCAL))
    assert found == FileSource(file="/pool/v", **CARRIED, **LOCAL)
    with memory("iscsi", volume="unit:0:0:0") as lookup:
        source = VolumeSource(pool="p", volume="unit:0:0:0", mode="direct", **CARRIED, **LOCAL)
        found = lookup.volume(source)
    assert found == IscsiSource(name=f"{IQN}/0", hosts=(HOST,), **CARRIED)


def test_the_login_is_the_pools() -> None:
    """As libvirt has it: what stands with the volume says nothing."""
    own = Auth(username="me", secret=Secret(type="iscsi", uuid=UUID))
    with memory("dir") as lookup:
        source = VolumeSource(pool="p", volume="v", auth=own)
        assert lookup.volume(source) == FileSource(file="/pool/v")
    with memory("iscsi", TARGET + LOGIN, "unit:0:0:1") as lookup:
        found = lookup.volume(VolumeSource(pool="p", volume="unit:0:0:1", mode="direct", auth=own))
    assert isinstance(found, IscsiSource)
    assert found.auth is not None
    assert found.auth.username == "u"


def test_a_volume_is_asked_for_once() -> None:
    """Else it might be two things in one translation."""

    class Counting(HostLookup):
        def volume(self, source: VolumeSource) -> AnySource:
            asked.append(source)
            return super().volume(source)

    asked: list[VolumeSource] = []
    member = (
        "<backingStore type='volume'><format type='raw'/><source pool='p' volume='v'>"
        "<slices><slice type='storage' offset='{}' size='512'/></slices></source></backingStore>"
    )
    (disk,) = Domain.from_text(
        "<disk type='quorum' threshold='1'><driver type='quorum'/>"
        f"{member.format(0)}{member.format(512)}<target dev='vda'/></disk>"
    ).disks
    (names,) = domain_names([disk])
    with memory("dir") as lookup:
        build(disk, names, Provided(lookup=Counting(lookup._connection)))
    assert len(asked) == 2


# Real pools


def test_volumes_of_a_directory(daemon: str, host: Any, tmp_path: Path) -> None:
    qemu_img("create", "-f", "qcow2", tmp_path / "a, b's.qcow2", "1M")
    (tmp_path / "below").mkdir()
    with pool(host, described("dir", tmp_path), "made"), connect(daemon) as lookup:
        for name, cls, field in (
            ("made", FileSource, "file"), ("a, b's.qcow2", FileSource, "file"),
            ("below", DirSource, "dir"),
        ):  # fmt: skip
            found = lookup.volume(VolumeSource(pool="p", volume=name))
            more: dict[str, Any] = {field: str(tmp_path / name)}
            assert found == cls(**more)
            assert (tmp_path / name).exists()


def test_a_volume_that_is_a_ploop(daemon: str, host: Any, tmp_path: Path) -> None:
    folder = tmp_path / "image"
    folder.mkdir()
    qemu_img("create", "-f", "parallels", folder / "root.hds", "1M")
    (folder / "DiskDescriptor.xml").write_text("<x/>")
    with pool(host, described("dir", tmp_path)) as made, connect(daemon) as lookup:
        type = made.storageVolLookupByName("image").info()[0]
        found = lookup.volume(VolumeSource(pool="p", volume="image"))
    assert type == 5  # VIR_STORAGE_VOL_PLOOP
    assert found == FileSource(file=str(folder))


@contextmanager
def loop(image: Path, *options: str) -> Iterator[str]:
    done = subprocess.run(
        ["/usr/sbin/losetup", "--find", "--show", *options, "--", str(image)],
        check=True, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    device = done.stdout.strip()
    try:
        yield device
    finally:
        subprocess.run(["/usr/sbin/losetup", "--detach", device], check=True, timeout=30)


@pytest.fixture
def may_loop(tmp_path: Path) -> None:
    missing = missing_for_loop(tmp_path)
    if missing is not None:
        pytest.skip(missing)


@pytest.mark.usefixtures("may_loop")
def test_volumes_of_a_file_system(daemon: str, host: Any, tmp_path: Path) -> None:
    mkfs = shutil.which("mkfs.ext4", path="/usr/sbin:/sbin:/usr/bin")
    if mkfs is None:
        pytest.skip("mkfs.ext4 is not installed")
    image, target = tmp_path / "fs.img", tmp_path / "mounted"
    target.mkdir()
    image.write_bytes(bytes(8 * 1024 * 1024))
    subprocess.run([mkfs, "-q", str(image)], check=True, timeout=60)
    with loop(image) as device:
        source = f"<device path='{device}'/><format type='ext4'/>"
        with pool(host, described("fs", target, source), "made"), connect(daemon) as lookup:
            found = lookup.volume(VolumeSource(pool="p", volume="made"))
            # The mount is the daemon's alone.
            assert list(target.iterdir()) == []
    assert found == FileSource(file=str(target / "made"))


@pytest.mark.usefixtures("may_loop")
def test_volumes_of_a_disk(daemon: str, host: Any, tmp_path: Path) -> None:
    image = tmp_path / "disk.img"
    sectors = 8192
    entry = struct.pack("<B3sB3sII", 0, b"\0\2\0", 0x83, b"\0\0\0", 2048, 4096)
    table = bytes(446) + entry + bytes(48) + b"\x55\xaa"
    image.write_bytes(table + bytes(512 * sectors - 512))
    with loop(image, "--partscan") as device:
        name = f"{Path(device).name}p1"
        if not Path(f"{device}p1").exists():
            pytest.skip("this kernel reads no partition tables")
        source = f"<device path='{device}'/><format type='dos'/>"
        with pool(host, described("disk", "/dev", source)), connect(daemon) as lookup:
            found = lookup.volume(VolumeSource(pool="p", volume=name))
    assert found == BlockSource(dev=f"/dev/{name}")


# What libvirt says no to


def test_what_is_not_there(daemon: str, host: Any, tmp_path: Path) -> None:
    with connect(daemon) as lookup:
        with pytest.raises(LibvirtError) as caught:
            lookup.volume(VolumeSource(pool="p", volume="v"))
        assert caught.value.code == 49  # VIR_ERR_NO_STORAGE_POOL
        assert str(caught.value) == (
            "the pool 'p': libvirt says: Storage pool not found: no storage pool with matching "
            "name 'p'; 'virsh pool-list --all' has those that there are"
        )
        with pool(host, described("dir", tmp_path)):
            with pytest.raises(LibvirtError) as caught:
                lookup.volume(VolumeSource(pool="p", volume="v"))
            assert caught.value.code == 50  # VIR_ERR_NO_STORAGE_VOL
            assert str(caught.value) == (
                "the volume 'v' of the pool 'p': libvirt says: Storage volume not found: no "
                "storage vol with matching name 'v'; 'virsh pool-refresh' looks again, "
                "'virsh vol-list' has those that there are"
            )


@pytest.mark.parametrize("type", [*sorted(SOURCES.keys() - {"zfs", "vstorage"}), *NO_DISKS])
def test_pools_that_are_not_started(type: str, daemon: str, host: Any, tmp_path: Path) -> None:
    """What starting would not help with is said first."""
    import libvirt

    source = SOURCES[type] if type in SOURCES else NO_DISKS[type][0]
    try:
        made = host.storagePoolDefineXML(described(type, tmp_path, source))
    except libvirt.libvirtError as error:
        pytest.skip(f"this libvirt has no pools of type '{type}': {error}")
    words = "makes no disks" if type in NO_DISKS else "is not active; 'virsh pool-start' starts it"
    try:
        with connect(daemon) as lookup, pytest.raises(HostError, match=words):
            lookup.volume(VolumeSource(pool="p", volume="v"))
    finally:
        made.undefine()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (VolumeSource(pool="p"), "named by pool and volume"),
        (VolumeSource(volume="v"), "named by pool and volume"),
        (VolumeSource(pool="p\0", volume="v"), "no name in libvirt holds such"),
        (VolumeSource(pool="p\ud800", volume="v"), "no name in libvirt holds such"),
        (VolumeSource(pool="default-pool", volume="v\0"), "no name in libvirt holds such"),
        (VolumeSource(pool="p\n\x1b[2J", volume="v"), r"'p\\n\\x1b\[2J'"),
    ],
)
def test_names_that_are_none(source: VolumeSource, words: str) -> None:
    with connect("test:///default") as lookup, pytest.raises(HostError, match=words) as caught:
        lookup.volume(source)
    assert str(caught.value).isprintable()
