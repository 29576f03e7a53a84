"""``virtquorum diff --disks-only``: what libvirt makes of a file by itself is no difference."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.host.quorum_domains import members, quorum_disk, virtquorum, web
from tests.libvirts import embed, missing_for_embed
from tests.programs import qemu_img

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.libvirts import Embed

pytestmark = pytest.mark.skipif(missing_for_embed() is not None, reason=str(missing_for_embed()))

DEVICES = "<controller type='scsi' model='virtio-scsi'/><controller type='usb' model='qemu-xhci'/>"


@pytest.fixture(scope="module")
def bench() -> Iterator[Embed]:
    with embed() as bench:
        yield bench


@pytest.fixture(scope="module")
def file(bench: Embed) -> Path:
    """What was defined: disks of every bus, in an order that is not libvirt's."""
    stock, other = bench.image("stock.raw", 1 << 20), bench.image("other.raw", 1 << 20)
    disks = [
        "<disk type='file' device='cdrom'><target dev='sdb' bus='sata'/></disk>",
        quorum_disk("sda", members(bench, "one"), bus="scsi", boot=None),
        quorum_disk("vda", members(bench, "two")),
        f"<disk type='file'><source file='{stock}'/><target dev='vdc'/></disk>",
        "<disk type='file' device='disk'><driver type='raw' cache='writeback'/>"
        f"<source file='{other}'/><target dev='sdx' bus='usb'/></disk>",
        "<disk type='block' device='cdrom'><driver name='qemu' type='raw'/>"
        "<target dev='sdc' bus='sata'/></disk>",
    ]
    path = web(bench, "web", *disks, devices=DEVICES)
    assert virtquorum(bench, "define", "--no-checks", path).code == 0
    return path


def test_the_file_that_was_defined_does_not_differ(file: Path, bench: Embed) -> None:
    done = virtquorum(bench, "diff", "--disks-only", "web", file)
    assert (done.code, done.out, done.err) == (0, "", "")
    assert virtquorum(bench, "diff", "web", file).code == 1


def test_ports_that_libvirt_fills_in(bench: Embed) -> None:
    disk = (
        "<disk type='network'><driver name='qemu' type='raw'/><source protocol='nbd' name='x'>"
        "<host name='h'/></source><target dev='vda'/></disk>"
    )
    path = web(bench, "net", disk)
    assert virtquorum(bench, "define", "--no-checks", path).code == 0
    assert virtquorum(bench, "diff", "--disks-only", "net", path).code == 0
    path.write_text(path.read_text().replace("<host name='h'/>", "<host name='h' port='10810'/>"))
    done = virtquorum(bench, "diff", "--disks-only", "net", path)
    assert (done.code, "+    <host name='h' port='10810'/>" in done.out) == (1, True)


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        ("threshold='2'", "threshold='3'", "+<disk type='quorum' threshold='3' device='disk'>"),
        ("one-1.raw", "one-0.raw", "one-0.raw"),
        ("cache='writeback'", "cache='none'", "-  <driver type='raw' cache='writeback'/>"),
        ("type='raw' cache", "type='qcow2' cache", "+  <driver type='qcow2' cache='writeback'/>"),
        ("<boot order='1'/>", "", "-  <boot order='1'/>"),
        ("<target dev='vdc'/>", "<target dev='vdd'/>", "+  <target dev='vdd'/>"),
        ("bus='usb'", "bus='scsi'", "-  <target dev='sdx' bus='usb'/>"),
        ("<target dev='vdc'/>", "<target dev='vdc'/><readonly/>", "+  <readonly/>"),
        ("<disk type='file'><", "<disk type='file' device='cdrom'><", "device='cdrom'"),
    ],
)
def test_what_differs_is_shown(old: str, new: str, shown: str, file: Path, bench: Embed) -> None:
    text = file.read_text()
    assert old in text
    other = bench.folder / "other.xml"
    other.write_text(text.replace(old, new, 1))
    done = virtquorum(bench, "diff", "--disks-only", "web", other)
    assert done.code == 1
    assert shown in done.out
    changed = [one for one in done.out.splitlines()[2:] if one[0] in "+-"]
    assert 1 <= len(changed) <= (9 if "dev='vdd'" in new else 3), done.out


