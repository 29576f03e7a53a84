"""The first boot: a guest boots from a quorum on libvirt, and again with one member destroyed.

Takes samples/first-boot.xml through virtquorum's commands.  Three members are
made; the domain is defined on a libvirt that runs inside each command
(``qemu:///embed``, no daemon), boots, and writes.  Then one member is
corrupted underneath, boot sector and all, and it boots again; QEMU names the
liar, and another image takes its place while the guest is there.  Shows every
command with what it printed; leaves nothing behind.

Needs qemu-system-x86_64, qemu-io, qemu-img, libvirt's QEMU driver and
virtquorum[libvirt]; neither root nor KVM.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import chdir, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).resolve().parent
NAME = "first-boot"
XML = f"{NAME}.xml"
#: Where the sample's XML has its files.
PLACE = "/var/tmp/virtquorum"  # noqa: S108
MEMBERS = {"rack-a.qcow2": "qcow2", "rack-b.raw": "raw", "rack-c.raw": "raw"}
#: The member that takes the bad one's place.
NEW = "rack-d.raw"
#: The last sector that the guest reads: where it counts.
COUNT = 2
TEXT = "two of three say so"
#: For a libvirt of one's own: no daemon that keeps logs, no other user, no labels.
CONFIGURATION = """\
stdio_handler = "file"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
namespaces = []
"""
AS_ROOT = 'user = "root"\ngroup = "root"\n'
#: How long anything may take, in seconds.
LONG = 120


def main() -> int:
    for number in Ending.signals:
        signal.signal(number, Ending.signalled)
    check_programs()
    begun = time.monotonic()
    with prepared() as folder, libvirt_in(folder):
        say("A domain whose disk is a quorum: three images, and two of them must agree.")
        print(f"$ cd {folder}")
        look()
        say(
            "The images, and in each a guest of one sector: it reads, counts its boots, and writes."
        )
        make()
        say("libvirt takes it, looks some seconds at the QEMU that it has not seen, and boots it.")
        define()
        boot(reports=0)
        virtquorum("destroy", NAME)
        say("The guest's count, 01, is in every member, and not in the file that libvirt knows of.")
        compare("01", *MEMBERS)
        say("Now the storage lies: rack-b gets garbage underneath, boot sector and all.")
        io("rack-b.raw", "write -P 0xff 0 1M")
        say("It boots, reads and counts as if nothing had happened; and QEMU names the liar.")
        boot(reports=1)
        say("Another image takes its place, while the guest is there: it gets what the vote says.")
        exchange()
        virtquorum("destroy", NAME)
        say("The new count is in every member, and all agree; nobody reads the garbage any more.")
        compare("02", "rack-a.qcow2", NEW, "rack-c.raw")
        identical("rack-a.qcow2", NEW, "rack-c.raw")
        dump("rack-b.raw", 0, "ff")
        virtquorum("undefine", NAME)
    say(f"All of it is gone again. That took {time.monotonic() - begun:.0f} seconds.")
    return 0


def look() -> None:
    """The domain, and what QEMU is to be told of its disk."""
    virtquorum("validate", XML)
    virtquorum("show", XML)
    virtquorum("args", "--style", "blockdev", XML, cut=True)


def make() -> None:
    """The images, and what they hold."""
    virtquorum("create", "--size", "4M", XML)
    for image in MEMBERS:
        io(image, "write -s guest 0 1k")


def define() -> None:
    """The domain on a libvirt of its own."""
    print(f"$ export LIBVIRT_DEFAULT_URI={shlex.quote(os.environ['LIBVIRT_DEFAULT_URI'])}")
    virtquorum("define", XML)


def boot(*, reports: int) -> None:
    """Start the domain, and see what the guest says and what QEMU reports."""
    virtquorum("start", "--paused", NAME)
    argv = ("first_boot.py", "watch", str(reports))
    print(f"$ {shlex.join(('python', *argv))}", flush=True)
    run(sys.executable, str(HERE / argv[0]), *argv[1:], shown=True)
    virtquorum("list")


def exchange() -> None:
    """Put a new image into the place of the bad one, in the guest and in the definition."""
    new = ("--file", NEW, "--format", "raw", "--create")
    virtquorum("patch", NAME, "member", "replace", "vda", "rack-b.raw", *new, "--live", "--config")
    virtquorum("list")


def compare(count: str, *images: str) -> None:
    """Show the sector with the count in some images, and in the placeholder."""
    for image in images:
        dump(image, 1024, count)
    dump(f"libvirt/virtquorum/{NAME}-vda.placeholder", 1024, "00")


def identical(first: str, *others: str) -> None:
    """Show that images hold the same, from the first to the last byte."""
    for image in others:
        formats = (MEMBERS[first], MEMBERS.get(image, "raw"))
        argv = ("qemu-img", "compare", "-f", formats[0], "-F", formats[1], first, image)
        print(f"$ {shlex.join(argv)}", flush=True)
        print(run(*argv), end="", flush=True)


def watching(reports: int) -> int:
    """``watch``: resume the guest, and hear from libvirt what QEMU says, as any program can."""
    import libvirt_qemu

    import virtquorum.host

    serial = Path("serial.log")
    heard: list[str] = []
    with virtquorum.host.connect() as host:
        domain = host.domain(NAME)
        libvirt_qemu.qemuMonitorEventRegister(
            host.connection,
            domain.handle,
            "QUORUM_REPORT_BAD",
            lambda _connection, _domain, event, _seconds, _micros, details, _opaque: heard.append(
                f"{event} {details}"
            ),
            None,
            0,
        )
        domain.handle.resume()
        # QEMU reports a member once a second at most, and of those between only the last.
        wait(lambda: "written\n" in serial.read_text() and len(last(heard)) >= reports)
        print(serial.read_text(), end="")
        nodes = domain.monitor.nodes()
        for report in last(heard) or heard[:1]:
            (name,) = re.findall('"node-name": ?"([^"]*)"', report)
            print(f"{report}\n  which is {nodes[name]['file']}")
    return 0


def last(reports: list[str]) -> list[str]:
    """The report of the last sector that the guest reads, if it is there."""
    return [one for one in reports if re.search(rf'"sector-num": ?{COUNT}\b', one)][:1]


# What a step is made of


def virtquorum(*argv: str, cut: bool = False) -> None:
    """Run one of virtquorum's commands, showing it and what it prints."""
    print(f"$ {shlex.join(('virtquorum', *argv))}", flush=True)
    width = shutil.get_terminal_size((100, 24)).columns
    for line in run(sys.executable, "-m", "virtquorum", *argv).splitlines():
        print(f"{line[: width - 1]}…" if cut and len(line) > width else line, flush=True)


