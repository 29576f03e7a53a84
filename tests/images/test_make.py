"""The images that are made, held against the real qemu-img and qemu-io."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from tests.images.building import (
    ENCRYPTED,
    MEGABYTE,
    UUID,
    content,
    domain,
    image,
    info,
    look,
    names,
    quorum,
    wrapped,
)
from tests.nightly import NIGHTLY, nightly
from tests.programs import qemu_img, qemu_io, run
from virtquorum.images.formats import FORMATS, PREALLOCATIONS

MAKEABLE = {name: one for name, one in FORMATS.items() if one.creatable}


@pytest.mark.parametrize("format", MAKEABLE)
def test_every_format(format: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{format}"
    done = run("create", "--size", "40M", domain(tmp_path, quorum(image(path, format))))
    assert (done.code, done.err) == (0, "")
    assert done.out == f"{path}: {format}, 40 MiB, made\n1 image: 1 made\n"
    found = info(path, MAKEABLE[format].driver)
    assert found["virtual-size"] == 40 * MEGABYTE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert names(tmp_path) == {path.name, "domain.xml"}
    assert not any(content(path, MAKEABLE[format].driver, tmp_path / "out"))


@pytest.mark.parametrize("format", [*sorted(set(FORMATS) - set(MAKEABLE)), "cow", "iso", "qcow9"])
def test_formats_that_nobody_makes(format: str, tmp_path: Path) -> None:
    path = domain(tmp_path, quorum(image(tmp_path / "a", format)))
    done = run("create", "--size", "40M", path)
    assert (done.code, done.out) == (1, "")
    assert f"{path}:4:60" in done.err or f"{path}:4:" in done.err
    assert f"format '{format}'; formats that can be made: parallels" not in done.err
    assert "formats that can be made: ploop, qcow, qcow2, qed, raw, vdi, vhd, vmdk, vpc" in done.err
    assert names(tmp_path) == {"domain.xml"}


@pytest.mark.parametrize("mode", PREALLOCATIONS)
@pytest.mark.parametrize("format", ["raw", "qcow2", "vdi", "qed"])
def test_preallocation(format: str, mode: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    done = run("create", "--size", "4M", "--preallocation", mode,
               domain(tmp_path, quorum(image(path, format))))  # fmt: skip
    if mode not in MAKEABLE[format].preallocation:
        assert done.code == 1
        assert f"the format '{format}' has no preallocation '{mode}'; it has: off" in done.err
        assert names(tmp_path) == {"domain.xml"}
        return
    assert (done.code, done.err) == (0, "")
    taken = path.stat().st_blocks * 512
    assert (taken >= 4 * MEGABYTE) == (mode in ("falloc", "full"))
    if (format, mode) == ("qcow2", "metadata"):
        mapped = json.loads(qemu_img("map", "--output=json", "-f", "qcow2", path))
        assert all("offset" in one for one in mapped)


def test_an_overlay_is_not_preallocated(tmp_path: Path) -> None:
    overlay = image(tmp_path / "a", "qcow2", image(tmp_path / "b"))
    path = domain(tmp_path, quorum(overlay))
    done = run("create", "--size", "4M", "--preallocation", "full", path)
    assert done.code == 1
    assert "an image with a backing image cannot be preallocated" in done.err
    assert names(tmp_path) == {"domain.xml"}


def test_backing_images_come_first_and_are_named_with_their_formats(tmp_path: Path) -> None:
    base, middle, top = (tmp_path / one for one in ("base", "middle", "top"))
    chain = image(top, "qcow2", image(middle, "qcow2", image(base)))
    done = run("create", "--size", "3M", domain(tmp_path, quorum(chain, image(tmp_path / "b"))))
    assert done.out == (
        f"{base}: raw, 3 MiB, made\n{middle}: qcow2, 3 MiB, made\n{top}: qcow2, 3 MiB, made\n"
        f"{tmp_path}/b: raw, 3 MiB, made\n4 images: 4 made\n"
    )
    for path, below, format in ((top, middle, "qcow2"), (middle, base, "raw")):
        found = info(path, "qcow2")
        assert found["backing-filename"] == str(below)
        assert found["backing-filename-format"] == format
    # What is written below shows through.
    qemu_io(base, "raw", "write -P 7 1M 1M")
    assert "failed" not in qemu_io(top, "qcow2", "read -P 7 1M 1M", "read -P 0 0 1M")


def test_a_shared_backing_image_is_made_once(tmp_path: Path) -> None:
    base = image(tmp_path / "base")
    tops = [image(tmp_path / f"top{number}", "qcow2", base) for number in range(3)]
    done = run("create", "--size", "3M", domain(tmp_path, quorum(*tops)))
    assert done.out.count("base: raw, 3 MiB, made") == 1
    assert done.out.endswith("4 images: 4 made\n")


def test_a_chain_that_ends_with_an_empty_element(tmp_path: Path) -> None:
    top = image(tmp_path / "a", "qcow2", "<backingStore/>")
    done = run("create", "--size", "3M", domain(tmp_path, quorum(top)))
    assert done.code == 0
    assert "backing-filename" not in info(tmp_path / "a", "qcow2")


def test_a_quorum_as_a_backing_image(tmp_path: Path) -> None:
    votes = "".join(image(tmp_path / name) for name in ("a", "b", "c"))
    below = (
        f"<backingStore type='quorum' threshold='2'><format type='quorum'/>{votes}</backingStore>"
    )
    top = tmp_path / "top"
    disk = (
        f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{top}'/>"
        f"{below}<target dev='vda'/></disk>"
    )
    done = run("create", "--size", "3M", domain(tmp_path, disk))
    assert (done.code, done.err) == (0, "")
    assert info(top, "qcow2")["backing-filename-format"] == "quorum"
    for name in ("a", "b"):
        qemu_io(tmp_path / name, "raw", "write -P 7 1M 1M")
    assert "failed" not in qemu_io(top, "qcow2", "read -P 7 1M 1M", "read -P 0 0 1M")
    path = domain(tmp_path, disk.replace("threshold='2'", "threshold='9'").replace("top", "new"))
    done = run("create", path)
    assert "the quorum below it has no threshold that QEMU takes; write one from 1 to 3" in done.err
    assert done.code == 1


def test_nested_quorums(tmp_path: Path) -> None:
    inner = "".join(image(tmp_path / name) for name in ("x", "y"))
    nested = (
        f"<backingStore type='quorum' threshold='2'><format type='quorum'/>{inner}</backingStore>"
    )
    qemu_img("create", "-q", "-f", "raw", tmp_path / "a", "5M")
    done = run("create", "--blank", domain(tmp_path, quorum(image(tmp_path / "a"), nested)))
    assert done.code == 0
    assert (tmp_path / "x").stat().st_size == (tmp_path / "y").stat().st_size == 5 * MEGABYTE


def test_a_format_above_the_quorum(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a", "b", "c")]
    members = [image(paths[0], "qcow2"), image(paths[1]), image(paths[2])]
    path = domain(tmp_path, quorum(*members, format="qcow2"))
    done = run("create", "--size", "8M", path)
    assert (done.code, done.err) == (0, "")
    assert names(tmp_path) == {"a", "b", "c", "domain.xml"}
    drivers = ["qcow2", "raw", "raw"]
    vote = "json:" + json.dumps({"driver": "qcow2", "file": {
        "driver": "quorum", "vote-threshold": 3, "children": [
            {"driver": driver, "file": {"driver": "file", "filename": str(one)}}
            for driver, one in zip(drivers, paths, strict=True)
        ],
    }})  # fmt: skip
    assert json.loads(qemu_img("info", "--output=json", vote))["virtual-size"] == 8 * MEGABYTE
    # All of it can be written: the members are as large as a full qcow2 needs.
    said = look("-c", "read -P 0 0 8M", "-c", "write -P 9 0 8M", "-c", "read -P 9 0 8M", vote)
    assert "failed" not in said
    assert "rror" not in said
    # A member that is lost can be had from another, and from nowhere else.
    paths[2].unlink()
    refused = run("create", "--size", "8M", path)
    assert refused.code == 1
    assert "the other members hold a qcow2 image together" in refused.err
    assert run("create", "--from", "0", path).code == 0
    assert "failed" not in look("-r", "-c", "read -P 9 0 8M", vote)


@pytest.fixture
def _quick_keys(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """LUKS hashes its keys for two seconds; here it does not."""
    script = """case "$* " in
