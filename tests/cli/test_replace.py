"""Files replaced at once, and what would change as a diff; format and validate share both."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from virtquorum.cli.difference import difference
from virtquorum.cli.replace import replace
from virtquorum.errors import UnreadableError


def test_a_file_that_is_not_there_is_made_as_open_makes_it(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        replace(str(tmp_path / "new.json"), b"{}", "new.json")
        (tmp_path / "plain").touch()
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
    made, plain = (tmp_path / "new.json").stat(), (tmp_path / "plain").stat()
    assert (tmp_path / "new.json").read_bytes() == b"{}"
    assert made.st_mode == plain.st_mode
    assert sorted(os.listdir(tmp_path)) == ["new.json", "plain"]


def test_a_link_to_a_file_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("real")
    replace(str(tmp_path / "link"), b"x", "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"x"


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match=r"^name: cannot be written: no such file or direct"):
        replace(str(tmp_path / "no" / "file"), b"", "name")


def test_a_relative_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    replace("file", b"x", "file")
    replace("file", b"y", "file")
    assert Path("file").read_bytes() == b"y"


def test_difference() -> None:
    found = "".join(difference("a\nb.xml", "one\ntwo\u2028\r\n", "one\nthree", "fixed"))
    assert found == (
        "--- a\\nb.xml\t(as it is)\n"
        "+++ a\\nb.xml\t(fixed)\n"
        "@@ -1,2 +1,2 @@\n"
        " one\n"
        "-two\u2028\r\n"
        "+three\n"
        "\\ No newline at end of file\n"
    )
    assert not [*difference("a", "same", "same", "fixed")]
