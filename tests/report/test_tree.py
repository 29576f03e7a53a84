"""The drawn trees: goldens of the samples and of odd disks, and the laws of a line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.programs import run
from virtquorum.cli.main import main
from virtquorum.report.tree import draw_disks
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SAMPLES = sorted((ROOT / "samples").glob("*.xml"))
CORPUS = sorted((ROOT / "tests" / "corpus" / "stock").glob("disk-*.xml"))
ANSI = re.compile("\x1b\\[[0-9;]*m")


def plain(text: str, _role: str) -> str:
    return text


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: str(path.stem))
def test_a_sample_is_drawn(
    path: Path, golden: Callable[[Path, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    done = run("show", path.relative_to(ROOT))
    assert (done.code, done.err) == (0, "")
    golden(HERE / "trees" / f"{path.stem}.out", done.out)


def test_odd_disks_are_drawn(
    golden: Callable[[Path, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(HERE / "trees")
    golden(HERE / "trees" / "odd.out", run("show", "odd.xml").out)
    golden(HERE / "trees" / "odd.ascii.out", run("show", "odd.xml", encoding="ascii").out)


@pytest.mark.parametrize("path", [*SAMPLES, *CORPUS], ids=lambda path: str(path.stem))
def test_only_a_location_makes_a_line_longer_than_eighty(path: Path) -> None:
    for line in draw_disks(Domain.from_bytes(path.read_bytes()).disks, plain):
        assert len(line) <= 81 or "  " not in line.rstrip("\n")[80:]


@pytest.mark.parametrize("path", [*SAMPLES, *CORPUS], ids=lambda path: str(path.stem))
def test_colour_changes_nothing_but_the_colour(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    coloured = run("show", path, terminal=True).out
    assert "\x1b[" in coloured
    assert ANSI.sub("", coloured) == run("show", path).out
    assert not re.search(r"[ \t]\n", ANSI.sub("", coloured))


def test_colour_is_not_for_pipes_nor_where_it_is_not_wanted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert "\x1b" not in run("show", SAMPLES[0]).out
    monkeypatch.setenv("TERM", "dumb")
    assert "\x1b" not in run("show", SAMPLES[0], terminal=True).out
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in run("show", SAMPLES[0], terminal=True).out


def test_columns_stand_below_each_other_in_a_quorum() -> None:
    member = "<backingStore type='{}'><format type='{}'/><source {}='/x'/>{}</backingStore>"
    text = "".join(
        member.format(type, format, attribute, below)
        for type, format, attribute, below in (
            ("file", "raw", "file", ""),
            ("block", "qcow2", "dev", member.format("dir", "fat", "dir", "")),
        )
        * 6
    )
    (disk,) = Domain.from_text(f"<disk type='quorum' threshold='1'>{text}</disk>").disks
    lines = list(draw_disks([disk], plain))[1:]
    assert {line.index("/x") for line in lines} == {lines[0].index("/x")}
    assert lines[0] == "├── [ 0] raw    file   /x\n"
    assert lines[2] == "│     on fat    dir    /x\n"


def test_a_chain_of_two_hundred_stays_in_its_column() -> None:
    one = "<backingStore type='file'><format type='qcow2'/><source file='/x'/>"
    text = f"<disk type='file'><source file='/x'/>{one * 200}{'</backingStore>' * 200}</disk>"
    lines = list(draw_disks(Domain.from_text(text).disks, plain))
    assert len(lines) == 201
    assert {line.index("/x") for line in lines} == {lines[0].index("/x")}


def test_nesting_of_two_hundred_and_a_thousand_members() -> None:
    one = "<backingStore type='quorum' threshold='1'>"
    text = f"<disk type='quorum' threshold='1'>{one * 200}{'</backingStore>' * 200}</disk>"
    assert len(list(draw_disks(Domain.from_text(text).disks, plain))) == 202
    member = "<backingStore type='file'><source file='/x'/></backingStore>"
    text = f"<disk type='quorum' threshold='1'>{member * 1000}</disk>"
    assert len(list(draw_disks(Domain.from_text(text).disks, plain))) == 1001


def test_an_absurd_format_does_not_push_the_columns_away() -> None:
    text = (
        f"<domain><devices><disk><driver type='{'q' * 300}'/><source file='/a'/></disk>"
        "<disk><driver type='raw'/><source file='/b'/></disk></devices></domain>"
    )
    lines = list(draw_disks(Domain.from_text(text).disks, plain))
    assert lines[1] == "(no target)  raw  file  /b\n"


def test_main_is_what_was_run() -> None:
    """``run`` goes through the real entry point."""
    assert main.__module__ == "virtquorum.cli.main"