*"-f luks "*) shift; exec "$REAL" create -o iter-time=10 "$@";;
*"encrypt.format=luks "*) shift; exec "$REAL" create -o encrypt.iter-time=10 "$@";;
esac
exec "$REAL" "$@" """
    monkeypatch.setenv("PATH", wrapped(tmp_path_factory.mktemp("quick"), script))


@pytest.mark.usefixtures("_quick_keys")
@pytest.mark.parametrize("format", [pytest.param("raw", marks=nightly), "qcow2"])
def test_encrypted_members_agree(format: str, tmp_path: Path) -> None:
    """What nobody has written to LUKS is noise; a vote on it must find zeros in each."""
    key = tmp_path / "key,=file"
    key.write_text("open sesame")
    paths = [tmp_path / name for name in ("a", "b")]
    members = [image(one, format, inside=ENCRYPTED) for one in paths]
    path = domain(tmp_path, quorum(*members, threshold=2))
    done = run("create", "--size", "1M", "--secret", f"{UUID}=file:{key}", path)
    assert (done.code, done.err) == (0, "")
    secret = f"secret,id=s,file={str(key).replace(',', ',,')}"
    vote = "json:" + json.dumps({"driver": "quorum", "vote-threshold": 2, "children": [
        {"driver": "luks", "key-secret": "s", "file": {"driver": "file", "filename": str(one)}}
        if format == "raw"
        else {"driver": "qcow2", "encrypt": {"format": "luks", "key-secret": "s"},
              "file": {"driver": "file", "filename": str(one)}}
        for one in paths
    ]})  # fmt: skip
    said = look("--object", secret, "-c", "read -P 0 0 1M", "-c", "write -P 3 0 1M",
                "-c", "read -P 3 0 1M", vote)  # fmt: skip
    assert "failed" not in said
    assert "rror" not in said
    # A copy is encrypted by a key of its own, and reads the same.
    paths[1].unlink()
    done = run("create", "--from", "0", "--secret", f"{UUID.upper()}=file:{key}", path)
    assert (done.code, done.err) == (0, "")
    assert "failed" not in look("--object", secret, "-r", "-c", "read -P 3 0 1M", vote)
    assert paths[1].read_bytes() != paths[0].read_bytes()


@pytest.mark.usefixtures("_quick_keys")
def test_a_newline_behind_the_passphrase_is_said(tmp_path: Path) -> None:
    """Editors write one, and libvirt's secret seldom has it."""
    key, plain, coded = (tmp_path / name for name in ("key", "plain", "coded"))
    key.write_text("open sesame\n")
    plain.write_text("open sesame")
    coded.write_text("b3BlbiBzZXNhbWUK\n")
    paths = [tmp_path / name for name in ("a", "b")]
    members = [image(one, "qcow2", inside=ENCRYPTED) for one in paths]
    alone = domain(tmp_path, quorum(members[0]), name="alone.xml")
    path = domain(tmp_path, quorum(*members))
    # Each image takes a processor some seconds.
    for file in (f"file:{key}", *([f"base64:{coded}"] if NIGHTLY else [])):
        done = run("create", "--size", "1M", "--secret", f"{UUID}={file}", alone)
        assert done.code == 0
        assert done.err == (
            f"virtquorum: note: the passphrase in '{file.partition(':')[2]}' ends with a newline, "
            "which is a part of it: libvirt's secret must end with it too; if it should not, "
            "head -c -1 makes a file without\n"
        )
        if NIGHTLY:  # it opens the other member, so it is what it should be
            done = run("create", "--from", "0", "--secret", f"{UUID}={file}", path)
            assert (done.code, done.err) == (0, "")
            paths[1].unlink()
        paths[0].unlink()
    assert run("create", "--size", "1M", "--secret", f"{UUID}=file:{plain}", path).err == ""
    paths[1].unlink()
    done = run("create", "--from", "0", "--secret", f"{UUID}=file:{key}", path)
    assert done.err.endswith(
        f"Invalid password, cannot unlock any keyslot; the passphrase in '{key}' ends with a "
        "newline, which is a part of it; if the image was made without: head -c -1 FILE > NEW, "
        "and name that\n"
    )
    assert (done.code, paths[1].exists()) == (1, False)
    plain.write_text("shazam")
    done = run("create", "--from", "0", "--secret", f"{UUID}=file:{plain}", path)
    assert done.err.endswith(
        "keyslot; look whether --secret names the passphrase that the image was made with\n"
    )
    coded.write_text("no base64!")
    done = run("create", "--from", "0", "--secret", f"{UUID}=base64:{coded}", path)
    assert (done.code, paths[1].exists()) == (1, False)
    assert "Traceback" not in done.err


