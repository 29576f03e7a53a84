"""Start, shutdown, destroy: the guest runs on its quorum or not at all, and nothing is left."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.guests import DATA, MARK, MARKED, SECTOR
from tests.host.quorum_domains import (
    DATA_TEXT,
    Faulty,
    members,
    quorum_disk,
    virtquorum,
    web,
)
from tests.libvirts import Guest, asked, missing_for_embed
from tests.libvirts.domains import disk_content
from tests.nightly import NIGHTLY
from virtquorum.host.intent import NAMESPACE
from virtquorum.host.placeholders import SENTENCE
from virtquorum.host.saved_header import ran_when_saved

if TYPE_CHECKING:
    from tests.libvirts import Embed

pytestmark = pytest.mark.skipif(missing_for_embed() is not None, reason=str(missing_for_embed()))

UUID = "7f1d0f5e-5c0a-4a1e-8b1e-2f8f6b0c9a11"
SCSI = "<controller type='scsi' model='virtio-scsi'/>"


def defined(bench: Embed, *disks: str) -> None:
    done = virtquorum(bench, "define", "--no-checks", web(bench, "web", *disks))
    assert done.code == 0, done.err


def placeholder(bench: Embed, target: str = "vda") -> Path:
    return bench.root / "virtquorum" / f"web-{target}.placeholder"


def test_a_placeholder_gets_the_size_that_the_quorum_has_now(bench: Embed) -> None:
    images = members(bench, "web")
    defined(bench, quorum_disk("vda", images))
    os.truncate(placeholder(bench), 1 << 20)  # as where no image was there yet
    done = virtquorum(bench, "start", "--paused", "web")
    assert (done.code, done.err) == (0, "")
    assert placeholder(bench).stat().st_size == images[0].stat().st_size
    assert placeholder(bench).read_bytes().startswith(SENTENCE)


def test_an_embedded_driver_logs_into_its_root(bench: Embed) -> None:
    defined(bench, quorum_disk("vda", members(bench, "web")))
    done = virtquorum(bench, "start", "--paused", "web", LIBVIRT_LOG_OUTPUTS="")
    assert (done.code, done.err) == (0, "")
    assert "is tainted: custom-argv" in (bench.root / "virtquorum.log").read_text()


def test_a_guest_boots_from_its_quorum(bench: Embed) -> None:
    images = members(bench, "web")
    images[1].write_bytes(disk_content(b"it rotted quietly").ljust(4 << 20, b"\0"))
    defined(bench, quorum_disk("vda", images))
    placeholder(bench).unlink()  # it is made again
    shown = virtquorum(bench, "start", "--dry-run", "web")
    assert shown.code == 0
    assert "make the placeholder" in shown.out
    assert "libvirt: start web --paused" in shown.out
    assert not placeholder(bench).exists()
    done = virtquorum(bench, "start", "web")
    assert (done.code, done.out, done.err) == (0, "domain 'web' started\n", "")
    guest = Guest(bench, "web")
    guest.booted()
    assert guest.read(DATA).first == DATA_TEXT[:16]
    assert bench.looked_up("web")["drives"] == {"ua-vq-vda": "vq-vda"}
    assert "running" in virtquorum(bench, "list").out
    again = virtquorum(bench, "start", "web")
    assert (again.code, again.err) == (1, "virtquorum: domain 'web' is running already\n")
    off = virtquorum(bench, "destroy", "--graceful", "web")
    assert (off.code, off.out, off.err) == (0, "domain 'web' destroyed\n", "")
    off = virtquorum(bench, "destroy", "web")
    assert (off.code, off.err) == (1, "virtquorum: domain 'web' does not run\n")
    assert placeholder(bench).exists()
    written = [one.read_bytes()[MARK * SECTOR :][:SECTOR] for one in images]
    assert written == [MARKED] * 3
    assert placeholder(bench).read_bytes().rstrip(b"\0") == SENTENCE


def test_paused(bench: Embed) -> None:
    defined(bench)
    done = virtquorum(bench, "start", "--paused", "web")
    assert (done.code, done.out) == (0, "domain 'web' started, and paused\n")
    assert bench.call(asked.state, "web") == "paused"


def test_images_that_are_missing(bench: Embed) -> None:
    images = members(bench, "web")
    defined(bench, quorum_disk("vda", images))
    images[2].unlink()
    refused = virtquorum(bench, "start", "web")
    assert (refused.code, refused.out) == (1, "")
    assert f"image '{images[2]}'" in refused.err
    assert refused.err.endswith("domain 'web' was not started\n")  # that helps nobody here
    tried = virtquorum(bench, "start", "--no-checks", "web")
    assert tried.code == 1
    assert "cannot start 'web': domain 'web': libvirt says: " in tried.err
    assert "No such file or directory" in tried.err
    assert tried.err.endswith("all is as it was before\n")
    assert bench.call(asked.state, "web") == "shut off"


def test_a_start_that_fails_leaves_no_placeholder(bench: Embed) -> None:
    """Unless it was there before."""
    images = members(bench, "web")
    defined(bench, quorum_disk("vda", images))
    images[2].unlink()
    for is_there in (True, False):
        if not is_there:
            placeholder(bench).unlink()
            placeholder(bench).parent.rmdir()
        failed = virtquorum(bench, "start", "--no-checks", "web")
        assert (failed.code, "all is as it was before" in failed.err) == (1, True)
        assert placeholder(bench).parent.exists() is is_there
        assert "urn:virtquorum:change" not in bench.call(asked.xml, "web", True)


def test_a_domain_changed_by_hand_is_not_started(bench: Embed) -> None:
    """Virsh would start it, with the placeholder as the guest's disk."""
    defined(bench)
    xml = bench.call(asked.xml, "web", True)
    bench.call(asked.define, xml.replace("value='vq-vda'", "value='libvirt-1-format'"))
    done = virtquorum(bench, "start", "web")
    assert (done.code, done.out) == (1, "")
    assert "pointed at another node than the quorum" in done.err
    assert bench.call(asked.state, "web") == "shut off"


