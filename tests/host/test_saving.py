"""Which quorums a guest can be saved with: all but those that rewrite what is outvoted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.guests import DATA
from tests.host.quorum_domains import (
    DATA_TEXT,
    members,
    quorum_disk,
    virtquorum,
    web,
    with_uuid,
)
from tests.libvirts import Guest, asked, missing_for_embed
from tests.libvirts.domains import serial_log

if TYPE_CHECKING:
    from tests.libvirts import Embed
    from tests.programs import Result

pytestmark = pytest.mark.skipif(missing_for_embed() is not None, reason=str(missing_for_embed()))


def started(bench: Embed, policy: str, count: int = 3) -> Guest:
    """A guest that runs from a quorum with a policy."""
    disk = quorum_disk("vda", members(bench, "web", count))
    disk = disk.replace("type='quorum'/>", f"type='quorum' {policy}/>")
    done = virtquorum(bench, "define", "--no-checks", web(bench, "web", disk))
    assert done.code == 0, done.err
    serial_log(bench, "web").unlink(missing_ok=True)  # of a guest that had the name before
    assert virtquorum(bench, "start", "web").code == 0
    guest = Guest(bench, "web")
    guest.booted()
    return guest


def saved(bench: Embed) -> Result:
    """What becomes of an attempt to save it."""
    from tests.programs import Result

    done = bench.run("virsh", "-c", bench.uri, "managedsave", "web")
    return Result(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("policy", "count"),
    [("", 3), ("rewrite_corrupted='off'", 3), ("read_pattern='fifo'", 3), ("blkverify='on'", 2)],
)
def test_a_guest_is_saved_and_goes_on(policy: str, count: int, bench: Embed) -> None:
    guest = started(bench, policy, count)
    assert saved(bench).code == 0
    assert bench.call(asked.state, "web") == "shut off"
    assert virtquorum(bench, "start", "web").code == 0
    assert guest.read(DATA).first == DATA_TEXT[:16]


def test_one_whose_quorum_rewrites_is_not(bench: Embed) -> None:
    """As docs/placeholder.md says, with the way out."""
    guest = started(bench, "rewrite_corrupted='on'")
    assert "job 'domain save' unexpectedly failed" in saved(bench).err
    assert "bdrv_inactivate_all() failed" in (bench.root / "log/qemu/web.log").read_text()
    assert bench.call(asked.state, "web") == "running"
    assert guest.read(DATA).first == DATA_TEXT[:16]
    off = ("patch", "web", "set", "vda", "--rewrite-corrupted", "off")
    assert virtquorum(bench, *off, "--live").code == 0
    assert "unexpectedly failed" in saved(bench).err
    assert virtquorum(bench, *off, "--config").code == 0
    assert virtquorum(bench, "destroy", "web").code == 0
    assert virtquorum(bench, "start", "web").code == 0
    guest = Guest(bench, "web")
    guest.booted()
    assert saved(bench).code == 0


def test_how_long_it_cannot_be_saved_is_said_as_it_is(bench: Embed) -> None:
    started(bench, "rewrite_corrupted='off'")
    on = ("patch", "web", "set", "vda", "--rewrite-corrupted", "on")
    done = virtquorum(bench, *on, "--live", "--dry-run")
    assert "cannot be saved or migrated any more until it is shut down and started" in done.err
    done = virtquorum(bench, *on, "--config")
    assert done.code == 0
    assert done.err.endswith(
        "virtquorum: note: from its next start on 'web' cannot be saved or migrated: QEMU does not "
        "let go of a quorum with rewrite_corrupted='on', which 'vda' has in its definition then\n"
    )
    done = virtquorum(bench, *on, "--live")
    assert done.code == 0, done.err
    assert (
        "'web' cannot be saved or migrated any more, nor from its next start on: QEMU does not "
        "let go of a quorum with rewrite_corrupted='on', which 'vda' has in its definition"
    ) in done.err
    # What is so already is not said again, by whichever change.
    done = virtquorum(bench, "patch", "web", "set", "vda", "--threshold", "3", "--live", "--config")
    assert (done.code, "saved" in done.err) == (0, False)
    done = virtquorum(bench, *on[:-1], "off", "--live", "--config")
    assert (done.code, "saved" in done.err) == (0, False)
    assert virtquorum(bench, "destroy", "web").code == 0
    assert virtquorum(bench, "start", "web").code == 0
    done = virtquorum(bench, "patch", "web", "set", "vda", "--threshold", "2", "--live")
    assert "until it is shut down and started again" in done.err


def test_a_definition_under_a_saved_state_counts_when_that_has_ended(bench: Embed) -> None:
    """The saved state's members go on, and get what the guest writes, the definition's do not."""
    guest = started(bench, "")
    assert guest.read(DATA).first == DATA_TEXT[:16]
    assert saved(bench).code == 0
    old = [bench.folder / f"web-{number}.raw" for number in range(3)]
    new = [old[0], *(bench.image(f"new-{number}.raw", 4 << 20) for number in range(2))]
    path = with_uuid(bench, "web", web(bench, "web", quorum_disk("vda", new)))
    done = virtquorum(bench, "define", path)
    assert done.code == 1
    assert ": after the saved state has ended they vote with what they hold; " in done.err
    assert virtquorum(bench, "define", "--yes", path).code == 0
    says = (
        f"virtquorum: note: 'vda' goes on with the members of the saved state; '{new[1]}' and "
        f"'{new[2]}' of the definition count from the start after that on, and lack what is "
        "written until then\n"
    )
    done = virtquorum(bench, "start", "web")
    assert (done.code, says in done.err) == (0, True)
    assert guest.read(DATA).first == DATA_TEXT[:16]
    live = virtquorum(bench, "dumpxml", "web").out
    assert (str(old[1]) in live, str(new[1]) in live) == (True, False)
    # One that is as it was saved.
    assert saved(bench).code == 0
    back = with_uuid(bench, "web", web(bench, "web", quorum_disk("vda", old)))
    assert virtquorum(bench, "define", "--yes", back).code == 0
    done = virtquorum(bench, "start", "web")
    assert (done.code, done.err) == (0, "")
