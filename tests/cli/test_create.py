"""virtquorum create: what it says, what it leaves alone, and that nothing of it stays behind."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.images.building import MEGABYTE, UUID, domain, image, names, quorum, wrapped
from tests.programs import as_nobody, environment, parse_json, qemu_img, reachable, run
from virtquorum.images.made import REPORT_VERSION
from virtquorum.schema_files import schema_directory

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "virtquorum"]
SCHEMA: dict[str, Any] = json.loads(
    (Path(schema_directory()) / "create.schema.json").read_text("utf-8")
)
DOCUMENTS = sorted((ROOT / "samples").rglob("*.xml"))


def raws(folder: Path, *given: str) -> list[str]:
    return [image(folder / name) for name in given]


def checked(text: str) -> Any:
    """A report, held against its schema."""
    report = parse_json(text)
    Draft202012Validator(SCHEMA).validate(report)
    return report


# What it makes, and what it says


def test_what_is_missing_is_made_and_what_is_there_is_not_touched(tmp_path: Path) -> None:
    there = tmp_path / "a"
    there.write_bytes(b"precious" * 131072)
    os.utime(there, ns=(1, 1))
    before = there.stat()
    path = domain(tmp_path, quorum(*raws(tmp_path, "a", "b", "c")))
    done = run("create", "--blank", path)
    assert done.code == 0
    assert done.out == (
        f"{there}: raw, 1 MiB, was there\n{tmp_path}/b: raw, 1 MiB, made\n"
        f"{tmp_path}/c: raw, 1 MiB, made\n3 images: 2 made, 1 was there\n"
    )
    assert done.err == (
        f"virtquorum: note: {path}:4:47: disk 'vda': '{there}' was there, and the new members are "
        "blank: what it holds may be outvoted; copy it with --from\n"
    )
    after = there.stat()
    assert (after.st_mtime_ns, after.st_ino, after.st_mode) == (1, before.st_ino, before.st_mode)
    assert there.read_bytes() == b"precious" * 131072
    again = run("create", "--size", "1M", path)
    assert (again.code, again.err) == (0, "")
    assert again.out.endswith("3 images: 3 were there\n")


def test_dry_run_makes_nothing(tmp_path: Path) -> None:
    path = domain(tmp_path, quorum(image(tmp_path / "a", "qcow2", image(tmp_path / "base"))))
    done = run("create", "--size", "1M", "--dry-run", path)
    assert done == (
        0,
        "umask 077\n"
        f"qemu-img create -q -f raw {tmp_path}/base 1048576\n"
        f"qemu-img create -q -f qcow2 -u -b {tmp_path}/base -F raw {tmp_path}/a 1048576\n",
        "",
    )
    assert names(tmp_path) == {"domain.xml"}
    # A shell that runs the lines makes images that nobody else may read, as create does.
    old = os.umask(0o022)
    try:
        subprocess.run(["sh", "-e"], input=done.out, text=True, check=True, timeout=60)
    finally:
        os.umask(old)
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "base")} == {0o600}
    assert run("create", "--dry-run", path) == (0, "", "virtquorum: note: nothing is missing\n")


def test_json(tmp_path: Path) -> None:
    disks = [
        quorum(*raws(tmp_path, "a"), image(tmp_path / "b", "qcow2", image(tmp_path / "base"))),
        quorum(*raws(tmp_path, "d"), target="vdb"),
    ]
    (tmp_path / "a").write_bytes(bytes(MEGABYTE))
    path = domain(tmp_path, *disks)
    planned = run("create", "--from", "0", "--disk", "vda", "--json", "--dry-run", path)
    report = checked(planned.out)
    assert (planned.code, planned.err) == (0, "")
    assert [(one["path"], one["state"]) for one in report["images"]] == [
        (f"{tmp_path}/a", "was-there"),
        (f"{tmp_path}/base", "planned"),
        (f"{tmp_path}/b", "planned"),
    ]
    assert names(tmp_path) == {"a", "domain.xml"}
    made = checked(run("create", "--from", "0", "--disk", "vda", "--json", path).out)
    assert made["commands"] == report["commands"]
    assert made["images"][2] == {
        "disk": "vda", "line": 5, "role": "member", "nodename": None, "type": "file",
        "path": f"{tmp_path}/b", "format": "qcow2", "size": MEGABYTE, "state": "made",
        "backing": f"{tmp_path}/base", "copied_from": f"{tmp_path}/a",
    }  # fmt: skip
    failed = run("create", "--json", path)
    report = checked(failed.out)
    assert failed.code == 1
    assert report["images"][-1]["state"] == "failed"
    assert report["commands"] == []
    (error,) = report["errors"]
    assert (error["line"], error["disk"], error["image"]) == (10, "vdb", f"{tmp_path}/d")
    assert (report["version"], SCHEMA["$id"]) == (
        1,
        f"urn:virtquorum:schema:create:{REPORT_VERSION}",
    )


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_sample_gives_a_report(path: Path) -> None:
    done = run("create", "--size", "1G", "--dry-run", "--json", path)
    assert done.code in (0, 1, 2, 3)
    if done.code < 2:
        report = checked(done.out)
        assert (done.code == 1) == bool(report["errors"])
    assert "Traceback" not in done.err


def test_only_the_chosen_disks(tmp_path: Path) -> None:
    plain = (
        f"<disk type='file' device='disk'><source file='{tmp_path}/plain'/>"
        "<target dev='sda'/></disk>"
    )
    disks = quorum(*raws(tmp_path, "a")), quorum(*raws(tmp_path, "b"), target="vdb"), plain
    path = domain(tmp_path, *disks)
    assert run("create", "--size", "1M", "--disk", "vdb", path).code == 0
    assert names(tmp_path) == {"b", "domain.xml"}
    assert run("create", "--size", "1M", path).code == 0
    assert names(tmp_path) == {"a", "b", "domain.xml"}
    done = run("create", "--size", "1M", "--disk", "sda", "--disk", "vda", path)
    assert f"{tmp_path}/plain: raw, 1 MiB, made\n" in done.out
    assert names(tmp_path) == {"a", "b", "plain", "domain.xml"}


def test_standard_input_and_its_bounds(tmp_path: Path) -> None:
    text = domain(tmp_path, quorum(*raws(tmp_path, "a"))).read_bytes()
    assert run("create", "--size", "1M", "-", input=text).code == 0
    assert names(tmp_path) == {"a", "domain.xml"}
    assert run("create", "--max-size", "9", "-", input=text).code == 3
    assert run("create", "--max-depth", "2", "-", input=text).code == 3
    done = run("create", "-", input=b"<domain>\n<a></domain>")
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("virtquorum: <stdin>:2:")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--size", "ten"], "'ten' is no size; write it like 10G, 512M, 1.5T, 10GiB or 10GB (of "),
        (["--size", "100"], "the size '100' is not a whole number of 512-byte sectors; the next"),
        (["--disk", "sdx"], "domain.xml has no disk 'sdx'; its disks are: 'vda'; see 'virtquorum "),
        (["--preallocation", "some"], "invalid value for '--preallocation': 'some' is not one of "),
        (["--secret", "x"], "--secret is UUID=file:PATH, UUID=base64:PATH or UUID=object:ID, not"),
        (["--secret", f"{UUID}=object:s"], "--secret: qemu-img has no objects of yours; name a f"),
        (["--secret", f"{UUID}=file:/no/such"], "--secret: there is no file '/no/such'"),
        (["--from", "9"], "--from: there is no member '9'; members are: '"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_usage(argv: list[str], message: str, tmp_path: Path) -> None:
    path = domain(tmp_path, quorum(*raws(tmp_path, "a")))
    done = run("create", *argv, path)
    assert message in done.err
    assert (done.code, done.out) == (2, "")
    assert names(tmp_path) == {"domain.xml"}


def test_a_disk_without_a_quorum_has_no_member_to_copy(tmp_path: Path) -> None:
    plain = "".join(
        f"<disk type='file'><source file='{tmp_path}/{name}'/><target dev='{name}'/></disk>"
        for name in ("sda", "sdb")
    )
    path = domain(tmp_path, quorum(*raws(tmp_path, "a")), plain)
    done = run("create", "--from", "0", "--disk", "sdb", path)
    said = "--from copies members of a quorum, and the "
    assert done.err.startswith(f"virtquorum: {said}disk 'sdb' has none; disks with a quorum: 'vda'")
    assert (done.code, done.out) == (2, "")
    path = domain(tmp_path, plain)
    done = run("create", "--from", "0", "--disk", "sdb", "--disk", "sda", path)
    assert f"{said}disks 'sda', 'sdb' have none; disks with a quorum: none" in done.err
    assert done.code == 2


def test_no_quorum_and_no_one_domain(tmp_path: Path) -> None:
    path = domain(tmp_path)
    done = run("create", path)
    assert done.err == (
        f"virtquorum: {path} has no disk with a quorum; choose other disks with --disk TARGET; "
        "see 'virtquorum create --help'\n"
    )
    assert done.code == 2
    domain(tmp_path, name="b.xml")
    done = run("create", tmp_path)
    assert "the images are those of one domain; name one file" in done.err
    assert done.code == 2


def test_preallocation_takes_the_space(tmp_path: Path) -> None:
    path = domain(tmp_path, quorum(*raws(tmp_path, "a")))
    done = run("create", "--size", "1M", "--preallocation", "full", path)
    assert (done.code, done.err) == (0, "")
    assert (tmp_path / "a").stat().st_blocks * 512 == MEGABYTE


# Sizes


def test_sizes_that_disagree_name_both(tmp_path: Path) -> None:
    for name, size in (("a", "1M"), ("b", "2M")):
        qemu_img("create", "-q", "-f", "raw", tmp_path / name, size)
    path = domain(tmp_path, quorum(*raws(tmp_path, "a", "b", "c")))
    done = run("create", path)
    assert done.err.startswith(
        f"virtquorum: {path}:5:47: disk 'vda': image '{tmp_path}/b': is there with 2 MiB, but "
        f"'{tmp_path}/a' has 1 MiB; the members of a quorum have one size; if one of them is "
        "damaged, move it away, and have it made anew: create --from MEMBER, of one that is good\n"
    )
    assert (done.code, done.out) == (1, "")
    done = run("create", "--size", "2M", path)
    assert (
        f"image '{tmp_path}/a': is there with 1 MiB, but --size is 2 MiB; the members of a quorum "
        "have one size; look at --size; if one of them is damaged, move it away" in done.err
    )
    assert names(tmp_path) == {"a", "b", "domain.xml"}


def test_the_size_of_most_is_that_of_all(tmp_path: Path) -> None:
    """The one that differs is named, also if it comes first."""
    for name, size in (("a", "32K"), ("b", "2M"), ("c", "2M")):
        qemu_img("create", "-q", "-f", "raw", tmp_path / name, size)
    path = domain(tmp_path, quorum(*raws(tmp_path, "a", "b", "c")))
    for given in ([], ["--size", "2M"]):
        done = run("create", *given, "--from", "1", path)
        (line,) = done.err.splitlines()
        other = "--size is 2 MiB" if given else f"'{tmp_path}/b' has 2 MiB"
        assert f"image '{tmp_path}/a': is there with 32 KiB, but {other}; " in line
        assert "leave --size out" not in line
        assert line.endswith("if one of them is damaged, move it away, and have it made anew: "
                             "create --from MEMBER, of one that is good")  # fmt: skip
    (tmp_path / "a").rename(tmp_path / "away")
    assert run("create", "--from", "1", path).code == 0
    assert (tmp_path / "a").stat().st_size == 2 * MEGABYTE


def test_a_size_that_none_of_them_has(tmp_path: Path) -> None:
    for name in ("a", "b"):
        qemu_img("create", "-q", "-f", "raw", tmp_path / name, "1M")
    path = domain(tmp_path, quorum(*raws(tmp_path, "a", "b", "c")))
    done = run("create", "--size", "2M", path)
    assert done.err.count("leave --size out, or resize them all yourself\n") == 2
    assert "damaged" not in done.err
    path = domain(tmp_path, quorum(*raws(tmp_path, "a", "c")))
    done = run("create", "--size", "2M", path)
    assert "leave --size out; or, if it is damaged, move it away, and have it made" in done.err
    plain = f"<disk type='file'><source file='{tmp_path}/a'/><target dev='sda'/></disk>"
    done = run("create", "--size", "2M", "--disk", "sda", domain(tmp_path, plain))
    assert "--size is 2 MiB; leave --size out, or resize the image yourself\n" in done.err


def test_no_size_at_all(tmp_path: Path) -> None:
    path = domain(tmp_path, quorum(*raws(tmp_path, "a")))
    done = run("create", path)
    assert done.err == (
        f"virtquorum: {path}:4:47: disk 'vda': image '{tmp_path}/a': nothing says how large it is "
        "to be; say how large the images are to be: --size 10G\n"
    )
    assert done.code == 1


def test_the_size_of_a_backing_image(tmp_path: Path) -> None:
    """An overlay may be larger than what is below; without --size it is as large."""
    base = tmp_path / "base"
    qemu_img("create", "-q", "-f", "raw", base, "1M")
    path = domain(tmp_path, quorum(image(tmp_path / "a", "qcow2", image(base))))
    assert f"{tmp_path}/a: qcow2, 1 MiB, made\n" in run("create", path).out
    (tmp_path / "a").unlink()
    assert f"{tmp_path}/a: qcow2, 3 MiB, made\n" in run("create", "--size", "3M", path).out
    other = tmp_path / "other"
    qemu_img("create", "-q", "-f", "raw", other, "2M")
    both = [image(tmp_path / name, "qcow2", image(below))
            for name, below in (("x", base), ("y", other))]  # fmt: skip
    done = run("create", domain(tmp_path, quorum(*both)))
    assert f"its backing images differ in size: '{base}' 1 MiB, '{other}' 2 MiB" in done.err
    assert done.code == 1


def test_an_overlay_that_is_shorter_than_what_is_below_is_said(tmp_path: Path) -> None:
    base, top = tmp_path / "base", tmp_path / "a"
    qemu_img("create", "-q", "-f", "raw", base, "2M")
    path = domain(tmp_path, quorum(image(top, "qcow2", image(base)), *raws(tmp_path, "b")))
    said = (
        f"virtquorum: note: {path}:4:49: disk 'vda': '{top}' gets 1 MiB, and '{base}' below it "
        "has 2 MiB: the guest does not see the rest\n"
    )
    planned = run("create", "--size", "1M", "--dry-run", path)
    assert (planned.code, planned.err) == (0, said)
    done = run("create", "--size", "1M", path)
    assert (done.code, done.err) == (0, said)
    assert f"{top}: qcow2, 1 MiB, made\n" in done.out
    # What is there was said when it was made, and a copy is as long as what is copied.
    assert run("create", path).err == ""
    top.unlink()
    assert run("create", "--from", "1", path).err == ""
    (tmp_path / "b").unlink()
    top.unlink()
    for size in ("2M", "3M"):
        assert run("create", "--size", size, "--dry-run", path).err == ""


def test_a_size_that_a_format_does_not_take(tmp_path: Path) -> None:
    path = domain(tmp_path, quorum(image(tmp_path / "a", "raw"), image(tmp_path / "b", "qed")))
    done = run("create", "--size", "4E", path)
    assert done.code == 1
    assert f"image '{tmp_path}/" in done.err
    assert "qemu-img: " in done.err
    assert names(tmp_path) == {"domain.xml"}


# What is in the way


def test_places_that_no_file_can_have(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "fifo")
    os.symlink("nowhere", tmp_path / "link")
    os.symlink("loop", tmp_path / "loop")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(tmp_path / "socket"))
    (tmp_path / "file").write_bytes(b"")
    given = {
        "no/such/file": f"there is no directory '{tmp_path}/no/such'; make it (mkdir -p), or look "
        "whether its file system is mounted",
        "directory": "is no regular file but a directory; look at the name and at the type",
        "fifo": "is no regular file but a FIFO; look",
        "socket": "is no regular file but a socket; look",
        "link": "is a symbolic link to 'nowhere', which does not exist; make what it leads to",
        "loop": "cannot be looked at: too many levels of symbolic links",
        "file/x": "cannot be looked at: not a directory",
    }
    before = names(tmp_path) | {"domain.xml"}
    path = domain(tmp_path, quorum(*raws(tmp_path, *given, "good")))
    done = run("create", "--size", "1M", path)
    assert (done.code, done.out) == (1, "")
    lines = done.err.splitlines()
    for number, (name, said) in enumerate(given.items()):
        assert lines[number].startswith(
            f"virtquorum: {path}:{number + 4}:47: disk 'vda': image '{tmp_path}/{name}': {said}"
        )
    assert len(lines) == len(given)
    assert names(tmp_path) == before


def test_what_is_there_in_another_format(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"no qcow2")
    path = domain(tmp_path, quorum(image(tmp_path / "a", "qcow2"), image(tmp_path / "b")))
    done = run("create", "--size", "1M", path)
    assert (
        f"image '{tmp_path}/a': is there, but cannot be opened as 'qcow2': qemu-img: " in done.err
    )
    assert done.err.endswith(
        "Image is not in qcow2 format; look at the format, or at the file; if it is damaged, move "
        "it away, and have it made anew: create --from MEMBER, of one that is good\n"
    )
    assert (done.code, names(tmp_path)) == (1, {"a", "domain.xml"})
    below = image(tmp_path / "top", "qcow2", image(tmp_path / "a", "qcow2"))
    done = run("create", "--size", "1M", domain(tmp_path, quorum(below)))
    assert done.err.endswith("if it is damaged, bring it back from a backup\n")


def test_a_report_and_its_errors_name_the_same_line(tmp_path: Path) -> None:
    (tmp_path / "base").write_bytes(b"no qcow2")
    below = image(tmp_path / "base", "qcow2").replace("<source", "\n\n<source")
    path = domain(tmp_path, quorum(image(tmp_path / "a", "qcow2", below)))
    report = checked(run("create", "--size", "1M", "--json", path).out)
    assert [one["line"] for one in report["errors"]] == [6]
    assert [(one["path"], one["line"]) for one in report["images"]] == [
        (f"{tmp_path}/base", 6),
        (f"{tmp_path}/a", 4),
    ]


def test_a_lost_backing_image_is_not_made_blank(tmp_path: Path) -> None:
    path = domain(tmp_path, quorum(image(tmp_path / "a", "qcow2", image(tmp_path / "base"))))
    assert run("create", "--size", "1M", path).code == 0
    (tmp_path / "base").unlink()
    done = run("create", "--size", "1M", path)
    assert done.code == 1
    assert f"its overlay '{tmp_path}/a' is there, so a blank backing image would be" in done.err
    assert names(tmp_path) == {"a", "domain.xml"}


def test_what_is_no_file_is_left_alone_and_said(tmp_path: Path) -> None:
    others = (
        "<backingStore type='network'><format type='raw'/><source protocol='nbd' name='x'>"
        "<host name='h'/></source></backingStore>\n"
        "<backingStore type='volume'><format type='raw'/><source pool='p' volume='v'/>"
        "</backingStore>\n"
        "<backingStore type='file'><format type='raw'/><source fdgroup='f' file='/x'/>"
        "</backingStore>\n"
        "<backingStore type='martian'><format type='raw'/><source canal='3'/></backingStore>\n"
    )
    done = run("create", "--size", "1M", domain(tmp_path, quorum(*raws(tmp_path, "a"), others)))
    assert done.code == 0
    for said in (
        "behind the protocol 'nbd', and made there",
        "a volume is made in its pool, 'p' (virsh vol-create-as, say)",
        "it is the open file that libvirt calls 'f'",
        "a source of the type 'martian' is not made here",
    ):
        assert said in done.err
    assert len(done.err.splitlines()) == 4
    assert done.out.endswith("1 image: 1 made\n")


@pytest.mark.parametrize("format", ["raw", "vdi", "vpc"])
def test_formats_without_backing_images(format: str, tmp_path: Path) -> None:
    path = domain(tmp_path, quorum(image(tmp_path / "a", format, image(tmp_path / "b"))))
    done = run("create", "--size", "1M", path)
    assert done.code == 1
    assert (
        f"an image of the format '{format}' has no backing image; remove the <backingStore> below "
        "it; formats that have one: qcow, qcow2, qed, vmdk" in done.err
    )


def test_a_vmdk_lies_on_a_vmdk(tmp_path: Path) -> None:
    path = domain(tmp_path, quorum(image(tmp_path / "a", "vmdk", image(tmp_path / "b"))))
    assert "a VMDK's backing image is a VMDK" in run("create", "--size", "1M", path).err
    path = domain(tmp_path, quorum(image(tmp_path / "a", "vmdk", image(tmp_path / "b", "vmdk"))))
    assert run("create", "--size", "1M", path).code == 0


def test_other_users_folders(tmp_path: Path) -> None:
    """Root may write everywhere, so this runs as somebody else."""
    closed, secret, open_ = tmp_path / "closed", tmp_path / "secret", tmp_path / "open"
    for folder in (closed, secret, open_):
        folder.mkdir()
    open_.chmod(0o777)
    (secret / "there").write_bytes(bytes(512))
    path = domain(tmp_path, quorum(*raws(tmp_path, "open/a", "closed/b", "secret/there")))
    reachable(closed)
    reachable(open_)
    path.chmod(0o644)
    secret.chmod(0o700)
    done = as_nobody("create", "--size", "1M", path)
    assert done.returncode == 1
    assert f"this user may not write to the directory '{closed}'; run it as a" in done.stderr
    assert f"image '{secret}/there': cannot be looked at: permission denied" in done.stderr
    assert names(open_) == set()
    secret.chmod(0o755)
    (secret / "there").chmod(0o600)
    done = as_nobody("create", "--size", "1M", path)
    assert f"image '{secret}/there': is there, but cannot be opened as 'raw'" in done.stderr
    assert "Permission denied" in done.stderr
    path = domain(tmp_path, quorum(*raws(tmp_path, "open/a")))
    done = as_nobody("create", "--size", "1M", path)
    assert (done.returncode, names(open_)) == (0, {"a"})
    key = tmp_path / "key"
    key.write_text("x")
    key.chmod(0o600)
    done = as_nobody("create", "--secret", f"{UUID}=file:{key}", path)
    assert done.stderr == f"virtquorum: --secret: the file '{key}' cannot be read by this user\n"


def test_a_file_system_without_writing(tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(folder)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted: {mounted.stderr.strip()}")
    try:
        done = run("create", "--size", "1M", domain(tmp_path, quorum(*raws(folder, "a"))))
        assert done.code == 1
        assert f"the file system of '{folder}' is mounted read-only" in done.err
    finally:
        subprocess.run(["umount", str(folder)], check=True)


# Signals and terminals

#: The real qemu-img, at 64 KiB a second; it leaves its number behind.
SLOW = """if [ "$1" = convert ]; then
  shift
  echo $$ > "$(dirname "$0")/number.new"
  mv "$(dirname "$0")/number.new" "$(dirname "$0")/number"
  exec "$REAL" convert -r 65536 "$@"
