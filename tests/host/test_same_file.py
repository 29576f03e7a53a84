"""Images whose names are other files' by now, while the guest has its own ones open."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from tests.host import meddling
from tests.host.patching import BOTH, SIZE, Web, a_guest, member, refused
from tests.host.quorum_domains import DATA_TEXT
from tests.libvirts import GoneError, Guest, asked, embed, missing_for_embed
from tests.libvirts.domains import disk_content, disk_xml, guest_xml
from tests.nightly import nightly
from tests.programs import qemu_img

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.libvirts import Embed

pytestmark = pytest.mark.skipif(missing_for_embed() is not None, reason=str(missing_for_embed()))

NUMBERS = count()


@pytest.fixture(scope="module")
def bench() -> Iterator[Embed]:
    with embed() as bench:
        yield bench


@pytest.fixture
def web(bench: Embed) -> Iterator[Web]:
    """A guest that has written a sector full of 0x5a."""
    with a_guest(bench, f"web{next(NUMBERS)}") as found:
        assert found.guest.write(40, 0x5A) == 0
        yield found


def older(path: Path) -> bytes:
    """Put an older copy into an image's place; what it holds."""
    data = bytearray(path.read_bytes())
    data[40 * 512 : 41 * 512] = b"\x77" * 512
    path.rename(f"{path}.away")
    path.write_bytes(data)
    return bytes(data)


@pytest.mark.parametrize("how_many", [1, 2])
def test_a_member_that_is_another_file_does_not_stay(web: Web, how_many: int) -> None:
    data = [older(one) for one in web.images[:how_many]]
    new = web.image("new")
    for operation, *arguments in (
        ("set_quorum", {"rewrite_corrupted": True}),
        ("reorder_members", ["2"]),
        ("remove_member", "2"),
        ("replace_member", "2", member(new)),
    ):
        text = refused(web, operation, "sda", *arguments, **BOTH)
        assert f"'{web.images[0]}'" in text
        assert " not the file" in text
        assert "bring back what the guest has open" in text
    assert web.guest.read(40).first == b"\x5a" * 16
    assert [one.read_bytes() for one in web.images[:how_many]] == data


def test_it_is_replaced_by_another_one(web: Web) -> None:
    old, new = older(web.images[0]), web.image("new")
    web.patch("replace_member", "sda", "0", member(new), **BOTH)
    assert web.guest.write(41, 0x33) == 0
    assert web.guest.read(40).first == b"\x5a" * 16
    assert new.read_bytes() == web.images[1].read_bytes() == web.images[2].read_bytes()
    assert web.images[0].read_bytes() == old
    state = web.state()
    assert (state["wrong"], state["strays"], state["note"]) == ([], [], False)


def test_several_are_replaced_one_after_the_other(web: Web) -> None:
    first, second, third = web.images
    older(first)
    kept, new = older(second), web.image("new")
    web.patch("replace_member", "sda", "0", member(first), **BOTH)
    assert second.read_bytes() == kept
    assert web.guest.write(41, 0x33) == 0
    assert "is not the file" in refused(web, "set_quorum", "sda", {"threshold": 3}, **BOTH)
    web.patch("replace_member", "sda", "1", member(new), **BOTH)
    assert second.read_bytes() == kept
    web.patch("set_quorum", "sda", {"rewrite_corrupted": True}, **BOTH)
    assert web.guest.read(40).first == b"\x5a" * 16
    assert len({one.read_bytes() for one in (first, new, third)}) == 1
    state = web.state()
    assert (state["wrong"], state["strays"], state["note"]) == ([], [], False)


