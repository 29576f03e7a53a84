"""The node swap, made for real: what QEMU has afterwards, and what the guest reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.guests import DATA
from tests.host import live, live_faults
from tests.host.live import member
from tests.host.live_guests import CONTENT, SIZE, Booted
from tests.libvirts import CallError, asked, embed, missing_for_embed
from tests.libvirts.domains import disk_content
from tests.nightly import nightly
from tests.programs import qemu_img

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.libvirts import Embed


@pytest.fixture(scope="module")
def bench() -> Iterator[Embed]:
    missing = missing_for_embed()
    if missing is not None:
        pytest.skip(missing)
    with embed() as bench:
        yield bench


@pytest.fixture(scope="module")
def shared(bench: Embed) -> Booted:
    """A guest whose disk any test may change, and leaves whole."""
    return Booted(bench, "shared")


@pytest.fixture
def fresh(bench: Embed, request: pytest.FixtureRequest) -> Iterator[Booted]:
    """A guest of the test's own."""
    found = Booted(bench, request.node.name[:40])
    yield found
    found.destroy()


def test_threshold_and_policies_change_while_the_guest_writes(shared: Booted) -> None:
    with shared.guest.turning(20) as turns:
        shared.swap(shared.graph(*shared.images, threshold=3))
        shared.swap(shared.graph(*shared.images, driver="type='quorum' rewrite_corrupted='on'"))
        fifo = "type='quorum' read_pattern='fifo'"
        shared.swap(shared.graph(*shared.images, threshold=1, driver=fifo))
    assert turns.status == 0
    assert turns.rounds > 0
    nodes = shared.bench.looked_up(shared.name)["nodes"]
    seen = nodes["vq-vda"]["image"]["filename"]
    assert '"vote-threshold": 1' in seen
    assert '"read-pattern": "fifo"' in seen
    shared.swap(shared.graph(*shared.images))
    assert shared.guest.read(DATA).first.startswith(CONTENT)


def test_members_come_filled_go_and_change_places(fresh: Booted) -> None:
    a, b, c = fresh.images
    new = fresh.image("new", b"\xff" * SIZE)
    with fresh.guest.turning(20) as turns:
        fresh.swap(fresh.graph(a, b, c, new))
    assert turns.status == 0
    assert new.read_bytes() == a.read_bytes()
    fresh.swap(fresh.graph(new, a, b))
    fresh.guest.write(30, 0x5A)
    fresh.swap(fresh.graph(b, new, a, threshold=3))
    assert fresh.guest.read(30).first == b"\x5a" * 16
    assert b.read_bytes() == new.read_bytes() == a.read_bytes()
    assert c.read_bytes() != a.read_bytes()


def test_several_new_members_are_filled_together(bench: Embed) -> None:
    booted = Booted(bench, "several")
    try:
        raw = [booted.image(f"new{number}", b"\xff" * SIZE) for number in range(2)]
        qcow2 = bench.folder / "new.qcow2"
        qemu_img("create", "-q", "-f", "qcow2", qcow2, SIZE)
        new = booted.graph(booted.images[0], *raw, member(qcow2, "qcow2"), threshold=4)
        booted.swap(new)
        booted.guest.write(31, 0x77)
        assert booted.guest.read(31).first == b"\x77" * 16
    finally:
        booted.destroy()
    assert {one.read_bytes() for one in raw} == {booted.images[0].read_bytes()}
    qemu_img("compare", "-f", "raw", "-F", "qcow2", raw[0], qcow2)


def test_a_member_without_data_may_be_given_as_it_is(fresh: Booted) -> None:
    blank = fresh.image("blank")
    fresh.swap(fresh.graph(*fresh.images, blank), fill=False)
    assert blank.read_bytes() == bytes(SIZE)
    assert fresh.guest.read(DATA).first.startswith(CONTENT)


def test_an_overlay_takes_the_place_of_one_on_the_same_base(fresh: Booted) -> None:
    base, over = fresh.image("base"), [fresh.bench.folder / f"over{one}" for one in range(2)]
    for one in over:
        qemu_img("create", "-q", "-f", "qcow2", "-b", base, "-F", "raw", one)
    a, b, _ = fresh.images
    spelled = [member(one, "qcow2", member(base)) for one in over]
    fresh.swap(fresh.graph(a, b, spelled[0]))
    fresh.swap(fresh.graph(spelled[1], b, a, threshold=3))
    assert fresh.guest.read(DATA).first.startswith(CONTENT)
    assert base.read_bytes() == bytes(SIZE)


def test_an_image_under_another_name_is_not_copied_to(fresh: Booted) -> None:
    a, b, c = fresh.images
    named = member(c).replace("<backingStore ", "<backingStore nodename='far' ")
    lines = fresh.swap(fresh.graph(a, b, named, threshold=3))
    assert not [line for line in lines if "blockdev-mirror" in line]
    assert fresh.guest.read(DATA).first.startswith(CONTENT)


