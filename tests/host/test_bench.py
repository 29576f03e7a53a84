"""The bench itself: a guest boots on libvirts of its own, and a lowered quorum is voted on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.guests import DATA, MARK, MARKED, SECTOR, boot_code
from tests.host.private_libvirtd import PLACES
from tests.libvirts import (
    CallError,
    GoneError,
    Guest,
    asked,
    embed,
    missing_for_embed,
    missing_for_system,
    system,
)
from tests.libvirts.bench import until
from tests.libvirts.domains import (
    block_disk_xml,
    commandline,
    disk_content,
    disk_xml,
    drive_override,
    guest_xml,
    quorum_nodes,
    root_ports,
)
from tests.libvirts.held import REPOSITORY
from tests.libvirts.virtio import VirtioBlk, VirtioScsi, give_up
from tests.servers.loop import loop_device, missing_for_loop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.libvirts import Bench, Embed, System

pytestmark = pytest.mark.skipif(missing_for_embed() is not None, reason=str(missing_for_embed()))

#: What the disks hold at sector DATA, and what a corrupted member holds instead.
TRUE, FALSE = b"what was written", b"it rotted quietly"


@pytest.fixture(scope="module")
def embedded() -> Iterator[Embed]:
    with embed() as bench:
        yield bench


@pytest.fixture(scope="module")
def daemon() -> Iterator[System]:
    missing = missing_for_system()
    if missing is not None:
        pytest.skip(missing)
    with system() as bench:
        yield bench


@pytest.fixture
def bench(embedded: Embed) -> Iterator[Embed]:
    yield embedded
    embedded.destroy_guests()
    for one in (*embedded.folder.iterdir(), *embedded.guests.iterdir()):
        one.unlink()


def sector(image: Path, number: int) -> bytes:
    return image.read_bytes()[number * SECTOR : (number + 1) * SECTOR]


def lowered(
    bench: Bench, name: str, target: str = "vda", bus: str = "virtio", **more: Any
) -> tuple[list[Path], Path, str]:
    """Three members of which the second is corrupted, the placeholder, and the domain."""
    members = [
        bench.image(f"{name}-{count}.raw", content=disk_content(content))
        for count, content in enumerate((TRUE, FALSE, TRUE))
    ]
    placeholder = bench.image(f"{name}.placeholder")
    xml = guest_xml(
        bench,
        name,
        disk_xml(target, placeholder, bus=bus),
        outer=commandline(quorum_nodes("vq-a", members, 2))
        + drive_override({f"ua-{target}": "vq-a"}),
        **more,
    )
    return members, placeholder, xml


@pytest.mark.parametrize(
    ("machine", "bus", "target"),
    [
        ("q35", "virtio", "vda"),
        ("q35", "scsi", "sda"),
        ("q35", "sata", "sda"),
        ("q35", "usb", "sda"),
        ("pc", "ide", "hda"),
        ("pc", "virtio", "vda"),
    ],
)
def test_a_plain_disk_boots(bench: Embed, machine: str, bus: str, target: str) -> None:
    image = bench.image("plain.raw", content=disk_content(TRUE))
    bench.call(
        asked.create, guest_xml(bench, "g", disk_xml(target, image, bus=bus), machine=machine)
    )
    guest = Guest(bench, "g")
    boot, read, wrote = guest.booted()
    assert (boot, wrote) == ("boot 80 00", "w 00")
    assert read.split()[-1] == TRUE.hex()
    assert guest.read(DATA).first == TRUE
    assert guest.write(40, 0x41) == 0
    assert guest.sectors() == image.stat().st_size // SECTOR
    assert sector(image, MARK) == MARKED
    assert sector(image, 40) == b"A" * SECTOR
    assert bench.looked_up("g")["drives"] == {f"ua-{target}": "libvirt-1-format"}


def test_what_a_guest_says(bench: Embed) -> None:
    first = bench.image("first.raw", content=disk_content(TRUE))
    second = bench.image("second.raw", size=1 << 20, content=disk_content()[:-1])
    xml = guest_xml(bench, "g", disk_xml("vda", first), disk_xml("vdb", second, boot=2))
    bench.call(asked.create, xml)
    guest = Guest(bench, "g")
    guest.booted()
    assert guest.ask("s what it is told") == "s what it is told"
    assert guest.ask("no such letter") == "?"
    assert guest.sectors(0x81) == 2048
    assert guest.sectors(0x82) is None
    assert guest.read(5, 0x82).status == 1
    assert guest.read(0xFFFFF).status != 0
    assert guest.write(7, 0x5A, 0x81) == 0
    read = guest.read(7, 0x81)
    assert (read.status, read.sum, read.first) == (0, 256 * 0x5A5A, b"Z" * 16)
    assert sector(second, 7) == b"Z" * SECTOR
    guest.port_out(0xCF8, 0x80000000)  # PCI's first device: Intel's host bridge
    assert guest.port_in(0xCFC) & 0xFFFF == 0x8086
    # What it writes and reads by itself is not disturbed by a pause.
    with guest.turning(50) as turns:
        bench.virsh("suspend", "g")
        assert bench.call(asked.state, "g") == "paused"
        bench.virsh("resume", "g")
    assert turns.status == 0
    assert turns.rounds > 0
    bench.virsh("reset", "g")
    assert guest.booted(2)[0] == "boot 80 00"


@pytest.mark.parametrize("machine", ["q35", "pc"])
def test_disks_are_plugged_and_given_up(bench: Embed, machine: str) -> None:
    first = bench.image("first.raw", content=disk_content(TRUE))
    second = bench.image("second.raw", size=3 << 20, content=TRUE)
    third = bench.image("third.raw", size=5 << 20, content=TRUE)
    ports = root_ports(4) if machine == "q35" else ""
    bench.call(
        asked.create,
        guest_xml(
            bench, "g", disk_xml("vda", first), machine=machine, buses=["scsi"], devices=ports
        ),
    )
    guest = Guest(bench, "g")
    guest.booted()
    bench.call(asked.attach, "g", disk_xml("vdb", second, boot=2))
    bench.call(asked.attach, "g", disk_xml("sda", third, bus="scsi", boot=3))
    assert guest.sectors(0x81) is None  # the BIOS looked before
    for disk, image in (
        (VirtioBlk(bench, guest, "ua-vdb"), second),
        (VirtioScsi(bench, guest, 0), third),
    ):
        size = image.stat().st_size // SECTOR
        assert disk.sectors() == size
        assert disk.read(0) == (0, TRUE.ljust(16, b"\0"))
        assert disk.write(9, 0x45) == 0
        assert disk.read(9) == (0, b"E" * 16)
        assert disk.read(size)[0] != 0
        assert sector(image, 9) == b"E" * SECTOR
    assert guest.read(DATA).first == TRUE
    bench.call(asked.detach, "g", "ua-sda")
    bench.call(asked.detach, "g", "ua-vdb")
    assert set(bench.looked_up("g")["drives"]) == {"ua-vda", "ua-vdb"}
    assert give_up(guest, machine) == 1
    until(lambda: "ua-vdb" not in bench.call(asked.xml, "g"), lambda: "it is still there")
    assert set(bench.looked_up("g")["drives"]) == {"ua-vda"}
    bench.call(asked.attach, "g", disk_xml("vdb", second, boot=2))
    bench.virsh("reset", "g")
    guest.booted(2)
    assert guest.sectors(0x81) == 6144
    assert guest.read(9, 0x81).first == b"E" * 16


def test_the_code_is_what_a_bios_boots() -> None:
    code = boot_code()
    assert len(code) <= DATA * SECTOR
    assert code[510:512] == b"\x55\xaa"


def voted(bench: Bench, members: list[Path], placeholder: Path, alias: str = "ua-vda") -> None:
    """Assert that the guest 'q' gets the majority's data, and writes to all members."""
    guest = Guest(bench, "q")
    assert guest.booted()[1].split()[-1] == TRUE.hex()
    bench.call(asked.watch, "q")
    assert guest.read(DATA).first == TRUE
    [name, event, data] = bench.call(asked.events, 1)[0]
    assert (name, event) == ("q", "QUORUM_REPORT_BAD")
    assert (data["node-name"], data["type"], data["sector-num"]) == ("vq-a-1", "read", DATA)
    assert guest.write(41, 0x42) == 0
    assert [sector(one, 41) for one in members] == [b"B" * SECTOR] * 3
    assert [sector(one, MARK) for one in members] == [MARKED] * 3
    assert sector(members[1], DATA).startswith(FALSE)
    assert not placeholder.read_bytes().strip(b"\0")
    found = bench.looked_up("q")
    assert found["drives"] == {alias: "vq-a"}
    assert found["nodes"]["vq-a"]["drv"] == "quorum"
    edges = [edge for edge in found["edges"] if edge[0] == "vq-a"]
    assert edges == [["vq-a", f"children.{count}", f"vq-a-{count}"] for count in range(3)]