@pytest.mark.parametrize("options", [BOTH, {"live": True}])
def test_it_is_replaced_by_the_file_that_is_there(web: Web, options: dict[str, bool]) -> None:
    old = web.state()
    older(web.images[1])
    said = web.patch("replace_member", "sda", "1", member(web.images[1]), **options)
    assert [one for one in said["lines"] if "blockdev-mirror" in one]
    assert [one for one in said["lost"] if str(web.images[1]) in one]
    assert web.state() == old
    web.guest.write(41, 0x33)
    assert len({one.read_bytes() for one in web.images}) == 1
    web.patch("set_quorum", "sda", {"rewrite_corrupted": True}, **BOTH)
    assert web.guest.read(40).first == b"\x5a" * 16
    text = refused(web, "replace_member", "sda", "1", member(web.images[1]), **options)
    assert "it is so already" in text


def test_a_removed_file_is_made_and_filled(web: Web) -> None:
    old = web.state()
    web.images[1].unlink()
    web.patch("replace_member", "sda", "1", member(web.images[1]), create=True, **BOTH)
    assert web.state() == old
    web.guest.write(41, 0x33)
    assert len({one.read_bytes() for one in web.images}) == 1


def test_a_file_of_another_size(web: Web) -> None:
    web.images[1].unlink()
    web.image("1", size=SIZE // 2)
    text = refused(web, "replace_member", "sda", "1", member(web.images[1]), live=True)
    assert "differ in size" in text


def test_a_qcow2_member(web: Web) -> None:
    new = web.bench.folder / f"{web.name}.qcow2"
    qemu_img("create", "-q", "-f", "qcow2", new, SIZE)
    web.patch("replace_member", "sda", "0", member(new, "qcow2"), **BOTH)
    old = web.state()
    new.unlink()
    qemu_img("create", "-q", "-f", "qcow2", new, SIZE)
    web.patch("replace_member", "sda", "0", member(new, "qcow2"), **BOTH)
    assert web.state() == old
    web.guest.write(41, 0x33)
    assert web.guest.read(40).first == b"\x5a" * 16
    web.bench.call(asked.destroy, web.name)
    qemu_img("check", "-q", new)
    qemu_img("compare", "-f", "qcow2", "-F", "raw", new, web.images[1])


@pytest.mark.parametrize("where", ["write down what", "copy the disk"])
def test_a_file_that_is_exchanged_while_a_change_is_made(web: Web, where: str) -> None:
    other = web.image("other")
    old, new = web.state(), web.image("new")
    arguments = ["sda", [member(new)]]
    what = ["exchange", str(web.images[0]), str(other)]
    said = web.bench.call(
        meddling.meddled, web.name, "add_member", arguments, dict(BOTH), where, what
    )
    assert said.startswith("old: ")
    assert "is not the file that the guest has open" in said
    assert web.state() == old
    assert web.guest.read(40).first == b"\x5a" * 16
    assert web.images[0].read_bytes() == bytes(SIZE)


@pytest.mark.parametrize("where", ["copy the disk", "pause the guest", "end the copying"])
@pytest.mark.parametrize("operation", ["add_member", "replace_member"])
def test_a_new_file_that_is_exchanged_while_it_is_copied_to(
    web: Web, operation: str, where: str
) -> None:
    """QEMU opens it by its name again when the copy ends."""
    new, other = web.image("new"), web.image("other")
    other.write_bytes(b"R" * SIZE)
    _exchanged_meanwhile(web, operation, new, other, where)


@pytest.mark.parametrize("where", ["copy the disk", "pause the guest", "end the copying"])
def test_a_file_of_the_same_name_that_is_exchanged_once_more(web: Web, where: str) -> None:
    older(web.images[1])
    other = web.image("other")
    other.write_bytes(b"R" * SIZE)
    _exchanged_meanwhile(web, "replace_member", web.images[1], other, where)


def _exchanged_meanwhile(web: Web, operation: str, new: Path, other: Path, where: str) -> None:
    old = web.state()
    at = [] if operation == "add_member" else ["1"]
    arguments = ["sda", *at, [member(new)] if operation == "add_member" else member(new)]
    what = ["exchange", str(new), str(other)]
    said = web.bench.call(meddling.meddled, web.name, operation, arguments, dict(BOTH), where, what)
    assert said.startswith("old: ")
    assert f"'{new}' is not the file any more that was opened for the disk" in said
    assert web.state() == old
    assert web.guest.write(41, 0x33) == 0
    assert web.guest.read(40).first == b"\x5a" * 16
    if where != "copy the disk":  # then it is what is copied to
        assert new.read_bytes() == b"R" * SIZE


def test_an_undone_replacement_leaves_the_file_that_is_open(web: Web) -> None:
    data, old, new = older(web.images[1]), web.state(), web.image("new")
    steps = ("pause the", "end the copying", "point the", "open the quorum as", "see that QEMU")
    for where in steps:
        text = web.bench.call(
            meddling.failed, web.name, "replace_member", ["sda", "1", member(new)],
            {"live": True}, where,
        )  # fmt: skip
        assert text.startswith("old: ")
        assert web.state() == old
        web.guest.write(41, 0x33)
        assert web.images[1].read_bytes() == data, where
    assert "is not the file" in refused(web, "set_quorum", "sda", {"threshold": 3}, **BOTH)


def test_a_fault_leaves_a_member_of_the_same_name_as_it_was(web: Web) -> None:
    old = web.state()
    for where in ("pause the", "point the disk", "open the quorum as", "see that QEMU has"):
        older(web.images[1])
        text = web.bench.call(
            meddling.failed, web.name, "replace_member", ["sda", "1", member(web.images[1])],
            {"live": True}, where,
        )  # fmt: skip
        assert text.startswith("old: ")
        assert web.state() == old
        assert web.guest.read(40).first == b"\x5a" * 16


@pytest.mark.parametrize(
    "where",
    [
        pytest.param("pause the guest", marks=nightly),
        "close what was copied",
        pytest.param("open the quorum as", marks=nightly),
        "let the guest run again",
    ],
)
def test_a_killed_replacement_by_the_same_name(web: Web, where: str) -> None:
    older(web.images[1])
    replaced = ["sda", "1", member(web.images[1])]
    with pytest.raises(GoneError):
        web.bench.call(
            meddling.meddled, web.name, "replace_member", replaced, dict(BOTH), where, ["kill"]
        )
    web.bench.kill_worker()
    web.bench.virtquorum("doctor", web.name, "--yes")
    assert web.state()["strays"] == []
    assert web.guest.read(40).first == b"\x5a" * 16
    assert web.guest.write(41, 0x33) == 0
    if web.bench.virtquorum("doctor", web.name).returncode:
        web.patch("replace_member", *replaced, **BOTH)
    assert web.bench.virtquorum("doctor", web.name).returncode == 0
    assert len({one.read_bytes() for one in web.images}) == 1
    state = web.state()
    assert (state["wrong"], state["strays"], state["note"]) == ([], [], False)


def test_the_doctor_tells(web: Web) -> None:
    older(web.images[2])
    done = web.bench.virtquorum("doctor", web.name)
    assert done.returncode == 1
    assert (
        f"the guest has another file open than the one that '{web.images[2]}' names" in done.stdout
    )
    way = f"member replace sda {web.images[2]} --file {web.images[2]} --format raw --live"
    assert f"'virtquorum patch {web.name} {way}'" in " ".join(done.stdout.split())
    done = web.bench.virtquorum("patch", web.name, *way.split(), "--yes")
    assert done.returncode == 0, done.stderr
    assert web.bench.virtquorum("doctor", web.name).returncode == 0


def test_a_backing_image_that_no_xml_names(web: Web) -> None:
    """QEMU has found it in the overlay's header."""
    base = web.bench.folder / f"{web.name}-base"
    base.write_bytes(web.images[1].read_bytes())
    top = web.bench.folder / f"{web.name}-top"
    qemu_img("create", "-q", "-f", "qcow2", "-b", base, "-F", "raw", top)
    web.patch("replace_member", "sda", "1", member(top, "qcow2"), fill=False, checks=False, **BOTH)
    assert web.bench.virtquorum("doctor", web.name).returncode == 0
    older(base)
    text = refused(web, "set_quorum", "sda", {"threshold": 3}, **BOTH)
    assert f"'{base}' is not the file that the guest has open" in text
    done = web.bench.virtquorum("doctor", web.name)
    assert (done.returncode, str(base) in done.stdout) == (1, True), done.stdout


def test_the_doctor_builds_of_what_is_open(web: Web) -> None:
    """A member is taken out by hand; the others' names are other files' by now."""
    for one in web.images:
        older(one)
    taken = {"parent": "vq-sda", "child": "children.2"}
    web.bench.call(asked.monitor, web.name, "x-blockdev-change", taken)
    done = web.bench.virtquorum("doctor", web.name, "--yes")
    assert "is built in place of it" in done.stdout
    assert web.state()["wrong"] == []
    assert web.guest.read(40).first == b"\x5a" * 16
    assert web.guest.write(41, 0x33) == 0
    for one in web.images[:2]:
        assert one.with_name(f"{one.name}.away").read_bytes()[41 * 512] == 0x33
        assert f"'{one}'" in web.bench.virtquorum("doctor", web.name).stdout


def test_what_is_left_must_be_there(web: Web) -> None:
    """The guest has a removed file open, and nobody else can: its data would end with the guest."""
    web.images[1].unlink()
    back = ["convert", web.name, "sda", "--back", "--keep", "1", "--live", "--config", "--yes"]
    done = web.bench.virtquorum(*back)
    assert (done.returncode, "none is there" in done.stderr) == (1, True), done.stderr
    web.patch("set_quorum", "sda", {"threshold": 1}, **BOTH)
    web.patch("remove_member", "sda", "2", **BOTH)
    text = refused(web, "remove_member", "sda", "0", **BOTH)
    assert "none is there" in text
    assert f"'{web.images[1]}'" in text
    web.patch("remove_member", "sda", "1", **BOTH)
    assert web.guest.write(41, 0x33) == 0
    assert web.images[0].read_bytes()[41 * 512 : 42 * 512] == b"\x33" * 512


def test_a_stock_disk_that_is_another_file_is_not_converted(bench: Embed) -> None:
    image = bench.image("stock", SIZE, disk_content(DATA_TEXT))
    bench.call(asked.create, guest_xml(bench, "stock", disk_xml("vda", image), buses=["scsi"]))
    guest = Guest(bench, "stock")
    guest.booted()
    older(image)
    new = [bench.image(f"stock-{one}", SIZE) for one in range(2)]
    words = ["--members", *map(str, new), "--format", "raw", "--live", "--yes"]
    done = bench.virtquorum("convert", "stock", "vda", *words)
    assert done.returncode == 1
    assert f"'{image}' is not the file that the guest has open" in done.stderr
    assert [one.read_bytes() for one in new] == [bytes(SIZE)] * 2
    bench.call(asked.destroy, "stock")


def test_a_new_file_that_is_exchanged_while_a_disk_is_converted(bench: Embed) -> None:
    image = bench.image("own", SIZE, disk_content(DATA_TEXT))
    bench.call(asked.create, guest_xml(bench, "own", disk_xml("vda", image), buses=["scsi"]))
    guest = Guest(bench, "own")
    guest.booted()
    new, other = (bench.image(f"own-{one}", SIZE) for one in ("new", "other"))
    before = bench.call(asked.looked_up, "own")
    said = bench.call(
        meddling.meddled, "own", "convert", ["vda", [member(new)]], {"live": True},
        "pause the guest", ["exchange", str(new), str(other)],
    )  # fmt: skip
    assert said.startswith("old: ")
    assert f"'{new}' is not the file any more" in said
    assert bench.call(asked.looked_up, "own")["drives"] == before["drives"]
    assert guest.write(41, 0x33) == 0
    assert not any(new.read_bytes())
    bench.call(asked.destroy, "own")
