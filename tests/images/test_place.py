"""The way of a finished file into its place: never over another, and back again."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.images.building import ENCRYPTED, MEGABYTE, UUID, domain, image, names, quorum, wrapped
from tests.programs import environment, run
from virtquorum.images.place import Workplace


@pytest.fixture(params=["link", "rename"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With hard links, and as on a file system that has none."""
    if request.param == "rename":

        def refused(*names: object, **more: object) -> None:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))

        monkeypatch.setattr(os, "link", refused)


def put(workplace: Workplace, path: Path, data: bytes) -> None:
    Path(workplace.temporary(str(path))).write_bytes(data)
    workplace.put(str(path))


@pytest.mark.usefixtures("_way")
def test_put_and_clear(tmp_path: Path) -> None:
    workplace = Workplace()
    put(workplace, tmp_path / "a", b"1")
    put(workplace, tmp_path / "b", b"2")
    assert workplace.clear() == []
    assert names(tmp_path) == {"a", "b"}
    assert (tmp_path / "a").read_bytes() == b"1"
    assert (tmp_path / "a").stat().st_nlink == 1
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("kind", ["file", "link", "directory"])
def test_nothing_is_put_over_another(kind: str, tmp_path: Path) -> None:
    workplace, path = Workplace(), tmp_path / "a"
    if kind == "file":
        path.write_bytes(b"theirs")
    elif kind == "link":
        path.symlink_to(tmp_path / "nowhere")
    else:
        path.mkdir()
    with pytest.raises(FileExistsError):
        put(workplace, path, b"ours")
    assert workplace.undo() == []
    assert names(tmp_path) == {"a"}
    if kind == "file":
        assert path.read_bytes() == b"theirs"


@pytest.mark.usefixtures("_way")
def test_undo_removes_what_was_put_and_nothing_else(tmp_path: Path) -> None:
    workplace = Workplace()
    for name in ("ours", "gone", "theirs"):
        put(workplace, tmp_path / name, b"x")
    (tmp_path / "gone").unlink()
    (tmp_path / "new").write_bytes(b"theirs")
    os.replace(tmp_path / "new", tmp_path / "theirs")
    assert workplace.undo() == []
    assert names(tmp_path) == {"theirs"}
    assert (tmp_path / "theirs").read_bytes() == b"theirs"


def test_what_cannot_be_removed_is_told(tmp_path: Path) -> None:
    workplace = Workplace()
    put(workplace, tmp_path / "a", b"x")
    folder = Path(workplace.temporary(str(tmp_path / "a"))).parent
    (folder / "theirs").mkdir()
    assert workplace.clear() == [str(folder)]
    assert names(tmp_path) == {"a", folder.name}


def test_a_folder_that_stays_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = f'mkdir -p "$(echo {tmp_path}/.virtquorum-*)"/theirs\nexec "$REAL" "$@"'
    monkeypatch.setenv("PATH", wrapped(tmp_path, script))
    path = domain(tmp_path, quorum(image(tmp_path / "a")))
    done = run("create", "--size", "1M", path)
    assert done.code == 0
    _, _, left = done.err.rstrip().partition("note: remove by hand what could not be removed: ")
    shutil.rmtree(left)
    assert names(tmp_path) == {"a", "bin", "domain.xml"}
    (tmp_path / "a").unlink()
    script = f'mkdir -p "$(echo {tmp_path}/.virtquorum-*)"/theirs\necho full disk >&2; exit 1'
    monkeypatch.setenv("PATH", wrapped(tmp_path, script))
    done = run("create", "--size", "1M", path)
    assert done.code == 1
    assert "could not be made: qemu-img: full disk; remove by hand what could not" in done.err
    assert not (tmp_path / "a").exists()


def test_two_runs_at_once_make_one_of_each(tmp_path: Path) -> None:
    """Whoever is second finds a file there, or says that somebody has been quicker."""
    folder = tmp_path / "images"
    folder.mkdir()
    path = domain(tmp_path, quorum(*(image(folder / str(number)) for number in range(4))))
    command = [sys.executable, "-m", "virtquorum", "create", "--blank", "--size", "1M", str(path)]
    runs = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
        for _ in range(3)
    ]
    said = [one.communicate(timeout=60) for one in runs]
    for one, (_, err) in zip(runs, said, strict=True):
        assert one.returncode in (0, 1)
        assert (one.returncode == 1) == (b"somebody else has made this file meanwhile" in err)
    assert not any(name.startswith(".") for name in names(folder))
    done = run("create", "--size", "1M", path)
    assert done.code == 0
    assert all((folder / str(number)).stat().st_size == MEGABYTE for number in range(4))


def test_a_coarse_clock_is_no_reason_to_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """qemu-img gives up on LUKS where the clock has not moved; the next try works."""
    key = tmp_path / "key"
    key.write_text("open sesame")
    script = f"""case "$*" in *"-f luks"*)
  echo x >> {tmp_path}/tries
  if [ $(wc -l < {tmp_path}/tries) -lt 4 ]; then
    echo 'qemu-img: x: Unable to get accurate CPU usage' >&2; exit 1
  fi
  shift; exec "$REAL" create -o iter-time=10 "$@";;
esac
exec "$REAL" "$@" """
    monkeypatch.setenv("PATH", wrapped(tmp_path, script))
    path = domain(tmp_path, quorum(image(tmp_path / "a", inside=ENCRYPTED)))
    done = run("create", "--size", "1M", "--secret", f"{UUID}=file:{key}", path)
    assert (done.code, done.err) == (0, "")
    assert len((tmp_path / "tries").read_text().split()) >= 4


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.usefixtures("_way")
def test_a_file_is_its_owners_before_it_is_in_its_place(tmp_path: Path) -> None:
    workplace = Workplace((12345, 54321))
    put(workplace, tmp_path / "a", b"x")
    workplace.clear()
    status = (tmp_path / "a").stat()
    assert (status.st_uid, status.st_gid) == (12345, 54321)


def exchanged(workplace: Workplace, path: Path, other: Path) -> Path:
    """Somebody puts a link to another directory in the place of ours; where ours is then."""
    folder = Path(workplace.temporary(str(path))).parent
    ours = folder.rename(folder.with_name("taken-away"))
    folder.symlink_to(other)
    return ours


@pytest.mark.usefixtures("_way")
def test_a_link_in_the_place_of_our_directory_is_not_followed(tmp_path: Path) -> None:
    images, other = tmp_path / "images", tmp_path / "other"
    images.mkdir()
    other.mkdir()
    (other / "a").write_bytes(b"theirs")
    before = (other / "a").stat()
    workplace, path = Workplace((os.geteuid(), os.getegid())), images / "a"
    Path(workplace.temporary(str(path))).write_bytes(b"ours")
    exchanged(workplace, path, other)
    workplace.put(str(path))
    assert path.read_bytes() == b"ours"
    assert len(workplace.clear()) == 1
    after = (other / "a").stat()
    assert (after.st_ino, after.st_mode, after.st_ctime_ns) == (
        before.st_ino, before.st_mode, before.st_ctime_ns,
    )  # fmt: skip
    assert (other / "a").read_bytes() == b"theirs"


def test_what_was_made_elsewhere_is_not_put_in_its_place(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "a").write_bytes(b"theirs")
    workplace, path = Workplace(), tmp_path / "a"
    exchanged(workplace, path, other)
    with pytest.raises(FileNotFoundError):
        workplace.put(str(path))
    workplace.undo()
    assert not path.exists()
    assert names(other) == {"a"}
