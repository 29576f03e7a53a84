"""The monitor through libvirt: answers, refusals, and who is there to ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.host import live
from tests.host.live_guests import Booted
from tests.libvirts import embed, missing_for_embed, missing_for_system, system
from virtquorum.host.intent import NAMESPACE
from virtquorum.host.monitor import wait_until

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
def booted(bench: Embed) -> Booted:
    return Booted(bench, "monitor")


def test_what_it_shows(booted: Booted) -> None:
    found = booted.bench.call(live.seen, booted.name, booted.alias)
    names = {one["node-name"] for one in booted.nodes}
    assert names < set(found["nodes"])
    assert ["vq-vda", "children.2", booted.nodes[-1]["children"][2]] in found["edges"]
    assert found["frontend"] == ["/machine/peripheral/ua-vda/virtio-backend", "vq-vda"]
    assert "ua-vda" in found["devices"]
    assert found["jobs"] == []


def test_a_guest_that_libvirt_pauses_for_itself_runs(booted: Booted) -> None:
    """It lets the guest run again, whoever has pointed its disk elsewhere meanwhile."""
    path = str(booted.image("saved"))
    found = booted.bench.call(live.looked_at_while_saved, booted.name, 5, path)
    assert found["count"] > 0
    assert (found["answers"], found["runs"]) == ([True], True)


def test_a_disk_that_is_not_there(booted: Booted) -> None:
    assert booted.bench.call(live.seen, booted.name, "ua-vd")["frontend"] is None


def test_what_qemu_refuses_is_told_in_its_words(booted: Booted) -> None:
    found = booted.bench.call(live.told, booted.name, "blockdev-del", {"node-name": "é"})
    assert found == {
        "text": "QEMU says to 'blockdev-del': Failed to find node with node-name='é'",
        "kind": "GenericError",
        "words": "Failed to find node with node-name='é'",
        "execute": "blockdev-del",
        "arguments": {"node-name": "é"},
    }
    found = booted.bench.call(live.told, booted.name, "no-such-command", {})
    assert found["kind"] == "CommandNotFound"


def test_a_guest_that_has_ended(bench: Embed) -> None:
    Booted(bench, "ended")
    found = bench.call(live.after_the_end, "ended", "destroy")
    assert found["gone"] == "domain"
    assert found["text"].startswith("domain 'ended': query-named-block-nodes: libvirt says: ")


def test_a_daemon_that_has_ended() -> None:
    missing = missing_for_system()
    if missing is not None:
        pytest.skip(missing)
    with system() as bench:
        booted = Booted(bench, "orphan")
        connection = bench.connect()
        domain = connection.lookupByName(booted.name)
        bench.kill()
        found = live.after_the_end(_Fixed(domain), booted.name, "daemon")
        assert found["gone"] == "connection"
        connection.close()
        bench.start()


class _Fixed:
    """A connection that has one domain."""

    def __init__(self, domain: object) -> None:
        self._domain = domain

    def lookupByName(self, _: str) -> object:  # noqa: N802 - libvirt's name
        return self._domain


def test_a_note_outlives_and_goes(booted: Booted) -> None:
    new = [{"driver": "file", "node-name": "a", "filename": "/q'\"<&>\n\x7fé"}]
    found = booted.bench.call(live.noted, booted.name, None, new)
    assert found["same"]
    assert found["graphs"] == [None, new]
    assert NAMESPACE in found["live"]


def test_a_note_of_another_version_is_not_guessed_at(booted: Booted) -> None:
    said = booted.bench.call(live.strange_note, booted.name)
    assert "is of version '2'" in said
    assert NAMESPACE in said


def test_waiting_ends() -> None:
    answers = iter([False, False, True])
    assert wait_until(lambda: next(answers), 10)
    assert not wait_until(lambda: False, 0)


def test_waiting_can_be_interrupted() -> None:
    def stop() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        wait_until(lambda: False, 10, stop)