def test_a_member_becomes_a_quorum_and_its_new_member_is_filled(fresh: Booted) -> None:
    a, b, c = fresh.images
    new = fresh.image("new")
    inner = (
        "<backingStore type='quorum' threshold='1'><format type='quorum'/>"
        f"{member(c)}{member(new)}</backingStore>"
    )
    fresh.swap(fresh.graph(a, b, inner, threshold=3))
    assert new.read_bytes() == c.read_bytes()
    fresh.guest.write(30, 0x11)
    assert fresh.guest.read(30).first == b"\x11" * 16


@pytest.mark.parametrize(
    ("bus", "target", "inner", "iothread"),
    [
        ("virtio", "vdb", "", True),
        ("virtio", "vdc", "<shareable/>", False),
        ("virtio", "vdd", "<readonly/>", False),
        ("scsi", "sda", "", False),
        ("sata", "sdb", "", False),
        ("usb", "sdc", "", False),
    ],
)
def test_every_frontend(bench: Embed, bus: str, target: str, inner: str, iothread: bool) -> None:
    booted = Booted(bench, target, bus=bus, target=target, inner=inner, iothread=iothread)
    try:
        booted.swap(booted.graph(*booted.images, threshold=3, inner=inner))
        assert booted.guest.read(DATA).first.startswith(CONTENT)
        if "readonly" not in inner:
            booted.swap(booted.graph(*booted.images, booted.image("new"), inner=inner))
            booted.guest.write(30, 0x33)
            assert booted.guest.read(30).first == b"\x33" * 16
        drives = bench.looked_up(booted.name)["drives"]
        assert drives == {booted.alias: booted.nodes[-1]["node-name"]}
    finally:
        booted.destroy()


def test_a_filter_above_the_quorum(fresh: Booted) -> None:
    above = "type='quorum' copy_on_read='on'"
    fresh.swap(fresh.graph(*fresh.images, driver=above))
    assert fresh.nodes[-1]["driver"] == "copy-on-read"
    new = fresh.image("new")
    fresh.swap(fresh.graph(*fresh.images, new, threshold=3, driver=above))
    assert new.read_bytes() == fresh.images[0].read_bytes()
    assert fresh.guest.read(DATA).first.startswith(CONTENT)


def test_a_format_above_the_quorum(bench: Embed) -> None:
    plain = bench.image("plain", size=SIZE, content=disk_content(CONTENT))
    qcow2 = bench.folder / "above"
    qemu_img("convert", "-f", "raw", "-O", "qcow2", plain, qcow2)
    content = qcow2.read_bytes()
    images = tuple(bench.image(f"above{number}", SIZE, content) for number in range(3))
    booted = Booted(bench, "above", driver="type='qcow2'", images=images)
    try:
        booted.swap(booted.graph(*images, threshold=3, driver="type='qcow2'"))
        assert booted.guest.read(DATA).first.startswith(CONTENT)
        with pytest.raises(CallError, match="below a format"):
            booted.swap(booted.graph(*images, booted.image("new"), driver="type='qcow2'"))
        assert booted.state() == booted.settled()
    finally:
        booted.destroy()


def test_a_paused_guest_stays_paused(shared: Booted) -> None:
    bench, old = shared.bench, shared.nodes
    bench.virsh("suspend", shared.name)
    filled = shared.image("filled")
    new = shared.graph(*shared.images, filled, threshold=3)
    bench.call(live.swapped, shared.name, shared.alias, old, new, {})
    assert shared.state(new=new) == shared.settled("new", running=False)
    assert filled.read_bytes() == shared.images[0].read_bytes()
    bench.call(live.swapped, shared.name, shared.alias, new, old, {})
    bench.virsh("resume", shared.name)
    assert shared.state() == shared.settled()


def test_limits_of_the_disk_stay(shared: Booted) -> None:
    shared.bench.virsh("blkdeviotune", shared.name, "vda", "--total-iops-sec", "5000", "--live")
    shared.swap(shared.graph(*shared.images, threshold=3))
    (seen,) = (
        one["inserted"]["iops"]
        for one in shared.bench.call(asked.monitor, shared.name, "query-block", {})
    )
    assert seen == 5000
    shared.swap(shared.graph(*shared.images))


def test_an_equal_graph_is_no_change(shared: Booted) -> None:
    assert shared.swap(shared.graph(*shared.images)) == ["change a disk"]


