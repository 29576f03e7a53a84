"""What QEMU refuses of drives that could be opened, and what it takes beside it: QEMU judges."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest

from tests.programs import missing, qemu, qemu_img
from virtquorum.errors import ArgumentError
from virtquorum.qemu.back.reading import read
from virtquorum.qemu.back.words import given_text

if TYPE_CHECKING:
    from pathlib import Path

B, C = "file=b.raw,format=raw", "file=c.raw,format=raw"
QUORUM = (
    "driver=quorum,children.0.driver=raw,children.0.file.filename=b.raw,children.1.driver=raw,"
    "children.1.file.filename=c.raw,if=none"
)
COMMA = "a comma inside a value is doubled: ',,'"
EXISTS = "exists"
UNSUPPORTED = "machine type does not support"

#: The machine and its drives, what is said here, and what QEMU says.
REFUSED = [
    ("pc", f"-drive {B},if=virtio,index=0 -drive {C},if=virtio,index=0",
     "argument 4 (-drive): the place of this drive, if=virtio,index=0, is that of argument 2 "
     "(-drive) already; give each its own index", EXISTS),
    ("pc", f"-drive {B},if=ide,index=0 -hda c.raw", "if=ide,index=0, is that", EXISTS),
    ("pc", f"b.raw -drive {B},index=0", "is that of argument 1 (hda) already", EXISTS),
    ("pc", f"-drive {B},index=2 -cdrom c.raw", "is that of argument 2", EXISTS),
    ("pc", f"-drive {B} -drive {C},index=0", "is that of argument 2", EXISTS),
    ("pc", f"-drive {B},if=none,index=1 -drive {C},if=none,index=1", "if=none,index=1", EXISTS),
    ("pc", f"-drive {B},bus=1,unit=0 -hdc c.raw", "if=ide,index=2", EXISTS),
    ("pc", f"-drive {B},if=ide,index=5", "has no place if=ide,index=5; an index is 0 to 3 there",
     UNSUPPORTED),
    ("q35", f"-drive {B},if=ide,index=6", "an index is 0 to 5 there", UNSUPPORTED),
    ("pc", f"-drive {B},if=floppy,index=2", "an index is 0 to 1 there", UNSUPPORTED),
    ("pc", f"-drive {B},if=ide,bus=0,unit=2", "'unit' is 2, and a bus of if=ide has 2", "too big"),
    ("q35", f"-drive {B},if=ide,bus=0,unit=1", "a bus of if=ide has 1", "too big"),
    ("pc", f"-drive {QUORUM},vote-threshold=3",
     "'vote-threshold' is 3 of 2 children; it is 1 to 2", "may not exceed children count"),
    ("pc", f"-drive {QUORUM},vote-threshold=3,read-pattern=fifo", "'vote-threshold' is 3",
     "may not exceed children count"),
    ("pc", f"-drive {QUORUM},vote-threshold=0", "'vote-threshold' is 0", "expects a value >= 1"),
    ("pc", f"-drive {QUORUM},vote-threshold=1,blkverify=on", "'blkverify' is for two children",
     "exactly two files"),
    ("pc", f"-drive {QUORUM},vote-threshold=2,blkverify=on,rewrite-corrupted=on",
     "exclude each other", "cannot be used with blkverify"),
    ("pc", f"-drive {B},if=none,foo=1", f"'foo' is no option of the driver 'raw'; {COMMA}",
     "does not support the option 'foo'"),
    ("pc", f"-drive {B},if=none,file.foo=1", "'file.foo' is no option of the driver 'file'",
     "doesn't support the option 'foo'"),
    ("pc", f"-drive {B},if=none,cache.foo=1", "'cache.foo' is no option", "'cache.foo'"),
    ("pc", f"-drive {B},if=none,lazy-refcounts=on", "'lazy-refcounts' is no option of",
     "does not support the option"),
    ("pc", "-drive file=a.qcow2,format=qcow2,if=none,lazy-refcount=on",
     "did you mean 'lazy-refcounts'?", "does not support the option"),
    ("pc", f"-drive {B},if=none,backing.driver=raw,backing.file.filename=c.raw",
     "'backing.driver' is no option of the driver 'raw'", "support backing files"),
    ("pc", "-drive file=b.raw,1.raw,format=raw,if=none",
     f"argument 2 (-drive): '1.raw' has no value, and it is no switch; {COMMA}",
     "does not support the option '1.raw'"),
    ("pc", "-blockdev driver=file,filename=b.raw,node-name=f,foo=1", "'foo' is no option of the",
     "'foo' is unexpected"),
    ("pc", "-drvie b.raw", "'-drvie' is an invalid option", "invalid option"),
    ("pc", "b.raw c.raw", "one image alone is all it takes", EXISTS),
]  # fmt: skip
#: What QEMU takes, and the disks that it is.
TAKEN = [
    ("pc", f"-drive {B},if=ide,index=3 -hda c.raw", ["hdd", "hda"]),
    ("q35", f"-drive {B},if=ide,index=5 -drive {C}", ["sdf", "sda"]),
    ("pc", f"-drive {B},if=none,id=a -drive {C},if=none,id=b", ["vda", "vdb"]),
    ("pc", f"-drive {B},if=virtio -drive {C},if=ide", ["vda", "hda"]),
    ("pc", f"-drive {B},if=floppy,unit=1", ["fdb"]),
    ("pc", f"-drive {QUORUM},vote-threshold=2,blkverify=on", ["vda"]),
    ("pc", f"-drive {QUORUM},vote-threshold=1,blkverify=on,read-pattern=fifo", ["vda"]),
    ("pc", "-drive file=a.qcow2,format=qcow2,if=none,lazy-refcounts,stats-account-invalid=off,"
     "l2-cache-size=64k,file.locking=off,nodetect-zeroes,discard", ["vda"]),
    ("pc", f"-drive {B},if=none,force-share=on,read-only,file.drop-cache=off", ["vda"]),
    ("q35", f"-drive {B},if=none,id=c -device ide-cd,drive=c,bus=ide.1,unit=0", ["sdb"]),
    ("q35", f"-drive {B},if=none,id=c -device ide-cd,drive=c,bus=ide.1", ["sdb"]),
    ("pc", f"-drive {B},if=none,id=c -device ide-cd,drive=c,bus=ide.1,unit=0", ["hdc"]),
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.raw", "c.raw"):
        qemu_img("create", "-q", "-f", "raw", tmp_path / name, "1M")
    qemu_img("create", "-q", "-f", "qcow2", tmp_path / "a.qcow2", "1M")
    return tmp_path


@pytest.mark.parametrize(("machine", "line", "said", "theirs"), REFUSED)
def test_it_is_refused(machine: str, line: str, said: str, theirs: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        read(given_text(f"{line} -M {machine}"))
    assert said in str(caught.value)


@pytest.mark.skipif(bool(missing()), reason=f"not installed: {missing()}")
@pytest.mark.parametrize(("machine", "line", "said", "theirs"), REFUSED)
def test_qemu_refuses_it(machine: str, line: str, said: str, theirs: str, folder: Path) -> None:
    with (
        pytest.raises(AssertionError, match=theirs),
        qemu(shlex.split(line), folder, f"{machine},accel=tcg"),
    ):
        pass


@pytest.mark.parametrize(("machine", "line", "names"), TAKEN)
def test_it_is_taken(machine: str, line: str, names: list[str]) -> None:
    found = read(given_text(f"-M {machine} {line}"))
    assert [disk.name for disk in found.disks] == names


@pytest.mark.skipif(bool(missing()), reason=f"not installed: {missing()}")
@pytest.mark.parametrize(("machine", "line", "names"), TAKEN)
def test_qemu_takes_it(machine: str, line: str, names: list[str], folder: Path) -> None:
    with qemu(shlex.split(line), folder, f"{machine},accel=tcg") as running:
        assert running.nodes()
