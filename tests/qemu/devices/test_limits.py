"""What QEMU takes of numbers and we refuse beyond: each bound is the running QEMU's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.programs import missing, refusal
from tests.qemu.devices.cases import Case, controller, disk, drive, pci
from tests.qemu.devices.started import started, translated
from tests.qemu.devices.test_refusals import _SHARED, vhost
from virtquorum.errors import TranslationError
from virtquorum.qemu.translate import translate
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"not installed: {missing()}")

BLK, IDE = "virtio-blk-pci,drive=n", "ide-hd,drive=n"
HD = "scsi-hd,drive=n"
SCSI = ("virtio-scsi-pci",)
FDC = ("isa-fdc",)
NULL = "vhost-user-blk-pci,chardev=c"


def vda(more: str = "", driver: str = "") -> str:
    return disk("vda", "virtio", more, driver=driver)


def hd(more: str) -> str:
    return controller("scsi", 0, "virtio-scsi") + disk("sda", "scsi", more)


def blocks(words: str) -> str:
    return f"<blockio {words}/>"


def shape(cyls: int, heads: int, secs: int) -> str:
    return f"<geometry cyls='{cyls}' heads='{heads}' secs='{secs}'/>"


#: A domain's devices, what is said of them, the devices that QEMU refuses for it.
BEYOND: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "queues of virtio": (vda(driver="queues='1025'"), "queues='1025' is more than QEMU takes",
                         (f"{BLK},num-queues=1025",)),
    "queues of vhost-user": (vhost("queues='1025'"), "queues='1025' is more than QEMU takes",
                             (f"{NULL},num-queues=1025",)),
    "queues of virtio-scsi": (
        controller("scsi", 0, "virtio-scsi", "<driver queues='1023'/>") + disk("sda", "scsi"),
        "queues='1023' of scsi controller 0 is more than QEMU takes",
        ("virtio-scsi-pci,num_queues=1023",)),
    **{
        f"a queue of {size}": (
            vda(driver=f"queue_size='{size}'"), f"queue_size='{size}' is no size of a queue",
            (f"{BLK},queue-size={size}",))
        for size in (1, 2, 3, 2048)
    },
    "a queue of vhost-user": (
        vhost("queue_size='2048'"), "queue_size='2048' is more than QEMU takes",
        (f"{NULL},queue-size=2048",)),
    **{
        f"{name} {size}": (
            vda(blocks(f"{name}='{size}'")), f"{name}='{size}' is no size of a block",
            (f"{BLK},{name}={size}",))
        for name in ("logical_block_size", "physical_block_size") for size in (256, 768, 2**22)
    },
    "a logical size alone": (
        vda(blocks("logical_block_size='4096'")),
        "logical_block_size='4096' is more than the physical_block_size, 512",
        (f"{BLK},logical_block_size=4096",)),
    "a logical size too large": (
        hd(blocks("logical_block_size='4096' physical_block_size='2048'")),
        "logical_block_size='4096' is more than the physical_block_size, 2048",
        (*SCSI, f"{HD},logical_block_size=4096,physical_block_size=2048")),
    "blocks of ide": (
        disk("sda", "sata", blocks("logical_block_size='4096' physical_block_size='4096' "
                                   "discard_granularity='0'")),
        "QEMU's ide-hd has blocks of 512 bytes, and not logical_block_size='4096'",
        (f"{IDE},logical_block_size=4096,physical_block_size=4096,discard_granularity=0",)),
    "blocks of a floppy": (
        disk("fda", "fdc", blocks("physical_block_size='4096'"), device="floppy"),
        "QEMU's floppy has blocks of 512 bytes, and not physical_block_size='4096'",
        (*FDC, "floppy,drive=n,physical_block_size=4096")),
    "a granularity": (
        vda(blocks("discard_granularity='700'")),
        "discard_granularity='700' is no multiple of the logical_block_size, 512",
        (f"{BLK},discard_granularity=700",)),
    "a granularity below the blocks": (
        hd(blocks("logical_block_size='4096' physical_block_size='4096' "
                  "discard_granularity='512'")),
        "discard_granularity='512' is no multiple of the logical_block_size, 4096",
        (*SCSI, f"{HD},logical_block_size=4096,physical_block_size=4096,discard_granularity=512")),
    "a granularity of ide": (
        disk("sda", "sata", blocks("discard_granularity='4096'")),
        "QEMU's ide-hd discards 512 bytes at a time, and not discard_granularity='4096'",
        (f"{IDE},discard_granularity=4096",)),
    "an acpi index": (vda("<acpi index='16384'/>"), "acpi_index='16384' is more than QEMU takes",
                      (f"{BLK},acpi-index=16384",)),
    "an acpi index of a controller": (
        "<controller type='sata' index='1'><acpi index='16384'/></controller>"
        + disk("sda", "sata", drive(1)),
        "the acpi index of sata controller 1 is more than QEMU takes", ("ahci,acpi-index=16384",)),
    "an acpi index twice": (
        vda("<acpi index='3'/>") + disk("vdb", "virtio", "<acpi index='3'/>"),
        "the acpi index 3 is also that of a virtio-blk-pci",
        ("pcie-root-port,acpi-index=3,id=a,chassis=1", "ahci,acpi-index=3")),
    "cylinders": (vda(shape(65536, 1, 1)), "cyls='65536' is more than QEMU takes",
                  (f"{BLK},cyls=65536,heads=1,secs=1",)),
    "heads": (hd(shape(1, 256, 1)), "heads='256' is more than QEMU takes",
              (*SCSI, f"{HD},cyls=1,heads=256,secs=1")),
    "heads of ide": (disk("sda", "sata", shape(1, 17, 1)), "heads='17' is more than QEMU takes",
                     (f"{IDE},cyls=1,heads=17,secs=1",)),
    "sectors": (vda(shape(1, 1, 256)), "secs='256' is more than QEMU takes",
                (f"{BLK},cyls=1,heads=1,secs=256",)),
    "no sectors": (vda(shape(1, 1, 0)), "the geometry has no secs", (f"{BLK},cyls=1,heads=1",)),
    "no cylinders": (vda("<geometry heads='1'/>"), "the geometry has no cyls", (f"{BLK},heads=1",)),
}  # fmt: skip


def refused(case: Case) -> TranslationError:
    """Why the last disk of a domain is refused; the others are not."""
    *taken, last = translate(Domain.from_text(case.xml()))
    assert not any(isinstance(one, TranslationError) for one in taken), taken
    assert isinstance(last, TranslationError), last
    return last


@pytest.mark.parametrize("name", BEYOND)
def test_what_is_beyond_is_refused_as_qemu_refuses_it(name: str, tmp_path: Path) -> None:
    devices, message, theirs = BEYOND[name]
    error = refused(Case("q35", devices, beside=_SHARED))
    assert error.message == message
    assert error.location is not None
    assert error.location.line == 1
    assert error.remedy
    (tmp_path / "a").write_bytes(bytes(1 << 20))
    words = [word for one in theirs for word in ("-device", one)]
    given = ["-M", "q35", "-blockdev", "file,node-name=n,filename=a", "-chardev", "null,id=c"]
    assert refusal([*given, *words], tmp_path)


#: At the bounds, with which QEMU starts.
WITHIN = {
    "queues": vda(driver="queues='1024' queue_size='4'"),
    "a long queue": vda(driver="queue_size='1024'"),
    "queues of virtio-scsi": controller("scsi", 0, "virtio-scsi", "<driver queues='1022'/>")
    + disk("sda", "scsi"),
    "blocks": vda(blocks("logical_block_size='2097152' physical_block_size='2097152'")),
    "small blocks": vda(blocks("logical_block_size='512' physical_block_size='512' "
                               "discard_granularity='1536'")),
    "no discarding": disk("sda", "sata", blocks("discard_granularity='0'")),
    "by sectors": disk("sda", "sata", blocks("discard_granularity='512'")),
    "a granularity that QEMU finds": vda(blocks("discard_granularity='4294967295'")),
    "indexes": vda("<acpi index='16383'/>") + disk("vdb", "virtio", "<acpi index='1'/>"),
    "a shape": vda(shape(65535, 255, 255)) + disk("sda", "sata", shape(65535, 16, 255)),
    "no shape": vda(shape(0, 0, 0)),
}  # fmt: skip


@pytest.mark.parametrize("name", WITHIN)
def test_qemu_starts_at_the_bounds(name: str, tmp_path: Path) -> None:
    case = Case("q35", WITHIN[name])
    disks = translated(case, "blockdev", tmp_path)
    with started(case, "blockdev", disks, tmp_path) as running:
        assert running.command("query-block")


def test_the_chassis_of_a_bridge(tmp_path: Path) -> None:
    bridge = "<controller type='pci' index='1' model='pci-bridge'><target chassisNr='0'/>"
    error = refused(Case("pc", f"{bridge}</controller>" + disk("vda", "virtio", pci(1, bus=1))))
    assert error.message == "chassis_nr of pci controller 1 is 0"
    assert "chassis" in refusal(["-M", "pc", "-device", "pci-bridge,chassis_nr=0"], tmp_path)


def bridges(number: int) -> str:
    """Bridges, each behind the one before it, and a disk behind the last."""
    every = "".join(
        controller("pci", one, "pci-bridge", pci(3, bus=one - 1)) for one in range(1, number + 1)
    )
    return every + disk("vda", "virtio", pci(4, bus=number))


@pytest.mark.parametrize("number", [49, 255])
def test_too_many_bridges(number: int, tmp_path: Path) -> None:
    error = refused(Case("pc", bridges(number)))
    assert error.message == f"pci controller {number} is behind {number - 1} others"
    words = ["-M", "pc"]
    for one in range(1, 51):
        words += ["-device", f"pci-bridge,id=b{one},chassis_nr={one},addr=3"]
        words[-1] += f",bus=b{one - 1}" if one > 1 else ""
    assert "Path too long" in refusal(words, tmp_path)


def test_many_bridges(tmp_path: Path) -> None:
    # With a boot index of a device so far behind, QEMU 7.2 writes over its own stack.
    elsewhere = "<interface type='user'><boot order='1'/></interface>"
    case = Case("pc", elsewhere + bridges(48))
    disks = translated(case, "drive", tmp_path)
    with started(case, "drive", disks, tmp_path) as running:
        assert running.command("qom-get", path="/machine/peripheral/pci.48", property="chassis_nr")


POOLS = {
    "min='5' thread_pool_max='4'": (
        "thread_pool_min of iothread 1 is 5, and thread_pool_max 4", "min=5,thread-pool-max=4"),
    "min='65'": ("thread_pool_min of iothread 1 is 65, and thread_pool_max 64, where nothing is "
                 "said", "min=65"),
    "max='0'": ("thread_pool_max of iothread 1 is 0", "max=0"),
}  # fmt: skip


def pool(words: str) -> Case:
    ids = f"<iothreadids><iothread id='1' thread_pool_{words}/></iothreadids>"
    return Case("q35", vda(driver="iothread='1'"), beside=ids)


@pytest.mark.parametrize("words", POOLS)
def test_the_pool_of_a_thread(words: str, tmp_path: Path) -> None:
    message, theirs = POOLS[words]
    assert refused(pool(words)).message == message
    said = refusal(["-object", f"iothread,id=i,thread-pool-{theirs}"], tmp_path)
    assert "bad thread-pool-min/thread-pool-max values" in said


@pytest.mark.parametrize("words", ["min='64'", "max='1'", "min='65' thread_pool_max='65'"])
def test_qemu_takes_the_pool_of_a_thread(words: str, tmp_path: Path) -> None:
    disks = translated(pool(words), "blockdev", tmp_path)
    with started(pool(words), "blockdev", disks, tmp_path) as running:
        (found,) = running.command("query-iothreads")
        assert found["id"] == "iothread1"


@pytest.mark.parametrize("words", ["min='1'", "max='8'"])
def test_the_pool_came_with_a_version(words: str) -> None:
    domain = Domain.from_text(pool(words).xml())
    (old,) = translate(domain, version=(7, 0))
    assert isinstance(old, TranslationError)
    assert f"has no 'thread-pool-{words[:3]}' of iothread" in old.message
    (new,) = translate(domain, version=(7, 1))
    assert not isinstance(new, TranslationError)
