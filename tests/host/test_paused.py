"""The pause of a live change: a guest that somebody else resumes, and a copy that takes long."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from tests.host import meddling
from tests.host.patching import Web, a_guest
from tests.libvirts import embed, missing_for_embed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.libvirts import Embed

pytestmark = pytest.mark.skipif(missing_for_embed() is not None, reason=str(missing_for_embed()))

NUMBERS = count()


@pytest.fixture(scope="module")
def bench() -> Iterator[Embed]:
    with embed() as bench:
        yield bench


@pytest.fixture
def web(bench: Embed) -> Iterator[Web]:
    """A guest of the test's own."""
    with a_guest(bench, f"web{next(NUMBERS)}") as found:
        yield found


def added(web: Web, where: str, what: str) -> str:
    """What becomes of a new member while somebody else meddles."""
    arguments = ["sda", [{"file": str(web.image("new")), "format": "raw"}]]
    done = [what, str(web.bench.guests / f"{web.name}.serial")] if what == "run" else [what]
    said: str = web.bench.call(
        meddling.meddled, web.name, "add_member", arguments, {"live": True}, where, done
    )
    return said


@pytest.mark.parametrize("what", ["resume", "run"])
@pytest.mark.parametrize("where", ["point the disk", "see that the guest is still"])
def test_a_guest_that_is_resumed_before_the_new_member_votes(
    web: Web, where: str, what: str
) -> None:
    old = web.state()
    said = added(web, where, what)
    assert said.startswith("old: cannot see that the guest is still paused: ")
    assert "somebody else has let the guest run while it was paused" in said
    state = web.state()
    assert state == old | {"running": state["running"]}
    if not state["running"]:
        web.bench.virsh("resume", web.name)
    assert web.guest.write(41, 0x33) == 0
    assert len({one.read_bytes() for one in web.images}) == 1


@pytest.mark.parametrize("what", ["resume", "run"])
def test_a_guest_that_is_resumed_at_the_stand_in(web: Web, what: str) -> None:
    said = added(web, "open the quorum as", what)
    assert said.startswith("new: the change is made, but somebody else let the guest of ")
    assert "may have been told of I/O errors" in said
    state = web.state()
    assert len(state["live"]["sda"][2]) == 4
    assert (state["wrong"], state["strays"], state["note"]) == ([], [], False)


def test_a_guest_that_nobody_resumes(web: Web) -> None:
    with web.guest.turning(30) as turns:
        web.patch(
            "add_member", "sda", [{"file": str(web.image("new")), "format": "raw"}], live=True
        )
        web.patch("set_quorum", "sda", {"threshold": 3}, live=True)
    assert (turns.status, turns.rounds > 0) == (0, True)


def test_a_copy_that_takes_long_is_given_up(web: Web) -> None:
    old, new = web.state(), web.image("new")
    member = {"file": str(new), "format": "raw"}
    said = web.bench.call(meddling.slowed, web.name, "ua-vq-sda", "sda", member)
    assert said["said"].startswith("old: cannot end the copying: ")
    assert (
        "were not equal to the disk within 5 seconds in which the guest was paused" in said["said"]
    )
    assert said["paused"] < 9
    assert web.state() == old
    assert web.guest.write(41, 0x33) == 0
