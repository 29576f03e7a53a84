"""What QEMU does when a running guest with a quorum moves: the guard is no hindrance, members are.

A destination opens its images while the source still has them.  Ordinary
nodes let go of their locks then; a quorum never shares its members, not even
when it has been told to let go.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.programs import Qemu, qemu
from tests.stock.inert.forms import Disk, Form, guard, nodes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def arguments(disk: Disk, device: str) -> list[str]:
    """A device, and the nodes of a quorum with a guard."""
    blockdevs = [
        word for one in nodes(disk, Form(guard=True)) for word in ("-blockdev", json.dumps(one))
    ]
    return [*blockdevs, "-device", f"virtio-blk-pci,drive={device}"]


@contextmanager
def running(words: list[str], folder: Path) -> Iterator[Qemu]:
    """A guest that runs."""
    folder.mkdir()
    with qemu(words, folder, machine="q35") as source:
        source.command("cont")
        yield source


@contextmanager
def moved(source: Qemu, words: list[str], folder: Path) -> Iterator[Qemu]:
    """Another QEMU, to which the state of a running guest has come."""
    folder.mkdir()
    address = f"unix:{folder / 'state.sock'}"
    with qemu([*words, "-incoming", address], folder, machine="q35") as destination:
        source.command("migrate", uri=address)
        deadline = time.monotonic() + 30
        while (status := source.command("query-migrate")["status"]) != "completed":
            assert status != "failed"
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield destination


def started(guest: Qemu) -> str:
    """What QEMU says when a guest is to run; nothing if it does."""
    try:
        guest.command("cont")
    except Exception as error:
        return str(error)
    return ""


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    disk = Disk(target="vda", bus="virtio", folder=tmp_path)
    disk.make()
    return disk


def test_members_on_shared_storage_keep_the_guest_from_running(disk: Disk, tmp_path: Path) -> None:
    words = arguments(disk, "vq-vda")
    with running(words, tmp_path / "one") as source:
        with moved(source, words, tmp_path / "other") as destination:
            assert 'Failed to get "write" lock' in started(destination)
        # Nothing is lost: the source has the guest still.
        assert started(source) == ""


def test_members_of_its_own_let_the_guest_run_there(disk: Disk, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    for path in (disk.placeholder, *disk.members):
        shutil.copy(path, there)
    own = arguments(replace(disk, folder=there), "vq-vda")
    with (
        running(arguments(disk, "vq-vda"), tmp_path / "one") as source,
        moved(source, own, tmp_path / "other") as destination,
    ):
        assert started(destination) == ""


def test_a_guard_on_shared_storage_is_handed_over(disk: Disk, tmp_path: Path) -> None:
    words = [word for one in guard(disk) for word in ("-blockdev", json.dumps(one))]
    with ExitStack() as first:
        source = first.enter_context(running(words, tmp_path / "one"))
        with moved(source, words, tmp_path / "other") as destination:
            assert started(destination) == ""
            first.close()
            done = subprocess.run(
                ["qemu-io", "-r", "-f", "raw", "-c", "read 0 512", disk.placeholder],
                check=False, capture_output=True, text=True, timeout=60,
            )  # fmt: skip
            assert 'Failed to get "consistent read" lock' in done.stderr
