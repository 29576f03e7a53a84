"""The main job on real programs: a mixed quorum disk is written, damaged underneath, and read."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.programs import Qemu, missing, nbd_server, qemu, qemu_img, qemu_io
from virtquorum.model.image import Image
from virtquorum.model.parts import Host
from virtquorum.model.sources.file import FileSource
from virtquorum.model.sources.nbd import NbdSource
from virtquorum.qemu.names import domain_names
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"not installed: {missing()}")

SAMPLE = Path(__file__).parents[2] / "samples" / "first-vote.xml"
SIZE = 4 * 1024 * 1024
#: Each image and its format; the third is reached over NBD.
IMAGES = (("member-0.qcow2", "qcow2"), ("member-1.raw", "raw"), ("member-2.raw", "raw"))


class Vote:
    """A domain with the sample's disk in a folder, and the images for it."""

    def __init__(self, folder: Path, *, rewrite: bool = False) -> None:
        self.folder = folder
        self.images = [(folder / name, format) for name, format in IMAGES]
        for path, format in self.images:
            qemu_img("create", "-q", "-f", format, path, SIZE)
        self.socket = folder / "member-2.sock"
        domain = Domain.from_bytes(SAMPLE.read_bytes(), str(SAMPLE))
        for number in range(3):
            quorum = domain.disk("vda").quorum
            assert quorum is not None
            member = quorum.members[number]
            assert isinstance(member, Image)
            match member.source:
                case FileSource() as source:
                    moved: FileSource | NbdSource = replace(
                        source, file=str(self.images[number][0])
                    )
                case NbdSource() as source:
                    moved = replace(
                        source, hosts=(Host(transport="unix", socket=str(self.socket)),)
                    )
                case other:
                    raise AssertionError(other)
            domain = domain.replace(member, replace(member, source=moved))
        if rewrite:
            disk = domain.disk("vda")
            assert disk.quorum is not None
            healing = replace(disk.quorum, rewrite_corrupted=True)
            domain = domain.replace(disk, replace(disk, image=replace(disk.image, source=healing)))
        self.file = folder / "domain.xml"
        self.file.write_bytes(domain.to_bytes())
        (names,) = domain_names(domain.disks)
        quorum = domain.disk("vda").quorum
        assert quorum is not None
        self.nodes = [names.of(one) for one in quorum.members if isinstance(one, Image)]

    def arguments(self) -> list[str]:
        """What the command says."""
        done = subprocess.run(
            [sys.executable, "-m", "virtquorum", "args", "--style", "drive",
             "--no-frontend", "--json", self.file],
            check=True, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.stderr == ""
        arguments = json.loads(done.stdout)
        assert isinstance(arguments, list)
        return arguments

    @contextmanager
    def running(self) -> Iterator[Qemu]:
        """QEMU with the disk, and the server of its third member."""
        with (
            nbd_server(self.images[2][0], self.socket, export="member-2"),
            qemu(self.arguments(), self.folder) as running,
        ):
            yield running

    def holds(self, number: int, pattern: int) -> bool:
        """Whether a member, read by itself, has a pattern in its first 256 KiB."""
        path, format = self.images[number]
        return "failed" not in qemu_io(path, format, f"read -P {pattern} 0 256k")

    def spoil(self, number: int, pattern: int) -> None:
        """Write something else into a member behind QEMU's back."""
        path, format = self.images[number]
        qemu_io(path, format, f"write -P {pattern} 64k 64k")


def test_all_three_members_get_the_write(tmp_path: Path) -> None:
    vote = Vote(tmp_path)
    with vote.running() as running:
        assert "wrote 262144/262144" in running.io("drive-vda", "write -P 165 0 256k")
    assert [vote.holds(number, 165) for number in range(3)] == [True, True, True]
    assert qemu_img("compare", "-f", "qcow2", "-F", "raw", vote.images[0][0], vote.images[1][0])
    assert qemu_img("compare", "-f", "raw", "-F", "raw", vote.images[1][0], vote.images[2][0])


@pytest.mark.parametrize("bad", range(3))
def test_a_corrupt_member_is_outvoted_and_named(tmp_path: Path, bad: int) -> None:
    vote = Vote(tmp_path)
    with vote.running() as running:
        running.io("drive-vda", "write -P 165 0 256k")
    vote.spoil(bad, 90)
    with vote.running() as running:
        said = running.io("drive-vda", "read -P 165 0 256k")
        assert "read 262144/262144" in said
        assert "failed" not in said
        events = running.events("QUORUM_REPORT_BAD")
    assert {event["node-name"] for event in events} == {vote.nodes[bad]}
    assert all(event["type"] == "read" and "error" not in event for event in events)
    assert not vote.holds(bad, 165), "only rewrite_corrupted repairs"


@pytest.mark.parametrize("bad", range(3))
def test_rewrite_corrupted_repairs_the_member(tmp_path: Path, bad: int) -> None:
    vote = Vote(tmp_path, rewrite=True)
    with vote.running() as running:
        running.io("drive-vda", "write -P 165 0 256k")
    vote.spoil(bad, 90)
    with vote.running() as running:
        assert "failed" not in running.io("drive-vda", "read -P 165 0 256k")
    assert [vote.holds(number, 165) for number in range(3)] == [True, True, True]


def test_two_members_corrupted_differently_end_the_vote(tmp_path: Path) -> None:
    vote = Vote(tmp_path)
    with vote.running() as running:
        running.io("drive-vda", "write -P 165 0 256k")
    vote.spoil(0, 90)
    vote.spoil(2, 91)
    with vote.running() as running:
        assert "read failed: Input/output error" in running.io("drive-vda", "read 0 256k")
        assert running.events("QUORUM_FAILURE")[0]["reference"] == "drive-vda"
        assert "read 65536/65536" in running.io("drive-vda", "read -P 165 128k 64k")
