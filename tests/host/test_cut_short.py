"""A change or a start that was cut short: every command says so, and the doctor sees to it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from tests.guests import DATA
from tests.host import ailing, doctored
from tests.host.patching import Web
from tests.host.quorum_domains import DATA_TEXT, members, quorum_disk, virtquorum, web
from tests.libvirts import GoneError, asked, embed, missing_for_embed
from tests.libvirts.domains import disk_xml
from tests.nightly import nightly
from virtquorum.host.author import this_process
from virtquorum.host.intent import NAMESPACE, PREFIX, start_text
from virtquorum.host.noted import noted, without_note
from virtquorum.schema_files import schema_directory
from virtquorum.stock.lift import lift
from virtquorum.stock.lower import lower
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.libvirts import Embed
    from tests.programs import Result

embedded = pytest.mark.skipif(missing_for_embed() is not None, reason=str(missing_for_embed()))

FAR = str(this_process()._replace(host="far", boot="another"))
CUT = (
    "virtquorum: note: domain 'web': a change of the disk 'vda' was cut short; 'virtquorum doctor "
    "web' brings it to an end\n"
)


def dead() -> str:
    """The author of a process that has ended."""
    with subprocess.Popen(["true"]) as process:
        pass
    return str(this_process()._replace(pid=process.pid, start="1"))


# The note in an XML


def text(note: str = "", more: str = "") -> Domain:
    metadata = f"<metadata>{more}{note}</metadata>" if note or more else ""
    return Domain.from_text(f"<domain><name>web</name>{metadata}<devices/></domain>", "web.xml")


def note(**words: str) -> str:
    said = " ".join(f"{name}='{value}'" for name, value in words.items())
    return f'<c:change xmlns:c="{NAMESPACE}" version="1" {said}/>'


@pytest.mark.parametrize(
    ("words", "title"),
    [
        ({"kind": "swap", "more": '{"target": "vda"}'}, "a change of the disk 'vda'"),
        ({"kind": "attach", "more": '{"target": "vda"}'}, "a change that plugs the disk 'vda' in"),
        ({"kind": "detach", "more": '{"target": "a"}'}, "a change that takes the disk 'a' out"),
        ({"kind": "start"}, "a start of 'web'"),
        ({"kind": "swap", "alias": "x"}, "a change of its quorum disks"),
        ({"kind": "swap", "alias": "x", "more": "[1]"}, "a change of its quorum disks"),
        ({"kind": "swap", "alias": "x", "more": "{"}, "a change of its quorum disks"),
        ({"kind": "later", "more": '{"target": "vda"}'}, "a change of its quorum disks"),
        ({}, "a change of its quorum disks"),
    ],
)
def test_what_is_noted(words: dict[str, str], title: str) -> None:
    found = noted(text(note(**words)))
    assert found is not None
    assert (found.title, found.progress) == (title, "unknown")
    assert str(found).startswith(f"{title} is not finished; if nobody is at it any more, 'virt")


def test_a_disk_by_its_alias() -> None:
    disk = quorum_disk("vda", [Path("/a"), Path("/b")])
    domain = f"<domain><name>web</name><devices>{disk}</devices></domain>"
    lowered = lower(Domain.from_text(domain), directory="/p")
    spelled = lowered.text.replace(
        "<metadata>", f"<metadata>{note(kind='swap', alias='ua-vq-vda')}"
    )
    assert str(noted(Domain.from_text(spelled))).startswith("a change of the disk 'vda' is not")
    assert without_note(Domain.from_text(spelled)).text == lowered.text


def test_how_far_it_is() -> None:
    with subprocess.Popen(["sleep", "600"]) as process:
        with open(f"/proc/{process.pid}/stat") as file:
            start = file.read().rpartition(")")[2].split()[19]
        by = str(this_process()._replace(pid=process.pid, start=start))
        found = noted(text(note(kind="start", by=by)))
        assert found is not None
        assert str(found) == f"a start of 'web' goes on, made by the process {process.pid}"
        process.kill()
        process.wait()
        assert found.progress == "cut short"
    assert str(found) == (
        "a start of 'web' was cut short; 'virtquorum doctor web' takes the note of it away"
    )
    runs = text(note(kind="start", by=by)).text.replace("<domain>", "<domain id='3'>")
    for is_paused, cure in ((False, "takes the note of it away"), (True, "sees to it")):
        live = noted(Domain.from_text(runs), is_paused=is_paused)
        assert str(live).endswith(f"; 'virtquorum doctor web' {cure}")
    assert found.ended == "a start of 'web' was cut short; it ends with the guest"
    own = noted(text(note(kind="start", by=str(this_process()))))
    assert own is not None
    assert own.is_ours


def test_without_it_a_domain_is_what_it_was() -> None:
    assert noted(text()) is None
    for domain in (text(), text(more="<a xmlns='urn:a'/>")):
        assert without_note(domain).text == domain.text
    assert without_note(text(note(kind="swap"))).text == text().text
    other = "<a xmlns='urn:a'/>"
    assert without_note(text(note(kind="swap"), other)).text == text(more=other).text
    twice = text(
        note(kind="swap") + start_text(FAR).replace("<change", f"<change xmlns='{NAMESPACE}'")
    )
    assert without_note(twice).text == text().text


# What the commands say


@pytest.fixture(scope="module")
def bench() -> Iterator[Embed]:
    with embed() as bench:
        yield bench


class Ward(Web):
    """A guest that starts again and again."""

    bench: Embed

    def reads(self, boots: int) -> bytes:
        """What it reads of its disk once it has booted so often."""
        self.guest.booted(boots)
        return self.guest.read(DATA).first

    @property
    def boots(self) -> int:
        """How often it has booted."""
        return self.guest.said().count("ready\n")


@pytest.fixture
def guest(bench: Embed) -> Iterator[Ward]:
    found = Ward(bench, "web")
    yield found
    bench.destroy_guests()
    for one in (bench.root / "virtquorum").glob("*"):
        one.unlink()


@embedded
def test_every_command_says_it(guest: Ward) -> None:
    bench = guest.bench

    def run(*argv: str | Path) -> Result:
        return virtquorum(bench, *argv)

    before = run("dumpxml", "web").out
    bench.call(ailing.noted, "web", dead())
    shown = run("dumpxml", "web")
    assert (shown.out, shown.err) == (before, CUT)
    assert NAMESPACE in run("dumpxml", "--lowered", "web").out
    inactive = run("dumpxml", "--inactive", "web")
    assert (NAMESPACE in inactive.out, inactive.err) == (False, CUT)
    listed = run("list")
    assert listed.out.splitlines()[1].split()[2:5] == ["running", "*", "vda"]
    assert listed.err == CUT
    found = json.loads(run("list", "--json").out)
    schema = json.loads((Path(schema_directory()) / "list.schema.json").read_text("utf-8"))
    Draft202012Validator(schema).validate(found)
    assert found["domains"][0]["change"] == {
        "kind": "swap", "disk": "vda", "progress": "cut short",
    }  # fmt: skip
    file = bench.folder / "same.xml"
    file.write_text(before)
    for words in (("diff", "--live", "web", file), ("diff", "--disks-only", "web", file)):
        same = run(*words)
        assert (same.code, same.out, same.err) == (0, "", CUT), words
    file.write_text(bench.call(asked.xml, "web", False))
    assert run("diff", "--live", "web", file).code == 0  # the note in a file is no difference
    again = run("start", "web")
    assert (again.code, again.err) == (
        1, f"virtquorum: domain 'web' is running already; {CUT.partition(': domain ')[2][7:]}",
    )  # fmt: skip
    asks = run("shutdown", "--timeout", "0", "web")
    assert (asks.code, "was cut short; it ends with the guest, and" in asks.err) == (0, True)
    gone = run("undefine", "web")
    assert (gone.code, CUT in gone.err) == (0, True)
    off = run("destroy", "web")
    assert (off.code, "'virtquorum doctor web' looks what is left\n" in off.err) == (0, True)


@embedded
def test_a_change_that_goes_on_and_one_of_elsewhere(guest: Ward) -> None:
    bench = guest.bench
    with subprocess.Popen(["sleep", "600"]) as process:
        bench.call(ailing.noted, "web", process.pid)
        goes_on = virtquorum(bench, "list").err
        process.kill()
    assert goes_on == (
        "virtquorum: note: domain 'web': a change of the disk 'vda' goes on, made by the process "
        f"{process.pid}\n"
    )
    bench.call(ailing.noted, "web", FAR)
    assert "; if nobody is at it any more, 'virtquorum doctor web'" in virtquorum(bench, "list").err


@embedded
@pytest.mark.parametrize(
    "change", [pytest.param("set", marks=nightly), pytest.param("attach", marks=nightly), "replace"]
)
def test_a_guest_that_is_ended_in_the_middle_of_a_change(guest: Ward, change: str) -> None:
    """Its definition is the old or the new one, and starts; nothing else is left."""
    bench = guest.bench
    new = {"file": str(guest.image("new")), "format": "raw"}
    more = [guest.image(f"more{number}", b"more") for number in range(2)]
    changes: dict[str, list[Any]] = {
        "set": ["set_quorum", "vda", {"threshold": 3}],
        "attach": ["attach", quorum_disk("sdb", more, bus="scsi", boot=None, threshold=1)],
        "replace": ["replace_member", "vda", str(guest.images[2]), new],
    }
    options = {"live": True, "config": True, "checks": False}
    file = bench.folder / "web.xml"
    file.write_text(bench.call(asked.xml, "web", True))
    ended = set()
    for number in (3, 6, 9, 12, 15) if change == "set" else (4, 10, 15):
        bench.call(doctored.struck, "web", changes[change], options, number, "after", "cut")
        assert virtquorum(bench, "destroy", "web").code == 0
        found = bench.call(doctored.doctored, "web")
        assert (found["left"], found["again"]) == ([], []), number
        state = bench.call(doctored.whole, "web")
        assert state["files"] == sorted(f"web-{one}.placeholder" for one in state["config"])
        ended.add(json.dumps(state["config"]))
        boots = guest.boots
        assert virtquorum(bench, "start", "web").code == 0, number
        assert guest.reads(boots + 1) == DATA_TEXT[:16]
        assert bench.call(doctored.found, "web") == []
        assert virtquorum(bench, "destroy", "web").code == 0
        bench.call(asked.define, file.read_text())
        bench.call(doctored.doctored, "web")
        assert virtquorum(bench, "start", "web").code == 0
    assert len(ended) == 2


# Starts


def started(bench: Embed, number: int, when: str) -> bool:
    """Kill a start at its n-th call that changes something; whether there was such a call."""
    try:
        bench.call(doctored.life, "start", "web", number, when, "kill")
    except GoneError:
        bench.kill_worker()
        return True
    return False


@embedded
def test_a_start_that_was_killed_is_told_from_one_that_is_paused(guest: Ward) -> None:
    bench = guest.bench
    bench.call(asked.destroy, "web")
    seen = []
    number = 0
    while started(bench, number := number + 1, "after"):
        state = bench.call(asked.state, "web")
        notes = [NAMESPACE in bench.call(asked.xml, "web", inactive) for inactive in (False, True)]
        assert notes[0] or not any(notes), "what is not in the live XML, 'list' does not say"
        said = virtquorum(bench, "list", "--all")
        cure = "sees to it" if state == "paused" else "takes the note of it away"
        sentence = f"a start of 'web' was cut short; 'virtquorum doctor web' {cure}\n"
        assert (" *" in said.out, sentence in said.err) == (notes[0], notes[0]), number
        boots = guest.boots
        is_unsure = state == "paused" and notes == [True, True] and number == 2
        if is_unsure:  # killed when QEMU was started, and that not written down: it is asked
            asks = bench.call(doctored.doctored, "web")
            assert (asks["mended"], len(asks["left"])) == ([], 1)
            assert bench.call(asked.state, "web") == "paused"
        found = bench.call(doctored.doctored, "web", is_unsure)
        assert found == {"mended": ["unfinished"][: notes[0]], "left": [], "again": []}, number
        now = bench.call(asked.state, "web")
        assert now == ("shut off" if state == "shut off" else "running"), number
        seen.append((state, now))
        for inactive in (False, True):
            assert NAMESPACE not in bench.call(asked.xml, "web", inactive)
        if now == "running":
            assert guest.reads(boots + (state == "paused")) == DATA_TEXT[:16]
            bench.call(asked.destroy, "web")
    assert seen == [
        ("shut off", "shut off"), ("paused", "running"), ("paused", "running"),
        ("paused", "running"), ("running", "running"), ("running", "running"),
    ]  # fmt: skip
    assert bench.call(asked.state, "web") == "running"
    bench.call(asked.destroy, "web")
    # One that is paused on purpose is left so, whoever has started it.
    for is_ours in (True, False):
        if is_ours:
            assert virtquorum(bench, "start", "--paused", "web").code == 0
        else:
            bench.virsh("start", "--paused", "web")
        assert bench.call(ailing.kinds, "web") == ["paused"]
        assert bench.call(doctored.doctored, "web")["mended"] == []
        assert bench.call(asked.state, "web") == "paused"
        assert " *" not in virtquorum(bench, "list").out
        bench.call(asked.destroy, "web")


@embedded
def test_a_guest_that_is_paused_on_purpose_is_not_run_for_an_earlier_start(guest: Ward) -> None:
    """A start that was cut short leaves its note in the definition, and the next one has it."""
    bench = guest.bench
    bench.call(asked.destroy, "web")
    assert started(bench, 1, "after")
    assert NAMESPACE in bench.call(asked.xml, "web", True)
    shown = virtquorum(bench, "start", "--dry-run", "--paused", "web")
    assert "take away the note of an earlier start" in shown.out
    assert virtquorum(bench, "start", "--paused", "web").code == 0
    for inactive in (False, True):
        assert NAMESPACE not in bench.call(asked.xml, "web", inactive)
    assert bench.call(ailing.kinds, "web") == ["paused"]
    bench.call(asked.destroy, "web")
    assert started(bench, 1, "after")
    bench.virsh("start", "--paused", "web")
    done = virtquorum(bench, "doctor", "web")
    assert (done.code, bench.call(asked.state, "web")) == (1, "paused")
    assert "there is the note of a start that was not finished, maybe of another one\n" in done.out
    assert "; or somebody has started it paused, from the definition with that note\n" in done.out
    assert "the guest runs (is asked first)\n" in done.out
    bench.virsh("resume", "web")
    assert virtquorum(bench, "doctor", "web").code == 0
    for inactive in (False, True):
        assert NAMESPACE not in bench.call(asked.xml, "web", inactive)


@embedded
def test_a_start_that_fails_gives_the_earlier_note_back(guest: Ward) -> None:
    bench = guest.bench
    bench.call(asked.destroy, "web")
    bench.call(lie, start_text(dead()), 2)
    before = bench.call(asked.xml, "web", True)
    for one in guest.images:
        one.rename(f"{one}.away")
    failed = virtquorum(bench, "start", "--paused", "--no-checks", "web")
    assert (failed.code, "all is as it was before" in failed.err) == (1, True)
    assert bench.call(asked.xml, "web", True) == before
    for one in guest.images:
        Path(f"{one}.away").rename(one)


@embedded
@pytest.mark.parametrize("command", ["destroy", "shutdown"])
def test_the_note_of_a_start_ends_with_the_guest(guest: Ward, command: str) -> None:
    """Also the one in the definition."""
    bench = guest.bench
    bench.call(lie, start_text(dead()), 3)
    off = virtquorum(bench, command, *(["--timeout", "0"] if command == "shutdown" else []), "web")
    said = "a start of 'web' was cut short; it ends with the guest"
    assert (off.code, off.err) == (0, f"virtquorum: note: domain 'web': {said}\n")
    assert NAMESPACE not in bench.call(asked.xml, "web", True)
    if command == "shutdown":  # the guest does not hear it
        assert virtquorum(bench, "destroy", "web").code == 0
    assert "cut short" not in virtquorum(bench, "list", "--all").err


NEWER = "<change version='2' kind='start' more='what nobody knows'/>"


@embedded
def test_a_note_that_is_not_understood_stays(guest: Ward) -> None:
    bench = guest.bench
    bench.call(asked.destroy, "web")
    for one in (NEWER, "<change version='1' kind='later'/>"):
        bench.call(lie, one, 2)
        for options in ([], ["--paused"]):
            done = virtquorum(bench, "start", *options, "web")
            assert done.code == 0, done.err
            assert "and no start's, so it stays; 'virtquorum doctor web' says what" in done.err
            notes = [bench.call(asked.xml, "web", one) for one in (False, True)]
            assert [one.count("vqchange:change") or one.count(":change ") for one in notes] == [
                1,
                1,
            ]
            live = virtquorum(bench, "doctor", "--yes", "web")
            assert (live.code, "is not understood here; use the virtquorum that" in live.out) == (
                1, True,
            )  # fmt: skip
            off = virtquorum(bench, "destroy", "web")
            assert "and no start's, so it stays" in off.err
        assert NAMESPACE in bench.call(asked.xml, "web", True)
        found = virtquorum(bench, "doctor", "--yes", "web")
        assert (found.code, "that is not understood here" in found.out) == (1, True)
        assert NAMESPACE in bench.call(asked.xml, "web", True)


def note_in_a_definition(connection: Any) -> dict[str, Any]:
    """What is said of a definition that gets the same one again, while a note is in it."""
    from virtquorum.host.define import plan_definition
    from virtquorum.host.session import Host

    host = Host(connection)
    domain = host.domain("web")
    connection.lookupByName("web").setMetadata(2, start_text(dead()), "x", NAMESPACE, 2)
    plan = plan_definition(host, domain.lifted(inactive=True, secure=True)).plan
    return {"lines": plan.lines()}


@embedded
def test_the_note_is_no_difference_of_definitions(guest: Ward) -> None:
    found = guest.bench.call(note_in_a_definition)
    assert found["lines"]
    assert not [one for one in found["lines"] if NAMESPACE in one or "metadata" in one]


def test_lift_leaves_the_note_out(tmp_path: Path) -> None:
    """As 'virtquorum dumpxml' does."""
    disk = quorum_disk("vda", [Path("/a"), Path("/b")])
    domain = f"<domain><name>web</name><devices>{disk}</devices></domain>"
    lowered = lower(Domain.from_text(domain), directory="/p")
    file = tmp_path / "web.xml"
    file.write_text(lowered.text.replace("<metadata>", f"<metadata>{note(kind='start', by=FAR)}"))
    done = subprocess.run(
        [sys.executable, "-m", "virtquorum", "lift", file],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout.strip(), done.stderr) == (
        lift(lowered).text.strip(),
        "virtquorum: note: left out: the note of a start of 'web', which is a running guest's "
        "alone\n",
    )


def lie(connection: Any, note: str, flags: int) -> None:
    """Write a note."""
    connection.lookupByName("web").setMetadata(2, note, PREFIX, NAMESPACE, flags)


@embedded
def test_a_start_whose_disks_are_not_the_quorums_is_not_resumed(guest: Ward) -> None:
    bench = guest.bench
    bench.call(asked.destroy, "web")
    assert virtquorum(bench, "start", "--paused", "web").code == 0
    bench.call(ailing.exchange, "web", "vda", 3)
    bench.call(lie, start_text(dead()), 1)
    live = virtquorum(bench, "patch", "web", "set", "vda", "--threshold", "1", "--live", "--yes")
    assert live.code == 1
    done = virtquorum(bench, "doctor", "web")
    assert (done.code, bench.call(asked.state, "web")) == (1, "paused")
    assert "away; the guest stays paused, for its disks are not the quorums\n" in done.out
    assert "the node 'vq-vda' is 3, not 2" in done.out
    assert "  way out: end it instead: 'virtquorum destroy web'\n" in done.out
    assert virtquorum(bench, "doctor", "--yes", "web").code == 0
    assert bench.call(asked.state, "web") == "paused"


def change_text(guest: Ward, threshold: int) -> Result:
    argv = ("patch", "web", "set", "vda", "--threshold", str(threshold), "--live", "--yes")
    return virtquorum(guest.bench, *argv)


@embedded
def test_a_live_change_waits_for_a_start(guest: Ward) -> None:
    bench = guest.bench
    # One that was cut short and whose guest runs is none any more, and its note goes in passing.
    bench.call(lie, start_text(dead()), 3)
    assert change_text(guest, 1).code == 0
    for inactive in (False, True):
        assert NAMESPACE not in bench.call(asked.xml, "web", inactive)
    with subprocess.Popen(["sleep", "600"]) as process:
        with open(f"/proc/{process.pid}/stat") as file:
            start = file.read().rpartition(")")[2].split()[19]
        bench.call(lie, start_text(str(this_process()._replace(pid=process.pid, start=start))), 1)
        goes_on = change_text(guest, 3)
        process.kill()
    bench.call(asked.destroy, "web")
    bench.call(lie, start_text(dead()), 2)
    bench.virsh("start", "--paused", "web")
    for said in (goes_on, change_text(guest, 3)):
        assert said.code == 1
        assert "its start was cut short, or goes on; wait for it, or run 'virtquorum doctor" in (
            said.err
        )
    bench.virsh("resume", "web")
    bench.virsh("suspend", "web")  # by hand, after it has run
    assert bench.call(doctored.doctored, "web")["mended"] == ["unfinished"]
    assert bench.call(asked.state, "web") == "paused"


@embedded
def test_notes_in_a_definition(guest: Ward) -> None:
    bench = guest.bench
    with subprocess.Popen(["sleep", "600"]) as process:
        with open(f"/proc/{process.pid}/stat") as file:
            start = file.read().rpartition(")")[2].split()[19]
        bench.call(lie, start_text(str(this_process()._replace(pid=process.pid, start=start))), 3)
        found = virtquorum(bench, "doctor", "--yes", "web")
        process.kill()
    assert (found.code, f"goes on: the process {process.pid} is at it" in found.out) == (1, True)
    bench.call(asked.destroy, "web")
    done = virtquorum(bench, "doctor", "web")
    assert (done.code, "the note of it is taken away\n  mended\n" in done.out) == (0, True)
    bench.call(lie, "<change version='1' kind='swap' alias='ua-vq-vda' old='[]' new='[]'/>", 2)
    assert bench.call(ailing.kinds, "web") == ["unfinished"]
    assert virtquorum(bench, "doctor", "--yes", "web").code == 0
    assert NAMESPACE not in bench.call(asked.xml, "web", True)


@embedded
def test_what_a_conversion_left_that_forbids_to_save(bench: Embed) -> None:
    """A domain without a record has no use for it."""
    stock = web(bench, "stock", disk_xml("vda", bench.image("stock", 1 << 20)))
    assert virtquorum(bench, "define", "--no-checks", stock).code == 0
    bench.virsh("start", "--paused", "stock")
    bench.call(ailing.open_node, "stock", "vq-vda-nosave")
    shown = virtquorum(bench, "doctor", "--dry-run", "stock")
    assert (shown.code, "neither be saved nor migrated for it" in shown.out) == (1, True)
    assert virtquorum(bench, "doctor", "stock").code == 0
    assert "vq-vda-nosave" not in bench.looked_up("stock")["nodes"]
    bench.call(asked.destroy, "stock")
    bench.call(asked.forget, "stock")


# Some domains


@embedded
def test_domains_that_are_named(guest: Ward) -> None:
    bench = guest.bench
    stock = web(bench, "stock", disk_xml("vda", bench.image("stock", 1 << 20)))
    assert virtquorum(bench, "define", "--no-checks", stock).code == 0
    off = web(bench, "off", quorum_disk("vda", members(bench, "off")))
    assert virtquorum(bench, "define", "--no-checks", off).code == 0
    one = virtquorum(bench, "list", "off")
    assert ([line.split()[1:4] for line in one.out.splitlines()[1:2]], one.err) == (
        [["off", "shut", "off"]], "",
    )  # fmt: skip
    uuid = bench.virsh("domuuid", "off").strip()
    some = virtquorum(bench, "list", "web", "stock", uuid, "off")
    heads = [line.split()[1] for line in some.out.splitlines()[1:] if line[0] != " "]
    assert heads == ["web", "off"]
    assert some.err == "virtquorum: note: domain 'stock' has no quorum disk\n"
    found = json.loads(virtquorum(bench, "list", "--json", "off").out)
    assert [one["name"] for one in found["domains"]] == ["off"]
    missing = virtquorum(bench, "list", "web", "of")
    assert (missing.code, missing.out) == (3, "")
    assert "did you mean 'off'?" in missing.err
    both = virtquorum(bench, "list", "--all", "web")
    assert (both.code, "DOMAIN names them" in both.err) == (2, True)
