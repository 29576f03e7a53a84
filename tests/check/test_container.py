"""A format above a quorum: the quorum is opened with its votes, and the format on top of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.check.test_images import MIB, found, member, only, qcow2, quorum, raw
from tests.programs import qemu_img, qemu_io, refusal
from virtquorum.check.finding import Severity
from virtquorum.check.image_look import asked_of, look_at
from virtquorum.check.rule import positions
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from pathlib import Path

#: What a qcow2 of 1 MiB takes, and no less.
SIZE = 4 * MIB


def above(disk: str, format: str = "qcow2") -> str:
    return disk.replace("<driver type='quorum'/>", f"<driver type='{format}'/>")


@pytest.fixture
def container(tmp_path: Path) -> Path:
    """The bytes of a qcow2."""
    made = qcow2(tmp_path / "made")
    with made.open("r+b") as file:
        file.truncate(SIZE)
    return made


def copies(container: Path, count: int) -> list[Path]:
    made = [container.with_name(f"copy-{number}") for number in range(count)]
    for one in made:
        one.write_bytes(container.read_bytes())
    return made


def blanks(container: Path, count: int) -> list[Path]:
    return [raw(container.with_name(f"blank-{number}"), SIZE) for number in range(count)]


def test_what_the_members_agree_on_is_opened(container: Path) -> None:
    good, bad = copies(container, 3), blanks(container, 3)
    assert found(above(quorum(*map(member, good)))) == []
    # One that is wrong loses the vote.
    assert found(above(quorum(*map(member, [*good[:2], bad[0]])))) == []
    code, problem, severity = only(above(quorum(*map(member, [good[0], *bad[:2]]))))
    assert (code, severity) == ("VQ503", Severity.ERROR)
    assert (problem.element.name, problem.attribute) == ("driver", "type")
    assert problem.message == (
        "the format above the quorum is 'qcow2', and QEMU does not open what its members hold as "
        "that: Image is not in qcow2 format"
    )
    assert problem.expected == "type='quorum', where the members hold the guest's disk itself"
    (said,) = found(above(quorum(*map(member, [good[0], *bad[:2]]), threshold=3)))
    assert "Could not read qcow2 header: Input/output error" in said[1]


def test_qemu_agrees(container: Path, tmp_path: Path) -> None:
    paths = [*copies(container, 1), *blanks(container, 2)]
    children = [
        {"driver": "raw", "file": {"driver": "file", "filename": str(one)}} for one in paths
    ]
    node = {
        "driver": "qcow2",
        "node-name": "q",
        "file": {"driver": "quorum", "vote-threshold": 2, "children": children},
    }
    said = refusal(["-blockdev", json.dumps(node)], tmp_path)
    assert "Image is not in qcow2 format" in said


def test_quorums_in_the_quorum_and_who_is_read_first(container: Path) -> None:
    good, bad = copies(container, 4), blanks(container, 2)
    nested = (
        "<backingStore type='quorum' threshold='2'><format type='quorum'/>"
        f"{''.join(map(member, good[2:]))}</backingStore>"
    )
    assert found(above(quorum(*map(member, good[:2]), nested))) == []
    fifo = above(quorum(*map(member, [good[0], *bad]))).replace(
        "<driver ", "<driver read_pattern='fifo' "
    )
    assert found(fifo) == []
    first = above(quorum(*map(member, [bad[0], *good[:2]]))).replace(
        "<driver ", "<driver read_pattern='fifo' "
    )
    assert [code for code, _ in found(first)] == ["VQ503"]


def test_members_of_a_format_of_their_own(container: Path, tmp_path: Path) -> None:
    """The guest's disk lies in two formats: that of the member, and the one above."""
    members = []
    for number in range(2):
        made = tmp_path / f"m{number}"
        qemu_img("convert", "-f", "raw", "-O", "qcow2", container, made)
        members.append(member(made, "qcow2"))
    assert found(above(quorum(*members))) == []
    other = [member(qcow2(tmp_path / f"o{number}", size=SIZE), "qcow2") for number in range(2)]
    assert [code for code, _ in found(above(quorum(*other)))] == ["VQ503"]


