"""Forms of -drive and -blockdev that QEMU takes, each beside the disks that it is.

QEMU judges them: it opens the graph, and what the disks are translated into is
the same graph; or it fails to reach the storage, having taken the words.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest

from tests.programs import missing, qemu, qemu_img, run
from virtquorum.qemu.back.reading import read
from virtquorum.qemu.back.words import given_text
from virtquorum.qemu.graph import BLOCKS, Format
from virtquorum.qemu.translate import Translated, arguments, translate
from virtquorum.xml.domain import Domain
from virtquorum.xml.format import format_disk

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.programs import Qemu

Nodes: TypeAlias = "Counter[tuple[str, object]]"

FORMS = sorted((Path(__file__).parent / "forms").glob("*.args"))
#: What QEMU says once it has understood, of storage that it cannot reach.
UNREACHABLE = re.compile(
    r"Failed to connect|Could not open|Could not read directory|CURL: Error opening|"
    r"please refer to gluster logs|error connecting|error reading conf file|"
    r"Failed to mount nfs|Failed to open /dev/vfio",
    re.IGNORECASE,
)
#: Proposed once, and in no QEMU.
PROPOSED = ("rfc-2012", "rfc-2012-colons")
#: QEMU tries again for as long as it runs.
PATIENT = ("iscsi",)
#: QEMU's graph has what no disk of libvirt's has.
OTHER_GRAPH = ("snapshot", "no-xml-driver")


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_is_these_disks(path: Path, golden: Callable[[Path, str], None]) -> None:
    found = run("from-args", "--keep-going", "-", input=path.read_bytes())
    golden(path.with_suffix(".out"), f"{found.err}{found.out}")
    assert "secret@" not in found.err + found.out


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The images that the forms name."""
    for name in ("b.raw", "c.raw", "e.raw", "d,e.raw"):
        qemu_img("create", "-q", "-f", "raw", tmp_path / name, "1M")
    qemu_img("create", "-q", "-f", "qcow2", tmp_path / "a.qcow2", "1M")
    return tmp_path


def graph(running: Qemu) -> Nodes:
    """The block nodes by what they are: formats with their mode, storage with its name."""
    return Counter(
        (node["drv"], node["ro"] if _is_format(node["drv"]) else node["file"])
        for node in running.nodes().values()
    )


def _is_format(driver: str) -> bool:
    cls = BLOCKS.get(driver)
    return cls is None or issubclass(cls, Format) or driver in ("quorum", "throttle")


@pytest.mark.skipif(bool(missing()), reason=f"not installed: {missing()}")
@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_qemu_takes_the_form_for_the_same(path: Path, folder: Path) -> None:
    if path.stem in PATIENT:
        pytest.skip("QEMU tries to connect for ever")
    text = path.read_text()
    machine = "pc,accel=tcg"
    theirs = _opened(shlex.split(text), folder, machine)
    if isinstance(theirs, str):
        expected = "Unknown protocol 'quorum'" if path.stem in PROPOSED else UNREACHABLE
        assert re.search(expected, theirs), theirs
        return
    assert path.stem not in PROPOSED
    if path.stem not in OTHER_GRAPH:
        ours = _opened(_again(text), folder, machine)
        assert not isinstance(ours, str), ours
        assert essential(ours) == essential(theirs)


def _opened(words: list[str], folder: Path, machine: str) -> Nodes | str:
    """QEMU's graph, or what it says instead."""
    try:
        with qemu(words, folder, machine) as running:
            return graph(running)
    except AssertionError as error:
        return str(error)


def essential(nodes: Nodes) -> Nodes:
    """Without the raw format, which adds nothing to a whole file, and what -drive itself does."""
    beside = ("raw", "throttle", "copy-on-read")
    return Counter({one: count for one, count in nodes.items() if one[0] not in beside})


def _again(text: str) -> list[str]:
    """What the disks are translated into."""
    disks = read(given_text(text)).disks
    controllers = "<controller type='scsi' index='0' model='virtio-scsi'/>"
    controllers += "<controller type='usb' index='0' model='qemu-xhci'/>"
    domain = Domain.from_text(
        "<domain><os><type arch='x86_64' machine='pc'>hvm</type></os><devices>"
        f"{controllers}{''.join(map(format_disk, disks))}</devices></domain>"
    )
    made = []
    for one in translate(domain, style="blockdev"):
        assert isinstance(one, Translated), one
        made.append(one)
    return arguments(made, "blockdev")