@pytest.mark.parametrize(
    ("machine", "bus", "target"),
    [
        ("q35", "virtio", "vda"),
        ("q35", "scsi", "sda"),
        ("q35", "sata", "sda"),
        ("q35", "usb", "sda"),
        ("pc", "ide", "hda"),
    ],
)
def test_a_lowered_quorum_is_voted_on(bench: Embed, machine: str, bus: str, target: str) -> None:
    members, placeholder, xml = lowered(bench, "q", target, bus, machine=machine)
    bench.call(asked.define, xml)
    bench.call(asked.start, "q")
    voted(bench, members, placeholder, f"ua-{target}")


def test_qemu_io_goes_through_the_frontends_drive(bench: Embed) -> None:
    members, placeholder, xml = lowered(bench, "q")
    bench.call(asked.create, xml)
    Guest(bench, "q").booted()
    at = f"{60 * SECTOR} {SECTOR}"
    assert "wrote 512/512" in bench.io("q", "ua-vda", f"write -P 0x43 {at}")
    assert [sector(one, 60) for one in members] == [b"C" * SECTOR] * 3
    assert "verification failed" not in bench.io("q", "ua-vda", f"read -P 0x43 {at}")
    assert "verification failed" in bench.io("q", "vq-a-0", f"read -P 0x44 {at}")
    assert not placeholder.read_bytes().strip(b"\0")


