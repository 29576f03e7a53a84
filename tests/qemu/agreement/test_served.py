"""Images on real servers: QEMU reads the bytes that are there, through a vote that needs them."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.qemu.agreement.expected import agreement
from tests.qemu.agreement.monitor import NO_QEMU, RefusedError
from tests.qemu.agreement.opening import STYLES, Disks, Style, opened, spelled
from tests.qemu.agreement.served import PLACES, SIZE, Place, Served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.qemu.agreement.monitor import Running

pytestmark = pytest.mark.skipif(bool(NO_QEMU), reason=f"not installed: {NO_QEMU}")

CONTENT = random.Random(1).randbytes(SIZE)  # noqa: S311


class Case(NamedTuple):
    """A server that runs, and where its client is to run."""

    place: Place
    served: Served
    folder: Path

    def quorum(self, style: Style, more: str = "<readonly/>") -> Disks:
        """Two of three must agree, and one is wrong: the served one is needed for a majority."""
        for name, content in (("same", CONTENT), ("wrong", bytes(SIZE))):
            (self.folder / name).write_bytes(content)
        files = "".join(
            f"<backingStore type='file'><format type='raw'/><source file='{self.folder}/{name}'/>"
            "</backingStore>"
            for name in ("wrong", "same")
        )
        return spelled(
            "<domain><devices><disk type='quorum' threshold='2'><driver type='quorum'/>"
            f"<backingStore type='network'><format type='raw'/>{self.served.source}</backingStore>"
            f"{files}<target dev='vda'/>{more}</disk></devices></domain>",
            style,
            self.served.provided,
        )


@pytest.fixture(scope="module", params=PLACES)
def case(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Case]:
    place = PLACES[request.param]
    lacking = place.missing()
    if lacking:
        pytest.skip(f"not installed: {', '.join(lacking)}")
    with place.serve(tmp_path_factory.mktemp("server"), CONTENT) as served:
        yield Case(place, served, tmp_path_factory.mktemp("client"))


def read(running: Running, drive: str, offset: int, length: int) -> bytes:
    """The bytes that ``qemu-io read -v`` shows."""
    said = running.io(drive, f"read -v {offset} {length}")
    lines = re.findall(r"^[0-9a-f]{8}:  ((?:[0-9a-f]{2} ?)+)", said, re.MULTILINE)
    return bytes.fromhex("".join(lines))


@pytest.mark.parametrize("style", STYLES)
def test_qemu_opens_it_and_reads_what_is_there(style: Style, case: Case) -> None:
    disks = case.quorum(style)
    (drive,) = [one.drive for one in disks.every]
    with opened(disks, case.folder, case.served.reach) as running:
        assert list(agreement(disks, running)) == []
        sizes = {node["image"]["virtual-size"] for node in running.nodes().values()}
        assert sizes == {SIZE}
        for offset in (0, 70000, SIZE - 5000) if case.place.reads else ():
            assert read(running, drive, offset, 5000) == CONTENT[offset : offset + 5000]


@pytest.mark.parametrize("style", STYLES)
def test_what_is_written_arrives_or_is_refused(style: Style, case: Case) -> None:
    if case.served.file is None:
        disks = case.quorum(style, "")
        with opened(disks, case.folder, case.served.reach) as running:
            assert "Block node is read-only" in running.io(disks.every[0].drive, "write 0 512")
        return
    case.served.file.write_bytes(CONTENT)
    disks = case.quorum(style, "")
    (drive,) = [one.drive for one in disks.every]
    with opened(disks, case.folder, case.served.reach) as running:
        assert "wrote 4096/4096" in running.io(drive, "write -P 0x5a 8192 4096")
        assert "failed" not in running.io(drive, "flush")
    changed = CONTENT[:8192] + b"\x5a" * 4096 + CONTENT[12288:]
    assert case.served.file.read_bytes() == changed
    case.served.file.write_bytes(CONTENT)


#: What must not go through: the place, what to write instead of what in its source, QEMU's words.
UNTRUSTED = [
    ("https", "<ssl verify='no'/>", "", ".*certificate"),
    ("https", "<ssl verify='no'/>", "<ssl verify='yes'/>", ".*certificate"),
    ("ftps", "<ssl verify='no'/>", "", ".*certificate"),
    ("nbd, tls", "disks.example.org", "other.example.org", "Certificate does not match the host"),
    ("nbd, tls", " tls='yes' tlsHostname='disks.example.org'", "", "TLS negotiation required"),
    ("http, login and cookies", "username='ali'", "username='bob'", ".*401"),
    ("iscsi, login", "username='ali'", "username='bob'", ".*Failed to log in"),
    ("ftps", "username='ali'", "username='bob'", ".*[Dd]enied"),
]


@pytest.mark.parametrize(
    ("name", "ours", "instead", "words"),
    UNTRUSTED,
    ids=[f"{one[0]}: {one[2] or 'nothing'}" for one in UNTRUSTED],
)
def test_what_is_not_to_be_trusted_is_not(
    name: str, ours: str, instead: str, words: str, tmp_path: Path
) -> None:
    place = PLACES[name]
    lacking = place.missing()
    if lacking:
        pytest.skip(f"not installed: {', '.join(lacking)}")
    with place.serve(tmp_path, CONTENT) as served:
        assert ours in served.source
        changed = replace(served, source=served.source.replace(ours, instead))
        with (
            pytest.raises(RefusedError, match=f"^blockdev-add: {words}"),
            opened(Case(place, changed, tmp_path).quorum("qmp"), tmp_path, served.reach),
        ):
            pass