def test_a_header_of_the_format_above_is_no_mistake(container: Path, tmp_path: Path) -> None:
    good = copies(container, 3)
    codes = [code for code, _ in found(quorum(*map(member, good)))]
    assert codes == ["VQ503"] * 3
    assert found(above(quorum(*map(member, good)))) == []
    # Of another format than that it is one, though the vote goes on without it.
    (tmp_path / "other").write_bytes(b"QED\0".ljust(SIZE, b"\0"))
    (said,) = found(above(quorum(*map(member, [*good[:2], tmp_path / "other"]))))
    assert said[1].endswith("begins as a 'qed' image does")
    # Nor is LUKS above a quorum.
    luks = [tmp_path / f"l{number}" for number in range(2)]
    for one in luks:
        one.write_bytes(b"LUKS\xba\xbe".ljust(SIZE, b"\0"))
    disk = above(quorum(*map(member, luks)), "raw")
    assert [code for code, _ in found(disk)] == ["VQ503"] * 2
    encrypted = disk.replace("<target", "<encryption format='luks'/><target")
    ((code, said_of_it),) = found(encrypted)
    assert (code, "QEMU does not open what its members hold" in said_of_it) == ("VQ503", True)


def test_what_cannot_be_opened_here_is_left(container: Path, tmp_path: Path) -> None:
    bad = blanks(container, 2)
    far = (
        "<backingStore type='network'><format type='raw'/><source protocol='nbd' name='x'>"
        "<host name='far.example'/></source></backingStore>"
    )
    assert found(above(quorum(*map(member, bad), far))) == []
    codes = [code for code, _ in found(above(quorum(*map(member, [*bad, tmp_path / "no"]))))]
    assert codes == ["VQ501"]
    small = raw(container.with_name("small"), MIB)
    assert [code for code, _ in found(above(quorum(*map(member, [*bad, small]))))] == ["VQ504"]
    for threshold in ("3", "x"):
        disk = above(quorum(*map(member, bad))).replace("threshold='2'", f"threshold='{threshold}'")
        assert found(disk) == []


def test_nothing_that_a_header_names_is_opened(container: Path, tmp_path: Path) -> None:
    """A backing file and a data file of the image above, and one of a member's."""
    outside = raw(tmp_path / "outside")
    for number, options in enumerate((
        ("-b", outside, "-F", "raw"),
        ("-o", f"data_file={tmp_path / 'data'},data_file_raw=on"),
    )):  # fmt: skip
        made = qcow2(tmp_path / f"header-{number}", *options)
        with made.open("r+b") as file:
            file.truncate(SIZE)
        for one in (outside, tmp_path / "data"):
            one.unlink(missing_ok=True)
        ((code, message),) = found(above(quorum(*map(member, copies(made, 2)))))
        assert (code, "in its header, of which the document" in message) == ("VQ505", True)
        assert f"names the file '{(outside, tmp_path / 'data')[number]}'" in message
        raw(outside)
    overlay = qcow2(tmp_path / "overlay", "-b", outside, "-F", "raw", size=SIZE)
    codes = {code for code, _ in found(above(quorum(*[member(overlay, "qcow2")] * 2)))}
    assert codes == {"VQ505"}
    split = qcow2(tmp_path / "split", "-o", f"data_file={tmp_path / 'data'}", size=SIZE)
    disk = above(quorum(*[member(split, "qcow2")] * 2))
    assert found(disk) == []
    document = Domain.from_text(f"<domain><devices>{disk}</devices></domain>")
    for position in positions(document.disks[0]):
        asked = asked_of(position)
        assert asked is None or look_at(asked, "qemu-img").external


def test_a_slice_of_a_file_votes(container: Path, tmp_path: Path) -> None:
    paths = []
    for number in range(2):
        path = tmp_path / f"part-{number}"
        path.write_bytes(bytes(MIB) + container.read_bytes())
        paths.append(path)
    inside = f"<slices><slice type='storage' offset='{MIB}' size='{SIZE}'/></slices>"
    assert found(above(quorum(*[member(one, inside=inside) for one in paths]))) == []
    qemu_io(paths[0], "raw", f"write -q -P 0 {MIB} 64k")
    assert "Input/output error" in found(
        above(quorum(*[member(one, inside=inside) for one in paths]))
    )[0][1]  # fmt: skip
