"""Changes of quorum disks that meet others, or end in the copy: nothing stale ever votes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.guests import DATA
from tests.host import disturbing, live
from tests.host.live_guests import Booted
from tests.host.patching import Web
from tests.host.quorum_domains import quorum_disk
from tests.host.test_plug import Plug
from tests.libvirts import CallError, GoneError, asked, embed, missing_for_embed
from virtquorum.cli.connection import observer
from virtquorum.host.change import Course, Plan, Step, apply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.libvirts import Embed

pytestmark = pytest.mark.skipif(missing_for_embed() is not None, reason=str(missing_for_embed()))

BOTH = {"live": True, "config": True}
NONE = [None, None, None]


@pytest.fixture(scope="module")
def bench() -> Iterator[Embed]:
    with embed() as bench:
        yield bench


@pytest.fixture(scope="module")
def web(bench: Embed) -> Web:
    return Web(bench, "met")


@pytest.fixture(scope="module")
def booted(bench: Embed) -> Booted:
    return Booted(bench, "halfway", buses=("scsi",))


def member(path: object) -> dict[str, str]:
    return {"file": str(path), "format": "raw"}


def settled(web: Web, disk: list[Any]) -> dict[str, Any]:
    """The state of a domain with a quorum, and with nothing else."""
    return {
        "config": {web.target: disk},
        "live": {web.target: disk},
        "wrong": [],
        "strays": [],
        "note": False,
        "running": True,
        "files": [f"{web.name}-{web.target}.placeholder"],
    }


def test_a_process_that_is_killed_in_the_copy_leaves_the_old_definition(bench: Embed) -> None:
    web = Web(bench, "cut")
    old = [2, NONE, [str(one) for one in web.images]]
    web.guest.write(40, 0xAA)
    change = ("replace_member", [web.target, "0", member(web.image("new"))], BOTH)
    with pytest.raises(GoneError):
        bench.call(disturbing.killed_in_the_copy, web.name, change)
    bench.kill_worker()
    state = web.state()
    assert state["note"]
    assert (state["config"], state["live"]) == ({web.target: old}, {web.target: old})
    bench.call(asked.destroy, web.name)
    assert bench.virtquorum("start", web.name).returncode == 0
    web.guest.booted(2)
    assert web.guest.read(40).first == b"\xaa" * 16
    assert web.state() == settled(web, old)


@pytest.mark.parametrize("operation", ["add_member", "replace_member"])
def test_the_definition_names_a_new_member_when_that_has_everything(
    web: Web, operation: str
) -> None:
    new = member(web.image("late"))
    arguments = [web.target, [new]] if operation == "add_member" else [web.target, "0", new]
    titles = web.bench.call(disturbing.titles, web.name, (operation, arguments, BOTH))
    wanted = ["copy the disk to the new members", "pause the guest", "end the copying",
              f"define '{web.name}'", "let the guest run again"]  # fmt: skip
    assert [one for one in titles if one in wanted] == wanted


def test_of_two_changes_that_were_planned_together_one_is_made(web: Web) -> None:
    images = [str(one) for one in web.images]
    scopes: list[dict[str, bool]] = [BOTH, {"live": True}]
    for scope in scopes:
        first = ("set_quorum", [web.target, {"threshold": 3}], scope)
        second = ("remove_member", [web.target, "2"], BOTH)
        said = web.bench.call(disturbing.both, web.name, first, second)
        assert said[0] is None
        assert "was changed meanwhile; try again; all is as it was before" in said[1]
        state = web.state()
        assert state["live"] == {web.target: [3, NONE, images]}
        assert not state["note"]
        web.patch("set_quorum", web.target, {"threshold": 2}, **scope)
    assert web.state() == settled(web, [2, NONE, images])


def test_two_changes_of_a_definition_that_were_planned_together(web: Web) -> None:
    changes = [("set_quorum", [web.target, one], {"config": True})
               for one in ({"threshold": 3}, {"rewrite_corrupted": True})]  # fmt: skip
    said = web.bench.call(disturbing.both, web.name, *changes)
    assert said[0] is None
    assert "its definition was changed meanwhile; try again; all is as it was before" in said[1]
    images = [str(one) for one in web.images]
    assert web.state()["config"] == {web.target: [3, NONE, images]}
    web.patch("set_quorum", web.target, {"threshold": 2}, config=True)


@pytest.mark.parametrize("at", [None, "copy the disk to the new members"])
def test_a_definition_that_is_changed_by_hand_meanwhile(web: Web, at: str | None) -> None:
    before = web.state()
    change = ("add_member", [web.target, [member(web.image("hand"))]], BOTH)
    title = "<title>by hand</title>"
    try:
        said = web.bench.call(disturbing.titled_by_hand, web.name, change, at)
        assert "its definition was changed meanwhile; try again; all is as it was before" in said
        assert web.state() == before
        assert title in web.bench.call(asked.xml, web.name, True)
    finally:
        web.bench.run("virsh", "-c", web.bench.uri, "desc", web.name, "--config", "--title", "")


def test_two_changes_that_begin_in_one_moment(web: Web) -> None:
    before = web.state()
    change = ("set_quorum", [web.target, {"threshold": 3}], BOTH)
    said = web.bench.call(disturbing.begun_together, web.name, change)
    assert "another change of its disks begins just now; try again" in said
    assert web.state() == before


def test_what_is_saved_in_the_copy_would_come_back_with_it(web: Web) -> None:
    change = ("add_member", [web.target, [member(web.image("saving"))]], {"live": True})
    said = web.bench.call(disturbing.saved_in_the_copy, web.name, change)
    assert len(said) == 2, "it was saved"
    assert web.state()["running"]
    web.patch("remove_member", web.target, "3", live=True)


def test_a_read_only_quorum_is_neither_plugged_in_nor_copied(bench: Embed) -> None:
    web = Web(bench, "fixed", "scsi")
    before = web.state()
    images = [web.image(f"fixed-{one}") for one in range(3)]
    disk = quorum_disk("sdb", images, bus="scsi", boot=None, inner="<readonly/>")
    with pytest.raises(CallError, match="no read-only quorum into a guest that runs; leave out"):
        web.patch("attach", disk, live=True)
    assert web.state() == before
    web.patch("attach", disk, config=True)
    bench.call(asked.destroy, web.name)
    assert bench.virtquorum("start", web.name).returncode == 0
    web.guest.booted(2)
    before = web.state()
    with pytest.raises(CallError, match="shut the guest down and change it then, or say --no-copy"):
        web.patch("replace_member", "sdb", "2", member(web.image("other")), live=True)
    assert web.state() == before


class TestMending:
    """Plugs that were cut short, and cannot be brought to an end."""

    def test_a_graph_that_is_not_there_is_not_built(self, booted: Booted) -> None:
        plug = Plug(booted, "sdb", "scsi")
        found = self._mended(booted, plug, plug.nodes, [])
        assert (found["goal"], found["said"]) == ("old", None)
        assert not found["plugged"]
        assert found["running"]
        assert not found["note"]

    def test_a_guest_is_not_left_paused_by_it(self, booted: Booted) -> None:
        plug = Plug(booted, "sdc", "scsi")
        images = [booted.image(f"large-{one}", size=8 << 20) for one in range(3)]
        larger = live.graph(*images, target="sdc")
        found = self._mended(booted, plug, larger, larger)
        assert found["goal"] == "new"
        assert "a disk does not change its size under a guest" in found["said"]
        assert found["running"]
        assert booted.guest.read(DATA).status == 0

    def _mended(
        self, booted: Booted, plug: Plug, new: live.Flat, opened: live.Flat
    ) -> dict[str, Any]:
        arguments = (booted.name, plug.alias, plug.xml, new, opened)
        found: dict[str, Any] = booted.bench.call(disturbing.half_plugged, *arguments)
        return found

    def test_a_node_of_another_image_is_another_node(self, booted: Booted) -> None:
        other = booted.image("other")
        nodes = [dict(one) for one in booted.nodes]
        nodes[0]["filename"] = str(other)
        assert booted.state(other=nodes)["is"] == ["now"]

    def test_a_node_of_another_server_is_another_node(self, booted: Booted) -> None:
        socket = booted.bench.folder / "nbd.socket"
        image = booted.image("exported")
        held = booted.bench.held.start(
            ["qemu-nbd", "-t", "-f", "raw", "-x", "one", "-k", str(socket), str(image)]
        )
        assert held is not None
        place = (
            "<backingStore type='network'><format type='raw'/><source protocol='nbd' name='{}'>"
            f"<host transport='unix' socket='{socket}'/></source></backingStore>"
        )
        before = booted.nodes
        new, other = (
            booted.graph(*booted.images[:2], place.format(one)) for one in ("one", "another")
        )
        names = {one["node-name"]: mine["node-name"] for one, mine in zip(other, new, strict=True)}
        other = [_renamed(one, names) for one in other]
        booted.swap(new)
        assert booted.state(other=other)["is"] == ["now"]
        booted.swap(before)


def _renamed(one: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """A node with other names, its own and those of its children."""
    return {
        key: [names.get(child, child) for child in value]
        if key == "children"
        else names.get(value, value)
        if isinstance(value, str)
        else value
        for key, value in one.items()
    }


def test_nothing_is_said_while_the_guest_is_paused() -> None:
    said: list[str] = []

    class Told:
        def progress(self, text: str) -> None:
            said.append(text)

    plan = Plan(title="x", domain="x", steps=tuple(_Named(one) for one in
                ("first", "pause", "between", "resume", "last")))  # fmt: skip
    apply(plan, observer(Told()))  # type: ignore[arg-type]
    assert said == ["first", "first: 50 %", "pause", "last", "last: 50 %"]
    said.clear()
    failing = Plan(title="x", domain="x", steps=tuple(_Named(one) for one in
                   ("first", "pause", "between", "broken")))  # fmt: skip
    with pytest.raises(ZeroDivisionError):
        apply(failing, observer(Told()))  # type: ignore[arg-type]
    assert said == ["first", "first: 50 %", "pause", "undoing: first"]


class _Named(Step):
    """A step that does nothing."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.pauses = name == "pause"
        self.resumes = name == "resume"

    @property
    def title(self) -> str:
        return self.name

    def do(self, course: Course) -> None:
        if self.name == "broken":
            raise ZeroDivisionError
        if not self.resumes:
            course.progress(1, 2)

    def undo(self) -> None:
        pass


def test_a_member_whose_image_is_gone_is_replaced(bench: Embed) -> None:
    """Just what a quorum is for: a disk was pulled out, and another takes its place."""
    web = Web(bench, "pulled")
    a, b, c = web.images
    b.unlink()
    web.guest.write(40, 0x5A)
    new = web.image("instead")
    words = ("member", "replace", web.target, str(b), "--file", str(new), "--format", "raw")
    done = bench.virtquorum("patch", web.name, *words, "--live", "--config", "--yes")
    assert done.returncode == 0, done.stderr
    images = [str(a), str(new), str(c)]
    assert web.state() == settled(web, [2, NONE, images])
    assert web.guest.read(40).first == b"\x5a" * 16
    assert new.read_bytes() == a.read_bytes()
    bench.call(asked.destroy, web.name)
    assert bench.virtquorum("start", web.name).returncode == 0
    web.guest.booted(2)
    assert web.guest.read(40).first == b"\x5a" * 16