fi
exec "$REAL" "$@" """


def copying(folder: Path) -> tuple[list[str], dict[str, str], Path]:
    """A command line that copies slowly into two members, its environment, and the sign of it."""
    images = folder / "images"
    images.mkdir()
    (images / "a").write_bytes(os.urandom(8 * MEGABYTE))
    base = image(images / "base", "qcow2")
    members = [*raws(images, "a"), image(images / "b", "qcow2", base), *raws(images, "c")]
    path = domain(folder, quorum(*members))
    given = environment(PATH=wrapped(folder, SLOW))
    return [*COMMAND, "create", "--from", "0", str(path)], given, folder / "bin" / "number"


def awaited(sign: Path, process: subprocess.Popen[bytes]) -> int:
    """The number of the qemu-img that is at work by now."""
    deadline = time.monotonic() + 30
    while not sign.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return int(sign.read_text())


def gone(number: int) -> bool:
    """Whether a process has ended; its number may live on as another's."""
    try:
        return b"convert" not in Path(f"/proc/{number}/cmdline").read_bytes()
    except OSError:
        return True


@pytest.mark.parametrize("group", [False, True], ids=["one", "group"])
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"])
def test_a_signal_ends_it_and_nothing_is_left(name: str, group: bool, tmp_path: Path) -> None:
    command, given, sign = copying(tmp_path)
    number = signal.Signals[name]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=given, start_new_session=True,
    ) as process:  # fmt: skip
        worker = awaited(sign, process)
        # A terminal's Ctrl-C is for the whole group, qemu-img as well.
        (os.killpg if group else os.kill)(process.pid, number)
        out, err = process.communicate(timeout=30)
    said = "interrupted" if name == "SIGINT" else f"ended by {name}; nothing that was made is left"
    assert err.decode() == f"virtquorum: {said}\n"
    assert (process.returncode, out) == (128 + number, b"")
    assert gone(worker)
    assert names(tmp_path / "images") == {"a"}