def verified_elsewhere(connection: Any, name: str) -> str:
    """What is said of a running domain whose device was pointed at another node."""
    from virtquorum.errors import HostError
    from virtquorum.host.session import Host
    from virtquorum.host.start import verify_drives

    domain = Host(connection).domain(name)
    verify_drives(domain)
    monitor = domain.monitor
    frontend = monitor.needed_frontend("ua-vq-vda")
    monitor.command("blockdev-add", **{"driver": "null-co", "node-name": "other"})
    monitor.command("qom-set", path=frontend.path, property="drive", value="other")
    try:
        verify_drives(domain)
    except HostError as error:
        return str(error)
    return ""


def test_the_node_behind_a_disk_is_looked_up(bench: Embed) -> None:
    defined(bench)
    assert virtquorum(bench, "start", "--paused", "web").code == 0
    assert bench.call(verified_elsewhere, "web") == (
        "domain 'web': the guest's disk 'vda' has the node 'other' and not its quorum 'vq-vda'"
    )


def start_with_fault(connection: Any, number: int) -> tuple[str, bool]:
    from virtquorum.errors import HostError
    from virtquorum.host.change import apply
    from virtquorum.host.session import Host
    from virtquorum.host.start import plan_start

    counts = [number]
    try:
        apply(plan_start(Host(Faulty(connection, counts)).domain("web")))
    except HostError as error:
        return str(error), counts[0] <= 0
    return "done", counts[0] <= 0


def test_a_fault_at_any_call_leaves_it_off_or_running(bench: Embed) -> None:
    defined(bench)
    said = []
    for number in range(1, 60, 1 if NIGHTLY else 3):
        words, failed = bench.call(start_with_fault, number)
        if not failed:
            break
        said.append(words)
        state = bench.call(asked.state, "web")
        if words == "done" or "the change is made" in words:
            assert state == "running"
            live = bench.call(asked.xml, "web", False)
            assert (NAMESPACE in live) is ("cannot take away the note" in words)
            bench.call(asked.destroy, "web")
        else:
            assert "injected" in words
            assert state == "shut off"
        assert NAMESPACE not in bench.call(asked.xml, "web", True)
    assert words == "done"
    assert sum("all is as it was before" in one for one in said) >= 2


