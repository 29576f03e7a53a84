"""Nodes that come to no element of their own: what they say counts, or is listed."""

from __future__ import annotations

import pytest

from tests.programs import run

RAW = "driver=raw,file.driver=file,file.filename=/a"
SHOWN = ("-device", "virtio-blk-pci,drive=r,id=virtio-disk0")


@pytest.mark.parametrize(
    "nodes",
    [
        (f"{RAW},node-name=q", "driver=raw,node-name=r,file=q,read-only=on"),
        (f"{RAW},node-name=q", "driver=copy-on-read,node-name=r,file=q,read-only=on"),
        (f"{RAW},node-name=q", "driver=throttle,throttle-group=g,node-name=r,file=q,read-only=on"),
        (f"{RAW},node-name=q,read-only=on", "driver=copy-on-read,node-name=r,file=q"),
        (f"{RAW},node-name=r,file.read-only=on",),
    ],
)
def test_a_disk_is_read_only_if_any_of_its_nodes_is(nodes: tuple[str, ...]) -> None:
    group = ("-object", "throttle-group,id=g")
    words = [word for node in nodes for word in ("-blockdev", node)]
    done = run("from-args", "--strict", *group, *words, *SHOWN)
    assert (done.code, done.out.count("<readonly/>")) == (0, 1), done.err


@pytest.mark.parametrize(
    ("nodes", "left"),
    [
        ((f"{RAW},node-name=r,file.detect-zeroes=on",), "file.detect-zeroes=on"),
        ((f"{RAW},node-name=r,discard=unmap,file.discard=ignore",), "file.discard=ignore"),
        ((f"{RAW},node-name=r,file.auto-read-only=off",), "file.auto-read-only=off"),
        ((f"{RAW},node-name=r,auto-read-only=off",), "auto-read-only=off"),
        (
            (f"{RAW},node-name=q", "driver=copy-on-read,node-name=r,file=q,detect-zeroes=on"),
            "detect-zeroes=on",
        ),
        (
            (f"{RAW},node-name=q", "driver=copy-on-read,node-name=r,file=q,cache.direct=on"),
            "cache.direct=on",
        ),
        (
            (
                "driver=quorum,node-name=r,vote-threshold=1,children.0.driver=raw,"
                "children.0.file.driver=file,children.0.file.filename=/a,"
                "children.0.file.read-only=on",
            ),
            "children.0.file.read-only=on",
        ),
    ],
)
def test_what_such_a_node_says_else_is_listed(nodes: tuple[str, ...], left: str) -> None:
    words = [word for node in nodes for word in ("-blockdev", node)]
    done = run("from-args", "--strict", *words, *SHOWN)
    assert done.code == 1
    assert f"): {left}: " in done.err


def test_a_drive_is_taken_by_its_id_or_its_nodes_name() -> None:
    """As COLO's documents have it: QEMU looks up both."""
    drive = "if=none,id=p,node-name=n,driver=raw,file.driver=file,file.filename=/a"
    quorum = "if=virtio,driver=quorum,read-pattern=fifo,vote-threshold=1,children.0="
    for name in ("p", "n"):
        done = run("from-args", "-drive", drive, "-drive", quorum + name)
        assert (done.code, done.err) == (0, "")
        assert done.out.count("<disk ") == 1
        assert "read_pattern='fifo'" in done.out
        assert "<source file='/a'/>" in done.out
    both = run("from-args", "-drive", drive, "-drive", f"{quorum}p", "-drive", f"{quorum}n")
    assert both.code == 3
    assert "serves" in both.err
    shown = run("from-args", "-drive", drive, *SHOWN[:1], "virtio-blk-pci,drive=n")
    assert (shown.code, shown.out.count("<disk ")) == (0, 1)


@pytest.mark.parametrize("value", [0, 4096])
def test_the_granularity_of_discard_comes_back(value: int) -> None:
    words = ("-blockdev", f"{RAW},node-name=r", "-device",
             f"virtio-blk-pci,drive=r,id=virtio-disk0,discard_granularity={value}")  # fmt: skip
    assert f"<blockio discard_granularity='{value}'/>" in run("from-args", "--strict", *words).out


@pytest.mark.parametrize("command", ["human-monitor-command", "qom-set"])
def test_commands_that_may_change_a_disk_are_named(command: str) -> None:
    done = run("from-args", f'{{"execute":"{command}","arguments":{{}}}}')
    assert f"({command}): what this command changes is not followed" in done.err


def test_a_drives_id_that_is_no_target_names_no_disk() -> None:
    drive = "file=/a,format=raw,if=none,id=drive-virtio1"
    done = run("from-args", "-drive", drive, "-device", "virtio-blk-pci,drive=drive-virtio1,id=v")
    assert "<target dev='vda' bus='virtio'/>" in done.out
    assert "nothing says what the disk is called: it is 'vda' here" in done.err


def test_the_first_word_of_a_node_may_be_its_driver() -> None:
    node = "raw,node-name=r,file.driver=file,file.filename=/a"
    assert "<source file='/a'/>" in run("from-args", "-blockdev", node, *SHOWN).out
