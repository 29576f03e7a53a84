"""The first vote: samples/first-vote.xml goes in, and a real QEMU opens what comes out.

Makes three members of mixed kind in a temporary directory (a qcow2 file, a
raw file, and a raw file behind qemu-nbd on a unix socket), writes through
the quorum, corrupts one member underneath, and reads again.  Shows every
command with what it printed; leaves nothing behind.

Needs qemu-system-x86_64, qemu-img, qemu-io and qemu-nbd, and virtquorum[qmp].
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qemu.qmp.legacy import QEMUMonitorProtocol

from virtquorum.model.image import Image
from virtquorum.model.sources.file import FileSource
from virtquorum.model.sources.nbd import NbdSource
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLE = Path(__file__).with_name("first-vote.xml")
GOOD, BAD = "0xa5", "0xff"


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="vq-") as name:
        folder = Path(name)
        members = [folder / "member-0.qcow2", folder / "member-1.raw", folder / "member-2.raw"]
        formats = ["qcow2", "raw", "raw"]
        socket = folder / "member-2.sock"
        xml = folder / "first-vote.xml"
        xml.write_bytes(placed(Domain.from_bytes(SAMPLE.read_bytes()), members, socket).to_bytes())

        say("A domain with one quorum disk: a qcow2 file, a raw file, an NBD export.")
        run(sys.executable, "-m", "virtquorum", "show", str(xml))
        say("What QEMU is to be told.")
        run(sys.executable, "-m", "virtquorum", "args", "--no-frontend", str(xml))
        say("Three empty images, the third served by qemu-nbd.")
        for image, format in zip(members, formats, strict=True):
            run("qemu-img", "create", "-q", "-f", format, str(image), "16M")

        arguments = json.loads(
            output(sys.executable, "-m", "virtquorum", "args", "--no-frontend", "--json", str(xml))
        )
        say(f"QEMU opens the quorum. Write a megabyte of {GOOD} through it, then stop QEMU.")
        with served(members[2], socket), qemu(arguments, folder) as disk:
            disk.io(f"write -P {GOOD} 0 1M")
        say("Every member has the write.")
        for image, format in zip(members, formats, strict=True):
            run("qemu-io", "-f", format, "-r", "-c", f"read -P {GOOD} 0 1M", str(image))

        say("Now the storage lies: 64 KiB of member 1 change underneath, without any error.")
        run("qemu-io", "-f", "raw", "-c", f"write -P {BAD} 128k 64k", str(members[1]))
        say(f"Read by itself, member 1 is wrong: 'read -P' looks whether every byte is {GOOD}.")
        run("qemu-io", "-f", "raw", "-r", "-c", f"read -P {GOOD} 0 1M", str(members[1]), fails=True)
        say("QEMU again. The two good members outvote the bad one: every byte is right.")
        with served(members[2], socket), qemu(arguments, folder) as disk:
            disk.io(f"read -P {GOOD} 0 1M")
            say("And QEMU says which member it was.")
            disk.report()
    say("The temporary directory is gone again.")
    return 0


def placed(domain: Domain, members: list[Path], socket: Path) -> Domain:
    """The sample with its members moved into our directory; nothing else in it changes."""
    for number, path in enumerate(members):
        quorum = domain.disk("vda").quorum
        assert quorum is not None
        member = quorum.members[number]
        assert isinstance(member, Image)
        source = member.source
        if isinstance(source, NbdSource):
            (host,) = source.hosts
            moved = replace(
                member, source=replace(source, hosts=(replace(host, socket=str(socket)),))
            )
        else:
            assert isinstance(source, FileSource)
            moved = replace(member, source=replace(source, file=str(path)))
        domain = domain.replace(member, moved)
    return domain


def say(text: str) -> None:
    print(f"\n\033[1m# {text}\033[0m" if sys.stdout.isatty() else f"\n# {text}", flush=True)


def run(*command: str, fails: bool = False) -> None:
    """Run a command, showing it and what it prints; stop if it does not end as it should."""
    shown = ("virtquorum", *command[3:]) if command[1:3] == ("-m", "virtquorum") else command
    print(f"$ {shlex.join(shown)}", flush=True)
    done = subprocess.run(command, check=False, timeout=60)
    if bool(done.returncode) != fails:
        raise SystemExit("this is not what should have happened")


def output(*command: str) -> str:
    return subprocess.run(command, check=True, timeout=60, capture_output=True, text=True).stdout


class Disk:
    """The quorum as QEMU's monitor reaches it."""

    def __init__(self, monitor: QEMUMonitorProtocol, log: Path) -> None:
        self.monitor = monitor
        self.log = log

    def io(self, command: str) -> None:
        """A qemu-io command through the quorum; QEMU prints its result to its own output."""
        before = self.log.stat().st_size
        self.monitor.cmd(
            "human-monitor-command", **{"command-line": f'qemu-io drive-vda "{command}"'}
        )
        printed = self.log.read_bytes()[before:].decode()
        print(f'(qemu) qemu-io drive-vda "{command}"\n{printed}', end="", flush=True)
        if "ops" not in printed or "failed" in printed:
            raise SystemExit("this is not what should have happened")

    def report(self) -> None:
        """The reports of bad members, and which file each node name is."""
        nodes: Any = self.monitor.cmd("query-named-block-nodes")
        files = {node["node-name"]: node["image"]["filename"] for node in nodes}
        reports = [one for one in self.monitor.get_events() if one["event"] == "QUORUM_REPORT_BAD"]
        if not reports:
            raise SystemExit("QEMU did not report the bad member")
        for event in reports:
            data = dict(event["data"])
            print(f"QUORUM_REPORT_BAD {json.dumps(data)}\n  which is {files[data['node-name']]}")


@contextmanager
def qemu(arguments: list[str], folder: Path) -> Iterator[Disk]:
    """A QEMU without a guest around the disk, and an end to it."""
    socket, log = folder / "qmp.sock", folder / "qemu.log"
    command = ["qemu-system-x86_64", "-M", "none", "-nodefaults", "-display", "none", "-S",
               "-qmp", f"unix:{socket},server=on,wait=off", *arguments]  # fmt: skip
    print(f"$ {shlex.join(command[:9])} $(virtquorum args --no-frontend --oneline …)", flush=True)
    with started(command, socket, log):
        monitor = QEMUMonitorProtocol(str(socket))
        monitor.connect()
        try:
            yield Disk(monitor, log)
        finally:
            monitor.close()


@contextmanager
def served(image: Path, socket: Path) -> Iterator[None]:
    """The image behind qemu-nbd on a unix socket."""
    command = ["qemu-nbd", "--socket", str(socket), "--format", "raw", "--export-name", "member-2",
               "--persistent", str(image)]  # fmt: skip
    with started(command, socket, socket.with_suffix(".log")):
        yield


@contextmanager
def started(command: list[str], socket: Path, log: Path) -> Iterator[None]:
    """A process that is ready when its socket is there; it is ended in any case."""
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
    try:
        deadline = time.monotonic() + 30
        while not socket.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{command[0]} did not start: {log.read_text()}")
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)
        socket.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
