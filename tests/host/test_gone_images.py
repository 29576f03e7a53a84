"""Quorums of which images are gone: they are changed, and what is cut short then is mended."""

from __future__ import annotations

import re
import shlex
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from tests.host import ailing, gone_images
from tests.host.patching import BOTH, Web, a_guest, member
from tests.libvirts import CallError, GoneError, asked, embed, missing_for_embed
from tests.nightly import nightly

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.libvirts import Embed

pytestmark = pytest.mark.skipif(missing_for_embed() is not None, reason=str(missing_for_embed()))


@pytest.fixture(scope="module")
def bench() -> Iterator[Embed]:
    with embed() as bench:
        yield bench


@pytest.fixture
def web(bench: Embed, request: pytest.FixtureRequest) -> Iterator[Web]:
    """A guest of a test's own; what it says is kept by its name."""
    with a_guest(bench, f"gone-{len(request.node.name)}-{hash(request.node.name) % 997}") as found:
        yield found


def settled(web: Web, members: list[Path], threshold: int = 2) -> None:
    """See that it runs with these members, live and defined, and with nothing else."""
    found = web.state()
    disk = [threshold, [None, None, None], [str(one) for one in members]]
    assert found["live"] == {web.target: disk}
    assert found["config"] == {web.target: disk}
    assert (found["wrong"], found["strays"], found["note"]) == ([], [], False)
    assert found["running"]


def doctor(web: Web, *options: str, code: int = 0) -> str:
    done = web.bench.virtquorum("doctor", web.name, *options)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def gone(web: Web) -> None:
    """See that nothing is wrong but that the image of the member 1 is gone."""
    code, said, _ = web.bench.call(ailing.doctor, web.name, [])
    assert [(one["kind"], one["outcome"]) for one in said["found"]] == [("gone-image", "left")]
    assert (code, str(web.images[1]) in said["found"][0]["message"]) == (1, True)


def replacement(web: Web) -> list[Any]:
    """The arguments of a replacement of the member 1, whose image is gone."""
    web.guest.write(40, 0x5A)
    web.images[1].unlink()
    return [web.target, str(web.images[1]), member(web.image("new"))]


@pytest.mark.parametrize(
    "at",
    [
        pytest.param("close the quorum as it was", marks=nightly),
        "open the quorum as it shall be",
        pytest.param("point the disk 'ua-vq-sda' at 'vq-sda'", marks=nightly),
        pytest.param("see that QEMU has", marks=nightly),
        "let the guest run again",
    ],
)
def test_a_killed_replacement_is_mended(web: Web, at: str) -> None:
    arguments = replacement(web)
    with pytest.raises(GoneError):
        web.bench.call(gone_images.killed_at, web.name, arguments, at)
    web.bench.kill_worker()
    is_new = at in ("see that QEMU has", "let the guest run again")
    assert "the guest, paused for it, runs again" in doctor(web, code=0 if is_new else 1)
    assert web.guest.read(40).first == b"\x5a" * 16
    web.guest.write(41, 0x22)
    new = web.bench.folder / f"{web.name}-new"
    if is_new:
        assert "nothing is wrong" in doctor(web)
    else:
        gone(web)
        settled(web, web.images)
        web.patch("replace_member", *arguments, **BOTH)
    members = [web.images[0], new, web.images[2]]
    settled(web, members)
    assert web.guest.read(41).first == b"\x22" * 16
    assert len({one.read_bytes() for one in members}) == 1


@pytest.mark.parametrize("at", ["close the quorum as it was", "open the quorum as it shall be"])
def test_after_an_undone_replacement_only_the_image_is_gone(web: Web, at: str) -> None:
    arguments = replacement(web)
    assert web.bench.call(gone_images.fails_at, web.name, arguments, at) == "old"
    settled(web, web.images)
    gone(web)
    web.patch("replace_member", *arguments, **BOTH)
    settled(web, [web.images[0], web.bench.folder / f"{web.name}-new", web.images[2]])
    assert "nothing is wrong" in doctor(web)


