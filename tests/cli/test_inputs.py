"""Which files are read where a directory is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.programs import parse_json, run

if TYPE_CHECKING:
    from pathlib import Path


def read(*paths: Path) -> list[str]:
    """The files that are read, by their names, in order."""
    done = run("show", "--json", *paths)
    assert (done.code, done.err) == (0, "")
    return [file["path"] for file in parse_json(done.out)["files"]]


def write(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("<domain/>")
    return path


def test_hidden_directories_are_left_out(tmp_path: Path) -> None:
    seen = [write(tmp_path / "a.xml"), write(tmp_path / "web" / "b.xml")]
    write(tmp_path / ".git" / "c.xml")
    write(tmp_path / ".git" / "web" / "d.xml")
    write(tmp_path / "web" / ".old" / "e.xml")
    assert read(tmp_path) == [str(path) for path in seen]


def test_a_hidden_directory_that_is_named_is_read(tmp_path: Path) -> None:
    file = write(tmp_path / ".git" / "c.xml")
    assert read(tmp_path / ".git") == [str(file)]


@pytest.mark.parametrize("name", ["b.xml", "0.xml"])
def test_a_link_beside_its_target_is_read_once(tmp_path: Path, name: str) -> None:
    file = write(tmp_path / "a.xml")
    link = tmp_path / name
    link.symlink_to(file)
    assert read(tmp_path) == [str(min(file, link))]
    assert read(file, link) == [str(file), str(link)]


def test_a_link_to_what_is_not_there_is_left_out(tmp_path: Path) -> None:
    file = write(tmp_path / "a.xml")
    (tmp_path / "b.xml").symlink_to(tmp_path / "gone.xml")
    assert read(tmp_path) == [str(file)]


def test_other_names_are_left_out(tmp_path: Path) -> None:
    file = write(tmp_path / "a.xml")
    for name in ("a.xml~", "a.xml.bak", "a.XML", "a", "xml", "a.json"):
        write(tmp_path / name)
    (tmp_path / "folder.xml").mkdir()
    assert read(tmp_path) == [str(file)]


@pytest.mark.parametrize("name", [".a.xml", ".a", ".git/a.xml", "a", "a.XML"])
def test_a_file_that_is_named_is_read_whatever_its_name(tmp_path: Path, name: str) -> None:
    file = write(tmp_path / name)
    assert read(file) == [str(file)]


def test_a_hidden_file_in_a_directory_is_read(tmp_path: Path) -> None:
    """Only directories are passed over for their names."""
    file = write(tmp_path / ".a.xml")
    assert read(tmp_path) == [str(file)]