def refused(booted: Booted, new: Any, **options: Any) -> str:
    """Why a swap is refused, after which all is as it was."""
    arguments = (booted.name, booted.alias, booted.nodes, new, options)
    with pytest.raises(CallError) as caught:
        booted.bench.call(live.swapped, *arguments)
    assert booted.state() == booted.settled()
    return caught.value.text


def test_a_member_of_another_size_is_refused(shared: Booted) -> None:
    short = shared.image("short", size=SIZE // 2)
    text = refused(shared, shared.graph(*shared.images, short))
    assert "differ in size" in text
    assert f"has {SIZE // 2}" in text


def test_a_missing_image_is_refused_in_qemus_words(shared: Booted) -> None:
    text = refused(shared, shared.graph(*shared.images, "/nowhere/image"))
    assert text.startswith("cannot open the new members: QEMU says to 'blockdev-add': Could not ")
    assert text.endswith("; all is as it was before")


def test_what_only_qemu_refuses_is_undone(shared: Booted) -> None:
    new = shared.graph(*shared.images)
    new[-1] = {**new[-1], "blkverify": True, "rewrite-corrupted": True}
    text = refused(shared, new)
    assert "cannot open the quorum as it shall be" in text


def test_a_threshold_above_the_members_is_refused(shared: Booted) -> None:
    new = shared.graph(*shared.images[:2])
    new[-1] = {**new[-1], "vote-threshold": 3}
    assert "would have 2 members, and its threshold is 3" in refused(shared, new)


def test_the_last_good_members_are_not_taken_out(shared: Booted) -> None:
    a, b, c = shared.images
    nodes = {
        node["filename"]: node["node-name"][:-2] for node in shared.nodes if "filename" in node
    }
    bad = [nodes[str(a)], nodes[str(b)]]
    text = refused(shared, shared.graph(a, b, threshold=1), bad=bad)
    assert "only 0 would be left" in text
    assert bad[0] in text
    shared.swap(shared.graph(a, c), bad=bad[1:])
    shared.swap(shared.graph(a, b, c), bad=bad[1:])


def test_a_disk_that_is_not_as_expected_is_left_alone(shared: Booted) -> None:
    other = shared.graph(*shared.images, threshold=3)
    other[-1] = {**other[-1], "children": other[-1]["children"][:2]}
    with pytest.raises(CallError, match="'virtquorum doctor shared'"):
        shared.bench.call(live.swapped, shared.name, shared.alias, other, shared.nodes, {})
    assert shared.state() == shared.settled()


@pytest.mark.parametrize("when", [pytest.param("before", marks=nightly), "after"])
def test_a_fault_at_any_call_leaves_the_old_or_the_new(shared: Booted, when: str) -> None:
    new = shared.graph(*shared.images[:2], shared.image(f"faults-{when}"), threshold=1)
    graphs = shared.nodes, new
    found = shared.bench.call(live_faults.every_fault, shared.name, shared.alias, *graphs, {}, when)
    assert len(found) > (40 if when == "before" else 12)
    assert {one["said"] for one in found} == {None, "old", "new"}
    for one in found:
        said, tidy = one.pop("said"), one.pop("met")
        step = one.pop("step")
        if said == "old":
            assert one == shared.settled("old"), step
        elif said is None:
            assert one == shared.settled("new"), tidy
        else:
            assert (one["is"], one["running"], one["jobs"]) == (["new"], True, []), step


def test_a_signal_at_any_step_leaves_the_old_or_the_new(shared: Booted) -> None:
    new = shared.graph(*shared.images[:2], shared.image("signals"), threshold=1)
    found = shared.bench.call(
        live_faults.every_signal, shared.name, shared.alias, shared.nodes, new
    )
    assert {one["said"] for one in found} == {"interrupted by 15", "interrupted by 2", 15}
    for one in found:
        said, step = one.pop("said"), one.pop("step")
        assert one == shared.settled("new" if said == 15 else "old"), step
    assert found[-1]["is"] == ["old"]


@pytest.fixture
def gone(bench: Embed, request: pytest.FixtureRequest) -> Iterator[Booted]:
    """A guest that runs on with a quorum of which an image has been removed."""
    booted = Booted(bench, f"gone{len(request.node.name)}")
    booted.images[1].unlink()
    yield booted
    booted.destroy()


def test_a_member_whose_image_is_gone_is_replaced(gone: Booted) -> None:
    a, _, c = gone.images
    new = gone.image("new")
    gone.guest.write(30, 0x44)
    gone.swap(gone.graph(a, new, c))
    gone.guest.write(31, 0x55)
    gone.swap(gone.graph(new, c, a, threshold=3))
    assert gone.guest.read(DATA).first.startswith(CONTENT)
    assert len({one.read_bytes() for one in (a, new, c)}) == 1


def test_a_member_whose_image_is_gone_goes(gone: Booted) -> None:
    a, _, c = gone.images
    gone.swap(gone.graph(c, a))
    gone.swap(gone.graph(c, a, threshold=1))
    assert gone.guest.read(DATA).first.startswith(CONTENT)


def test_a_member_whose_image_is_gone_may_stay(gone: Booted) -> None:
    a, b, c = gone.images
    gone.swap(gone.graph(c, b, a, threshold=3))
    gone.guest.write(30, 0x44)
    assert gone.guest.read(30).first == b"\x44" * 16
    assert gone.guest.read(DATA).first.startswith(CONTENT)


def test_a_member_whose_image_is_gone_and_that_is_needed_is_replaced(fresh: Booted) -> None:
    a, b, c = fresh.images
    fresh.swap(fresh.graph(a, b, c, threshold=3))
    b.unlink()
    new = fresh.image("new")
    fresh.swap(fresh.graph(a, new, c, threshold=3))
    fresh.guest.write(30, 0x44)
    assert fresh.guest.read(DATA).first.startswith(CONTENT)
    assert len({one.read_bytes() for one in (a, new, c)}) == 1


@pytest.mark.parametrize("blow", ["refused", "signal"])
def test_a_gone_member_is_where_it_was_when_that_is_undone(gone: Booted, blow: str) -> None:
    a, _, c = gone.images
    gone.guest.write(30, 0x44)
    new = gone.graph(a, gone.image("new"), c)
    arguments = (gone.name, gone.alias, gone.nodes, new)
    if blow == "refused":
        assert gone.bench.call(live_faults.broken_undo, *arguments, 1)["state"] == "old"
    else:
        at = "close the quorum as it was"
        assert gone.bench.call(live_faults.signalled, *arguments, at) == 15
    assert gone.state() == gone.settled()
    gone.guest.write(31, 0x55)
    gone.swap(new)
    assert gone.guest.read(30).first == b"\x44" * 16
    assert gone.guest.read(31).first == b"\x55" * 16


def test_an_undo_that_fails_says_so_and_leaves_the_guest_paused(fresh: Booted) -> None:
    new = fresh.graph(*fresh.images, threshold=3)
    arguments = (fresh.name, fresh.alias, fresh.nodes, new)
    found = fresh.bench.call(live_faults.broken_undo, *arguments)
    assert found["state"] == "between"
    assert not found["running"]
    assert found["note"]
    assert found["text"].count("QEMU says to 'blockdev-add'") == 2
    assert "then it could not be undone to close the quorum as it was" in found["text"]
    assert found["text"].endswith(
        f"; the guest is paused, and its disk '{fresh.target}' is at a stand-in, where every "
        "request is an error: do not resume it; take away what is in the way, and 'virtquorum "
        f"doctor {fresh.name}' gives it its disk back and lets it run"
    )


def test_what_is_undone_at_the_second_attempt_is_undone(fresh: Booted) -> None:
    """Somebody had an image open for a moment, say."""
    new = fresh.graph(*fresh.images, threshold=3)
    arguments = (fresh.name, fresh.alias, fresh.nodes, new)
    found = fresh.bench.call(live_faults.broken_undo, *arguments, 2)
    assert found["state"] == "old"
    assert found["text"].endswith("; all is as it was before")
    assert fresh.state() == fresh.settled()
    assert fresh.guest.read(DATA).first.startswith(CONTENT)


def test_a_note_of_a_change_that_was_cut_short_is_respected(fresh: Booted) -> None:
    new = fresh.graph(*fresh.images, threshold=3)
    fresh.bench.call(live_faults.broken_undo, fresh.name, fresh.alias, fresh.nodes, new)
    with pytest.raises(CallError, match="its disk is not as it should be"):
        fresh.bench.call(live.swapped, fresh.name, fresh.alias, fresh.nodes, new, {})


@pytest.mark.parametrize("at", ["pause the guest", "open the quorum as it shall be"])
def test_a_guest_that_ends_meanwhile(bench: Embed, at: str) -> None:
    booted = Booted(bench, f"ends-{at[:5]}")
    new = booted.graph(*booted.images, threshold=3)
    arguments = (booted.name, booted.alias, booted.nodes, new, at)
    found = bench.call(live_faults.killed_qemu, *arguments)
    assert (found["state"], found["gone"]) == ("old", "domain"), found
    assert f"cannot {at}: domain '{booted.name}': " in found["text"]


def test_a_guest_that_ends_after_the_change(bench: Embed) -> None:
    booted = Booted(bench, "ends-after")
    new = booted.graph(*booted.images, threshold=3)
    at = "close what is not needed any more"
    arguments = (booted.name, booted.alias, booted.nodes, new, at)
    assert bench.call(live_faults.killed_qemu, *arguments) == {"state": None}
