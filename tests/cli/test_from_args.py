"""``virtquorum from-args``: its input and output, its options and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.programs import missing, qemu, qemu_img, run
from virtquorum.xml.domain import Domain

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples"
NESTED = SAMPLES / "nested.xml"
DRIVE = "file=/i/a.qcow2,format=qcow2,if=virtio,cache=none"
DISK = """\
<disk type='file' device='disk'>
  <driver name='qemu' type='qcow2' cache='none'/>
  <source file='/i/a.qcow2'/>
  <target dev='vda' bus='virtio'/>
</disk>
"""
#: A disk that has no XML, and one that has.
MIXED = ("-blockdev", "driver=null-co,node-name=n", "-device", "virtio-blk,drive=n",
         "-drive", DRIVE)  # fmt: skip


def test_words_become_xml() -> None:
    assert run("from-args", "--", "-drive", DRIVE) == (0, DISK, "")


def test_a_line_is_one_word_too() -> None:
    assert run("from-args", "--", f"-drive {DRIVE}") == (0, DISK, "")


def test_qemus_own_options_need_no_dashes_before_them(tmp_path: Path) -> None:
    assert run("from-args", "-drive", DRIVE) == (0, DISK, "")
    assert run("from-args", "--strict", "-drive", DRIVE) == (0, DISK, "")
    assert run("from-args", "-drive", DRIVE, "--strict").code == 3  # QEMU's, and without a value
    assert "no such option: --srtict" in run("from-args", "--srtict", "-drive", DRIVE).err
    assert "-no.xml: cannot be read" in run("from-args", "--domain", "-no.xml", "-drive", DRIVE).err


@pytest.mark.parametrize("argv", [("-",), ()])
def test_standard_input(argv: tuple[str, ...]) -> None:
    assert run("from-args", *argv, input=f"-drive \\\n  {DRIVE}\n".encode()) == (0, DISK, "")
    assert run("from-args", *argv, input=json.dumps(["-drive", DRIVE]).encode()) == (0, DISK, "")


@pytest.mark.parametrize("style", ["drive", "blockdev"])
@pytest.mark.parametrize("options", [(), ("--json",), ("--oneline",), ("--nul",)])
def test_what_args_prints_is_read(style: str, options: tuple[str, ...]) -> None:
    printed = run("args", "--style", style, *options, NESTED)
    assert printed.code == 0
    found = run("from-args", "-", input=printed.out.encode())
    assert found.code == 0
    domain = Domain.from_text(f"<domain><devices>{found.out}</devices></domain>")
    assert [disk.name for disk in domain.disks] == ["vda", "sda"]


def test_a_qmp_list_is_read() -> None:
    printed = run("args", "--style", "qmp", "--no-frontend", NESTED)
    found = run("from-args", "-", input=printed.out.encode())
    assert found.code == 0
    assert found.out.count("<disk ") == 2
    assert "threshold='2'" in found.out


def test_the_domain_is_as_it_was() -> None:
    """Every disk of the sample goes to arguments and back into its domain."""
    printed = run("args", NESTED)
    found = run("from-args", "--domain", NESTED, "--replace", "-", input=printed.out.encode())
    assert found.code == 0
    assert found.out == NESTED.read_text()


def test_a_disk_goes_behind_the_others_of_a_domain() -> None:
    drive = "file=/i/b.raw,format=raw,if=virtio,index=25"
    found = run("from-args", "--domain", NESTED, "--", "-drive", drive)
    assert (found.code, found.err) == (0, "")
    before, after = Domain.from_bytes(NESTED.read_bytes()), Domain.from_text(found.out)
    assert after.disks[:-1] == before.disks
    assert after.disks[-1].name == "vdz"


def test_a_target_that_the_domain_has_is_refused() -> None:
    found = run("from-args", "--domain", NESTED, "--", "-drive", DRIVE)
    assert (found.code, found.out) == (1, "")
    assert found.err == (
        f"virtquorum: {NESTED}:23:5: the domain has a disk 'vda' already, and the arguments have "
        "one as well; with --replace it takes the other's place\n"
    )


def test_a_disk_that_takes_anothers_place_is_told() -> None:
    found = run("from-args", "--domain", NESTED, "--replace", "--", "-drive", DRIVE)
    assert found.code == 0
    assert found.err == (f"virtquorum: note: 'vda' takes the place of the disk at {NESTED}:23:5\n")


@pytest.mark.parametrize("replace", [(), ("--replace",)])
def test_a_disk_without_a_name_takes_no_others_place(replace: tuple[str, ...]) -> None:
    node = ("-blockdev", "driver=file,filename=/x,node-name=n", "-device", "virtio-blk,drive=n")
    found = run("from-args", "--domain", NESTED, *replace, "--", *node)
    assert found.code == 0
    assert "nothing says what the disk is called: it is 'vdb' here" in found.err
    before, after = Domain.from_bytes(NESTED.read_bytes()), Domain.from_text(found.out)
    assert after.disks[:-1] == before.disks
    assert after.disks[-1].name == "vdb"
    assert "it is 'vda' here" in run("from-args", "--", *node).err


def test_the_domain_may_be_standard_input() -> None:
    words = ("-drive", f"{DRIVE},index=25")
    by_name = run("from-args", "--domain", NESTED, "--", *words)
    assert run("from-args", "--domain", "-", "--", *words, input=NESTED.read_bytes()) == by_name
    for argv in ((), ("-",)):
        found = run("from-args", "--domain", "-", *argv, input=NESTED.read_bytes())
        assert (found.code, found.out) == (2, "")
        assert "reads the domain from standard input" in found.err


def test_what_two_devices_have_both_is_told(tmp_path: Path) -> None:
    path = tmp_path / "d.xml"
    path.write_text(
        "<domain><devices>\n<interface type='user'><boot order='1'/>"
        "<address type='pci' domain='0x0000' bus='0x00' slot='0x07' function='0x0'/></interface>\n"
        "</devices></domain>"
    )
    device = "virtio-blk-pci,drive=drive-vda,addr={},bootindex={}"
    drive = ("-drive", f"{DRIVE},id=drive-vda".replace("if=virtio", "if=none"))
    found = run("from-args", "--domain", path, "--", *drive, "-device", device.format("7", "1"))
    assert found.code == 0
    assert found.err.splitlines() == [
        "virtquorum: note: in what is printed the boot order 1 is that of <disk> (line 2) and of "
        "<interface> (line 9)",
        "virtquorum: note: in what is printed the PCI address 0000:00:07.0 is that of <disk> (line "
        "2) and of <interface> (line 9)",
    ]
    found = run("from-args", "--domain", path, "--", *drive, "-device", device.format("8", "2"))
    assert (found.code, found.err) == (0, "")


def test_a_domain_that_boots_by_its_os_gets_no_other_order(tmp_path: Path) -> None:
    path = tmp_path / "d.xml"
    path.write_text("<domain><os><boot dev='hd'/></os><devices/></domain>")
    words = ("-drive", f"{DRIVE},id=drive-vda".replace("if=virtio", "if=none"),
             "-device", "virtio-blk-pci,drive=drive-vda,bootindex=1")  # fmt: skip
    found = run("from-args", "--domain", path, "--", *words)
    assert found.code == 0
    assert "<target dev='vda'" in found.out
    assert "order" not in found.out
    assert "the domain says in <os> what it boots from" in found.err
    assert "<boot order='1'/>" in run("from-args", "--", *words).out


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot be read: no such file"), ("<network/>", "the root element is <network>"),
     ("<domain/>", "has no <devices> to put a disk into"), ("<disk type='file'/>", "bare <disk>")],
)  # fmt: skip
def test_a_file_into_which_no_disk_goes(content: str | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "d.xml"
    if content is not None:
        path.write_text(content)
    found = run("from-args", "--domain", path, "--", "-drive", DRIVE)
    assert found.code in (1, 3)
    assert found.out == ""
    assert said in found.err


def test_a_disk_without_xml_stops_the_others() -> None:
    found = run("from-args", "--", *MIXED)
    assert (found.code, found.out) == (1, "")
    assert (
        "argument 2 (-blockdev): libvirt's XML has no words for the driver 'null-co'" in found.err
    )
    assert "the other disks are to be had with --keep-going" in found.err


def test_keep_going_leaves_it_out() -> None:
    found = run("from-args", "--keep-going", "--", *MIXED)
    assert (found.code, found.out) == (1, DISK)
    assert "null-co" in found.err


def test_keep_going_tells_of_every_mistake() -> None:
    words = (
        "-blockdev", "driver=foo,node-name=a",
        "-blockdev", '{"driver":"raw","file":"a","node-name":"b"}',
        "-device", "virtio-blk,drive=b",
        "-object", "throttle-group,id=t,limits.iops-total=x",
        "-blockdev", "driver=throttle,node-name=u,throttle-group=t,file.driver=file,"
        "file.filename=/u",
        "-drive", "file=/b,format=raw,if=none,id=z,foo=1", "-device", "ide-hd,drive=z",
        "-blockdev", '{"node-name":"broken",', "-device", "ide-hd,drive=broken",
        "-drive", DRIVE,
    )  # fmt: skip
    found = run("from-args", "--keep-going", "--", *words)
    assert (found.code, found.out) == (3, DISK.replace("vda", "vdb"))
    errors = [line for line in found.err.splitlines() if "note: " not in line]
    assert [line.split(":")[1].strip() for line in errors] == [
        "argument 8 (-object)", "argument 16 (-blockdev)", "argument 2 (-blockdev)",
        "argument 12 (-drive)",
    ]  # fmt: skip
    first = run("from-args", "--", *words)
    assert (first.code, first.out) == (3, "")
    assert first.err == f"{errors[0]}\n"


def test_keep_going_goes_on_after_a_command() -> None:
    commands = [
        {"execute": "blockdev-add", "arguments": {"driver": "foo", "node-name": "a"}},
        {"execute": "device_add", "arguments": {"driver": "virtio-blk-pci", "drive": "a"}},
        {"execute": "blockdev-add",
         "arguments": {"driver": "file", "filename": "/b", "node-name": "b"}},
        {"execute": "device_add", "arguments": {"driver": "virtio-blk-pci", "drive": "b"}},
    ]  # fmt: skip
    found = run("from-args", "--keep-going", "-", input=json.dumps(commands).encode())
    assert found.code == 3
    assert found.out.count("<disk ") == 1
    assert found.err.count("unknown") == 1


def test_notes_of_several_images_are_one_line() -> None:
    found = run("from-args", "--", "-hda", "a.qcow2", "-hdb", "b.img", "-hdc", "~/c.raw")
    assert found.code == 0
    assert found.err.splitlines() == [
        "virtquorum: note: the formats of these images are not named, and QEMU would guess them "
        "from what is in them, see 'qemu-img info'; taken is, by the files' names: 'a.qcow2' "
        "qcow2, 'b.img' raw, '~/c.raw' raw",
        "virtquorum: note: these paths are relative to where QEMU is started, and libvirt wants "
        "whole ones: 'a.qcow2', 'b.img'",
        "virtquorum: note: argument 6 (-hdc): '~/c.raw' is relative: what stands for '~' a shell "
        "puts there, and only where a word begins with it; libvirt wants the whole path",
    ]


@pytest.mark.parametrize(
    ("id", "told"),
    [("ua-mine", False), ("virtio-disk0", False), ("virtio-disk9", False), ("mine", True),
     ("ua-my.disk", True)],
)  # fmt: skip
def test_an_alias_that_libvirt_does_not_keep_is_told(id: str, told: bool) -> None:
    drive = f"{DRIVE},id=drive-vda".replace("if=virtio", "if=none")
    found = run(
        "from-args", "--", "-drive", drive, "-device", f"virtio-blk,drive=drive-vda,id={id}"
    )
    assert found.code == 0
    said = f"the device is called '{id}'; libvirt keeps an alias that begins with 'ua-'"
    assert (said in found.err) == told
    assert (f"<alias name='{id}'/>" in found.out) == (id != "virtio-disk0")


def test_what_has_no_xml_is_listed() -> None:
    words = ("-drive", f"{DRIVE},lazy-refcounts=on,file.locking=off")
    found = run("from-args", "--", *words)
    assert (found.code, found.out) == (0, DISK)
    assert found.err.splitlines() == [
        "virtquorum: note: no XML: argument 2 (-drive): lazy-refcounts=on",
        "virtquorum: note: no XML: argument 2 (-drive): file.locking=off",
    ]
    strict = run("from-args", "--strict", "--", *words)
    assert strict == (1, found.out, found.err)
    assert run("from-args", "--strict", "--", "-drive", DRIVE).code == 0


def test_no_password_is_shown() -> None:
    drive = "file=https://me:pass%2Cword@h/a,format=raw,if=virtio,readonly=on"
    found = run("from-args", "--", "-drive", drive)
    assert found.code == 0
    assert "word" not in found.out
    assert "pass%" not in found.err
    assert "<secret type='iscsi' uuid=" in found.out
    assert "virsh secret-define" in found.err
    node = "driver=luks,node-name=l,key-secret=s0,file.driver=file,file.filename=/l"
    secret = ("-object", "secret,id=s0,data=hunter2", "-blockdev", node)
    found = run("from-args", "--", *secret)
    assert found.code == 0
    assert "hunter2" not in found.out + found.err


@pytest.mark.parametrize("argv", [("-m", "1G"), ("-display", "none"), ("-S",)])
def test_arguments_without_a_disk(argv: tuple[str, ...]) -> None:
    found = run("from-args", "--", *argv)
    assert (found.code, found.out) == (1, "")
    assert "there are no disks in these arguments" in found.err


def test_options_that_make_no_sense() -> None:
    assert run("from-args", "--replace", "--", "-drive", DRIVE).code == 2
    assert "--replace is for --domain" in run("from-args", "--replace", "--", "-drive", DRIVE).err


def test_bytes_that_are_no_text() -> None:
    found = run("from-args", "-", input=b"-drive \\\nfile=/a\xff,format=raw")
    assert (found.code, found.out) == (3, "")
    assert "<stdin>:2: byte 17 is no UTF-8" in found.err


def test_a_name_that_xml_cannot_hold() -> None:
    found = run("from-args", "--", "-drive", "file=/a\x01,format=raw,if=virtio")
    assert (found.code, found.out) == (1, "")
    assert "disk 'vda': the character U+0001 cannot be written in XML" in found.err
    both = ("-drive", "file=/a\x01,format=raw,if=virtio", "-drive", "file=/b,format=raw,if=virtio")
    assert "with --keep-going" in run("from-args", *both).err
    found = run("from-args", "--keep-going", *both)
    assert (found.code, found.out.count("<source file='/b'/>")) == (1, 1)


@pytest.mark.skipif(bool(missing()), reason=f"not installed: {missing()}")
def test_a_running_qemus_disks_come_back(tmp_path: Path) -> None:
    """From a command line to XML, and from that to a QEMU with the same disks."""
    for name in ("0", "1", "2"):
        qemu_img("create", "-q", "-f", "raw", tmp_path / name, "1M")
    members = ",".join(
        f"children.{at}.driver=raw,children.{at}.file.filename={tmp_path / str(at)}"
        for at in range(3)
    )
    line = f"-drive driver=quorum,vote-threshold=2,{members},if=none,id=drive-vda"
    xml = run("from-args", "-", input=line.encode())
    assert xml.code == 0
    (tmp_path / "d.xml").write_text(xml.out)
    again = run("args", "--no-frontend", "--json", tmp_path / "d.xml")
    with qemu(line.split(), tmp_path) as running:
        before = sorted(node["file"] for node in running.nodes().values() if node["drv"] == "file")
    with qemu(json.loads(again.out), tmp_path) as running:
        assert "drive-vda" in {one["device"] for one in running.command("query-block")}
        after = sorted(node["file"] for node in running.nodes().values() if node["drv"] == "file")
    assert before == after == [str(tmp_path / name) for name in ("0", "1", "2")]
