"""Stock disks that become quorums, and the other way round, on guests that run and that are off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.guests import DATA
from tests.host import converting, doctored
from tests.host.converting import BOTH, CONTENT, SIZE, Stock
from tests.libvirts import CallError, asked, embed, missing_for_embed
from tests.libvirts.domains import disk_content, disk_xml
from tests.nightly import nightly
from tests.programs import qemu_img

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.libvirts import Embed


@pytest.fixture(scope="module")
def bench() -> Iterator[Embed]:
    missing = missing_for_embed()
    if missing is not None:
        pytest.skip(missing)
    with embed() as bench:
        yield bench


def corrupt(path: Path | str) -> None:
    """Let an image differ from the others."""
    with open(path, "r+b") as file:
        file.seek(DATA * 512 + 1024)
        file.write(b"\xee" * 512)


def disks(xml: str) -> str:
    """The disks in libvirt's XML."""
    return xml[xml.index("<disk") : xml.rindex("</disk>")]


def refused(stock: Stock, word: str, *arguments: object, **options: object) -> str:
    """What a conversion is refused with, by which nothing changes."""
    before = stock.state(stock.path)
    with pytest.raises(CallError) as caught:
        getattr(stock, word)(*arguments, **options)
    assert stock.state(stock.path) == before
    return caught.value.text


@pytest.mark.parametrize("bus", ["virtio", pytest.param("scsi", marks=nightly), "sata"])
def test_off(bench: Embed, bus: str) -> None:
    stock = Stock(bench, f"off-{bus}", bus=bus, run=False)
    before = bench.call(asked.xml, stock.name, True)
    new = [stock.new("1"), stock.new("2", "qcow2")]
    told = stock.convert(*new, create=True)
    assert told["lost"] == []
    paths = [str(stock.path), *(one["file"] for one in new)]
    assert stock.state() == stock.off([2, paths], stock.placeholder)
    qemu_img("compare", "-f", "raw", "-F", "raw", *paths[:2])
    qemu_img("compare", "-f", "raw", "-F", "qcow2", paths[0], paths[2])
    corrupt(paths[0])  # outvoted
    stock.start()
    assert stock.guest.read(DATA + 2).sum == 0
    assert stock.guest.write(30, 0x5A) == 0
    stock.destroy()
    text = refused(stock, "back")
    assert f"the member '{paths[0]}' does not hold what most members hold" in text
    told = stock.back("2")
    assert told["notes"] == [
        f"what is not needed any more stays as it is: '{paths[0]}', '{paths[1]}'"
    ]
    assert stock.state() == stock.off(paths[2])
    stock.start(2)
    assert stock.guest.read(30).first == b"\x5a" * 16
    stock.destroy()
    # And into one again, whose first member is the image that it had at first.
    stock.convert({"file": paths[0], "format": "raw"})
    stock.back("1")
    assert bench.call(asked.xml, stock.name, True) == before


@pytest.mark.parametrize(
    ("bus", "config"), [("virtio", True), ("virtio", False), ("scsi", True), ("sata", True)]
)
def test_running(bench: Embed, bus: str, config: bool) -> None:
    stock = Stock(bench, f"live-{bus}-{config}".lower(), bus=bus)
    scope = {"live": True, "config": config}
    before = disks(bench.call(asked.xml, stock.name))
    new = [stock.new("1"), stock.new("2", "qcow2")]
    paths = [str(stock.path), *(one["file"] for one in new)]
    files = [stock.placeholder] if config else []
    with stock.guest.turning(20) as turns:
        told = stock.convert(*new, create=True, **scope)
    assert (turns.status, turns.rounds > 0) == (0, True)
    quorum = [2, paths]
    defined = quorum if config else str(stock.path)
    assert stock.state() == stock.settled(quorum, defined, *files)
    assert any("blockdev-mirror" in line for line in told["lines"])
    assert stock.guest.write(30, 0x5A) == 0
    if bus == "virtio":
        bench.restart()
        assert stock.state() == stock.settled(quorum, defined, *files)
    with stock.guest.turning(20) as turns:
        stock.back(**scope)
    assert (turns.status, turns.rounds > 0) == (0, True)
    assert stock.state() == stock.settled(paths[0], paths[0])
    assert disks(bench.call(asked.xml, stock.name)) == before
    assert stock.guest.read(30).first == b"\x5a" * 16
    # libvirt has its own nodes again, and does with them what it does.
    bench.call(converting.resized, stock.name, stock.target, 2 * SIZE)
    assert stock.path.stat().st_size == 2 * SIZE
    stock.destroy()
    qemu_img("compare", "-f", "raw", "-F", "qcow2", *paths[1:])


