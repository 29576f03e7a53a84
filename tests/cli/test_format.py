"""``virtquorum format``: to standard output, as a check, as a patch, and in place."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.programs import as_nobody, reachable, run

ROOT = Path(__file__).parents[2]
GOOD = """<domain type='kvm'>
  <name>a</name>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file='/a'/>
      <target dev='vda' bus='virtio'/>
    </disk>
  </devices>
</domain>
"""
BAD = GOOD.replace("<driver name='qemu' type='raw'/>", '<driver type="raw" name="qemu" />').replace(
    "<name>a", "<name >a"
)
DISKS = GOOD.replace("<name>a", "<name >a")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "domain.xml"
    path.write_text(BAD)
    return path


def test_to_standard_output(file: Path) -> None:
    assert run("format", file) == (0, GOOD, "")
    assert run("format", "-", input=BAD.encode()) == (0, GOOD, "")
    assert run("format", input=BAD.encode()) == (0, GOOD, "")
    assert file.read_text() == BAD


def test_only_the_disks(file: Path) -> None:
    assert run("format", "--disks-only", file) == (0, DISKS, "")


def test_bytes_are_kept_in_their_encoding() -> None:
    raw = "<?xml version='1.0' encoding='ISO-8859-1'?>\n<domain ><name>ä</name></domain>\n"
    done = run("format", input=raw.encode("latin-1"), encoding="latin-1")
    assert "<name>ä</name>" in done.out


def test_check(file: Path, tmp_path: Path) -> None:
    good = tmp_path / "good.xml"
    good.write_text(GOOD)
    assert run("format", "--check", good) == (0, "", "")
    assert run("format", "--check", file) == (1, f"would be reformatted: {file}\n", "")
    both = run("format", "--check", tmp_path)
    assert both.code == 1
    assert both.err == "virtquorum: 1 of 2 files would be reformatted\n"
    assert run("format", "--check", "-", input=BAD.encode()).out == (
        "would be reformatted: <stdin>\n"
    )


@pytest.mark.parametrize("options", [[], ["--disks-only"]])
@pytest.mark.parametrize(
    "text", [BAD, BAD.rstrip("\n"), BAD.replace("<name >a", "<name >ä\u2028b"), "\n" + BAD]
)
def test_a_diff_is_what_patch_takes(file: Path, options: list[str], text: str) -> None:
    file.write_text(text)
    done = run("format", "--diff", *options, file)
    assert done.code == 1
    assert done.out.startswith(f"--- {file}\t(as it is)\n+++ {file}\t(formatted)\n@@ -")
    expected = run("format", *options, file).out
    if shutil.which("patch") is None:
        pytest.skip("patch is not installed")
    subprocess.run(["patch", "-s", file], input=done.out.encode(), check=True, timeout=60)
    assert file.read_bytes() == expected.encode()
    assert run("format", "--diff", *options, file) == (0, "", "")


def test_diff_and_check_together(file: Path) -> None:
    done = run("format", "--diff", "--check", file)
    assert done.code == 1
    assert done.out.endswith(f"would be reformatted: {file}\n")


def test_a_diff_on_a_terminal_does_not_steer_it(file: Path) -> None:
    file.write_text(BAD.replace("<name >a", "<name >\u009b31m"))
    assert "\u009b" not in run("format", "--diff", file, terminal=True).out
    assert "\u009b" in run("format", "--diff", file).out


def test_write(file: Path) -> None:
    file.chmod(0o640)
    inode = file.stat().st_ino
    assert run("format", "--write", file) == (0, "", f"virtquorum: reformatted {file}\n")
    assert file.read_text() == GOOD
    assert file.stat().st_mode & 0o7777 == 0o640
    assert os.listdir(file.parent) == ["domain.xml"]
    again = file.stat()
    assert again.st_ino != inode, "the old file is replaced, never written into"
    assert run("format", "-w", file) == (0, "", "")
    assert file.stat().st_mtime_ns == again.st_mtime_ns


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_write_keeps_the_owner(file: Path) -> None:
    os.chown(file, 12345, 54321)
    file.chmod(0o604)
    assert run("format", "--write", file).code == 0
    status = file.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (12345, 54321, 0o604)


def test_write_keeps_extended_attributes(file: Path) -> None:
    try:
        os.setxattr(file, "user.note", b"kept")
    except OSError:
        pytest.skip("the file system has no extended attributes")
    assert run("format", "--write", file).code == 0
    assert os.getxattr(file, "user.note") == b"kept"


def test_write_follows_a_symbolic_link(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "autostart"
    folder.mkdir()
    link = folder / "domain.xml"
    link.symlink_to("../domain.xml")
    assert run("format", "--write", link).code == 0
    assert link.is_symlink()
    assert file.read_text() == GOOD
    assert os.listdir(folder) == ["domain.xml"]


def test_write_of_several_says_how_many(file: Path, tmp_path: Path) -> None:
    (tmp_path / "good.xml").write_text(GOOD)
    done = run("format", "--write", "--disks-only", tmp_path)
    assert done.err.splitlines()[-1] == "virtquorum: 1 of 2 files reformatted"
    assert file.read_text() == DISKS


def test_a_long_name_can_be_written(tmp_path: Path) -> None:
    file = tmp_path / ("x" * 251 + ".xml")
    file.write_text(BAD)
    assert run("format", "--write", file).code == 0
    assert file.read_text() == GOOD


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_an_unwritable_directory_leaves_the_file(file: Path, tmp_path: Path) -> None:
    reachable(tmp_path)
    file.chmod(0o666)
    done = as_nobody("format", "--write", file)
    assert done.stderr == (
        f"virtquorum: {file}: cannot be written: permission denied; it is as it was\n"
    )
    assert done.returncode == 3
    assert file.read_text() == BAD


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_interrupted_rename_leaves_nothing(
    file: Path, tmp_path: Path, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.xml"
    other.write_text(GOOD)

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("os.replace", fail)
    done = run("format", "--write", file, other)
    assert file.read_text() == BAD
    assert sorted(os.listdir(tmp_path)) == ["domain.xml", "other.xml"]
    if isinstance(error, OSError):
        message = f"{file}: cannot be written: no space left on device; it is as it was"
        assert (done.code, done.err.splitlines()[0]) == (3, f"virtquorum: {message}")
    else:
        assert (done.code, done.err) == (130, "virtquorum: interrupted\n")


def test_one_that_cannot_be_written_does_not_stop_the_others(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.xml"
    other.write_text(BAD)
    real = os.replace

    def fail_once(source: str, target: str) -> None:
        if target == str(file):
            raise OSError(30, "Read-only file system")
        real(source, target)

    monkeypatch.setattr("os.replace", fail_once)
    done = run("format", "--write", file, other)
    assert done.code == 3
    assert other.read_text() == GOOD
    assert done.err.splitlines()[-1] == "virtquorum: 1 of 2 files reformatted"


def test_a_document_that_cannot_be_formatted_is_a_finding() -> None:
    """A UTF-7 document comes out otherwise than it went in."""
    raw = b"<?xml version='1.0' encoding='utf-7'?>\n<domain ><name>+AGE-</name></domain>\n"
    done = run("format", input=raw)
    assert (done.code, done.out) in ((1, ""), (3, ""))
    assert done.err.startswith("virtquorum: <stdin>")


@pytest.mark.parametrize("option", ["--write", "--diff"])
def test_a_file_that_cannot_be_rewritten_does_not_stop_the_others(
    tmp_path: Path, option: str
) -> None:
    # ISO-2022-JP has escape sequences that say nothing, and Python leaves them out.
    bad = b'<?xml version="1.0" encoding="iso-2022-jp"?><domain>\x1b(B<a b="1"/></domain>\n'
    (tmp_path / "a.xml").write_bytes(bad)
    (tmp_path / "b.xml").write_bytes(b'<domain type="kvm"/>\n')
    done = run("format", option, tmp_path)
    assert done.code == 1
    assert "save the file as UTF-8 before editing it" in done.err
    assert (tmp_path / "a.xml").read_bytes() == bad
    if option == "--write":
        assert (tmp_path / "b.xml").read_bytes() == b"<domain type='kvm'/>\n"
    else:
        assert "+<domain type='kvm'/>" in done.out
