"""From one graph to another: laws of the comparison, against QEMU's rules in a few lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.host.live import Flat, graph, member
from virtquorum.errors import HostError
from virtquorum.host.compare import Difference, children_of, edges, name_of
from virtquorum.host.guards import check_votes, unfilled

if TYPE_CHECKING:
    from collections.abc import Iterable

PATHS = st.sampled_from(["/a", "/b", "/c", "/d"])


@st.composite
def members(draw: st.DrawFn, depth: int = 2) -> list[str]:
    """Members of a quorum: raw images, overlays, quorums."""
    found = []
    for path in draw(st.lists(PATHS, min_size=1, max_size=4, unique=True)):
        kind = draw(st.sampled_from(["raw", "raw", "named", "qcow2", "overlay", "quorum"]))
        match kind:
            case "raw":
                found.append(member(path))
            case "named":
                nodename = draw(st.sampled_from(["one", "two", "three"])) + path[1:]
                one = member(path).replace(
                    "<backingStore ", f"<backingStore nodename='{nodename}' "
                )
                found.append(one)
            case "qcow2":
                found.append(member(path, "qcow2"))
            case "overlay":
                found.append(member(path, "qcow2", member("/base")))
            case _:
                found.append(
                    "<backingStore type='quorum' threshold='1'><format type='quorum'/>"
                    f"{member(path)}{member(path + 'x')}</backingStore>"
                )
    return found


@st.composite
def graphs(draw: st.DrawFn) -> Flat:
    found = draw(members())
    threshold = draw(st.integers(1, len(found)))
    driver = draw(st.sampled_from(["type='quorum'", "type='qcow2'", "type='quorum' cache='none'"]))
    return graph(*found, threshold=threshold, driver=driver)


class Qemu:
    """What QEMU minds: names, children that are there, nodes in use, images open twice."""

    def __init__(self) -> None:
        self.nodes: dict[str, dict[str, Any]] = {}

    def open(self, nodes: Iterable[dict[str, Any]]) -> None:
        for one in nodes:
            assert name_of(one) not in self.nodes, "duplicate"
            for child in children_of(one):
                assert child in self.nodes, "no such child"
                is_quorum = one["driver"] == "quorum"
                assert not (is_quorum and self.parents(child)), "two writers"
            self.nodes[name_of(one)] = one
            self.check_images()

    def close(self, nodes: Iterable[dict[str, Any]]) -> None:
        for one in reversed(list(nodes)):
            assert not self.parents(name_of(one)), "in use"
            del self.nodes[name_of(one)]

    def parents(self, name: str) -> list[str]:
        return [parent for parent, _, child in edges(self.nodes.values()) if child == name]

    def check_images(self) -> None:
        writers = [
            self.nodes[one["file"]]["filename"]
            for one in self.nodes.values()
            if isinstance(one.get("file"), str)
            and "filename" in self.nodes[one["file"]]
            and not one["read-only"]
        ]
        assert len(writers) == len(set(writers)), "an image that two write to"


@given(old=graphs(), new=graphs())
def test_qemu_minds_nothing_on_the_way(old: Flat, new: Flat) -> None:
    between = Difference.of(old, new)
    qemu = Qemu()
    qemu.open(old)
    qemu.open(between.early)
    qemu.close(between.closed)
    qemu.open(between.late)
    qemu.close(between.leftover)
    assert sorted(qemu.nodes) == sorted(name_of(one) for one in new)
    assert all(qemu.nodes[name_of(one)] == one for one in new)


@given(old=graphs(), new=graphs())
def test_the_way_back_from_the_pause(old: Flat, new: Flat) -> None:
    between = Difference.of(old, new)
    qemu = Qemu()
    qemu.open(old)
    qemu.open(between.early)
    qemu.close(between.closed)
    qemu.open(between.late)
    qemu.close(between.late)
    qemu.open(between.closed)
    qemu.close(between.early)
    assert sorted(qemu.nodes) == sorted(name_of(one) for one in old)


@given(old=graphs())
def test_equal_graphs_do_not_differ(old: Flat) -> None:
    between = Difference.of(old, old)
    assert between.is_empty
    assert list(between.kept) == [name_of(one) for one in old]


def test_a_changed_threshold_closes_one_node() -> None:
    old, new = graph("/a", "/b", "/c"), graph("/a", "/b", "/c", threshold=3)
    between = Difference.of(old, new)
    assert (between.early, between.leftover) == ((), ())
    assert [name_of(one) for one in between.closed] == ["vq-vda"]
    assert [name_of(one) for one in between.late] == ["vq-vda"]


def test_a_new_member_is_opened_early_and_an_old_one_closed_late() -> None:
    between = Difference.of(graph("/a", "/b", "/c"), graph("/a", "/b", "/d"))
    assert [one.get("filename") for one in between.early] == ["/d", None]
    assert [one.get("filename") for one in between.leftover] == ["/c", None]


def test_a_disk_that_becomes_a_quorum_has_its_image_opened_late() -> None:
    old: Flat = [
        {"driver": "file", "node-name": "libvirt-1-storage", "filename": "/a"},
        {"driver": "qcow2", "node-name": "libvirt-1-format", "read-only": False,
         "file": "libvirt-1-storage"},
    ]  # fmt: skip
    new = graph(member("/a", "qcow2"), "/b")
    between = Difference.of(old, new)
    assert [one.get("filename") for one in between.late] == ["/a", None, None]
    assert [name_of(one) for one in between.closed] == ["libvirt-1-storage", "libvirt-1-format"]
    (target,) = unfilled("web", old, new, between)
    (storage,) = (one for one in new if one.get("filename") == "/b")
    assert f"{target}-s" == storage["node-name"]


@given(old=members(), new=members())
def test_what_is_copied_to_was_no_member_before(old: list[str], new: list[str]) -> None:
    # Every image is raw or none, so that no content can change its format.
    before, after = (graph(*sides, threshold=1) for sides in (_raw(old), _raw(new)))
    between = Difference.of(before, after)
    targets = unfilled("web", before, after, between)
    early = {name_of(one) for one in between.early}
    was = {name for one in before if one["driver"] == "quorum" for name in children_of(one)}
    assert early.issuperset(targets)
    assert was.isdisjoint(targets)


def _raw(members: list[str]) -> list[str]:
    return [one for one in members if "qcow2" not in one] or [member("/a")]


def test_an_image_is_not_read_in_another_format() -> None:
    old, new = graph("/a", "/b", "/c"), graph("/a", "/b", member("/c", "qcow2"))
    with pytest.raises(HostError, match="both are open while it is copied to"):
        unfilled("web", old, new, Difference.of(old, new))


def test_a_new_member_below_a_format_is_not_copied_to() -> None:
    old = graph("/a", "/b", driver="type='qcow2'")
    new = graph("/a", "/b", "/c", driver="type='qcow2'")
    with pytest.raises(HostError, match="below a format"):
        unfilled("web", old, new, Difference.of(old, new))
    changed = graph("/b", "/a", driver="type='qcow2' cache='none'")
    assert unfilled("web", old, changed, Difference.of(old, changed)) == []


def test_votes_that_cannot_be_won() -> None:
    three = graph("/a", "/b", "/c")
    names = three[-1]["children"]
    check_votes("web", three, graph("/a", "/b", threshold=2), [])
    check_votes("web", three, graph("/a", "/b", threshold=2), names[2:])
    with pytest.raises(HostError, match=f"only 1 would be left that is not known.*'{names[0]}'"):
        check_votes("web", three, graph("/a", "/b", threshold=2), names[:1])
    check_votes("web", three, graph("/b", "/c", "/d", threshold=2), names[:2])
    with pytest.raises(HostError, match="only 0 would be left"):
        check_votes("web", three, graph("/a", "/b", threshold=1), names[:2])