def test_the_next_start_has_what_the_definition_says(bench: Embed) -> None:
    stock = Stock(bench, "next")
    new = [stock.new("1"), stock.new("2")]
    paths = [str(stock.path), *(one["file"] for one in new)]
    stock.convert(*new, **BOTH)
    assert stock.guest.write(30, 0x5A) == 0
    stock.destroy()
    assert len(set(stock.state(*paths)["images"])) == 1
    corrupt(paths[1])
    stock.start(2)
    assert stock.guest.read(30).first == b"\x5a" * 16
    assert stock.state() == stock.settled([2, paths], [2, paths], stock.placeholder)
    # The disk is a placeholder's now: going back is a quorum of one until the next start.
    told = stock.back("2", **BOTH)
    assert any("is a quorum of this one member" in one for one in told["notes"])
    assert stock.state() == stock.settled([1, paths[2:]], paths[2], stock.placeholder)
    assert stock.guest.write(31, 0x3C) == 0
    stock.destroy()
    stock.start(3)
    assert stock.state()["live"] == paths[2]
    assert stock.guest.read(31).first == b"\x3c" * 16


def test_what_libvirt_would_do_with_the_image_is_refused(bench: Embed) -> None:
    stock = Stock(bench, "guarded")
    stock.convert(stock.new("1"), stock.new("2"), live=True)
    copy = bench.folder / "copy"
    refusals = {
        "blockresize guarded vda 8M": "Cannot find device",
        f"blockcopy guarded vda --dest {copy} --transient-job": "block node",
        "blockpull guarded vda": "Cannot find device",
        "snapshot-create-as guarded s --disk-only": "block node",
        "backup-begin guarded": "block node",
        f"save guarded {copy}": "unexpectedly failed",
        "managedsave guarded": "unexpectedly failed",
    }
    lines = "".join(f"{one}\n" for one in refusals)
    done = bench.run("virsh", "--quiet", "--connect", bench.uri, input=lines)
    said = [one for one in done.stderr.splitlines() if one.startswith("error: ")]
    said = [one for one in said if not one.startswith("error: Failed to ")]
    assert len(said) == len(refusals), done.stderr
    for one, expected in zip(said, refusals.values(), strict=True):
        assert expected in one
    assert not copy.exists()
    bench.virsh("domstats", stock.name)
    assert stock.guest.write(30, 0x11) == 0
    assert stock.state()["live"] is not None
    stock.back(live=True, config=False)
    bench.virsh("save", stock.name, copy)


def test_it_is_patched_and_detached_as_any_other(bench: Embed) -> None:
    stock = Stock(bench, "patched", bus="scsi")
    first, second = stock.new("1"), stock.new("2")
    paths = [str(stock.path), first["file"], second["file"]]
    stock.convert(first, second, live=True)
    bench.call(converting.patched, stock.name, "remove_member", ["sda", "2"])
    bench.call(converting.patched, stock.name, "set_quorum", ["sda", {"threshold": 1}])
    assert stock.state() == stock.settled([1, paths[:2]], paths[0])
    assert bench.call(doctored.found, stock.name) == []
    # The image that libvirt shows comes back, whichever the others are.
    stock.back(**BOTH | {"config": False})
    assert stock.state() == stock.settled(paths[0], paths[0])
    stock.convert(first, live=True, fill=False)
    bench.call(converting.patched, stock.name, "detach", ["sda"])
    assert "sda" not in bench.call(asked.xml, stock.name)
    assert not [one for one in bench.looked_up(stock.name)["nodes"] if one.startswith("vq-")]


