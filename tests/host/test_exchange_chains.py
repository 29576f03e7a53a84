"""What is below a member, and above a quorum, is a part of what a definition exchanges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.host.exchanging import (
    END,
    SIZE,
    asked,
    blanks,
    defined,
    disk,
    found,
    indexed,
    nested,
    over,
    overlay,
    six_files,
    store,
    voting,
    with_members,
)
from tests.host.quorum_domains import virtquorum
from tests.libvirts import missing_for_embed
from tests.programs import qemu_img

if TYPE_CHECKING:
    from pathlib import Path

    from tests.libvirts import Embed

needs_libvirt = pytest.mark.skipif(missing_for_embed() is not None, reason=str(missing_for_embed()))


# By themselves


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return six_files(tmp_path)


def test_what_is_below_a_member_counts(files: list[Path], tmp_path: Path) -> None:
    a, b, c = files[:3]
    (tmp_path / "link").symlink_to("b")
    old = overlay(a, store(b))
    over(a, b)
    for new in (
        old, overlay(a), overlay(a, store(tmp_path / "link")), overlay(a, overlay(b, format="raw")),
        overlay(a, store(b)), overlay(a, indexed(store(b))), overlay(a, overlay(b, END, "raw")),
    ):  # fmt: skip
        assert found(disk(old, store(files[3])), disk(new, store(files[3]))) == []
        assert found(disk(new), disk(old)) == []
    for new, how in (
        (overlay(a, store(c)), f"over '{c}', so far over '{b}'"),
        (overlay(a, indexed(store(c))), f"over '{c}', so far over '{b}'"),
        (overlay(a, END), f"over nothing, so far over '{b}'"),
        (overlay(a, nested(store(c))), f"over a quorum, so far over '{b}'"),
        (overlay(a, store(b).replace("raw", "qcow2")),
         f"with '{b}' below it as 'qcow2', so far as 'raw'"),
        (overlay(a, store(b), "qed"), "as 'qed', so far as 'qcow2'"),
    ):  # fmt: skip
        (one,) = [it for it in found(disk(old), disk(new)) if it.altered]
        assert one.altered == (f"the member '{a}' {how}",)
        assert (one.gone, one.kept) == ((), 0)
    (one,) = found(disk(old), disk(overlay(a, store(c))))
    assert asked(one) == (
        f"'vda' would read the member '{a}' over '{c}', so far over '{b}': from the next start on "
        "that member votes with what it holds then; go on if it holds the disk's data so"
    )
    # A format above a quorum that is a member, or below one.
    plain, within = nested(store(a)), nested(store(a)).replace("'quorum'/>", "'qcow2'/>")
    (one,) = found(disk(plain), disk(within))
    assert one.altered == (
        f"the member '{a}' in a quorum with the format 'qcow2' above it, so far 'none'",
    )
    (one,) = found(disk(overlay(b, plain)), disk(overlay(b, within)))
    assert one.altered[0] == (
        f"the member '{b}' with a quorum below it as 'qcow2', so far as 'quorum'"
    )
    # A key makes other bytes of the same ones.
    luks = "<encryption format='luks'><secret type='passphrase' usage='u'/></encryption>"
    (one,) = found(disk(store(a)), disk(store(a, luks)))
    assert one.altered == (f"the member '{a}' as 'luks', so far as 'raw'",)


def altered(old: str, new: str) -> str:
    """How the one member of a disk would be read otherwise."""
    (one,) = found(disk(old), disk(new))
    (how,) = one.altered
    return how.partition("' ")[2]


def test_where_nothing_is_written_the_header_counts(files: list[Path], tmp_path: Path) -> None:
    a, b, c, d = files[:4]
    over(a, b, "qcow2")
    over(b, "c")
    silent, unread = overlay(a), "what only a header names that cannot be read here"
    below = overlay(b, format="qcow2")
    whole = overlay(a, overlay(b, overlay(c, END, "raw")))
    for new in (silent, overlay(a, below), overlay(a, overlay(b, store(c))), whole):
        assert found(disk(silent), disk(new)) == found(disk(new), disk(silent)) == []
    for other, how in (
        (overlay(a, overlay(d)), f"'{d}'"),
        (indexed(overlay(a, overlay(d))), f"'{d}'"),
        (overlay(a, END), "nothing"),
    ):
        assert altered(silent, other) == f"over {how}, so far over '{b}'"
        assert altered(other, silent) == f"over '{b}', so far over {how}"
    assert altered(silent, overlay(a, overlay(b, store(d)))) == f"over '{d}', so far over '{c}'"
    assert altered(silent, overlay(a, overlay(b, overlay(c, store(d), "raw")))) == (
        f"over '{d}', so far over nothing"
    )
    assert altered(silent, overlay(a, store(b))) == (
        f"with '{b}' below it as 'raw', so far as 'qcow2'"
    )
    # Where it cannot be read.
    b.unlink()
    for below in (store(c), END):
        new = overlay(a, overlay(b, below))
        assert altered(silent, new).endswith(f", so far over {unread}")
        assert altered(new, silent).startswith(f"over {unread}, so far over ")
    assert found(disk(silent), disk(overlay(a, indexed(overlay(b, store(c)))))) == []
    far = found(disk(silent), disk(overlay(a, overlay(b))), is_local=False)
    assert [len(one.altered) for one in far] == [1]
    # A header may name what is no file.
    over(a, "nbd://far.example:10809/x")
    nbd = (
        "<backingStore type='network'><format type='raw'/><source protocol='nbd' name='x'>"
        "<host name='far.example' port='10809'/></source></backingStore>"
    )
    assert found(disk(silent), disk(overlay(a, nbd))) == []
    assert altered(silent, overlay(a, store(c))) == (
        f"over '{c}', so far over 'nbd://far.example:10809/x'"
    )


def above(place: Path | str, quorum: str, more: str = "") -> str:
    """A disk whose overlay lies over a quorum."""
    return (
        f"<disk type='file'><driver name='qemu' type='qcow2'/><source file='{place}'/>"
        f"{quorum}<target dev='vda' bus='virtio'/>{more}</disk>"
    )


def test_what_is_above_a_quorum_counts(files: list[Path], tmp_path: Path) -> None:
    a, b, c = files[:3]
    quorum = nested(store(a))
    plain, over = disk(store(a)), above(b, quorum)
    (tmp_path / "link").symlink_to("b")
    assert found(over, above(tmp_path / "link", quorum)) == []
    assert found(over + plain, plain) == []
    (one,) = found(plain, over)
    assert (one.kept, one.new, one.altered) == (1, (), ())
    assert asked(one) == (
        f"'vda' would get the overlay '{b}' above its quorum, which it did not have before: from "
        "the next start on the guest has what that holds, and of the members only the rest; go on "
        "if it was made on what the members hold now, or will be"
    )
    assert "the overlay '/no' (not there yet) above" in asked(found(plain, above("/no", quorum))[0])
    (one,) = found(over, plain)
    assert asked(one) == (
        f"'vda' would lose the overlay '{b}' above its quorum: what was written since it was put "
        "there is in none of the members, and the guest has it no more; go on if that is not wanted"
    )
    (one,) = found(over, above(c, quorum))
    assert len(list(one.questions("w", active=False))) == 2
    (one,) = found(over, over.replace("type='qcow2'", "type='qed'"))
    assert f"would read the overlay '{b}' above its quorum as 'qed', so far as 'qcow2'" in asked(
        one
    )
    formatted = plain.replace("type='quorum'/>", "type='qcow2'/>")
    (one,) = found(plain, formatted)
    assert asked(one) == (
        "what the members of 'vda' agree on would be read as 'qcow2', so far as the disk itself: "
        "the guest has other data from the next start on; go on if the members hold it so"
    )
    assert "read as the disk itself, so far as 'qcow2'" in asked(found(formatted, plain)[0])
    two = above(b, overlay(c, quorum))
    (one,) = found(two, above(c, overlay(b, quorum)))
    assert "would be in another order" in asked(one)


# On a libvirt


@needs_libvirt
def test_another_backing_image_is_not_taken_unasked(bench: Embed) -> None:
    images = defined(bench)
    old = with_members(bench, images).read_text()
    raw = f"<format type='raw'/><source file='{images[0]}'/>"
    over = f"<format type='qcow2'/><source file='{bench.folder}/over.qcow2'/>"
    qemu_img("create", "-q", "-f", "qcow2", "-b", images[0], "-F", "raw",
             bench.folder / "over.qcow2")  # fmt: skip
    chained = f"{over}<backingStore type='file'>{raw}</backingStore>"
    assert raw in old
    path = bench.folder / "chained.xml"
    path.write_text(old.replace(raw, chained))
    assert virtquorum(bench, "define", "--yes", path).code == 0
    (stale,) = blanks(bench, 1)
    path.write_text(path.read_text().replace(raw, raw.replace(str(images[0]), str(stale))))
    done = virtquorum(bench, "define", path)
    assert done.code == 1
    assert (
        f"'vda' would read the member '{bench.folder}/over.qcow2' over '{stale}', so far over "
        f"'{images[0]}': " in done.err
    )
    assert str(stale) not in voting(bench)


@needs_libvirt
def test_members_below_an_overlay_do_not_vote_unasked(bench: Embed) -> None:
    a, b, c = defined(bench)
    x = bench.image("x.raw", SIZE)
    place = bench.folder / "over.qcow2"
    qemu_img("create", "-q", "-f", "qcow2", place, str(SIZE))
    lower = "".join(map(store, (a, b, c)))
    member = (
        f"<backingStore type='file'><format type='qcow2'/><source file='{place}'/>"
        "<backingStore type='quorum' threshold='2'><format type='quorum'/>"
        f"{lower}</backingStore></backingStore>"
    )
    path = with_members(bench, [bench.folder / "THAT", x])
    plain = store(bench.folder / "THAT").replace("></source>", "/>")
    path.write_text(path.read_text().replace(plain, member))
    assert str(place) in path.read_text()
    assert virtquorum(bench, "define", "--yes", path).code == 0
    done = virtquorum(bench, "define", with_members(bench, [a, b, x]))
    assert done.code == 1
    assert f"get the members '{a}' (so far only below the overlay '{place}') and" in done.err
    assert str(place) in voting(bench)


@needs_libvirt
def test_a_chain_that_only_a_header_names_is_kept_unless_asked(bench: Embed) -> None:
    a = defined(bench)[0]
    places = [bench.folder / f"over-{number}.qcow2" for number in range(3)]
    for one in places:
        over(one, a)
    (blank,) = blanks(bench, 1)

    def written(below: str) -> Path:
        path = with_members(bench, places)
        text = path.read_text().replace("<format type='raw'/>", "<format type='qcow2'/>")
        path.write_text(text.replace("</backingStore>", f"{below}</backingStore>"))
        return path

    assert virtquorum(bench, "define", "--yes", written("")).code == 0
    assert virtquorum(bench, "define", written(store(a))).code == 0
    assert virtquorum(bench, "define", written("")).code == 0
    for below in (store(blank), END):
        done = virtquorum(bench, "define", written(below))
        assert done.code == 1
        assert done.err.count(f", so far over '{a}': from the next start on") == 3
        assert virtquorum(bench, "define", "--yes", written(below)).code == 0
        assert virtquorum(bench, "define", written("")).code == 1
        assert virtquorum(bench, "define", "--yes", written("")).code == 0