@pytest.mark.usefixtures("_quick_keys")
def test_a_chosen_cipher_and_a_secret_in_base64(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("b3BlbiBzZXNhbWU=")
    chosen = (
        "<encryption format='luks'><secret type='passphrase' usage='my=usage'/>"
        "<cipher name='aes' size='128' mode='cbc' hash='sha512'/>"
        "<ivgen name='essiv' hash='sha256'/></encryption>"
    )
    path = domain(tmp_path, quorum(image(tmp_path / "a", inside=chosen)))
    done = run("create", "--size", "1M", "--secret", f"my=usage=base64:{key}", path)
    assert (done.code, done.err) == (0, "")
    found = info(tmp_path / "a", "luks")["format-specific"]["data"]
    assert (found["cipher-alg"], found["cipher-mode"]) == ("aes-128", "cbc")
    assert (found["ivgen-alg"], found["hash-alg"]) == ("essiv", "sha512")


def test_secrets_are_asked_for_and_never_in_arguments(tmp_path: Path) -> None:
    path = domain(tmp_path, quorum(image(tmp_path / "a", inside=ENCRYPTED)))
    done = run("create", "--size", "1M", path)
    assert done.code == 1
    assert (
        f"it is encrypted, and its secret is not given; --secret {UUID}=file:PATH names a file "
        "that holds the passphrase" in done.err
    )
    key = tmp_path / "key"
    key.write_text("open sesame")
    done = run("create", "--size", "1M", "--dry-run", "--secret", f"{UUID}=file:{key}", path)
    assert done.code == 0
    assert "sesame" not in done.out
    assert str(key) in done.out
    for one in ("aes,evil=1", "a b"):
        encryption = ENCRYPTED.replace("</enc", f"<cipher name='{one}'/></enc")
        bad = domain(tmp_path, quorum(image(tmp_path / "c", inside=encryption)), name="bad.xml")
        done = run("create", "--size", "1M", "--secret", f"{UUID}=file:{key}", bad)
        assert f"'{one}' is no name of a cipher, mode or hash" in done.err
        assert done.code == 1


def test_a_second_image_of_the_same_file_is_refused(tmp_path: Path) -> None:
    os.symlink(tmp_path, tmp_path / "link")
    path = domain(tmp_path, quorum(image(tmp_path / "a"), image(tmp_path / "link" / "a")))
    done = run("create", "--size", "1M", path)
    assert done.code == 1
    assert "the same file is to be another image, of line 4, as well" in done.err
    assert names(tmp_path) == {"link", "domain.xml"}


def test_parents_of_dots_are_followed_as_the_system_does(tmp_path: Path) -> None:
    """Where 'link/..' leads is not where its words do."""
    (tmp_path / "far" / "away").mkdir(parents=True)
    os.symlink(tmp_path / "far" / "away", tmp_path / "link")
    path = domain(tmp_path, quorum(image(f"{tmp_path}/link/../a")))
    assert run("create", "--size", "1M", path).code == 0
    assert names(tmp_path / "far") == {"away", "a"}


def test_somebody_else_makes_the_file_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their file stays, and ours that were made before it go."""
    theirs = tmp_path / "b"
    script = '[ "$1" = create ] && [ "${@: -2:1}" = b ] ; case "$*" in */b\\ *) '
    script += f'printf theirs > {theirs};; esac\nexec "$REAL" "$@"'
    monkeypatch.setenv("PATH", wrapped(tmp_path, script))
    path = domain(tmp_path, quorum(*(image(tmp_path / name) for name in ("a", "b", "c"))))
    done = run("create", "--size", "1M", path)
    assert done.code == 1
    assert (
        f"image '{theirs}': somebody else has made this file meanwhile; it was left as it is"
        in done.err
    )
    assert theirs.read_text() == "theirs"
    assert names(tmp_path) == {"b", "bin", "domain.xml"}


def test_what_took_the_place_of_ours_is_not_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the making of two images the first is replaced; then the second fails."""
    first = tmp_path / "a"
    script = f"""case "$*" in */b\\ *) rm {first}; printf theirs > {first}; exit 1;; esac
exec "$REAL" "$@" """
    monkeypatch.setenv("PATH", wrapped(tmp_path, script))
    path = domain(tmp_path, quorum(image(first), image(tmp_path / "b")))
    done = run("create", "--size", "1M", path)
    assert done.code == 1
    assert "could not be made: qemu-img failed with code 1" in done.err
    assert first.read_text() == "theirs"
    assert names(tmp_path) == {"a", "bin", "domain.xml"}


def test_no_space_left(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2M", "tmpfs", str(small)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted: {mounted.stderr.strip()}")
    try:
        path = domain(tmp_path, quorum(*(image(small / name) for name in ("a", "b", "c"))))
        done = run("create", "--size", "1M", "--preallocation", "full", path)
        assert done.code == 1
        assert f"disk 'vda': image '{small}/" in done.err
        assert "No space left on device" in done.err
        assert str(small / ".virtquorum") not in done.err
        assert names(small) == set()
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_block_devices_are_looked_at_and_not_made(tmp_path: Path) -> None:
    def block(dev: str) -> str:
        return (
            f"<backingStore type='block'><format type='raw'/><source dev='{dev}'/></backingStore>"
        )

    done = run("create", "--size", "1M", domain(tmp_path, quorum(block("/dev/no-such,disk"))))
    assert done.code == 1
    assert (
        "image '/dev/no-such,disk': there is no such block device, and devices are not made; "
        "make it (lvcreate, say), or look at the name" in done.err
    )
    done = run("create", domain(tmp_path, quorum(block("/dev/null"))))
    assert "is no block device but a character device" in done.err
    backing = tmp_path / "disk"
    qemu_img("create", "-q", "-f", "raw", backing, "3M")
    loop = subprocess.run(
        ["losetup", "--show", "-f", str(backing)], capture_output=True, text=True, check=False
    )
    if loop.returncode:
        pytest.skip(f"no loop device is to be had: {loop.stderr.strip()}")
    device = loop.stdout.strip()
    try:
        path = domain(tmp_path, quorum(block(device), image(tmp_path / "a", "qcow2")))
        Path(device).write_bytes(b"\x07" * 3 * MEGABYTE)
        done = run("create", "--from", "0", path)
        assert (done.code, done.err) == (0, "")
        assert content(tmp_path / "a", "qcow2", tmp_path / "out") == b"\x07" * 3 * MEGABYTE
    finally:
        subprocess.run(["losetup", "-d", device], check=True)


def test_missing_qemu_img(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    path = domain(tmp_path, quorum(image(tmp_path / "a")))
    done = run("create", "--size", "1M", path)
    message = "qemu-img is not installed, or not in PATH"
    remedy = "install the package qemu-utils (qemu-img on Fedora)"
    assert done == (1, "", f"virtquorum: {message}; {remedy}\n")
    (error,) = json.loads(run("create", "--size", "1M", "--json", path).out)["errors"]
    assert (error["message"], error["remedy"]) == (message, remedy)
    assert shutil.which("qemu-img") is None