class Unwritable:
    """A domain's handle of somebody who may start it and not write to its definition."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    def __getattr__(self, name: str) -> Any:
        return self._refuse if name == "setMetadata" else getattr(self._handle, name)

    def _refuse(self, *arguments: object) -> None:
        import libvirt

        error = libvirt.libvirtError("")
        error.err = (88, 10, "access denied", 2, *[""] * 5)
        raise error


def start_unwritable(connection: Any) -> str:
    """The state of a domain that was started without its note."""
    from virtquorum.host.change import apply
    from virtquorum.host.session import Host
    from virtquorum.host.start import plan_start

    domain = Host(connection).domain("web")
    domain.handle = Unwritable(domain.handle)
    assert apply(plan_start(domain)) is None
    return domain.state


def test_a_definition_that_cannot_be_written_is_in_no_starts_way(bench: Embed) -> None:
    defined(bench)
    assert bench.call(start_unwritable) == "running"


class Ended:
    """A domain's handle that does not know that it has ended it."""

    def __init__(self, handle: Any, code: int) -> None:
        self._handle = handle
        self._code = code

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._handle, name)
        return self._destroy if name == "destroyFlags" else found

    def _destroy(self, flags: int) -> None:
        import libvirt

        if self._code != 1:
            self._handle.destroyFlags(flags)
        error = libvirt.libvirtError("")
        error.err = (self._code, 10, "injected", 2, *[""] * 5)
        raise error


def destroyed(connection: Any, code: int) -> str:
    """What is said of an end at which libvirt raises an error of a number; with 1 there is none."""
    from virtquorum.errors import LibvirtError
    from virtquorum.host.session import Host
    from virtquorum.host.undefine import destroy

    domain = Host(connection).domain("web")
    domain.handle = Ended(domain.handle, code)
    try:
        destroy(domain)
    except LibvirtError as error:
        return str(error)
    return "destroyed"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (55, "destroyed"),
        (42, "destroyed"),
        (38, "domain 'web': libvirt says: injected"),
        (1, "domain 'web': libvirt says: injected"),
    ],
)
def test_a_guest_that_has_ended_is_destroyed(bench: Embed, code: int, said: str) -> None:
    """Whatever an embedded libvirt says of it."""
    defined(bench)
    assert virtquorum(bench, "start", "--paused", "web").code == 0
    assert bench.call(destroyed, code) == said
    assert (bench.call(asked.state, "web") == "paused") is (code == 1)


def looked_at_too_late(connection: Any) -> str:
    """What the loser of two starts is told, whose look at the images finds the winner's locks."""
    import io

    from virtquorum.cli.start import _may_start
    from virtquorum.cli.streams import Streams
    from virtquorum.errors import HostError
    from virtquorum.host.session import Host
    from virtquorum.host.start import plan_start

    domain = Host(connection).domain("web")
    plan_start(domain)
    connection.lookupByName("web").createWithFlags(1)
    said = io.StringIO()
    try:
        _may_start(domain, Streams(input=io.BytesIO(), out=io.StringIO(), err=said))
    except HostError as error:
        return said.getvalue() + str(error)
    return said.getvalue()


def test_the_loser_of_two_starts_is_told_so(bench: Embed) -> None:
    defined(bench)
    assert bench.call(looked_at_too_late) == "domain 'web' is paused already"


def plug(connection: Any, xml: str) -> None:
    """Plug a quorum disk into the domain, as a live attach leaves it."""
    from virtquorum.host.placeholders import Placeholders
    from virtquorum.host.session import Host
    from virtquorum.qemu.graph import flat
    from virtquorum.stock.lower import record_text
    from virtquorum.stock.lowering import lowerings
    from virtquorum.xml.domain import Domain
    from virtquorum.xml.format import format_disk
    from virtquorum.xml.record import NAMESPACE as RECORD

    host = Host(connection)
    domain = host.domain("web")
    wanted = domain.lifted().insert(Domain.from_text(xml).disks[0])
    old, new = lowerings(wanted, directory=host.placeholder_directory)
    Placeholders(host).make(new.file, 4 << 20)
    domain.handle.attachDeviceFlags(format_disk(new.placeholder), 1)
    for node in flat(new.built.top):
        domain.monitor.command("blockdev-add", **node)
    frontend = domain.monitor.needed_frontend(new.alias)
    domain.monitor.command("qom-set", path=frontend.path, property="drive", value=new.drive)
    record = record_text([old, new._replace(plugged=True)])
    domain.handle.setMetadata(2, record, "vq", RECORD, 1)


