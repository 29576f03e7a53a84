"""--from: a member copied into others, byte for byte, and only what is known is read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.images.building import MEGABYTE, content, domain, image, info, names, quorum
from tests.programs import qemu_img, qemu_io, run
from virtquorum.images.formats import FORMATS

MAKEABLE = {name: one for name, one in FORMATS.items() if one.creatable}
DATA = os.urandom(65536) + bytes(MEGABYTE) + os.urandom(3 * 65536) + b"\xff" * (2 * MEGABYTE)
DATA += bytes(4 * MEGABYTE - len(DATA))


@pytest.mark.parametrize("format", MAKEABLE)
def test_bytes_into_every_format_and_back(format: str, tmp_path: Path) -> None:
    first, second, third = (tmp_path / name for name in ("a", "b", "c"))
    first.write_bytes(DATA)
    path = domain(tmp_path, quorum(image(first), image(second, format), image(third)))
    before = first.stat()
    done = run("create", "--from", "0", path)
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        f"{first}: raw, 4 MiB, was there\n{second}: {format}, 4 MiB, copied from {first}\n"
        f"{third}: raw, 4 MiB, copied from {first}\n3 images: 2 copied, 1 was there\n"
    )
    assert content(second, MAKEABLE[format].driver, tmp_path / "out") == DATA
    assert third.read_bytes() == DATA
    after = first.stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)
    third.unlink()
    assert run("create", "--from", str(second), path).code == 0
    assert third.read_bytes() == DATA


def test_a_copy_stays_sparse(tmp_path: Path) -> None:
    first = tmp_path / "a"
    first.write_bytes(bytes(64 * MEGABYTE))
    path = domain(tmp_path, quorum(image(first), image(tmp_path / "b")))
    assert run("create", "--from", "0", path).code == 0
    assert (tmp_path / "b").stat().st_blocks * 512 < MEGABYTE
    assert (tmp_path / "b").stat().st_size == 64 * MEGABYTE


def test_the_bytes_of_a_chain_into_a_chain(tmp_path: Path) -> None:
    """Zeros of the source are zeros of the copy, whatever lies below that."""
    base, top, below, copy = (tmp_path / name for name in ("base", "top", "below", "copy"))
    base.write_bytes(DATA)
    below.write_bytes(b"\x11" * len(DATA))
    members = [image(top, "qcow2", image(base)), image(copy, "qcow2", image(below))]
    path = domain(tmp_path, quorum(*members))
    qemu_img("create", "-q", "-f", "qcow2", "-b", base, "-F", "raw", top)
    qemu_io(top, "qcow2", "write -P 6 1M 64k", "write -z 0 64k")
    done = run("create", "--from", "0", path)
    assert (done.code, done.err) == (0, "")
    expected = bytes(65536) + DATA[65536:MEGABYTE] + b"\x06" * 65536 + DATA[MEGABYTE + 65536 :]
    assert content(copy, "qcow2", tmp_path / "out") == expected
    assert info(copy, "qcow2")["backing-filename"] == str(below)
    assert below.read_bytes() == b"\x11" * len(DATA)


def test_nothing_to_copy_into_is_said(tmp_path: Path) -> None:
    """Who names a good member because another is bad learns that nothing was done."""
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(DATA)
    path = domain(tmp_path, quorum(image(tmp_path / "a"), image(tmp_path / "b")))
    said = (
        f"virtquorum: note: {path}:4:47: disk 'vda': --from does nothing: no file of a member is "
        "missing; a member that is bad is replaced when its file has been moved away\n"
    )
    done = run("create", "--from", "0", path)
    assert (done.code, done.err) == (0, said)
    assert done.out.endswith("2 images: 2 were there\n")
    done = run("create", "--from", "0", "--dry-run", path)
    assert done == (0, "", f"{said}virtquorum: note: nothing is missing\n")
    # What is missing in another disk is no member of this quorum.
    other = quorum(image(tmp_path / "c"), target="vdb")
    path = domain(tmp_path, quorum(image(tmp_path / "a"), image(tmp_path / "b")), other)
    done = run("create", "--size", "4M", "--from", str(tmp_path / "a"), path)
    assert (done.code, done.err) == (0, said)
    assert not any((tmp_path / "c").read_bytes())
    (tmp_path / "b").unlink()
    assert run("create", "--from", str(tmp_path / "a"), path).err == ""


def test_what_is_named_is_copied_without_a_vote(tmp_path: Path) -> None:
    """Neither this nor the looks at images know which raw member is the good one."""
    for name, data in (("a", DATA), ("b", DATA), ("c", DATA[::-1])):
        (tmp_path / name).write_bytes(data)
    path = domain(tmp_path, quorum(*(image(tmp_path / name) for name in ("a", "b", "c"))))
    assert run("validate", "--check-images", path).code == 0
    (tmp_path / "b").unlink()
    done = run("create", "--from", "2", path)
    assert (done.code, done.err) == (0, "")
    assert (tmp_path / "b").read_bytes() == DATA[::-1]


def test_slices_are_read_and_not_made(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    whole.write_bytes(b"x" * MEGABYTE + DATA + b"y" * MEGABYTE)
    part = f"<slices><slice type='storage' offset='{MEGABYTE}' size='{len(DATA)}'/></slices>"
    path = domain(tmp_path, quorum(image(whole, inside=part), image(tmp_path / "b")))
    assert run("create", "--from", "0", path).code == 0
    assert (tmp_path / "b").read_bytes() == DATA
    path = domain(tmp_path, quorum(image(tmp_path / "new", inside=part)))
    done = run("create", "--size", "1M", path)
    assert "a slice is a part of a file that is there, and this file is missing" in done.err
    bad = part.replace(str(MEGABYTE), "many")
    done = run("create", domain(tmp_path, quorum(image(whole, inside=bad))))
    assert "its slice has no offset or no size; write both, in bytes" in done.err


def test_the_ways_to_name_a_member(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = tmp_path / "1"
    first.write_bytes(DATA)
    members = [image(tmp_path / "b"), image(first, nodename="rack-a")]
    path = domain(tmp_path, quorum(*members))
    # '1' is a path here before it is a place, and both are the same member.
    for name in ("rack-a", str(first), "./1", "1"):
        assert run("create", "--from", name, path).code == 0
        assert (tmp_path / "b").read_bytes() == DATA
        (tmp_path / "b").unlink()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("7", "--from: there is no member '7'; members are: '{0}/a', '{0}/b', '?'"),
        ("", "--from: there is no member ''; members are: '{0}/a', '{0}/b', '?'"),
        ("9" * 30, "--from: there is no member '" + "9" * 30 + "'; members are: "),
        ("1", "--from: the member '{0}/b' is missing itself; name one that is there"),
        ("{0}/base", "--from: there is no member '{0}/base'; members are: "),
        ("2", "--from: the member '2' is no file or block device of this host; name another"),
    ],
)
def test_members_that_cannot_be_copied(name: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(MEGABYTE))
    remote = (
        "<backingStore type='network'><format type='raw'/><source protocol='nbd' name='x'>"
        "<host name='h'/></source></backingStore>"
    )
    members = [image(tmp_path / "a"), image(tmp_path / "b", "qcow2", image(tmp_path / "base"))]
    path = domain(tmp_path, quorum(*members, remote))
    done = run("create", "--from", name.format(tmp_path), path)
    said = message.format(tmp_path).replace("'?'", "'2'")
    assert f"virtquorum: {said}" in done.err
    assert (done.code, done.out) == (2, "")
    assert names(tmp_path) == {"a", "domain.xml"}


def test_a_place_is_one_of_one_disk(tmp_path: Path) -> None:
    for name in ("a", "c"):
        (tmp_path / name).write_bytes(DATA)
    disks = [
        quorum(image(tmp_path / "a"), image(tmp_path / "b")),
        quorum(image(tmp_path / "c"), image(tmp_path / "d"), target="vdb"),
    ]
    path = domain(tmp_path, *disks)
    done = run("create", "--from", "0", path)
    assert done.code == 2
    assert "a number is a member's place in one disk; choose it with --disk" in done.err
    done = run("create", "--from", "0", "--disk", "vdb", path)
    assert (done.code, names(tmp_path)) == (0, {"a", "c", "d", "domain.xml"})


def test_nothing_is_guessed_of_what_headers_name(tmp_path: Path) -> None:
    secret, top, copy = tmp_path / "secret", tmp_path / "top", tmp_path / "copy"
    secret.write_bytes(DATA)
    path = domain(tmp_path, quorum(image(top, "qcow2"), image(copy)))
    qemu_img("create", "-q", "-f", "qcow2", "-u", "-b", secret, "-F", "raw", top, "4M")
    # Older QEMUs wrote no format; now qemu-img does not do without. This is its extension's number.
    top.write_bytes(top.read_bytes().replace(b"\xe2\x79\x2a\xca", b"none"))
    done = run("create", "--from", "0", path)
    assert (done.code, done.out) == (1, "")
    assert f"the backing image '{secret}' is named in a header, without its format" in done.err
    # With a format, QEMU is followed, as it is by libvirt.
    qemu_img("rebase", "-u", "-f", "qcow2", "-b", secret, "-F", "raw", top)
    assert run("create", "--from", "0", path).code == 0
    assert copy.read_bytes() == DATA
    copy.unlink()
    # Where the document ends the chain, the header has no say.
    ended = domain(tmp_path, quorum(image(top, "qcow2", "<backingStore/>"), image(copy)))
    assert run("create", "--from", "0", ended).code == 0
    assert copy.read_bytes() == bytes(len(DATA))
    copy.unlink()
    top.unlink()
    qemu_img("create", "-q", "-f", "qcow2", "-o", f"data_file={secret}", top, "4M")
    done = run("create", "--from", "0", path)
    assert done.code == 1
    assert f"its data are in another file, '{secret}', which only its header names" in done.err
    assert names(tmp_path) == {"secret", "top", "domain.xml"}


def test_a_chain_that_cannot_be_read_has_a_place(tmp_path: Path) -> None:
    top = tmp_path / "top"
    path = domain(tmp_path, quorum(image(top, "qcow2"), image(tmp_path / "copy")))
    for below, said in (
        (top, f"Backing file '{top}' creates an infinite loop; bring back what is missing there"),
        (tmp_path / "gone", f"Could not open '{tmp_path}/gone': No such file or directory; bring"),
    ):
        qemu_img("create", "-q", "-f", "qcow2", top, "1M")
        qemu_img("rebase", "-u", "-f", "qcow2", "-b", below, "-F", "qcow2", top)
        done = run("create", "--from", "0", path)
        assert (done.code, done.out) == (1, "")
        assert done.err.startswith(
            f"virtquorum: {path}:4:49: disk 'vda': image '{top}': cannot be read with all that its "
            "header names to be below it: qemu-img: "
        )
        assert said in done.err
    assert names(tmp_path) == {"top", "domain.xml"}


def test_raw_bytes_that_look_like_a_format_stay_raw(tmp_path: Path) -> None:
    """A guest may write a qcow2 header that names any file of the host."""
    first = tmp_path / "a"
    qemu_img("create", "-q", "-f", "qcow2", "-u", "-b", "/etc/passwd", "-F", "raw", first, "1G")
    data = first.read_bytes()
    os.truncate(first, len(data) - len(data) % 512 + 512)
    data = first.read_bytes()
    done = run(
        "create", "--from", "0", domain(tmp_path, quorum(image(first), image(tmp_path / "b")))
    )
    assert (done.code, done.err) == (0, "")
    assert (tmp_path / "b").read_bytes() == data
    done = run("create", domain(tmp_path, quorum(image(first, None), image(tmp_path / "c"))))
    assert (
        "the format is not given, and is never guessed; name it: <format type='raw'/>" in done.err
    )
    assert done.code == 1


def test_an_image_that_is_in_use_is_not_copied(tmp_path: Path) -> None:
    """What a guest writes to meanwhile would be half in the copy."""
    import subprocess

    first = tmp_path / "a"
    qemu_img("create", "-q", "-f", "raw", first, "1M")
    with subprocess.Popen(
        ["qemu-io", "-f", "raw", str(first)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as user:
        assert user.stdin is not None
        assert user.stdout is not None
        user.stdin.write(b"length\n")
        user.stdin.flush()
        user.stdout.readline()
        path = domain(tmp_path, quorum(image(first), image(tmp_path / "b")))
        done = run("create", "--from", "0", path)
        user.stdin.write(b"quit\n")
        user.stdin.flush()
    assert done.code == 1
    assert "Is another process using the image" in done.err
    assert names(tmp_path) == {"a", "domain.xml"}