def test_several_images_are_gone(web: Web) -> None:
    """Each of them goes by itself, and what else is changed keeps them."""
    web.guest.write(40, 0x5A)
    a, b, c = web.images
    b.unlink()
    c.unlink()
    web.patch("set_quorum", web.target, {"threshold": 3}, **BOTH)
    settled(web, [a, b, c], 3)
    first, second = web.image("first"), web.image("second")
    web.patch("replace_member", web.target, "1", member(first), **BOTH)
    settled(web, [a, first, c], 3)
    web.patch("replace_member", web.target, "2", member(second), **BOTH)
    settled(web, [a, first, second], 3)
    web.guest.write(41, 0x22)
    assert len({one.read_bytes() for one in (a, first, second)}) == 1
    assert a.read_bytes()[40 * 512 : 42 * 512] == b"\x5a" * 512 + b"\x22" * 512


def test_another_file_under_the_name_is_not_taken_for_the_image(web: Web) -> None:
    """QEMU opens nothing anew that it has: what is written goes where it went before."""
    web.guest.write(40, 0x5A)
    old = web.images[1]
    kept = old.rename(old.with_name(f"{old.name}.kept"))
    blank = web.image("1")
    with suppress(CallError):  # it may be refused
        web.patch("set_quorum", web.target, {"threshold": 3}, live=True)
    assert web.guest.read(40).first == b"\x5a" * 16
    web.guest.write(41, 0x22)
    assert kept.read_bytes() == web.images[0].read_bytes()
    assert not any(blank.read_bytes())


def test_an_order_made_by_hand_is_mended_with_an_image_gone(web: Web) -> None:
    replacement(web)
    web.bench.call(gone_images.taken_out_and_put_back, web.name, "vq-sda", 1)
    assert "is asked first" in doctor(web, "--dry-run", code=1)
    assert "mended" in doctor(web, "--yes", code=1)
    gone(web)
    settled(web, web.images)
    assert web.guest.read(40).first == b"\x5a" * 16


def test_a_quorum_that_cannot_be_built_stays_as_it_is(web: Web) -> None:
    """The member is out of it, and its image gone: no mending begins, and nothing is in the way."""
    replacement(web)
    web.bench.call(gone_images.closed, web.name, "vq-sda", 1)
    for _ in range(2):
        said = doctor(web, "--yes", code=1)
        assert f"Could not open '{web.images[1]}': No such file or directory" in said
        assert "a blank one would be a bad member" in said
        assert f"'virtquorum destroy {web.name}'" in said
        assert "all is as it was before" in said
        found = web.state()
        assert (found["strays"], found["note"], found["running"]) == ([], False, True)
    web.bench.call(asked.destroy, web.name)
    words = ("--file", web.bench.folder / f"{web.name}-anew", "--format", "raw", "--create")
    done = web.bench.virtquorum("patch", web.name, "member", "replace", "sda", "1", *words)
    assert done.returncode == 0, done.stderr
    done = web.bench.virtquorum("start", web.name)
    assert done.returncode == 0, done.stderr


def commands(text: str) -> list[list[str]]:
    """The command lines of virtquorum in a text, without that word."""
    return [shlex.split(one)[1:] for one in re.findall(r"'(virtquorum [^']*)'", text)]


def test_the_doctor_has_it_made_anew(web: Web) -> None:
    """Its words are enough: nothing is asked, and the new image holds what the guest wrote."""
    replacement(web)
    web.images[2].rename(f"{web.images[2]}.away")
    said = doctor(web, code=1)
    ways = commands(said)
    assert [one[-1] for one in ways] == ["--config", "--config"]
    assert said.count("is not there any more") == 2
    for way in ways:
        done = web.bench.virtquorum(*way)
        assert done.returncode == 0, done.stderr
    assert "nothing is wrong" in doctor(web)
    settled(web, web.images)
    assert web.guest.write(41, 0x22) == 0
    assert len({one.read_bytes() for one in web.images}) == 1