def test_many_signals_are_as_one(tmp_path: Path) -> None:
    command, given, sign = copying(tmp_path)
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=given
    ) as process:
        awaited(sign, process)
        for _ in range(5):
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
    assert names(tmp_path / "images") == {"a"}


def test_nohup_stays_nohup(tmp_path: Path) -> None:
    """A signal that is ignored when it starts is ignored."""
    command, given, sign = copying(tmp_path)
    with subprocess.Popen(
        ["nohup", *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env=given,
    ) as process:  # fmt: skip
        awaited(sign, process)
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
    assert b"ended by SIGTERM" in err
    assert names(tmp_path / "images") == {"a"}


def test_a_terminal_sees_progress_and_colour(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    (images / "a").write_bytes(os.urandom(MEGABYTE))
    path = domain(tmp_path, quorum(*raws(images, "a", "b")))
    main, other = pty.openpty()
    given = {**os.environ, "TERM": "xterm"}
    given.pop("NO_COLOR", None)
    with subprocess.Popen(
        [*COMMAND, "create", "--from", "0", str(path)],
        stdin=subprocess.DEVNULL, stdout=other, stderr=other, env=given,
    ) as process:  # fmt: skip
        os.close(other)
        seen = b""
        try:
            while part := os.read(main, 65536):
                seen += part
        except OSError:  # Linux says so when the other side is closed
            pass
    os.close(main)
    assert process.returncode == 0
    assert b"\r\x1b[Kb 100 %" in seen
    assert f"{images}/b: raw, 1 MiB, \x1b[32mcopied from {images}/a\x1b[0m".encode() in seen
    assert seen.decode().replace("\r\n", "\n").endswith("2 images: 1 copied, 1 was there\n")


def test_a_pipe_sees_neither(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(os.urandom(MEGABYTE))
    path = domain(tmp_path, quorum(*raws(tmp_path, "a", "b")))
    done = subprocess.run(
        [*COMMAND, "create", "--from", "0", str(path)], stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
    assert "%" not in done.stdout


# Where nobody can be told


@pytest.mark.parametrize("format", [[], ["--json"]], ids=["text", "json"])
def test_images_stay_when_they_cannot_be_told_of(format: list[str], tmp_path: Path) -> None:
    path = domain(tmp_path, quorum(*raws(tmp_path, "a", "b")))
    for made, said in (
        ("ab", "; the 2 images that were made are whole, and stay"),
        ("b", "; the 1 image that was made is whole, and stays"),
        ("", ""),
    ):
        for name in made:
            (tmp_path / name).unlink(missing_ok=True)
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                [*COMMAND, "create", "--blank", "--size", "1M", *format, str(path)],
                stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, text=True,
                timeout=60, check=False,
            )  # fmt: skip
        assert done.returncode == 3
        assert done.stderr.splitlines()[-1] == (
            f"virtquorum: the output cannot be written: no space left on device{said}"
        )
        assert names(tmp_path) == {"a", "b", "domain.xml"}
        assert (tmp_path / "b").stat().st_size == MEGABYTE


def test_a_closed_output_ends_it_before_anything_is_made(tmp_path: Path) -> None:
    path = domain(tmp_path, quorum(*raws(tmp_path, "a")))
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *COMMAND, "create", "--size", "1M", str(path)],
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert done.stderr == (
        "virtquorum: standard output is closed, and what is to be said there would be lost, so "
        "nothing was done; send it to a file, or to /dev/null\n"
    )
    assert names(tmp_path) == {"domain.xml"}


# The document

SESSION = re.compile(r"^```sh-session\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_document_shows_what_is_printed(tmp_path: Path) -> None:
    """Its sessions, one after the other, with the folder /srv/ledger somewhere else."""
    text = (ROOT / "docs" / "create.md").read_text("utf-8")
    xml = re.search(r"^```xml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert xml is not None
    folder = tmp_path / "ledger"
    folder.mkdir()
    (tmp_path / "ledger.xml").write_text(xml[1].replace("/srv/ledger", str(folder)), "utf-8")
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    sessions = SESSION.findall(text)
    assert sessions
    for session in sessions:
        for part in session.split("$ ")[1:]:
            command, _, expected = part.partition("\n")
            done = subprocess.run(
                ["bash", "-c", command.replace("/srv/ledger", str(folder))],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                text=True, timeout=60, check=False, cwd=tmp_path,
                env=environment(PATH=programs),
            )  # fmt: skip
            assert done.stdout.replace(str(folder), "/srv/ledger") == expected, command


def test_the_document_has_every_option() -> None:
    text = (ROOT / "docs" / "create.md").read_text("utf-8")
    for option in re.findall(r"--[a-z-]+", run("create", "--help").out):
        assert f"`{option}" in text or option == "--help", option
