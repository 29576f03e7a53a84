"""Members that ``define`` and ``edit`` exchange are asked about: nothing is copied to them."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.host.exchanging import (
    SIZE,
    asked,
    blanks,
    defined,
    disk,
    found,
    nested,
    overlay,
    six_files,
    stock,
    store,
    voting,
    with_members,
)
from tests.host.quorum_domains import members, quorum_disk, virtquorum, web, with_uuid
from tests.libvirts import asked as asked_libvirt
from tests.libvirts import missing_for_embed
from tests.programs import qemu_img
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from pathlib import Path

    from tests.libvirts import Embed
    from tests.programs import Result

needs_libvirt = pytest.mark.skipif(missing_for_embed() is not None, reason=str(missing_for_embed()))


# By themselves


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return six_files(tmp_path)


def test_what_is_no_exchange(files: list[Path], tmp_path: Path) -> None:
    a, b, c = map(store, files[:3])
    old = disk(a, b, c)
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "hard").hardlink_to(files[1])
    for new in (
        old,
        disk(c, a, b).replace("threshold='1'", "threshold='3'"),
        disk(a, b),
        disk(a, nested(c, b)),
        disk(store(tmp_path / "link"), store(tmp_path / "hard"), store(f"{tmp_path}/./x/../c")),
        disk(*map(store, files[3:]), target="vdb"),
        "",
    ):
        assert found(old, new) == []
    # Nothing is kept of an empty drive, nor of a stock disk with the name of another one.
    assert found("<disk type='file' device='cdrom'><target dev='vda'/></disk>", old) == []
    assert found(stock(files[0], "vdb"), old) == []
    assert found(stock(files[0]), disk(a)) == []
    # Another medium in a drive.
    drive = "device='cdrom'"
    assert found(disk(a, b, more=drive), disk(c, store(files[3]), more=drive)) == []


def test_what_is_one(files: list[Path], tmp_path: Path) -> None:
    a, b, c, d = map(store, files[:4])
    e, f, x = *files[4:], store("/no/x")
    (one,) = found(disk(a, b, c), disk(a, d, c))
    assert (one.target, one.new, one.absent, one.gone) == (
        "vda", (f"'{files[3]}'",), (), (f"'{files[1]}'",),
    )  # fmt: skip
    assert (one.kept, one.moved) == (2, False)
    assert [len(one.new) for one in found(disk(a, b), disk(a, b, c))] == [1]
    # However deep, and below a format or an overlay of its own.
    assert [one.kept for one in found(disk(a, nested(b, c)), disk(a, nested(b, d)))] == [2]
    lower = store(tmp_path / "overlay").replace("</backingStore>", nested(a, b) + "</backingStore>")
    assert [one.kept for one in found(disk(lower, c), disk(lower.replace(b, d), c))] == [3]
    # Below an overlay it had no vote of its own, and has not got what was written since.
    over = overlay(e, nested(a, b, c))
    for old, new, fresh in (
        (disk(over, d, x), disk(a, b, d), [a, b]),
        (disk(d, x, over), disk(d, a, b, c), [a, b, c]),
        (
            disk(over, overlay(f, nested(d, x))),
            disk(overlay(e, nested(a, d)), overlay(f, nested(b, x))),
            [d, b],
        ),
    ):
        (one,) = found(old, new)
        assert one.new == tuple(
            f"'{files[(a, b, c, d).index(it)]}' (so far only below the overlay "
            f"'{f if it is d else e}')"
            for it in fresh
        )
    # But an overlay may come above those that vote, and is itself asked about.
    for old, new in ((disk(a, b, c), disk(over)), (disk(over), disk(over.replace("/e'", "/f'")))):
        assert [len(one.new) for one in found(old, new)] == [1]
    # A part of a file is not another part of it.
    slices = [
        f"<slices><slice type='storage' offset='{at}' size='512'/></slices>" for at in (0, 512)
    ]
    parts = [store(files[0], one) for one in slices]
    (one,) = found(disk(parts[0], b), disk(parts[1], b))
    assert (one.new, one.gone) == (
        (f"'{files[0]}' (512 bytes from 512 on)",), (f"'{files[0]}' (512 bytes from 0 on)",),
    )  # fmt: skip
    assert found(disk(*parts), disk(*reversed(parts))) == []
    # Two disks that change places.
    swapped = found(disk(a) + disk(b, target="vdb"), disk(b) + disk(a, target="vdb"))
    assert [one.new for one in swapped] == [
        (f"'{files[1]}' (of the disk 'vdb' so far)",),
        (f"'{files[0]}' (of the disk 'vda' so far)",),
    ]
    assert {one.kept for one in swapped} == {0}


def test_a_stock_disk_that_becomes_a_quorum(files: list[Path]) -> None:
    a, b, c = map(store, files[:3])
    (one,) = found(stock(files[0]), disk(a, b, c))
    assert (one.kept, one.was_stock, one.new) == (1, True, (f"'{files[1]}'", f"'{files[2]}'"))
    assert "; 'virtquorum convert w vda --members … --config' copies it first; " in asked(one)
    (one,) = found(stock(files[0]), disk(b, c))
    assert (one.kept, one.gone) == (0, (f"'{files[0]}'",))
    # Defined as one and running as the other.
    assert found(stock(files[0]) + disk(a, b, c), disk(a, b, c)) == []


def test_images_of_other_machines_may_be_there() -> None:
    def far(name: str, *hosts: str) -> str:
        servers = "".join(f"<host name='{one}' port='10809'/>" for one in hosts)
        return (
            "<backingStore type='network'><format type='raw'/>"
            f"<source protocol='nbd' name='{name}'>{servers}</source></backingStore>"
        )

    assert found(disk(far("a", "X.example")), disk(far("a", "x.example"))) == []
    (one,) = found(disk(far("a", "x"), far("b", "x")), disk(far("a", "x"), far("c", "y")))
    assert one.new == ("'nbd://y:10809/c'",)
    (one,) = found(disk(store("/no/a")), disk(store("/no/b")), is_local=False)
    assert (one.new, one.absent, one.moved) == (("'/no/b'",), (), False)
    assert found(disk(store("/no/./a")), disk(store("/no/a")), is_local=False) == []


def test_missing_images_are_asked_about(files: list[Path], tmp_path: Path) -> None:
    a, b, c = map(store, files[:3])
    gone = [store(tmp_path / name) for name in ("no", "none")]
    (one,) = found(disk(a, b, c), disk(a, *gone))
    assert (one.new, one.absent) == ((), (f"'{tmp_path}/no'", f"'{tmp_path}/none'"))
    assert asked(one) == (
        f"'vda' would get the members '{tmp_path}/no' and '{tmp_path}/none', which it did not have "
        "before and which are not there: made blank, they vote against the others; 'virtquorum "
        "create --from MEMBER' makes them from a member that has the data, and 'virtquorum patch w "
        "member replace vda … --create --config' copies to them before they vote; go on if you "
        "bring the data there"
    )
    (one,) = found(disk(a, b), disk(gone[0]))
    assert asked(one, active=True) == (
        f"'vda' would have other members throughout, '{tmp_path}/no', which is not there: made "
        "blank, the guest has an empty disk; 'virtquorum create --from MEMBER' makes it from a "
        "member that has the data, and 'virtquorum patch w member replace vda … --create --live "
        "--config' copies to it before it votes; go on if you bring the data there, or if another "
        "disk is wanted"
    )
    # One that is there, and one that is not.
    (one,) = found(disk(a, b), disk(a, c, gone[0]))
    assert len(list(one.questions("w", active=False))) == 2


def test_an_image_counts_as_often_as_it_votes(files: list[Path], tmp_path: Path) -> None:
    a, b, c = map(store, files[:3])
    (tmp_path / "link").hardlink_to(files[1])
    (one,) = found(disk(a, b, c), disk(store(tmp_path / "link"), b, c))
    twin = f"(the same image as the member '{files[1]}')"
    assert (one.kept, one.gone) == (2, (f"'{files[0]}'",))
    assert one.new == (f"'{tmp_path}/link' {twin}",)
    # Twice before, as it runs or as it is defined.
    assert found(disk(b, b, c) + disk(a, b, c), disk(b, b, c)) == []


def test_the_question(files: list[Path], tmp_path: Path) -> None:
    a, b, c, d, e = map(store, files[:5])
    (one,) = found(disk(a, b, c), disk(a, d, e))
    assert asked(one) == (
        f"'vda' would get the members '{files[3]}' and '{files[4]}', which it did not have before, "
        "and nothing copies the disk's data to them: from the next start on they vote with what "
        "they hold; 'virtquorum patch w member replace vda … --config' copies it first; go on if "
        "they hold it already"
    )
    (one,) = found(disk(a, b), disk(d))
    assert asked(one, active=True) == (
        f"'vda' would have other members throughout, '{files[3]}', and nothing copies the disk's "
        "data to it: from the next start on the guest has what it holds; 'virtquorum patch w "
        "member replace vda … --live --config' copies it first; go on if it holds it already, or "
        "if another disk is wanted"
    )
    (one,) = found(disk(a, b), disk(a, b, c))
    assert "; 'virtquorum patch w member add vda … --config' " in asked(one)
    moved = tmp_path / "moved"
    os.rename(files[1], moved)
    (one,) = found(disk(a, b, c), disk(a, store(moved), c))
    question = asked(one)
    assert question.endswith(f"; '{files[1]}' is not there any more: go on if it was moved there")
    os.rename(files[0], tmp_path / "too")
    (one,) = found(disk(a, b, c), disk(store(tmp_path / "too"), store(moved), c))
    question = asked(one)
    assert question.endswith("' are not there any more: go on if they were moved there")


# On a libvirt


@needs_libvirt
def test_blank_images_do_not_outvote_a_member_unasked(bench: Embed) -> None:
    images = defined(bench)
    new = blanks(bench, 2)
    path = with_members(bench, [images[0], *new])
    done = virtquorum(bench, "define", path)
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        f"virtquorum: 'vda' would get the members '{new[0]}' and '{new[1]}', which it did "
        "not have before, and nothing copies the disk's data to them: from the next start on they "
        "vote with what they hold; 'virtquorum patch web member replace vda … --config' copies it "
        "first; go on if they hold it already\nvirtquorum: nothing was changed; --yes goes on\n"
    )
    assert str(new[0]) not in voting(bench)
    # The way out that it names.
    for number, one in enumerate(new, 1):
        done = virtquorum(
            bench, "patch", "web", "member", "replace", "vda", str(number), "--file", one,
            "--format", "raw", "--config",
        )  # fmt: skip
        assert done.code == 0, done.err
    assert new[0].read_bytes() == images[0].read_bytes() == new[1].read_bytes()
    done = virtquorum(bench, "define", path)
    assert (done.code, done.err) == (0, "")


@needs_libvirt
def test_who_knows_that_the_data_is_there_says_so(bench: Embed) -> None:
    images = defined(bench)
    moved = bench.folder / "moved.raw"
    os.rename(images[1], moved)
    path = with_members(bench, [images[0], moved, images[2]])
    shown = virtquorum(bench, "define", "--dry-run", path)
    assert shown.code == 0
    assert f"'{images[1]}' is not there any more: go on if it was moved there\n" in shown.err
    assert str(moved) not in voting(bench)
    done = virtquorum(bench, "define", "--yes", path)
    assert done.code == 0
    assert str(moved) in voting(bench)


@needs_libvirt
def test_what_runs_has_the_data_too(bench: Embed) -> None:
    """A member that was changed in the running domain alone, and is to stay."""
    images = defined(bench)
    assert virtquorum(bench, "start", "--paused", "web").code == 0
    (new,) = blanks(bench, 1)
    done = virtquorum(
        bench, "patch", "web", "member", "replace", "vda", "1", "--file", new, "--format", "raw",
        "--live", "--yes",
    )  # fmt: skip
    assert done.code == 0, done.err
    done = virtquorum(bench, "define", with_members(bench, [images[0], new, images[2]]))
    assert done.code == 0, done.err
    assert str(new) in voting(bench, "--inactive")
    (other,) = blanks(bench, 1)
    other.rename(bench.folder / "other.raw")
    stale = with_members(bench, [images[0], new, bench.folder / "other.raw"])
    done = virtquorum(bench, "define", stale)
    assert done.code == 1
    assert "member replace vda … --live --config' copies it first" in done.err


@needs_libvirt
def test_missing_images_are_not_taken_unasked(bench: Embed) -> None:
    """Made blank they would win the vote, and rewrite-corrupted would write zeros over the data."""
    images = defined(bench)
    path = with_members(bench, [images[0], bench.folder / "no.raw", bench.folder / "none.raw"])
    done = virtquorum(bench, "define", path)
    assert done.code == 1
    assert "none.raw', each: does not exist; " in done.err
    assert "none.raw', which it did not have before and which are not there: made bl" in done.err
    assert "none.raw" not in voting(bench)
    # Nor are they made blank beside the one that has the data.
    done = virtquorum(bench, "create", path)
    assert done.code == 1
    assert not (bench.folder / "none.raw").exists()
    # The ways out that are named.
    done = virtquorum(
        bench, "patch", "web", "member", "replace", "vda", "1", "--file", bench.folder / "no.raw",
        "--format", "raw", "--create", "--config",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert (bench.folder / "no.raw").read_bytes() == images[0].read_bytes()
    assert virtquorum(bench, "create", "--from", "0", path).code == 0
    assert (bench.folder / "none.raw").read_bytes() == images[0].read_bytes()
    assert virtquorum(bench, "define", "--yes", path).code == 0
    assert "none.raw" in voting(bench)


@needs_libvirt
def test_other_quorums_are_defined_unasked(bench: Embed) -> None:
    images = defined(bench)
    link = bench.folder / "link.raw"
    link.symlink_to(images[0])
    changed = quorum_disk("vda", [images[2], link, images[1]], threshold=3)
    more = quorum_disk("vdb", members(bench, "more"), boot=None)
    done = virtquorum(bench, "define", with_uuid(bench, "web", web(bench, "web", changed, more)))
    assert (done.code, done.err) == (0, "")


def edit(bench: Embed, old: Path, new: Path, input: str = "") -> Result:
    """Write another image for one in the editor."""
    editor = bench.folder / "exchange.py"
    editor.write_text(
        "import sys\n"
        f"text = open(sys.argv[1]).read().replace({str(old)!r}, {str(new)!r})\n"
        "open(sys.argv[1], 'w').write(text)\n"
    )
    command = f"{sys.executable} {editor}"
    return virtquorum(bench, "edit", "web", input=input, EDITOR=command, VISUAL="")


@needs_libvirt
def test_the_editor_is_a_way_back(bench: Embed) -> None:
    images = defined(bench)
    (new,) = blanks(bench, 1)
    done = edit(bench, images[1], new)
    assert (done.code, done.out) == (1, "")
    assert f"virtquorum: 'vda' would get the member '{new}', which it did not have" in done.err
    assert "try again? [y,n,f,?] " in done.err
    assert "what you wrote is kept in " in done.err
    assert str(new) not in voting(bench)
    done = edit(bench, images[1], new, input="?\nf\n")
    assert "  f  define it all the same, whatever is said above of it\n" in done.err
    assert (done.code, done.out) == (0, "domain 'web' edited\n")
    assert str(new) in voting(bench)


def asked_by_the_api(connection: Any, text: str) -> list[Any]:
    """What a plan asks, and what is defined by one who does not answer."""
    from virtquorum.host.change import apply
    from virtquorum.host.define import check_definition, plan_definition
    from virtquorum.host.session import Host

    host = Host(connection)
    planned = plan_definition(host, Domain.from_text(text))
    asked = list(planned.lost), [one.target for one in planned.exchanges]
    found = [str(one) for one in check_definition(planned)]
    apply(planned.plan)
    return [*asked, found]


@needs_libvirt
def test_the_plan_carries_the_question(bench: Embed) -> None:
    images = defined(bench)
    overlay = bench.folder / "overlay.qcow2"
    qemu_img("create", "-q", "-f", "qcow2", overlay, str(SIZE))
    path = with_members(bench, [*images[:2], overlay])
    path.write_text(path.read_text().replace(
        f"<format type='raw'/><source file='{overlay}'/>",
        f"<format type='qcow2'/><source file='{overlay}'/>",
    ))  # fmt: skip
    asked, targets, found = bench.call(asked_by_the_api, path.read_text())
    assert [one.partition(",")[0] for one in asked] == [f"'vda' would get the member '{overlay}'"]
    assert (targets, found) == (["vda"], [])
    # As with a patch: the caller has decided.
    assert str(overlay) in voting(bench)


@needs_libvirt
def test_a_record_that_does_not_read_has_a_way_out(bench: Embed) -> None:
    """Nobody can say what would be lost with it: it is not taken over, by --yes neither."""
    path = with_members(bench, defined(bench))
    before: str = bench.call(asked_libvirt.xml, "web", True)
    for old, new, code in (
        ('version="1"', 'version="7"', "VQ602"), ('<lowered target="vda"', "<lowered", "VQ601"),
    ):  # fmt: skip
        assert old in before
        bench.call(asked_libvirt.define, before.replace(old, new))
        done = virtquorum(bench, "define", "--yes", path)
        assert (done.code, done.out) == (1, "")
        assert f"'virtquorum explain {code}' says what can be done; or 'virtquorum undefine " in (
            done.err
        )
    assert virtquorum(bench, "undefine", "web").code == 0
    assert virtquorum(bench, "define", path).code == 0
