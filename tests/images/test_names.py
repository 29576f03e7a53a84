"""File names that QEMU or a shell would take for something else are file names."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.images.building import content, domain, image, names, quorum
from tests.programs import qemu_img, run

NAMES = [
    "a,b", "size=1,b", "a=b", "-f", "--help", "json:{}", 'json:{"driver":"null-co"}',
    "nbd:localhost:1", "nbd+unix:x?socket=y", "file:x", "fat:rw:etc", "http:x", "a:b",
    "a\nb", "tab\there", "a\u009b31mb", "\u202e", "a\u0085b", "$(touch evil)", "`id`", "a;b|c&d",
    "'", '"', "a b", " ", "%s%n", "\\", "a\\,b", "...", "~", "*", "#", "é", "日本", "x" * 255,
]  # fmt: skip
#: What XML can say, and the file system too.
ANY = st.text(
    st.characters(
        codec="utf-8", exclude_characters="/\0\ufffe\uffff", exclude_categories=("Cc", "Cs")
    )
    | st.sampled_from("\n\t\r,=:-'\"{}%\\"),
    min_size=1,
    max_size=60,
).filter(lambda name: name not in (".", "..") and len(name.encode()) <= 255)


def opened(path: Path, format: str, to: Path) -> bytes:
    """Read through a graph, which has no names with a meaning."""
    words = f"driver={format},file.driver=file,file.filename={str(path).replace(',', ',,')}"
    qemu_img("convert", "--image-opts", "-O", "raw", words, to)
    data = to.read_bytes()
    to.unlink()
    return data


@pytest.mark.parametrize("name", NAMES)
def test_names_are_names(name: str, tmp_path: Path) -> None:
    folder, backing = tmp_path / "images", tmp_path / "below"
    folder.mkdir()
    backing.mkdir()
    (backing / name).write_bytes(b"\x05" * 65536)
    given = [
        image(folder / name, "qcow2", image(backing / name)),
        image(folder / f"{name[:-1]}2"),
    ]
    path = domain(tmp_path, quorum(*given))
    done = run("create", "--from", str(folder / name), path)
    assert done.code == 2
    assert "is missing itself" in done.err
    done = run("create", path)
    assert (done.code, done.err) == (0, "")
    assert names(folder) == {name, f"{name[:-1]}2"}
    assert opened(folder / name, "qcow2", tmp_path / "out") == b"\x05" * 65536
    (folder / f"{name[:-1]}2").unlink()
    done = run("create", "--from", "0", path)
    assert (done.code, done.err) == (0, "")
    assert (folder / f"{name[:-1]}2").read_bytes() == b"\x05" * 65536
    assert names(tmp_path) == {"images", "below", "domain.xml"}
    assert done.out.isprintable() or done.out.replace("\n", "").isprintable()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("format", ["qcow2", "vdi", "vmdk"])
def test_names_in_every_format(format: str, name: str, tmp_path: Path) -> None:
    done = run("create", "--size", "1M", domain(tmp_path, quorum(image(tmp_path / name, format))))
    if format == "vmdk" and any(one in name for one in '"\n'):
        assert "a VMDK keeps names in lines and quotes, and here a name holds one" in done.err
        assert (done.code, names(tmp_path)) == (1, {"domain.xml"})
        return
    assert (done.code, done.err) == (0, "")
    assert names(tmp_path) == {name, "domain.xml"}


@pytest.mark.parametrize("name", NAMES)
def test_a_shell_takes_the_dry_run_for_the_same(name: str, tmp_path: Path) -> None:
    overlay = image(tmp_path / name, "qcow2", image(tmp_path / f"{name[:-4]}base"))
    path = domain(tmp_path, quorum(overlay))
    done = run("create", "--size", "1M", "--dry-run", path)
    assert (done.code, done.err) == (0, "")
    assert all(line.isprintable() for line in done.out.split("\n"))
    assert names(tmp_path) == {"domain.xml"}
    subprocess.run(["bash", "-e", "-c", done.out], check=True, cwd=tmp_path, timeout=60)
    assert names(tmp_path) == {name, f"{name[:-4]}base", "domain.xml"}
    assert not any(opened(tmp_path / name, "qcow2", tmp_path / "out"))


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(ANY)
def test_any_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "images"
    folder.mkdir(exist_ok=True)
    done = run("create", "--size", "64K", domain(tmp_path, quorum(image(folder / name, "qcow2"))))
    assert (done.code, done.err) == (0, "")
    assert names(folder) == {name}
    (folder / name).unlink()


def test_relative_names_are_of_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("-o", "json:{}", "nbd:x:1"):
        assert run("create", "--size", "1M", domain(tmp_path, quorum(image(name)))).code == 0
        assert run("create", "--size", "1M", domain(tmp_path, quorum(image(name)))).code == 0
        assert (tmp_path / name).stat().st_size == 1024**2
        assert run("create", "--dry-run", "--from", name, "domain.xml").code == 0


def test_long_names(tmp_path: Path) -> None:
    """A header has room for 1023 bytes of its backing file's name, and the system for 4095."""
    deep = tmp_path
    while len(str(deep)) < 900:
        deep = deep / ("d" * 100)
    deep.mkdir(parents=True)
    fits = deep / ("é" * ((1023 - len(str(deep)) - 1) // 2))
    path = domain(tmp_path, quorum(image(tmp_path / "a", "qcow2", image(fits))))
    assert run("create", "--size", "1M", path).code == 0
    assert content(tmp_path / "a", "qcow2", tmp_path / "out") == bytes(1024**2)
    (tmp_path / "a").unlink()
    path = domain(tmp_path, quorum(image(tmp_path / "a", "qcow2", image(f"{fits}éé"))))
    done = run("create", "--size", "1M", path)
    assert "its header has room for a backing file's name of 1023 bytes" in done.err
    assert done.code == 1
    for name in ("x" * 256, "y/" * 2100):
        done = run("create", "--size", "1M", domain(tmp_path, quorum(image(tmp_path / name))))
        assert "cannot be looked at: file name too long" in done.err
        assert done.code == 1