def test_a_saved_state_goes_on(bench: Embed) -> None:
    """It comes back with the quorum, and the guest with its state."""
    path = web(bench, "web", quorum_disk("vda", members(bench, "web")), devices=SCSI)
    assert virtquorum(bench, "define", path).code == 0
    assert virtquorum(bench, "start", "web").code == 0
    guest = Guest(bench, "web")
    guest.booted()
    bench.virsh("managedsave", "web")
    done = virtquorum(bench, "start", "web")
    assert (done.code, done.err) == (0, "")
    assert bench.call(asked.state, "web") == "running"
    assert guest.read(DATA).first == DATA_TEXT[:16]
    assert bench.looked_up("web")["drives"] == {"ua-vq-vda": "vq-vda"}


def test_a_saved_state_waits_until_its_disks_are_seen(bench: Embed) -> None:
    """And goes on as it was when it was saved."""
    path = web(bench, "web", quorum_disk("vda", members(bench, "web")), devices=SCSI)
    assert virtquorum(bench, "define", path).code == 0
    assert virtquorum(bench, "start", "web").code == 0
    Guest(bench, "web").booted()
    bench.virsh("managedsave", "web")
    shown = virtquorum(bench, "start", "--dry-run", "web").out
    calls = ["libvirt: start web --paused", "find the quorums", "libvirt: resume web"]
    assert sorted(map(shown.index, calls)) == [shown.index(one) for one in calls]
    found = bench.call(misled, True)
    assert found == ["paused", "shut off", True], "it does not run before, and is saved again"
    assert virtquorum(bench, "start", "web").out == "domain 'web' started\n"
    assert bench.call(asked.state, "web") == "running"
    bench.virsh("suspend", "web")
    bench.virsh("managedsave", "web")
    assert bench.call(misled, True) == ["paused", "shut off", False]
    assert virtquorum(bench, "start", "web").out == "domain 'web' started, and paused\n"
    assert bench.call(asked.state, "web") == "paused"
    bench.virsh("resume", "web")
    bench.virsh("managedsave", "web")
    assert virtquorum(bench, "start", "--paused", "web").code == 0
    assert bench.call(asked.state, "web") == "paused"


def misled(connection: Any, is_known: bool) -> list[Any]:
    """A start whose look fails: the state at that look, the one after, and how it is saved."""
    from virtquorum.errors import HostError
    from virtquorum.host.change import apply
    from virtquorum.host.saved_header import ran_when_saved
    from virtquorum.host.session import Host

    start: Any = import_module("virtquorum.host.start")
    domain = Host(connection).domain("web")
    seen: list[Any] = []

    def refused(found: Any) -> None:
        seen.append(found.state)
        raise HostError("the look fails")

    kept, known = start.verify_drives, start.ran_when_saved
    start.verify_drives = refused
    start.ran_when_saved = ran_when_saved if is_known else lambda _: None
    try:
        with pytest.raises(HostError, match="the look fails; all is as it was before"):
            apply(start.plan_start(domain))
    finally:
        start.verify_drives, start.ran_when_saved = kept, known
    return [*seen, domain.state, ran_when_saved(domain)]


def test_a_saved_state_that_nobody_here_may_read(bench: Embed) -> None:
    """Only libvirt knows whether it ran, and lets it go on."""
    path = web(bench, "web", quorum_disk("vda", members(bench, "web")), devices=SCSI)
    assert virtquorum(bench, "define", path).code == 0
    assert virtquorum(bench, "start", "web").code == 0
    Guest(bench, "web").booted()
    bench.virsh("managedsave", "web")
    assert bench.call(misled, False) == ["running", "shut off", True]
    bench.call(asked.start, "web")
    bench.virsh("suspend", "web")
    bench.virsh("managedsave", "web")
    assert bench.call(misled, False) == ["paused", "shut off", False]


def test_what_the_file_of_a_saved_state_says(tmp_path: Path) -> None:
    folder = tmp_path / "lib" / "qemu" / "save"
    folder.mkdir(parents=True)
    xml = f"<domain><uuid>{UUID}</uuid></domain>".encode()

    def saved(magic: bytes = b"LibvirtQemudSave", version: int = 2, ran: int = 1) -> bytes:
        return struct.pack("=16sIII", magic, version, len(xml), ran).ljust(92, b"\0")

    host: Any = SimpleNamespace(root=str(tmp_path), is_local=True, driver="QEMU")
    domain: Any = SimpleNamespace(host=host, name="web", uuid=UUID)
    file = folder / "web.save"
    assert ran_when_saved(domain) is None
    said = {
        True: saved() + xml,
        False: saved(ran=0) + xml,
    }
    for ran, data in said.items():
        file.write_bytes(data)
        assert ran_when_saved(domain) is ran
    wrong = [
        b"", saved()[:80], saved(b"LibvirtQemudPart") + xml, saved(version=3) + xml,
        saved(ran=7) + xml, saved() + xml.replace(b"7f1d", b"8f1d"),
    ]  # fmt: skip
    for data in wrong:
        file.write_bytes(data)
        assert ran_when_saved(domain) is None, data
    file.write_bytes(said[True])
    host.is_local = False
    assert ran_when_saved(domain) is None