def test_a_member_that_does_not_agree_is_not_kept(bench: Embed) -> None:
    stock = Stock(bench, "differing")
    new = [stock.new("1"), stock.new("2")]
    stock.convert(*new, **BOTH)
    paths = [str(stock.path), *(one["file"] for one in new)]
    stock.destroy()
    corrupt(paths[0])
    stock.start(2)
    text = refused(stock, "back", **BOTH)
    assert f"the member '{paths[0]}' does not agree with the others, somewhere in the" in text
    assert stock.state() == stock.settled([2, paths], [2, paths], stock.placeholder)
    told = stock.back("0", dry=True, compare=False, **BOTH)
    assert any("nobody looks whether the member" in one for one in told["lost"])
    told = stock.back("1", dry=True, live=True, config=False)
    assert any("at the next start the other members vote" in one for one in told["lost"])
    # What is outvoted can be overwritten as it is read, by the very comparison.
    bench.call(converting.patched, stock.name, "set_quorum", ["vda", {"rewrite_corrupted": True}])
    with pytest.raises(CallError, match="does not agree"):
        stock.back(**BOTH)
    stock.back(**BOTH)
    assert stock.guest.read(DATA + 2).sum == 0
    stock.destroy()
    stock.start(3)
    assert stock.guest.read(DATA).first == CONTENT.ljust(16, b"\0")
    assert stock.guest.read(DATA + 2).sum == 0


def test_too_few_members_agree(bench: Embed) -> None:
    stock = Stock(bench, "two")
    new = stock.new("1")
    told = stock.convert(new, **BOTH)
    assert any("needs all of its 2 members" in one for one in told["notes"])
    stock.destroy()
    corrupt(new["file"])
    text = refused(stock, "back")
    assert "qemu-img: " in text
    stock.start(2)
    text = refused(stock, "back", live=True, config=True)
    assert "cannot be read everywhere" in text
    stock.back(**BOTH, compare=False)
    assert stock.state() == stock.settled(str(stock.path), str(stock.path), stock.placeholder) | {
        "live": [1, [str(stock.path)]]
    }


def test_a_chain_becomes_a_member_and_comes_back(bench: Embed) -> None:
    base = bench.image("chain-base", SIZE, disk_content(CONTENT))
    over = bench.folder / "chain-over"
    qemu_img("create", "-q", "-f", "qcow2", "-b", base, "-F", "raw", over)
    xml = disk_xml("vda", over, format="qcow2").replace(
        "<driver name='qemu'", "<driver name='qemu' cache='none' discard='unmap'"
    )
    stock = Stock(bench, "chain", xml=xml)
    before = bench.looked_up(stock.name)
    new = stock.new("1")
    stock.convert(new, live=True)
    assert stock.guest.write(30, 0x5A) == 0
    edges = bench.looked_up(stock.name)["edges"]
    assert [one for one in edges if one[1] == "backing"]
    stock.back(live=True, config=False)
    after = bench.looked_up(stock.name)
    assert (after["edges"], after["drives"]) == (before["edges"], before["drives"])
    same = ("drv", "ro", "file", "cache", "detect_zeroes")
    for name, node in before["nodes"].items():
        assert [after["nodes"][name][key] for key in same] == [node[key] for key in same]
    stock.destroy()
    qemu_img("compare", "-f", "qcow2", "-F", "raw", over, new["file"])
    assert base.read_bytes()[30 * 512] == 0
    # Off, the chain is what the header says.
    stock.convert(new)
    stock.start(2)
    assert stock.guest.read(30).first == b"\x5a" * 16


