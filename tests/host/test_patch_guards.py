"""Changes of quorum disks that are refused or asked about, that fail, and what comes after them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.guests import DATA
from tests.host import patching
from tests.host.patching import BOTH, SIZE, Web, a_guest, member, refused
from tests.host.quorum_domains import DATA_TEXT, quorum_disk
from tests.libvirts import CallError, Guest, asked, embed, missing_for_embed
from tests.libvirts.bench import until
from tests.libvirts.domains import disk_content, disk_xml, guest_xml
from tests.libvirts.virtio import give_up
from tests.nightly import NIGHTLY
from tests.programs import qemu_img

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.libvirts import Embed

pytestmark = pytest.mark.skipif(missing_for_embed() is not None, reason=str(missing_for_embed()))


@pytest.fixture(scope="module")
def bench() -> Iterator[Embed]:
    with embed() as bench:
        yield bench


@pytest.fixture(scope="module")
def web(bench: Embed) -> Web:
    """A guest that no test leaves otherwise than it was."""
    return Web(bench, "web", "scsi")


@pytest.fixture
def fresh(bench: Embed, request: pytest.FixtureRequest) -> Iterator[Web]:
    """A guest of a test's own; what it says is kept by its name."""
    with a_guest(bench, f"fresh-{len(request.node.name)}", "virtio") as found:
        yield found


def test_a_threshold_above_the_members(web: Web) -> None:
    text = refused(web, "set_quorum", "sda", {"threshold": 4}, **BOTH)
    assert text.startswith("cannot set threshold 4 of 'sda' in 'web': the threshold is 4, but ")


def test_a_removal_below_the_threshold(web: Web) -> None:
    web.patch("remove_member", "sda", "2", **BOTH)
    text = refused(web, "remove_member", "sda", "1", **BOTH)
    assert text == (
        "in the running domain: the quorum 'sda' would have 1 member, and its threshold is 2; "
        "replace the member instead, or lower the threshold as well: --threshold 1"
    )
    web.patch("remove_member", "sda", "1", threshold=1, **BOTH)
    assert web.state()["live"]["sda"][0] == 1
    text = refused(web, "remove_member", "sda", "0", live=True)
    assert text.endswith("stock disk of the quorum: virtquorum convert web sda --back")
    web.patch("add_member", "sda", [member(web.images[1])], threshold=2, **BOTH)
    web.patch("add_member", "sda", [member(web.images[2])], **BOTH)


def test_the_last_good_member(web: Web) -> None:
    web.patch("set_quorum", "sda", {"threshold": 1}, live=True)
    text = refused(web, "remove_member", "sda", "2", live=True, bad=["0", "1"])
    assert "only 0 would be left that are not known to be bad" in text
    web.patch("set_quorum", "sda", {"threshold": 2}, live=True)