def test_a_saved_guest_goes_on(bench: Embed) -> None:
    members, placeholder, xml = lowered(bench, "q")
    bench.call(asked.define, xml)
    bench.call(asked.start, "q")
    guest = Guest(bench, "q")
    guest.booted()
    saved = bench.folder / "saved"
    bench.call(asked.save, "q", str(saved))
    assert bench.call(asked.state, "q") == "shut off"
    bench.call(asked.restore, str(saved))
    voted(bench, members, placeholder)
    assert guest.said().count("boot") == 1


def test_guests_outlive_the_driver(bench: Embed) -> None:
    members, placeholder, xml = lowered(bench, "q")
    bench.call(asked.define, xml)
    bench.call(asked.start, "q")
    voted(bench, members, placeholder)
    pid = bench.pid("q")
    for strike in (bench.restart, bench.kill):
        strike()
        assert Guest(bench, "q").ask("s nobody has it") == "s nobody has it"
        assert bench.call(asked.state, "q") == "running"
        assert bench.looked_up("q")["drives"] == {"ua-vda": "vq-a"}
        assert bench.pid("q") == pid
    bench.kill_guest("q")
    until(lambda: bench.call(asked.state, "q") == "shut off", lambda: "libvirt has not noticed")
    assert not bench.held.runs(pid)


def test_calls(bench: Embed) -> None:
    with pytest.raises(CallError, match="no such thing") as caught:
        bench.call(raises, "no such thing")
    assert (caught.value.raised, caught.value.code) == ("ValueError", None)
    with pytest.raises(CallError) as caught:
        bench.call(asked.start, "nobody")
    assert (caught.value.raised, caught.value.code) == ("libvirtError", 42)
    waiting = bench.folder / "waiting"
    waits = bench.begin(wait_for_a_signal, str(waiting))
    until(waiting.exists, lambda: "it was not called")
    bench.signal_worker(signal.SIGINT)
    assert waits.result() == "interrupted"
    waits = bench.begin(wait_for_a_signal, str(waiting))
    bench.kill_worker()
    with pytest.raises(GoneError):
        waits.result()


def raises(_: Any, text: str) -> None:
    raise ValueError(text)


