"""What is asked before a quorum is changed: votes and data that would be lost, on real guests."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.host import patching
from tests.host.patching import BOTH, Web, a_guest, member, refused
from tests.host.quorum_domains import DATA_TEXT, quorum_disk, virtquorum
from tests.libvirts import CallError, Guest, asked, embed, missing_for_embed
from tests.libvirts.bench import until
from tests.libvirts.domains import disk_content, guest_xml
from virtquorum.model.image import Image, Quorum
from virtquorum.model.sources.file import FileSource

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
    """A guest with four members, that no test leaves otherwise than it was."""
    return Web(bench, "web", "scsi", count=4)


@pytest.fixture
def fresh(bench: Embed, request: pytest.FixtureRequest) -> Iterator[Web]:
    with a_guest(bench, f"fresh-{len(request.node.name)}") as found:
        yield found


def lost(web: Web, operation: str, *arguments: Any, **options: Any) -> str:
    """What is asked before a change, which is not made."""
    before = web.state()
    said = web.patch(operation, *arguments, dry=True, **options)
    assert web.state() == before
    return "\n".join(said["lost"])


def test_a_member_that_the_definition_keeps_is_asked_about(web: Web) -> None:
    stale = (
        f"the definition of 'web' still has the member '{web.images[3]}', which misses all that "
        "the guest writes from now on and votes with its old data at the next start; '--live "
        "--config' changes both"
    )
    new = web.image("other")
    for options in ({}, {"live": True}):
        assert lost(web, "remove_member", "sda", "3", **options) == stale
        assert lost(web, "replace_member", "sda", "3", member(new), **options) == stale
        assert stale not in lost(web, "add_member", "sda", [member(new)], **options)
        assert lost(web, "set_quorum", "sda", {"threshold": 3}, **options) == ""
    assert lost(web, "remove_member", "sda", "3", **BOTH) == ""
    assert lost(web, "remove_member", "sda", "3", config=True) == ""
    before = web.state()
    done = virtquorum(web.bench, "patch", "web", "member", "remove", "sda", "3")
    assert (done.code, done.out) == (1, "")
    assert stale in done.err
    assert web.state() == before


def test_a_definition_gets_a_member_that_runs_already(web: Web) -> None:
    """Nothing has to be copied to it; to one that is read otherwise it has."""
    new = web.image("runs")
    asked_for = "nothing is copied to the new member while the guest runs without it"
    assert asked_for in lost(web, "replace_member", "sda", "3", member(new), config=True)
    web.patch("replace_member", "sda", "3", member(new), live=True)
    try:
        assert lost(web, "replace_member", "sda", "3", member(new), config=True) == ""
        link = web.bench.folder / "runs-too"
        link.symlink_to(new)
        assert lost(web, "replace_member", "sda", "3", member(link), config=True) == ""
        other = member(new, "qcow2")
        said = lost(web, "replace_member", "sda", "3", other, config=True, checks=False)
        assert asked_for in said
        more = member(web.image("runs-not"))
        assert asked_for in lost(web, "add_member", "sda", [member(new), more], config=True)
    finally:
        web.patch("replace_member", "sda", str(new), member(web.images[3]), live=True)


def test_members_that_can_be_outvoted_no_more(web: Web) -> None:
    assert lost(web, "remove_member", "sda", "3", **BOTH) == ""
    web.patch("remove_member", "sda", "3", **BOTH)
    try:
        said = lost(web, "remove_member", "sda", "2", **BOTH)
        assert said == (
            "'sda' could not outvote a bad member any more: with 2 members and a threshold of 2 "
            "one that returns wrong data can stop the guest, or be believed"
        )
        web.patch("remove_member", "sda", "2", **BOTH)
        web.patch("set_quorum", "sda", {"threshold": 1}, **BOTH)
        said = lost(web, "remove_member", "sda", "1", **BOTH)
        assert said.startswith("'sda' would have a single member: ")
    finally:
        web.patch("set_quorum", "sda", {"threshold": 2}, **BOTH)
        web.patch("add_member", "sda", [member(one) for one in web.images[2:]], **BOTH)
    assert web.state()["live"]["sda"][2] == [str(one) for one in web.images]


@pytest.mark.parametrize("scope", [["--live", "--config"], ["--config"]])
def test_members_that_are_known_to_be_bad(web: Web, scope: list[str]) -> None:
    remove = ["patch", "web", "member", "remove", "sda", "3", *scope, "--dry-run"]
    assert virtquorum(web.bench, *remove, "--bad", "0").code == 0
    done = virtquorum(web.bench, *remove, "--bad", "0", "--bad", web.images[1])
    assert (done.code, done.out) == (1, "")
    assert "only 1 would be left that is not known to be bad" in done.err
    assert virtquorum(web.bench, *remove, "--bad", "0", "--bad", "3").code == 0
    done = virtquorum(web.bench, *remove, "--bad", "7")
    assert "has no member 7" in done.err


def test_a_copy_of_one_member_alone_is_asked_about(web: Web) -> None:
    new = web.image("from-first")
    assert lost(web, "replace_member", "sda", "3", member(new), **BOTH) == ""
    web.patch("set_quorum", "sda", {"read_pattern": "fifo"}, **BOTH)
    try:
        said = lost(web, "replace_member", "sda", "3", member(new), **BOTH)
        assert said.startswith("'sda' is read with read_pattern='fifo': what is copied to the ")
        said = lost(web, "replace_member", "sda", "3", member(new), fill=False, **BOTH)
        assert said == ""
    finally:
        web.patch("set_quorum", "sda", {"read_pattern": None}, **BOTH)


def test_votes_that_come_with_another_read_pattern_are_asked_about(web: Web) -> None:
    fifo = {"read_pattern": "fifo", "threshold": 1}
    assert lost(web, "set_quorum", "sda", fifo, **BOTH) == ""
    web.patch("set_quorum", "sda", fifo, **BOTH)
    try:
        said = lost(web, "set_quorum", "sda", {"read_pattern": "quorum"}, **BOTH)
        assert "would have a threshold of 1 with 4 members, which is no majority" in said
    finally:
        web.patch("set_quorum", "sda", {"read_pattern": None, "threshold": 2}, **BOTH)


def test_an_image_that_cannot_be_seen_is_asked_about(web: Web) -> None:
    precious = web.image("precious", b"PRECIOUS" * 512)
    socket = web.bench.folder / "nbd.sock"
    words = ["qemu-nbd", "-t", "-f", "raw", "-x", "e", "-k", str(socket), str(precious)]
    served = web.bench.held.start(words)
    until(socket.exists, lambda: "qemu-nbd does not listen")
    xml = (
        "<backingStore type='network'><format type='raw'/><source protocol='nbd' name='e'>"
        f"<host transport='unix' socket='{socket}'/></source></backingStore>"
    )
    try:
        done = virtquorum(web.bench, "patch", "web", "member", "replace", "sda", "3", "-",
                          "--live", "--config", input=xml)  # fmt: skip
    finally:
        web.bench.held.signal(served, 15)
    assert (done.code, done.out) == (1, "")
    assert "what the image 'nbd+unix:///e?socket=" in done.err
    assert "cannot be seen from here, and it is overwritten by the disk's data" in done.err
    assert precious.read_bytes().startswith(b"PRECIOUS")


def test_an_image_of_another_domain_is_asked_about(web: Web, fresh: Web) -> None:
    web.bench.call(asked.destroy, fresh.name)
    link = web.bench.folder / "link-to-it"
    link.symlink_to(fresh.images[1])
    for path in (fresh.images[1], link):
        for fill in (True, False):
            said = lost(web, "replace_member", "sda", "3", member(path), fill=fill, **BOTH)
            assert (
                f"the image '{path}' is in the definition of '{fresh.name}' as well, in its disk "
                "'sda'"
            ) in said
    link.unlink()
    disk = quorum_disk("sdb", [*fresh.images[:2], web.image("x")], bus="scsi", boot=None)
    assert f"is in the definition of '{fresh.name}' as well" in lost(web, "attach", disk, **BOTH)


@pytest.mark.parametrize("made", [os.symlink, os.link])
def test_one_image_under_two_names_is_refused(web: Web, made: Any) -> None:
    name = web.bench.folder / f"{made.__name__}-of-0"
    made(web.images[0], name)
    for options in (BOTH, {"config": True, "fill": False}, {"live": True, "checks": False}):
        text = refused(web, "add_member", "sda", [member(name)], **options)
        assert text == (
            f"'{web.images[0]}' and '{name}' are one and the same image: it would vote twice in "
            "'sda'; give each member an image of its own"
        )
    disk = quorum_disk("sdb", [name, web.images[0], web.image("y")], bus="scsi", boot=None)
    assert "are one and the same image" in refused(web, "attach", disk, config=True)
    name.unlink()


def test_words_without_end(web: Web) -> None:
    assert "has no member 999999999…: " in refused(web, "remove_member", "sda", "9" * 5000)
    assert "has no member 999999999…: " in refused(web, "set_quorum", "sda/" + "9" * 5000,
                                                   {"threshold": 1})  # fmt: skip
    zeros = "0" * 5000 + "3"
    assert "still has the member" in lost(web, "remove_member", "sda", zeros)


def test_a_member_with_the_node_name_of_the_one_that_it_replaces(bench: Embed) -> None:
    images = [bench.image(f"far-{one}", content=disk_content(DATA_TEXT)) for one in range(3)]
    plain, named = "<backingStore type='file'>", "<backingStore type='file' nodename='far'>"
    disk = quorum_disk("vda", images).replace(plain, named, 1)
    bench.call(patching.run, guest_xml(bench, "far", disk))
    file = bench.folder / "far.xml"
    new = bench.image("far-new")
    file.write_text(f"{named}<format type='raw'/><source file='{new}'/></backingStore>")
    done = virtquorum(bench, "patch", "far", "member", "replace", "vda", "far", file,
                      "--live", "--config")  # fmt: skip
    assert done.code == 0, done.err
    assert new.read_bytes() == images[1].read_bytes()
    guest = Guest(bench, "far")
    guest.booted()
    assert guest.write(31, 0x5A) == 0
    written = [one.read_bytes()[31 * 512 : 31 * 512 + 1] for one in (new, images[0])]
    assert written == [b"Z", b"\0"]
    assert virtquorum(bench, "doctor", "far").code == 0
    bench.call(asked.destroy, "far")


def test_a_way_that_leads_to_two_quorums_is_refused(bench: Embed) -> None:
    images = [bench.image(f"ways-{one}", content=disk_content(DATA_TEXT)) for one in range(6)]
    store = "<backingStore type='file'><format type='raw'/><source file='{}'/></backingStore>"
    inner = [
        "<backingStore type='quorum' threshold='1'><format type='quorum'/>"
        f"{''.join(store.format(one) for one in some)}</backingStore>"
        for some in (images[:3], images[3:])
    ]
    disk = (
        "<disk type='quorum' threshold='1' device='disk'><driver name='qemu' type='quorum'/>"
        f"{''.join(inner)}<target dev='vda' bus='virtio'/><boot order='1'/></disk>"
    )
    bench.call(patching.run, guest_xml(bench, "ways", disk))
    new = bench.image("ways-new")

    def run(operation: str, *arguments: Any, **options: Any) -> dict[str, Any]:
        said: dict[str, Any] = bench.call(patching.ran, "ways", operation, list(arguments), options)
        return said

    run("reorder_members", "vda", ["1"], live=True)
    for operation, argument in (
        ("add_member", [member(new)]),
        ("set_quorum", {"threshold": 2}),
        ("reorder_members", []),
    ):
        with pytest.raises(CallError) as caught:
            run(operation, "vda/1", argument, **BOTH)
        if operation != "reorder_members":
            assert "'vda/1' is the quorum of 0 ('" in caught.value.text
            assert "change one after the other" in caught.value.text
    run("reorder_members", "vda", ["1"], live=True)
    run("remove_member", "vda/1", "2", live=True)  # the same quorum still, with fewer members
    run("set_quorum", "vda/1", {"threshold": 2}, **BOTH)
    bench.call(asked.destroy, "ways")


def test_a_domain_that_is_started_while_its_new_member_is_copied_to(fresh: Web) -> None:
    fresh.bench.call(asked.destroy, fresh.name)
    new = fresh.image("new")
    before = fresh.state()["config"]
    for fill in (True, False):
        arguments = [fresh.name, "add_member", ["sda", [member(new)]], {"fill": fill}]
        said = fresh.bench.call(patching.started_meanwhile, *arguments)
        assert said.startswith(f"old: see that '{fresh.name}' is still off: ")
        assert "has been started meanwhile" in said
        assert fresh.state()["config"] == before
        fresh.bench.call(asked.destroy, fresh.name)
    fresh.patch("add_member", "sda", [member(new)])
    assert fresh.state()["config"]["sda"][2][-1] == str(new)


@pytest.mark.skipif(shutil.which("strace") is None, reason="no strace")
def test_what_is_copied_while_a_domain_is_off_is_on_its_disk(fresh: Web) -> None:
    fresh.bench.call(asked.destroy, fresh.name)
    new, trace = fresh.image("new"), fresh.bench.folder / "trace"
    words = ["strace", "-f", "-y", "-e", "trace=fsync,fdatasync", "-o", str(trace)]
    argv = [sys.executable, "-m", "virtquorum", "patch", fresh.name, "member", "add", "sda"]
    done = fresh.bench.run(*words, *argv, "--file", new, "--format", "raw", "--yes")
    assert done.returncode == 0, done.stderr
    assert any(f"<{new}>)" in line for line in trace.read_text().splitlines())
    assert new.read_bytes() == fresh.images[0].read_bytes()


def test_a_fifo_quorum_has_no_ties() -> None:
    from virtquorum.host.patch.guards import fewer, ties

    members = tuple(Image(source=FileSource(file=f"/{one}"), format="raw") for one in range(4))
    votes = Quorum(threshold=2, members=members)
    fifo = Quorum(threshold=2, members=members, read_pattern="fifo")
    assert list(ties("vda", votes, fifo)) == list(ties("vda", votes, votes)) == []
    assert len(list(ties("vda", fifo, votes))) == 1
    two = Quorum(threshold=2, members=members[:2], read_pattern="fifo")
    assert list(fewer("vda", fifo, two)) == []
