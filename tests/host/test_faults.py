"""Changes struck at each of their calls: old or new afterwards, or the doctor mends it.

All calls that change something are struck here: a process that ends between
two of them leaves what it leaves after the first.  VIRTQUORUM_NIGHTLY=1 strikes
every call, before it and after it.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.guests import DATA
from tests.host import ailing, doctored
from tests.host.patching import Web, run
from tests.host.quorum_domains import DATA_TEXT, quorum_disk
from tests.libvirts import (
    GoneError,
    Guest,
    asked,
    embed,
    missing_for_embed,
    missing_for_system,
    system,
)
from tests.libvirts.domains import disk_content, disk_xml, guest_xml
from tests.nightly import NIGHTLY, nightly

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.libvirts import Embed, System

pytestmark = pytest.mark.skipif(missing_for_embed() is not None, reason=str(missing_for_embed()))

BOTH = {"live": True, "config": True, "checks": False}
LIVE = {"live": True, "checks": False}


@pytest.fixture(scope="module")
def bench() -> Iterator[Embed]:
    with embed() as bench:
        yield bench


@pytest.fixture(scope="module")
def faulty(bench: Embed) -> Faulty:
    return Faulty(bench, "faulty")


class Faulty:
    """A guest, and changes of it: [operation, …], that which takes it back, its images."""

    def __init__(self, bench: Embed | System, name: str) -> None:
        self.bench = bench
        self.web = Web(bench, name)
        self.name = name
        a, b, c = self.members = [str(one) for one in self.web.images]
        more = [self.web.image(f"more{number}", b"more") for number in range(2)]
        new = {"file": str(self.web.image("new")), "format": "raw"}
        old = {"file": c, "format": "raw"}
        disk = quorum_disk("sdb", more, bus="scsi", boot=None, threshold=1)
        vda = "vda"
        self.changes: dict[str, tuple[list[Any], list[Any], dict[str, Any], list[str]]] = {
            "set": (["set_quorum", vda, {"threshold": 3}], ["set_quorum", vda, {"threshold": 2}],
                    BOTH, [a, b, c]),
            "attach": (["attach", disk], ["detach", "sdb"], BOTH, [a, b, c, *map(str, more)]),
            "detach": (["detach", "sdb"], ["attach", disk], BOTH, [a, b, c, *map(str, more)]),
            "add": (["add_member", vda, [new]], ["remove_member", vda, new["file"]],
                    LIVE, [a, b, c]),
            "replace": (["replace_member", vda, c, new], ["replace_member", vda, new["file"], old],
                        BOTH, [a, b]),
            "remove": (["remove_member", vda, c], ["add_member", vda, [old]], BOTH, [a, b]),
        }  # fmt: skip

    def strike(self, change: str, when: str, blow: str, **more: Any) -> list[dict[str, Any]]:
        """See doctored.every_blow; the guest is whole before and after."""
        done, back, options, images = self.changes[change]
        if change in ("detach", "convert_back"):
            self.bench.call(doctored.made, self.name, back, options)
        try:
            arguments = (self.name, done, back, options, when, blow, images)
            ways = tuple(more.get(name, default) for name, default in _WAYS.items())
            found: list[dict[str, Any]] = self.bench.call(
                doctored.every_blow, *arguments, *ways, timeout=600
            )
        finally:
            if change in ("detach", "convert_back"):
                self.bench.call(doctored.made, self.name, done, options)
        self.web.guest.write(31, 0x5A)
        assert self.web.guest.read(31).first == b"\x5a" * 16
        assert self.web.guest.read(DATA).first == DATA_TEXT[:16]
        return found


_WAYS = {"every": False, "first": 1, "step": 1}


def check(found: list[dict[str, Any]]) -> None:
    """Old or new, all of it; nothing is wrong after the doctor."""
    for one in found:
        assert one["is"] in ("old", "new"), one
        assert (one["left"], one["again"]) == ([], []), one
        if one["said"] == "old":
            assert (one["is"], one["mended"]) == ("old", []), one
        if one["said"] in (None, "new"):
            assert one["is"] == "new", one


CHANGES = ["set", "attach", "detach", "add", "replace", "remove"]
#: Of which the others are made up.
OFTEN = ("attach", "detach", "replace")


@pytest.mark.parametrize(
    "change", [one if one in OFTEN else pytest.param(one, marks=nightly) for one in CHANGES]
)
def test_cut_short_anywhere(faulty: Faulty, change: str) -> None:
    """All calls after one fail, those of the undoing too: the process or libvirt is gone."""
    step = 1 if NIGHTLY else 4
    found = faulty.strike(change, "after", "cut", step=step)
    check(found)
    assert {one["is"] for one in found} == {"old", "new"}
    assert sum(one["mended"][:1] == ["unfinished"] for one in found) >= len(found) - 4
    assert len(found) * step > 10


@pytest.mark.parametrize(
    ("change", "when", "first"),
    [
        ("set", "before", 1),
        ("attach", "after", 3),
        ("replace", "after", 2),
        ("detach", "before", 2),
    ],
)
def test_a_fault_is_undone_or_mended(faulty: Faulty, change: str, when: str, first: int) -> None:
    step = 1 if NIGHTLY else 6
    found = faulty.strike(change, when, "error", first=first, step=step)
    check(found)
    assert "old" in {one["said"] for one in found}


@pytest.mark.parametrize(("change", "blow"), [("set", "SIGTERM"), ("attach", "SIGINT")])
def test_a_signal_is_undone_or_comes_too_late(faulty: Faulty, change: str, blow: str) -> None:
    found = faulty.strike(change, "after", blow, first=2, step=1 if NIGHTLY else 5)
    check(found)
    for one in found:
        assert one["said"] in ("Interrupted", None)
        assert (one["is"], one["mended"]) == ("new" if one["said"] is None else "old", [])


class Converted(Faulty):
    """A guest with a stock disk, and its conversion there and back."""

    def __init__(self, bench: Embed | System, name: str) -> None:
        self.bench = bench
        self.name = name
        (bench.root / "virtquorum").mkdir(mode=0o711, exist_ok=True)
        image = bench.image(f"{name}-own", 4 << 20, disk_content(DATA_TEXT))
        new = [{"file": str(bench.image(f"{name}-{one}")), "format": "raw"} for one in range(2)]
        bench.call(run, guest_xml(bench, name, disk_xml("vda", image)))
        self.web = Web.__new__(Web)
        self.web.guest = Guest(bench, name)
        self.web.guest.booted()
        there, back = ["convert", "vda", new], ["convert_back", "vda"]
        self.changes = {
            "convert": (there, back, BOTH, [str(image)]),
            "convert_back": (back, there, BOTH, [str(image)]),
        }


@pytest.mark.parametrize("change", ["convert", "convert_back"])
def test_a_conversion_that_is_cut_short(bench: Embed, change: str) -> None:
    converted = Converted(bench, f"from{len(change)}")
    found = converted.strike(change, "after", "cut", step=1 if NIGHTLY else 7)
    check(found)
    assert {one["is"] for one in found} == {"old", "new"}
    bench.call(asked.destroy, converted.name)


@pytest.mark.skipif(not NIGHTLY, reason="VIRTQUORUM_NIGHTLY=1 strikes every call")
@pytest.mark.parametrize("blow", ["error", "cut", "SIGTERM"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("change", CHANGES)
def test_every_call(faulty: Faulty, change: str, when: str, blow: str) -> None:
    check(faulty.strike(change, when, blow, every=True))


def begun(bench: Embed, what: str, argument: str, number: int, blow: str) -> str | None:
    """Strike the n-th call of a domain's life; the call, None if there are fewer."""
    try:
        found: str | None = bench.call(doctored.life, what, argument, number, "after", blow)["call"]
    except GoneError:
        bench.kill_worker()
        return "killed"
    return found


