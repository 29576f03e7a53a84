"""Every change of a quorum disk, on every frontend, while the guest runs and in the definition."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.guests import DATA
from tests.host.patch_table import BUSES, PLUGGED, SCOPES, Verified
from tests.host.patching import SIZE, Web
from tests.host.quorum_domains import DATA_TEXT, quorum_disk, virtquorum
from tests.libvirts import CallError, asked, embed, missing_for_embed
from tests.libvirts.domains import disk_content
from tests.libvirts.virtio import give_up

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.libvirts import Embed

pytestmark = pytest.mark.skipif(missing_for_embed() is not None, reason=str(missing_for_embed()))

NONE = [None, None, None]
BOTH = SCOPES["both"]
#: What expect() looks at, and what else is looked at.
STATE = "block graph, policies, order of the members, record, definition"
GUEST = "the guest writes and reads"
BYTES = "the new member's bytes"
NEXT = "the next start: who votes, and who is written to"
#: What the tests before the last one have seen.
VERIFIED = Verified()


@pytest.fixture(scope="module")
def bench() -> Iterator[Embed]:
    with embed() as bench:
        yield bench


@pytest.fixture(scope="module", params=BUSES)
def web(bench: Embed, request: pytest.FixtureRequest) -> Web:
    return Web(bench, f"web-{request.param}", request.param)


@pytest.fixture(params=SCOPES)
def scope(request: pytest.FixtureRequest) -> dict[str, bool]:
    chosen: dict[str, bool] = SCOPES[request.param]
    return chosen


def member(path: Path) -> dict[str, str]:
    return {"file": str(path), "format": "raw"}


def expect(web: Web, scope: dict[str, bool], disk: list[Any], *, more: Any = None) -> None:
    """The guest's disk is so where it was changed, and as it was where not; nothing is left over.

    ``more`` is another disk that there is where the change was made.
    """
    as_it_was = {web.target: [2, NONE, [str(one) for one in web.images]]}
    changed = {web.target: disk, **(more or {})}
    state = web.state()
    assert state["live"] == (changed if scope.get("live") else as_it_was)
    assert state["config"] == (changed if scope.get("config") else as_it_was)
    assert (state["wrong"], state["strays"], state["note"]) == ([], [], False)
    assert state["running"]
    targets = {web.target, *(more or {})}
    assert state["files"] == sorted(f"{web.name}-{one}.placeholder" for one in targets)


def test_set(web: Web, scope: dict[str, bool]) -> None:
    images = [str(one) for one in web.images]
    everything = {"threshold": 1, "read_pattern": "fifo", "rewrite_corrupted": False}
    nothing = {"threshold": 2, "read_pattern": None, "rewrite_corrupted": None}
    with web.guest.turning(20) as turns:
        web.patch("set_quorum", web.target, everything, **scope)
        expect(web, scope, [1, ["fifo", False, None], images])
        web.patch("set_quorum", web.target, nothing, **scope)
    assert turns.status == 0
    assert turns.rounds > 0
    expect(web, scope, [2, NONE, images])
    VERIFIED.saw("set", web.bus, scope, STATE, GUEST)


def test_members_are_added_and_removed(web: Web, scope: dict[str, bool]) -> None:
    a, b, c = (str(one) for one in web.images)
    new = web.image("new", b"\xee" * SIZE)
    with web.guest.turning(21) as turns:
        said = web.patch("add_member", web.target, [member(new)], at=1, **scope)
    assert turns.status == 0
    expect(web, scope, [2, NONE, [a, str(new), b, c]])
    web.guest.write(22, 0x61)
    if scope.get("live"):
        assert "is not blank, and what it holds is overwritten" in said["lost"][-1]
        assert new.read_bytes() == web.images[0].read_bytes()
    else:
        assert "it votes with what it holds from the next start on" in said["lost"][-1]
        assert new.read_bytes() == b"\xee" * SIZE
    VERIFIED.saw("member add", web.bus, scope, STATE, GUEST, BYTES)
    with web.guest.turning(21) as turns:
        web.patch("remove_member", web.target, str(new), **scope)
    assert turns.status == 0
    expect(web, scope, [2, NONE, [a, b, c]])
    assert web.guest.read(DATA).first.startswith(DATA_TEXT[:16])
    VERIFIED.saw("member remove", web.bus, scope, STATE, GUEST)


def test_members_are_replaced(web: Web, scope: dict[str, bool]) -> None:
    a, b, c = (str(one) for one in web.images)
    new = web.image("replacing")
    with web.guest.turning(23) as turns:
        web.patch("replace_member", web.target, "2", member(new), **scope)
    assert turns.status == 0
    expect(web, scope, [2, NONE, [a, b, str(new)]])
    web.guest.write(24, 0x62)
    if scope.get("live"):
        assert new.read_bytes() == web.images[0].read_bytes()
    else:
        assert not any(new.read_bytes())
    with web.guest.turning(23) as turns:  # and back: the old image, stale now, is copied to
        web.patch("replace_member", web.target, "2", member(web.images[2]), **scope)
    assert turns.status == 0
    expect(web, scope, [2, NONE, [a, b, c]])
    if scope.get("live"):
        assert web.images[2].read_bytes() == web.images[0].read_bytes()
    VERIFIED.saw("member replace", web.bus, scope, STATE, GUEST, BYTES)


def test_members_are_reordered(web: Web, scope: dict[str, bool]) -> None:
    a, b, c = (str(one) for one in web.images)
    with web.guest.turning(25) as turns:
        web.patch("reorder_members", web.target, [c], **scope)
        expect(web, scope, [2, NONE, [c, a, b]])
        web.patch("reorder_members", web.target, ["1", b, "0"], **scope)
    assert turns.status == 0
    expect(web, scope, [2, NONE, [a, b, c]])
    VERIFIED.saw("member reorder", web.bus, scope, STATE, GUEST)


def restarted(web: Web) -> None:
    """End the guest and start it again: from its definition."""
    boots = web.guest.said().count("ready\n")
    for command in ("destroy", "start"):
        done = virtquorum(web.bench, command, web.name)
        assert done.code == 0, done.err
    web.guest.booted(boots + 1)


@pytest.mark.parametrize("bus", BUSES)
def test_the_next_start_is_from_the_definition(
    bench: Embed, bus: str, scope: dict[str, bool]
) -> None:
    web = Web(bench, f"next-{bus}-{'-'.join(scope)}", bus)
    a, b, c = web.images
    # Whoever changes the definition alone has seen to the data.
    new = [web.image(f"new-{one}", a.read_bytes() if not scope.get("live") else b"")
           for one in range(2)]  # fmt: skip
    web.patch("add_member", web.target, [member(new[0])], at=0, **scope)
    web.patch("remove_member", web.target, str(a), **scope)
    web.patch("replace_member", web.target, str(b), member(new[1]), **scope)
    web.patch("reorder_members", web.target, [str(c)], **scope)
    web.patch("set_quorum", web.target, {"read_pattern": "quorum"}, **scope)
    policies, voting = (
        (["quorum", None, None], [c, *new]) if scope.get("config") else (NONE, [a, b, c])
    )
    with voting[0].open("r+b") as file:  # it is outvoted by the others, or the guest has no disk
        file.seek(DATA * 512)
        file.write(b"rotten")
    restarted(web)
    state = web.state()
    disk = {web.target: [2, policies, [str(one) for one in voting]]}
    assert (state["live"], state["config"]) == (disk, disk)
    assert (state["wrong"], state["strays"], state["note"]) == ([], [], False)
    assert web.guest.read(DATA).first.startswith(DATA_TEXT[:16])
    assert web.guest.write(40, 0x6B) == 0
    for one in (a, b, c, *new):
        written = one.read_bytes()[40 * 512 : 41 * 512]
        assert (written == b"\x6b" * 512) is (one in voting), one
    for operation in ("set", "member add", "member remove", "member replace", "member reorder"):
        VERIFIED.saw(operation, bus, scope, NEXT)
    web.bench.call(asked.destroy, web.name)


def _detached(web: Web, target: str, scope: dict[str, bool]) -> None:
    """Take a disk out; the guest does for virtio what an operating system would do."""
    if target.startswith("sd") or not scope.get("live"):
        web.patch("detach", target, **scope)
        return
    from tests.host import patching

    arguments = [web.name, "detach", [target], dict(scope)]
    pending = web.bench.begin(patching.ran, *arguments)
    while give_up(web.guest, "q35") == 0:
        pass
    pending.result()


@pytest.mark.parametrize(
    ("bus", "scope"),
    [(bus, one) for bus, some in PLUGGED.items() for one in some],
    indirect=["scope"],
)
@pytest.mark.parametrize("web", ["virtio"], indirect=True)
def test_disks_come_and_go(web: Web, bus: str, scope: dict[str, bool]) -> None:
    target = {"virtio": "vdb", "scsi": "sdb", "sata": "sdc"}[bus]
    content = disk_content(b"plugged in")
    images = [web.image(f"{target}-{one}", content) for one in range(3)]
    disk = quorum_disk(target, images, bus=bus, boot=None)
    whole = [2, NONE, [str(one) for one in web.images]]
    with web.guest.turning(26) as turns:
        web.patch("attach", disk, **scope)
    assert turns.status == 0
    there = {target: [2, NONE, [str(one) for one in images]]}
    expect(web, scope, whole, more=there)
    if not scope.get("live"):
        restarted(web)
        expect(web, BOTH, whole, more=there)
    elif bus == "virtio":
        web.bench.restart()
    said = web.bench.io(web.name, f"ua-vq-{target}", f"read -v {DATA * 512} 16")
    assert "plugged.in" in said
    web.bench.io(web.name, f"ua-vq-{target}", "write -P 0x77 4096 512")
    assert {one.read_bytes()[4096:4608] for one in images} == {b"\x77" * 512}
    VERIFIED.saw("attach", bus, scope, STATE, "reads and writes through the new disk",
                 "its members' bytes")  # fmt: skip
    # A plugged disk is changed like another, and the first one too meanwhile.
    web.patch("set_quorum", target, {"threshold": 3}, **scope)
    there[target][0] = 3
    if scope.get("live"):
        expect(web, scope, whole, more=there)
    _detached(web, target, scope)
    if not scope.get("live"):
        assert target in web.state()["live"]
        restarted(web)
    expect(web, scope, whole)
    for inactive in (False, True):
        assert f"vq-{target}" not in web.bench.call(asked.xml, web.name, inactive)
    VERIFIED.saw("detach", bus, scope, "no node, guard, placeholder, record or argument of it is "
                 "left")  # fmt: skip


@pytest.mark.parametrize("web", ["sata"], indirect=True)
def test_sata_disks_are_not_plugged_in(web: Web) -> None:
    images = [web.image(f"sdb-{one}") for one in range(3)]
    disk = quorum_disk("sdb", images, bus="sata", boot=None)
    with pytest.raises(CallError, match=r"does not support hotplugging.*all is as it was before"):
        web.patch("attach", disk, live=True, config=True)
    expect(web, {}, [2, NONE, [str(one) for one in web.images]])


def test_the_table_in_the_documentation_is_what_was_seen_here(
    request: pytest.FixtureRequest,
) -> None:
    """It stands last: a part of this file alone has not seen everything."""
    config = request.config
    chosen = config.option.keyword or any("::" in one for one in config.args)
    if chosen or request.session.testsfailed:
        pytest.skip("not all tests of this file have passed")
    text = (Path(__file__).parents[2] / "docs" / "patch.md").read_text()
    assert VERIFIED.table() in text