def test_images_that_are_not_as_they_should_be(bench: Embed) -> None:
    stock = Stock(bench, "images")
    small = {"file": str(stock.image("small", size=SIZE // 2)), "format": "raw"}
    missing = {"file": str(bench.folder / "nowhere"), "format": "raw"}
    other = {**stock.new("1"), "format": "qcow2"}
    for scope in (BOTH, {"live": True, "config": False}):
        assert "member 1 has 2,097,152 bytes" in refused(stock, "convert", small, **scope)
        text = refused(stock, "convert", missing, **scope)
        assert text.endswith("nowhere': does not exist; --create makes it")
        assert "qcow2" in refused(stock, "convert", other, **scope)
        text = refused(stock, "convert", small, checks=False, **scope)
        assert f"has {SIZE // 2} bytes and the disk {SIZE}" in text
        assert "No such file" in refused(stock, "convert", missing, checks=False, **scope)
    assert "is a member already" in refused(
        stock, "convert", stock.new("2"), stock.new("2"), **BOTH
    )
    assert "is a member already" in refused(
        stock, "convert", {"file": str(stock.path), "format": "raw"}
    )
    full = stock.image("full", b"old", SIZE)
    told = stock.convert({"file": str(full), "format": "raw"}, dry=True, **BOTH)
    assert any("is not blank" in one for one in told["lost"])
    assert full.read_bytes() == b"old".ljust(SIZE, b"\0")
    stock.destroy()
    assert "member 1 has 2,097,152 bytes" in refused(stock, "convert", small)
    assert "does not exist; --create makes it" in refused(stock, "convert", missing)
    text = refused(stock, "convert", {"file": str(full), "format": "raw"}, fill=False)
    assert "does not hold what the disk 'vda' holds; leave --no-copy out" in text


def test_what_cannot_be_converted(bench: Embed) -> None:
    stock = Stock(bench, "refused")
    new = stock.new("1")
    assert "would be old at its next start" in refused(stock, "convert", new, config=True)
    assert "a quorum of one member is no vote" in refused(stock, "convert", **BOTH)
    assert "from 1 to 2" in refused(stock, "convert", new, threshold=3)
    assert "is no quorum" in refused(stock, "back", **BOTH)
    stock.target = "vdx"
    with pytest.raises(CallError, match="has no disk 'vdx'; its disks are: 'vda'"):
        stock.convert(new)
    stock.target = "vda"
    copy = bench.image("refused-copy", SIZE)
    bench.call(converting.mirrored, stock.name, "vda", str(copy))
    assert "has a block job that goes on" in refused(stock, "convert", new, live=True)
    bench.call(converting.mirrored, stock.name, "vda", None)
    stock.convert(new, **BOTH)
    assert "is a quorum already" in refused(stock, "convert", stock.new("2"), **BOTH)
    assert "no member '9'" in refused(stock, "back", "nowhere", **BOTH).replace("nowhere", "9")
    stock.back(**BOTH)
    bench.call(converting.saved, stock.name)
    assert "has a saved state" in refused(stock, "convert", new)


@pytest.mark.parametrize(
    ("inner", "said"),
    [
        ("<transient/>", "is <transient/>"),
        ("<readonly/>", "is <readonly/>"),
        ("<copy_on_read/>", "copied on read"),
    ],
)
def test_disks_that_are_not_converted_while_they_run(bench: Embed, inner: str, said: str) -> None:
    name = f"not-{inner.strip('<>/')}"[:12]
    path = bench.image(f"{name}-extra", SIZE)
    extra = disk_xml("vdb", path, boot=None)
    if inner == "<copy_on_read/>":
        extra = extra.replace("type='raw'", "type='raw' copy_on_read='on'")
    else:
        extra = extra.replace("<alias", f"{inner}<alias")
    own = bench.image(f"{name}-own", SIZE, disk_content(CONTENT))
    stock = Stock(bench, name, xml=disk_xml("vda", own) + extra)
    stock.target = "vdb"
    assert said in refused(stock, "convert", stock.new("1"), live=True)
    stock.destroy()