def test_a_disk_more_is_shown_alone(file: Path, bench: Embed) -> None:
    text = re.sub("<disk type='file' device='cdrom'>.*?</disk>", "", file.read_text(), count=1)
    other = bench.folder / "other.xml"
    other.write_text(text)
    done = virtquorum(bench, "diff", "--disks-only", "web", other)
    assert (done.code, re.findall("^[+][^+]", done.out, re.M)) == (1, [])
    assert re.findall("^-.*target.*", done.out, re.M) == ["-  <target dev='sdb' bus='sata'/>"]


def test_a_running_domain(file: Path, bench: Embed) -> None:
    """Its XML has aliases, indices and the ends of chains."""
    assert virtquorum(bench, "start", "--paused", "web").code == 0
    done = virtquorum(bench, "diff", "--live", "--disks-only", "web", file)
    assert (done.code, done.out, done.err) == (0, "", "")
    assert virtquorum(bench, "destroy", "web").code == 0


def test_what_libvirt_sees_of_chains_when_it_starts_a_guest(bench: Embed) -> None:
    base, top, other = (bench.folder / f"chain-{one}.qcow2" for one in ("base", "top", "other"))
    for one in (base, other):
        qemu_img("create", "-f", "qcow2", one, "1M")
    qemu_img("create", "-f", "qcow2", "-b", base, "-F", "qcow2", top)
    backing = (
        f"<backingStore type='file'><format type='qcow2'/><source file='{base}'/></backingStore>"
    )
    disks = [
        quorum_disk("vda", members(bench, "chain")),
        "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
        f"<source file='{top}'/>{backing}<target dev='vdb' bus='virtio'/></disk>",
        "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
        f"<source file='{other}'/><target dev='vdc' bus='virtio'/></disk>",
    ]
    path = web(bench, "chain", *disks)
    assert virtquorum(bench, "define", "--no-checks", path).code == 0
    assert virtquorum(bench, "start", "--paused", "--no-checks", "chain").code == 0
    done = virtquorum(bench, "diff", "--live", "--disks-only", "chain", path)
    assert (done.code, done.out) == (0, "")
    # Nor is it shown of disks that the file has not.
    path.write_text(path.read_text().replace(disks[1], "").replace(disks[2], ""))
    done = virtquorum(bench, "diff", "--live", "--disks-only", "chain", path)
    assert (done.code, f"-  <source file='{top}'/>\n" in done.out) == (1, True)
    assert "index=" not in done.out
    assert "<backingStore/>" not in done.out
    # A chain that somebody wrote is a difference.
    old = [disks[0], disks[1].replace(str(base), str(other)), disks[2]]
    web(bench, "chain", *old)
    done = virtquorum(bench, "diff", "--live", "--disks-only", "chain", path)
    assert f"+    <source file='{other}'/>\n" in done.out
    assert virtquorum(bench, "destroy", "chain").code == 0


def test_lower_for_a_libvirt_has_its_placeholders(bench: Embed) -> None:
    path = web(bench, "low", quorum_disk("vda", members(bench, "low")))
    plain = virtquorum(bench, "lower", path)
    assert "/var/lib/libvirt/virtquorum/low-vda.placeholder" in plain.out
    done = virtquorum(bench, "lower", "--connect", bench.uri, path)
    assert virtquorum(bench, "define", "--no-checks", path).code == 0
    place = bench.virsh("dumpxml", "low")
    (file,) = re.findall("<source file='(.*low-vda.placeholder)'", place)
    assert f"<source file='{file}'/>" in done.out
    given = ("--placeholder-dir", "/srv/p")
    done = virtquorum(bench, "lower", *given, "--connect", bench.uri, path)
    assert "<source file='/srv/p/low-vda.placeholder'/>" in done.out
