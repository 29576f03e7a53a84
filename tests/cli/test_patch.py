"""``virtquorum patch``: what is wrong with a command line, before any domain is changed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from tests.programs import run

if TYPE_CHECKING:
    from pathlib import Path

needs_libvirt = pytest.mark.skipif(find_spec("libvirt") is None, reason="no libvirt-python")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["set", "vda"], "nothing to set; name --threshold"),
        (["set", "vda", "--threshold", "0"], "0 is not in the range"),
        (["member", "add", "vda"], "name the new member in one way"),
        (["member", "add", "vda", "--file", "x"], "--format is missing"),
        (["member", "add", "vda", "x.xml", "--format", "raw"], "--format goes with --file"),
        (["member", "ad", "vda"], "no such command 'ad'"),
        (["attach", "disk.xml", "--placeholder-dir", "here"], "is an absolute path"),
        (["attach", "disk.xml", "--size", "1G"], "--size goes with --create"),
        (["member", "add", "vda", "--create", "--no-copy"], "--create makes a blank image"),
        (
            ["member", "remove", "vda", "--nope"],
            "see 'virtquorum patch DOMAIN member remove --help",
        ),
        (["member", "remove", "vda", "1", "--threshold", "0"], "0 is not in the range"),
        (["detach", "vdb", "--timeout", "nan"], "--timeout is a number of seconds"),
    ],
)
def test_usage(argv: list[str], said: str) -> None:
    done = run("patch", "web", *argv)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_the_domain_is_left_out() -> None:
    done = run("patch", "attach", "disk.xml")
    assert (done.code, done.out) == (2, "")
    assert "; the domain stands before the command: patch DOMAIN attach; see" in done.err


@pytest.mark.parametrize("words", [["member"], ["member", "replace"], ["detach"]])
def test_the_help_of_a_command_without_a_domain(words: list[str]) -> None:
    done = run("patch", *words, "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out == run("patch", "web", *words, "--help").out
    # A domain of that name is one.
    assert run("patch", "set", "member", "--help").out == run("patch", "a", "member", "--help").out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read: no such file or directory"),
        ("<disk/>", "the root element is <disk>, and a member is a <backingStore>"),
        ("<backingStore", "1:1"),
    ],
)
def test_members_that_cannot_be_read(tmp_path: Path, text: str | None, said: str) -> None:
    file = tmp_path / "member.xml"
    if text is not None:
        file.write_text(text)
    done = run("patch", "web", "member", "add", "vda", file)
    assert (done.code, done.out) == (3, "")
    assert said in done.err


@needs_libvirt
def test_another_hypervisor_has_no_quorum_disks() -> None:
    done = run("patch", "--connect", "test:///default", "test", "set", "vda", "--threshold", "2")
    assert (done.code, done.out) == (1, "")
    assert "libvirt's test driver drops what belongs to QEMU" in done.err


@needs_libvirt
def test_a_domain_that_is_not_there() -> None:
    done = run("patch", "-c", "test:///default", "tset", "detach", "vda")
    assert (done.code, done.out) == (3, "")
    assert "did you mean 'test'?" in done.err