def wait_for_a_signal(_: Any, said: str) -> str:
    with suppress(KeyboardInterrupt):
        Path(said).touch()
        time.sleep(60)
        return "waited"
    return "interrupted"


def test_a_quorum_on_a_daemon_with_a_user_for_qemu(daemon: System) -> None:
    members, placeholder, xml = lowered(daemon, "q")
    daemon.call(asked.define, xml)
    daemon.call(asked.start, "q")
    voted(daemon, members, placeholder)
    pid = daemon.pid("q")
    assert Path(f"/proc/{pid}").stat().st_uid == daemon.owner[0] != 0
    assert placeholder.stat().st_uid == daemon.owner[0]
    mounts = [Path(f"/proc/{one}/ns/mnt").readlink() for one in (pid, daemon.daemons["libvirtd"])]
    assert mounts[0] != mounts[1]
    daemon.restart()
    assert daemon.call(asked.state, "q") == "running"
    daemon.leave()
    daemon.kill()
    assert Guest(daemon, "q").write(42, 0x44) == 0
    daemon.start()
    assert [sector(one, 42) for one in members] == [b"D" * SECTOR] * 3
    assert daemon.pid("q") == pid
    assert "q" in daemon.virsh("list", "--name").split()
    assert daemon.virtquorum("--version").returncode == 0
    connection = daemon.connect()
    assert connection.lookupByName("q").isActive()
    connection.close()
    saved = daemon.folder / "saved"
    daemon.call(asked.save, "q", str(saved))
    daemon.call(asked.restore, str(saved))
    assert Guest(daemon, "q").read(42).first == b"D" * 16
    daemon.destroy_guests()


def test_a_member_of_root_is_refused_on_a_daemon(daemon: System) -> None:
    members, _, xml = lowered(daemon, "r")
    daemon.call(asked.define, xml)
    members[2].chmod(0o600)
    os.chown(members[2], 0, 0)
    with pytest.raises(CallError, match="Permission denied"):
        daemon.call(asked.start, "r")
    daemon.destroy_guests()


def test_a_device_that_came_late_is_seen(daemon: System, tmp_path: Path) -> None:
    missing = missing_for_loop(tmp_path)
    if missing is not None:
        pytest.skip(missing)
    image = daemon.image("loop.raw", content=disk_content(TRUE))
    with loop_device(image) as device:
        daemon.show_device(device)
        daemon.call(asked.create, guest_xml(daemon, "b", block_disk_xml("vda", device)))
        assert Guest(daemon, "b").booted()[1].split()[-1] == TRUE.hex()
        daemon.destroy_guests()


def test_a_daemon_leaves_nothing_behind() -> None:
    missing = missing_for_system()
    if missing is not None:
        pytest.skip(missing)
    places = [Path(one) for one in PLACES if one != "/run"]

    def left() -> tuple[list[str], str]:
        names = sorted(str(one) for place in places for one in place.rglob("*"))
        return names, Path("/proc/mounts").read_text()

    before = left()
    with system() as bench:
        image = bench.image("a.raw", content=disk_content(TRUE))
        bench.call(asked.define, guest_xml(bench, "g", disk_xml("vda", image)))
        bench.call(asked.start, "g")
        pids = [bench.pid("g"), *bench.daemons.values(), bench.held.pid]
        assert left() == before
    assert left() == before
    assert not bench.root.exists()
    assert not [one for one in pids if running(one)]


_STARTS = """
import sys
from tests.libvirts import asked, embed
from tests.libvirts.domains import disk_content, disk_xml, guest_xml
with embed() as bench:
    image = bench.image("a.raw", content=disk_content())
    bench.call(asked.create, guest_xml(bench, "g", disk_xml("vda", image)))
    print(bench.root, bench.pid("g"), bench.held.pid, flush=True)
    sys.stdin.read()
"""


def test_nothing_outlives_a_test_that_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _STARTS], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True, cwd=REPOSITORY,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        root, guest, held = process.stdout.readline().split()
        assert Path(f"/proc/{guest}").exists()
        process.kill()
    until(
        lambda: not (Path(root).exists() or running(int(guest)) or running(int(held))),
        lambda: f"left: {root}, {guest}, {held}",
    )


def running(pid: int) -> bool:
    """Whether a process is there, and no zombie that init has yet to reap."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