@pytest.mark.parametrize(
    "blow", ["kill", pytest.param("error", marks=nightly), pytest.param("cut", marks=nightly)]
)
def test_define_start_and_undefine(bench: Embed, blow: str) -> None:
    """Each happens or does not, and no placeholder is left over."""
    images = [bench.image(f"life-{blow}-{one}", 4 << 20) for one in range(3)]
    digests = [one.read_bytes() for one in images]
    xml = guest_xml(bench, "life", quorum_disk("vda", images))
    file = "life-vda.placeholder"
    ends = {
        "define": (xml, (None, "shut off")),
        "start": ("life", ("shut off", "running", "paused")),
        "undefine": ("life", ("shut off", None)),
    }
    for what, (argument, states) in ends.items():
        met: str | None = ""
        number = 0
        while met is not None:
            number += 1
            met = begun(bench, what, argument, number, blow)
            seen = bench.call(doctored.doctored_all)
            if what == "start" and number == 2:
                # QEMU is started, and that was not written down: whoever has done so is asked.
                assert [one for one in seen["left"] if "maybe of another one" in one]
                bench.call(doctored.doctored, "life", True)
                seen = bench.call(doctored.doctored_all)
            state = seen["domains"].get("life")
            assert (seen["left"], seen["again"]) == ([], []), (what, number)
            assert state in states, (what, number)
            assert (file in seen["files"]) == (state is not None), (what, number)
            if state == "paused":
                assert bench.call(ailing.kinds, "life") == ["paused"]
            if state != states[0] and (met is not None or what == "start"):
                undo(bench, what, xml)
    assert [one.read_bytes() for one in images] == digests


def undo(bench: Embed, what: str, xml: str) -> None:
    """Take a step of a domain's life back."""
    if what == "start":
        bench.call(asked.destroy, "life")
    else:
        again = "undefine" if what == "define" else "define"
        bench.call(
            doctored.life, again, "life" if again == "undefine" else xml, 99, "after", "none"
        )