def test_a_saved_state_has_the_disks_that_were_plugged_in(bench: Embed) -> None:
    """The arguments that libvirt keeps with it know nothing of them."""
    path = web(bench, "web", quorum_disk("vda", members(bench, "web")), devices=SCSI)
    assert virtquorum(bench, "define", path).code == 0
    assert virtquorum(bench, "start", "--paused", "web").code == 0
    bench.call(plug, quorum_disk("sda", members(bench, "more"), bus="scsi", boot=None))
    drives = {"ua-vq-vda": "vq-vda", "ua-vq-sda": "vq-sda"}
    assert bench.looked_up("web")["drives"] == drives
    bench.virsh("managedsave", "web")
    shown = virtquorum(bench, "start", "--dry-run", "web")
    assert "write the quorum disks into the saved state of 'web'" in shown.out
    done = virtquorum(bench, "start", "web")
    assert (done.code, done.err) == (0, "")
    assert bench.looked_up("web")["drives"] == drives
    assert virtquorum(bench, "list").out.count("more-") == 3
    assert virtquorum(bench, "destroy", "web").code == 0
    assert placeholder(bench).exists()
    assert not placeholder(bench, "sda").exists()


def test_shutdown_waits_for_the_guest(bench: Embed) -> None:
    defined(bench)
    refused = virtquorum(bench, "shutdown", "web")
    assert (refused.code, refused.err) == (1, "virtquorum: domain 'web' does not run\n")
    wrong = virtquorum(bench, "shutdown", "--mode", "polite", "web")
    assert (wrong.code, "there are: acpi, agent, initctl, signal, paravirt" in wrong.err) == (
        2,
        True,
    )
    assert virtquorum(bench, "start", "web").code == 0
    guest = Guest(bench, "web")
    guest.booted()
    asked_only = virtquorum(bench, "shutdown", "--timeout", "0", "--mode", "acpi", "web")
    assert (asked_only.code, asked_only.out) == (0, "domain 'web' is asked to shut down\n")
    waiting = virtquorum(bench, "shutdown", "--timeout", "1", "web")
    assert waiting.code == 1
    assert "runs still after 1 seconds; wait for longer, --timeout, or end it" in waiting.err
    code, said = ended_while_waiting(bench)
    assert code == 0
    assert b"waiting for the guest, 0 of 60 seconds" in said
    assert bench.call(asked.state, "web") == "shut off"


def ended_while_waiting(bench: Embed) -> tuple[int, bytes]:
    """The code of a shutdown whose guest ends when it is being waited for, and what it said."""
    pid = bench.pid("web")
    bench.leave()
    ours, terminal = os.openpty()
    argv = [sys.executable, "-m", "virtquorum", "shutdown", "--timeout", "60", "web"]
    environment = {**os.environ, **bench.environment()}
    with subprocess.Popen(argv, env=environment, stderr=terminal, stdout=terminal) as process:
        os.close(terminal)
        said = b""
        while b"waiting for" not in said:
            said += os.read(ours, 1000)
        os.kill(pid, signal.SIGKILL)
        code = process.wait(60)
    os.close(ours)
    return code, said


def test_a_transient_domain_leaves_no_placeholder(bench: Embed) -> None:
    defined(bench)
    xml = bench.call(asked.xml, "web", True)
    bench.call(asked.forget, "web")
    bench.call(asked.create, xml, True)
    assert virtquorum(bench, "list", "--all").out.count("paused") == 1
    assert virtquorum(bench, "destroy", "web").code == 0
    assert not placeholder(bench).exists()
    missing = virtquorum(bench, "start", "web")
    assert (missing.code, "Domain not found" in missing.err) == (3, True)