def io(image: str, command: str) -> str:
    """Run a qemu-io command on an image, showing it; what it printed."""
    argv = ("qemu-io", "-f", MEMBERS.get(image, "raw"), "-c", command, image)
    print(f"$ {shlex.join(argv)}", flush=True)
    return run(*argv)


def dump(image: str, offset: int, expected: str) -> None:
    """Show 16 bytes of an image, of which the first is known."""
    printed = io(image, f"read -v {offset} 16")
    print(printed.splitlines()[0], flush=True)
    if not re.match(rf"[0-9a-f]+:\s+{expected} ", printed):
        raise SystemExit("this is not what should have happened")


def run(*argv: str, shown: bool = False) -> str:
    """Run a program; what it printed, if that is not ``shown`` at once."""
    out = None if shown else subprocess.PIPE
    Ending.held = True
    with subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, text=True
    ) as program:
        try:
            Ending.held = False
            Ending.now()
            said, errors = program.communicate(timeout=LONG)
        except BaseException:
            program.terminate()  # virtquorum undoes then what it has begun
            raise
    printed = "" if shown else said + errors
    if program.returncode:
        raise SystemExit(f"{printed}this is not what should have happened")
    return printed


class Ending:
    """A first signal ends the run, but not while a program is just being started."""

    signals = (signal.SIGINT, signal.SIGTERM)
    held = False
    came = False

    @classmethod
    def signalled(cls, *_: object) -> None:
        """A signal has come; further ones do not disturb the tidying."""
        for number in cls.signals:
            signal.signal(number, signal.SIG_IGN)
        cls.came = True
        cls.now()

    @classmethod
    def now(cls) -> None:
        """End the run, if a signal came."""
        if cls.came and not cls.held:
            cls.came = False
            raise SystemExit("interrupted")


def wait(done: Callable[[], Any]) -> None:
    deadline = time.monotonic() + LONG / 2
    while not done():
        if time.monotonic() > deadline:
            raise SystemExit("this is not what should have happened")
        time.sleep(0.05)


def say(text: str) -> None:
    print(f"\n\033[1m# {text}\033[0m" if sys.stdout.isatty() else f"\n# {text}", flush=True)


# Before and after


def check_programs() -> None:
    missing = [
        one for one in ("qemu-system-x86_64", "qemu-io", "qemu-img") if shutil.which(one) is None
    ]
    missing += [] if find_spec("libvirt") else ["libvirt-python"]
    if missing:
        raise SystemExit(f"not installed: {', '.join(missing)}; 'bash dev/try' sees to that")


@contextmanager
def prepared() -> Iterator[Path]:
    """A directory to be in, with the sample moved there, and the guest: its code and its text."""
    # libvirt puts sockets 62 characters deeper, and their paths may have 107.
    place = "/tmp" if len(tempfile.gettempdir()) > 45 else None  # noqa: S108
    with tempfile.TemporaryDirectory(prefix="vq-", dir=place) as name, chdir(name):
        Path(XML).write_text((HERE / XML).read_text().replace(PLACE, name))
        code = bytes.fromhex((HERE / "guest.hex").read_text())
        Path("guest").write_bytes(code + TEXT.encode().ljust(512, b"\0"))
        yield Path(name)


@contextmanager
def libvirt_in(folder: Path) -> Iterator[None]:
    """An embedded libvirt below a directory for all commands; in the end its guest is gone."""
    root = folder / "libvirt"
    (root / "etc").mkdir(parents=True)
    (root / "etc" / "qemu.conf").write_text(CONFIGURATION + (AS_ROOT if os.geteuid() == 0 else ""))
    os.environ.pop("VIRSH_DEFAULT_CONNECT_URI", None)
    os.environ["LIBVIRT_DEFAULT_URI"] = f"qemu:///embed?root={root}"
    os.environ["LIBVIRT_LOG_OUTPUTS"] = f"3:file:{folder}/libvirt.log"
    try:
        yield
    finally:
        with suppress(FileNotFoundError, ProcessLookupError):
            pid = int((root / "run" / "qemu" / f"{NAME}.pid").read_text())
            os.kill(pid, signal.SIGKILL)
            # What has ended, and what nobody has asked about yet, has no command line.
            wait(lambda: not Path(f"/proc/{pid}/cmdline").read_bytes())


if __name__ == "__main__":
    sys.exit(watching(int(sys.argv[2])) if sys.argv[1:2] == ["watch"] else main())