def killed(bench: Embed | System, name: str, faulty: Faulty, change: str, number: int) -> bool:
    """Kill the process after the n-th call of a change; whether there was such a call."""
    done, _, options, _ = faulty.changes[change]
    try:
        bench.call(doctored.struck, name, done, options, number, "after", "kill")
    except GoneError:
        bench.kill_worker()
        return True
    return False


@pytest.mark.parametrize(
    ("change", "numbers"),
    [("attach", (2, 14)), ("replace", (6, 18))] if not NIGHTLY
    else [(change, tuple(range(1, 40))) for change in CHANGES if change != "detach"],
)  # fmt: skip
def test_a_process_that_is_killed(faulty: Faulty, change: str, numbers: tuple[int, ...]) -> None:
    """By SIGKILL; another process is the doctor."""
    bench, name = faulty.bench, faulty.name
    done, back, options, images = faulty.changes[change]
    old = bench.call(doctored.whole, name, images)
    bench.call(doctored.made, name, done, options)
    new = bench.call(doctored.whole, name, images)
    bench.call(doctored.made, name, back, options)
    old = {**bench.call(doctored.whole, name, images), "images": old["images"]}
    seen = set()
    for number in numbers:
        if not killed(bench, name, faulty, change, number):
            bench.call(doctored.made, name, back, options)
            break
        assert bench.call(doctored.doctored, name) | {"mended": []} == {
            "mended": [], "left": [], "again": []
        }  # fmt: skip
        state = bench.call(doctored.whole, name, images)
        assert state in (old, new), number
        seen.add(state == new)
        if state == new:
            bench.call(doctored.made, name, back, options)
    assert seen == {True, False}
    assert faulty.web.guest.read(DATA).first == DATA_TEXT[:16]


def test_a_paused_guest_stays_paused(faulty: Faulty) -> None:
    bench, name = faulty.bench, faulty.name
    bench.virsh("suspend", name)
    done, back, options, images = faulty.changes["set"]
    for number in (4, 13):
        bench.call(doctored.struck, name, done, options, number, "after", "cut")
        seen = bench.call(doctored.doctored, name)
        assert (seen["mended"], seen["left"], seen["again"]) == (["unfinished"], [], [])
        state = bench.call(doctored.whole, name, images)
        assert (state["running"], state["note"], state["strays"]) == (False, False, [])
        assert (state["live"]["vda"][0] == 3) == (number == 13)
    bench.call(doctored.made, name, back, options)
    bench.virsh("resume", name)
    assert faulty.web.guest.read(DATA).first == DATA_TEXT[:16]


@pytest.mark.parametrize("number", range(1, 13) if NIGHTLY else [5, 11])
def test_qemu_that_is_killed(bench: Embed, number: int) -> None:
    """The definition is old or new; nothing else is left, and it starts again."""
    name = f"shot{number}"
    shot = Faulty(bench, name)
    done, _, options, images = shot.changes["set"]
    digests = bench.call(doctored.whole, name, images)["images"]
    pid = bench.pid(name)
    said = bench.call(
        doctored.struck, name, done, options, number, "before", "qemu", False, pid
    )["said"]  # fmt: skip
    assert said in ("old", None)
    seen = bench.call(doctored.doctored, name)
    assert (seen["mended"], seen["left"], seen["again"]) == ([], [], [])
    state = bench.call(doctored.whole, name, images)
    assert state["live"] is None
    assert state["config"]["vda"][0] == (2 if said == "old" else 3)
    assert (state["files"], state["images"]) == ([f"{name}-vda.placeholder"], digests)
    bench.call(asked.start, name)
    assert bench.call(doctored.found, name) == []
    bench.call(asked.destroy, name)


@pytest.mark.skipif(missing_for_system() is not None, reason=str(missing_for_system()))
def test_a_daemon_that_is_restarted() -> None:
    with system() as bench:
        faulty = Faulty(bench, "restarted")
        done, _, options, images = faulty.changes["attach"]
        old = bench.call(doctored.whole, "restarted", images)
        for number in (4, 9) if not NIGHTLY else range(1, 20):
            _struck_by_restart(bench, done, options, number)
            seen = bench.call(doctored.doctored, "restarted")
            assert (seen["left"], seen["again"]) == ([], [])
            state = bench.call(doctored.whole, "restarted", images)
            if state != old:
                assert "sdb" in state["live"]
                assert "sdb" in state["config"]
                assert (state["note"], state["strays"], state["running"]) == (False, [], True)
                bench.call(doctored.made, "restarted", ["detach", "sdb"], options)
        assert faulty.web.guest.read(DATA).first == DATA_TEXT[:16]


def _struck_by_restart(bench: Any, done: list[Any], options: dict[str, Any], number: int) -> None:
    """Libvirtd is killed in the middle of a change, and started again."""
    daemon = bench.daemons["libvirtd"]
    bench.call(
        doctored.struck, "restarted", done, options, number, "after", "qemu", False, daemon
    )  # fmt: skip
    bench.leave()
    bench.held.signal(daemon, signal.SIGKILL)
    bench.held.wait(daemon)
    bench.start()