def test_a_member_of_another_size(web: Web) -> None:
    small = web.image("small", size=SIZE // 2)
    for options in (BOTH, {"config": True}):
        text = refused(web, "add_member", "sda", [member(small)], **options)
        assert f"cannot add '{small}' to 'sda' in 'web': " in text
        assert "size" in text
    text = refused(web, "add_member", "sda", [member(small)], live=True, checks=False)
    assert "differ in size" in text


def test_an_image_twice(web: Web) -> None:
    text = refused(web, "add_member", "sda", [member(web.images[0])], **BOTH)
    assert "would vote twice (VQ205)" in text


def test_an_image_that_is_missing_or_in_use(web: Web, fresh: Web) -> None:
    gone = web.bench.folder / "gone"
    text = refused(web, "replace_member", "sda", "0", member(gone), **BOTH)
    assert f"image '{gone}': " in text
    text = refused(web, "replace_member", "sda", "0", member(fresh.images[0]), **BOTH)
    assert f"is in use by the running domain '{fresh.name}'" in text


def test_a_vote_that_could_end_in_a_tie_is_asked_about(web: Web) -> None:
    new = web.image("fourth")
    said = web.patch("add_member", "sda", [member(new)], dry=True, **BOTH)
    assert said["lost"] == [
        "'sda' would have a threshold of 2 with 4 members, which is no majority: two answers could "
        "both have votes enough, and the later members' would be taken; '--threshold 3' makes it "
        "one"
    ]
    assert said["findings"] == ["VQ106"]
    said = web.patch("set_quorum", "sda", {"threshold": 1}, dry=True)
    assert len(said["lost"]) == 1
    said = web.patch("set_quorum", "sda", {"threshold": 1, "read_pattern": "fifo"}, dry=True)
    assert said["lost"] == []


def test_words_that_mean_nothing_or_too_much(web: Web) -> None:
    for word in ("3", "nothing", "/nothing"):
        text = refused(web, "remove_member", "sda", word)
        assert f"0 ('{web.images[0]}'), 1 ('{web.images[1]}'), 2 ('{web.images[2]}')" in text
    assert "'sda/0' names no quorum" in refused(web, "remove_member", "sda/0", "0")
    assert "has no disk 'vdz'; its quorum disks are: 'sda'" in refused(web, "detach", "vdz")
    assert "named twice" in refused(web, "reorder_members", "sda", ["1", "1"])
    assert "there is no place 4" in refused(
        web, "add_member", "sda", [member(web.image("x"))], at=4
    )


def test_numbers_that_mean_different_members_live_and_in_the_definition(web: Web) -> None:
    web.patch("reorder_members", "sda", ["2"], config=True)
    text = refused(web, "remove_member", "sda", "2", **BOTH)
    assert (
        f"what is named is '{web.images[2]}' in the running domain, and '{web.images[1]}'" in text
    )
    web.patch("reorder_members", "sda", ["1", "2", "0"], config=True)


def test_a_disk_that_is_only_in_the_definition(web: Web) -> None:
    images = [web.image(f"defined-{one}") for one in range(3)]
    web.patch("attach", quorum_disk("sdd", images, bus="scsi", boot=None), config=True)
    text = refused(web, "detach", "sdd", **BOTH)
    assert text.startswith("in the running domain: domain 'web' has no disk 'sdd'")
    web.patch("detach", "sdd", config=True)


def test_a_paused_guest_stays_paused(web: Web) -> None:
    web.bench.virsh("suspend", "web")
    web.patch("set_quorum", "sda", {"threshold": 3}, **BOTH)
    state = web.state()
    assert (state["live"]["sda"][0], state["running"]) == (3, False)
    web.bench.virsh("resume", "web")
    web.patch("set_quorum", "sda", {"threshold": 2}, **BOTH)
    assert web.state()["running"]


def test_a_node_name_names_a_member(web: Web) -> None:
    nodes = web.bench.looked_up("web")["nodes"]
    name = next(one for one, node in nodes.items()
                if node["file"] == str(web.images[1]) and node["drv"] == "raw"
                and one.startswith("vq-sda-"))  # fmt: skip
    web.patch("reorder_members", "sda", [name], **BOTH)
    assert web.state()["live"]["sda"][2][0] == str(web.images[1])
    web.patch("reorder_members", "sda", [str(web.images[0])], **BOTH)


def test_nothing_to_change(web: Web) -> None:
    assert "it is so already" in refused(web, "set_quorum", "sda", {"threshold": 2}, **BOTH)
    assert "it is so already" in refused(web, "reorder_members", "sda", ["0", "1"])


def test_targets_and_kinds_of_disks(web: Web) -> None:
    images = [web.image(f"again-{one}") for one in range(3)]
    text = refused(web, "attach", quorum_disk("sda", images, bus="scsi"), **BOTH)
    assert "has a disk 'sda' already" in text
    text = refused(web, "attach", disk_xml("sdb", images[0], bus="scsi"), **BOTH)
    assert "'virsh attach-device web FILE' plugs such a disk in" in text


def test_a_dry_run_changes_nothing(web: Web) -> None:
    before = web.state()
    images = [web.image(f"dry-{one}") for one in range(3)]
    said = web.patch("attach", quorum_disk("sdb", images, bus="scsi", boot=None), dry=True, **BOTH)
    text = "\n".join(said["lines"])
    assert "+    <disk type='quorum' threshold='2' device='disk'>" in text
    assert '"execute":"blockdev-add"' in text
    assert "libvirt: attach-device --live web" in text
    assert web.state() == before


def test_a_fault_at_any_call_leaves_both_old_or_both_new(web: Web) -> None:
    old = web.state()
    arguments = ["web", "set_quorum", ["sda", {"threshold": 1}], BOTH,
                 ["set_quorum", ["sda", {"threshold": 2}]], 1 if NIGHTLY else 3]  # fmt: skip
    found = web.bench.call(patching.faults, *arguments)
    assert len(found) > 8
    for one in found:
        said = one.pop("said")
        if said is None or said.startswith("new"):
            assert [one[key]["sda"][0] for key in ("live", "config")] == [1, 1], said
        else:
            assert said.startswith("old"), said
            assert one == old
    assert web.state() == old


def test_a_fault_while_a_disk_is_plugged_in(web: Web) -> None:
    old = web.state()
    images = [web.image(f"faulty-{one}") for one in range(3)]
    arguments = ["web", "attach", [quorum_disk("sdc", images, bus="scsi", boot=None)], BOTH,
                 ["detach", ["sdc"]], 4]  # fmt: skip
    found = web.bench.call(patching.faults, *arguments)
    for one in found:
        said = one.pop("said")
        is_new = said is None or said.startswith("new")
        assert ["sdc" in one[key] for key in ("live", "config")] == [is_new, is_new], said
        assert is_new or one == old, said
    assert web.state() == old


def test_a_guest_that_does_not_answer_keeps_its_disk_and_may_let_go_later(fresh: Web) -> None:
    images = [fresh.image(f"vdb-{one}") for one in range(3)]
    fresh.patch("attach", quorum_disk("vdb", images, boot=None), **BOTH)
    text = refused(fresh, "detach", "vdb", seconds=0.2, **BOTH)
    assert "has not let go of the disk 'ua-vq-vdb' within 0.2 seconds" in text
    assert text.endswith("all is as it was before")
    # It answers when nobody waits any more: what is left is tidied away by another attempt.
    assert give_up(fresh.guest, "q35") == 1
    source = f"<source file='{fresh.bench.root}/virtquorum/{fresh.name}-vdb.placeholder'"
    until(
        lambda: source not in fresh.bench.call(asked.xml, fresh.name),
        lambda: "libvirt has the disk still",
    )
    fresh.patch("detach", "vdb", **BOTH)
    state = fresh.state()
    assert [list(state[key]) for key in ("live", "config")] == [["vda"], ["vda"]]
    assert (state["wrong"], state["strays"], state["note"]) == ([], [], False)
    assert state["files"] == [f"{fresh.name}-vda.placeholder"]


def test_a_changed_guest_is_not_saved_and_the_next_start_is_as_defined(fresh: Web) -> None:
    new = fresh.image("new")
    said = fresh.patch("replace_member", "vda", "2", member(new), **BOTH)
    assert "cannot be saved or migrated any more until it is shut down" in said["notes"][-1]
    with pytest.raises(AssertionError, match="job 'domain save' unexpectedly failed"):
        fresh.bench.virsh("save", fresh.name, fresh.bench.folder / "saved")
    assert fresh.guest.write(30, 0x44) == 0
    assert fresh.guest.read(30).first == b"\x44" * 16
    assert fresh.state()["wrong"] == []
    fresh.bench.call(asked.destroy, fresh.name)
    fresh.bench.call(asked.start, fresh.name)
    fresh.guest.booted(2)
    assert fresh.guest.read(30).first == b"\x44" * 16
    state = fresh.state()
    assert state["live"] == state["config"]
    assert state["wrong"] == []
    fresh.bench.virsh("save", fresh.name, fresh.bench.folder / "saved")
    fresh.bench.virsh("restore", fresh.bench.folder / "saved")
    assert fresh.guest.read(30).first == b"\x44" * 16


def test_a_domain_that_is_off(fresh: Web) -> None:
    fresh.guest.write(31, 0x55)
    fresh.bench.call(asked.destroy, fresh.name)
    text = refused(fresh, "set_quorum", "vda", {"threshold": 1}, live=True)
    assert "is shut off" in text
    assert "'--config' changes its definition" in text
    raw, qcow2 = fresh.image("filled", b"\xff" * SIZE), fresh.bench.folder / "filled.qcow2"
    qemu_img("create", "-q", "-f", "qcow2", qcow2, SIZE)
    said = fresh.patch("add_member", "vda", [member(raw), member(qcow2, "qcow2")])
    assert [line for line in said["lines"] if "qemu-img convert" in line]
    assert raw.read_bytes() == fresh.images[0].read_bytes()
    qemu_img("compare", "-f", "raw", "-F", "qcow2", raw, qcow2)
    fresh.patch("set_quorum", "vda", {"threshold": 5})
    fresh.bench.call(asked.start, fresh.name)
    fresh.guest.booted(2)
    assert fresh.guest.read(31).first == b"\x55" * 16


def test_a_copy_that_fails_while_the_domain_is_off(fresh: Web) -> None:
    fresh.bench.call(asked.destroy, fresh.name)
    for one in fresh.images[:2]:
        one.write_bytes(one.name[-8:].encode().ljust(8) + one.read_bytes()[8:])
    text = refused(fresh, "add_member", "vda", [member(fresh.image("new"))])
    assert text.startswith("cannot copy the disk to the new member '")
    assert text.endswith("all is as it was before")


def test_a_domain_without_a_definition(bench: Embed) -> None:
    image = bench.image("plain", content=disk_content(DATA_TEXT))
    xml = guest_xml(bench, "plain", disk_xml("vda", image), buses=["scsi"])
    bench.call(asked.create, xml)
    guest = Guest(bench, "plain")
    guest.booted()
    images = [bench.image(f"plain-{one}") for one in range(3)]
    disk = quorum_disk("sdb", images, bus="scsi", boot=None)
    patch = ["plain", "attach", [disk]]
    with pytest.raises(CallError, match="has no definition"):
        bench.call(patching.ran, *patch, dict(BOTH))
    bench.call(patching.ran, *patch, {})
    state = bench.call(patching.state, "plain")
    assert state["live"] == {"sdb": [2, [None] * 3, [str(one) for one in images]]}
    assert (state["config"], state["wrong"], state["strays"]) == (None, [], [])
    assert guest.read(DATA).first.startswith(DATA_TEXT[:16])
    bench.call(patching.ran, "plain", "detach", ["sdb"], {})
    state = bench.call(patching.state, "plain")
    assert (state["live"], state["strays"], state["files"]) == ({}, [], [])
    assert "virtquorum" not in bench.call(asked.xml, "plain")
    bench.call(asked.destroy, "plain")


def test_quorums_in_a_quorum(bench: Embed) -> None:
    images = [bench.image(f"deep-{one}", content=disk_content(DATA_TEXT)) for one in range(4)]
    store = "<backingStore type='file'><format type='raw'/><source file='{}'/></backingStore>"
    inner = "".join(store.format(one) for one in images[1:])
    nested = (
        f"<backingStore type='quorum' threshold='2'><format type='quorum'/>{inner}</backingStore>"
    )
    disk = (
        f"<disk type='quorum' threshold='1' device='disk'><driver name='qemu' type='quorum'/>"
        f"{store.format(images[0])}{nested}<target dev='vda' bus='virtio'/><boot order='1'/></disk>"
    )
    bench.call(patching.run, guest_xml(bench, "deep", disk))
    guest = Guest(bench, "deep")
    guest.booted()
    with guest.turning(20) as turns:
        bench.call(patching.ran, "deep", "set_quorum", ["vda/1", {"threshold": 3}], dict(BOTH))
        bench.call(patching.ran, "deep", "reorder_members", ["vda/1", ["2"]], dict(BOTH))
    assert turns.status == 0
    state = bench.call(patching.state, "deep")
    assert (state["wrong"], state["strays"]) == ([], [])
    for inactive in (False, True):
        text = bench.call(asked.xml, "deep", inactive)
        at = [text.index(f"{one}", text.index('threshold="3"')) for one in images[1:]]
        assert at[2] < at[0] < at[1]
    bench.call(asked.destroy, "deep")