def test_a_member_that_the_definition_has_not_is_made_anew_in_what_runs(web: Web) -> None:
    new = web.image("new")
    web.patch("replace_member", web.target, "1", member(new), live=True)
    new.unlink()
    _, said, _ = web.bench.call(ailing.doctor, web.name, [])
    assert [one["kind"] for one in said["found"]] == ["gone-image", "stale", "differs"]
    (way,) = commands(said["found"][0]["ways"][1])
    assert way[-1] == "--live"
    done = web.bench.virtquorum(*way)
    assert done.returncode == 0, done.stderr
    assert new.read_bytes() == web.images[0].read_bytes()
    assert web.bench.call(ailing.kinds, web.name) == ["stale", "differs"]


def test_a_start_says_how_a_lost_member_gets_its_data_back(web: Web) -> None:
    web.guest.write(40, 0x5A)
    web.bench.call(asked.destroy, web.name)
    web.images[1].unlink()
    done = web.bench.virtquorum("start", web.name)
    (way,) = commands(done.stderr)
    assert (done.returncode, way[0], way[-2:]) == (1, "patch", ["--create", "--config"])
    before = web.state()["config"]
    done = web.bench.virtquorum(*way)
    assert done.returncode == 0, done.stderr
    assert web.state()["config"] == before
    assert len({one.read_bytes() for one in web.images}) == 1
    done = web.bench.virtquorum("start", web.name)
    assert done.returncode == 0, done.stderr


def test_a_start_without_members_enough_for_a_vote(web: Web) -> None:
    """What is left is copied, in one line for all that are lost; nothing is made blank."""
    web.bench.call(asked.destroy, web.name)
    for one in web.images[1:]:
        one.unlink()
    done = web.bench.virtquorum("start", web.name)
    assert done.stderr.count("does not exist") == 1
    (way,) = commands(done.stderr)
    at = way.index("|")
    printed = web.bench.virtquorum(*way[:at])
    made = web.bench.virtquorum(*way[at + 2 :], input=printed.stdout)
    assert made.returncode == 0, made.stderr
    assert len({one.read_bytes() for one in web.images}) == 1
    assert web.bench.virtquorum("start", web.name).returncode == 0


def test_two_of_four_are_lost(web: Web) -> None:
    """A vote is left: each is copied to by the same command, in which its name is to be put."""
    web.patch("add_member", web.target, [member(web.image("3"))], **BOTH)
    web.bench.call(asked.destroy, web.name)
    for one in web.images[1:]:
        one.unlink()
    done = web.bench.virtquorum("start", web.name)
    (way,) = commands(done.stderr)
    assert way.count("IMAGE") == 2
    for one in web.images[1:]:
        words = [str(one) if word == "IMAGE" else word for word in way]
        made = web.bench.virtquorum(*words)
        assert made.returncode == 0, made.stderr
    assert len({one.read_bytes() for one in web.images}) == 1
    assert web.bench.virtquorum("start", web.name).returncode == 0


def test_nothing_is_left_of_a_quorum(web: Web) -> None:
    web.bench.call(asked.destroy, web.name)
    for one in web.images:
        one.unlink()
    done = web.bench.virtquorum("start", web.name)
    assert commands(done.stderr) == [["create"]]


def test_a_definition_from_a_file_has_a_copy_made(web: Web) -> None:
    web.bench.call(asked.destroy, web.name)
    file = web.bench.folder / f"{web.name}.xml"
    file.write_text(web.bench.virtquorum("dumpxml", "--inactive", web.name).stdout)
    web.images[0].unlink()
    done = web.bench.virtquorum("define", file)
    assert done.returncode == 0, done.stderr
    (way,) = commands(done.stderr)
    assert way == ["create", "--from", str(web.images[1])]
    made = web.bench.virtquorum(*way, file)
    assert made.returncode == 0, made.stderr
    assert web.images[0].read_bytes() == web.images[1].read_bytes()
