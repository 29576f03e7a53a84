"""``virtquorum args --connect URI DOMAIN|FILE``: the whole command line, run by a real QEMU."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from qemu.qmp.legacy import QEMUMonitorProtocol

from tests.guests import MARK, MARKED, SECTOR
from tests.host.test_args import Case, case, encryption
from tests.libvirts import Guest, asked, embed, missing_for_embed
from tests.libvirts.bench import listens, until
from tests.libvirts.domains import disk_content, disk_xml, guest_xml
from tests.programs import parse_json, run
from virtquorum.errors import HostError
from virtquorum.host.native import CommandLine, native, needs
from virtquorum.stock.lower import lower
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.libvirts import Embed

assert callable(case)  # the fixture

SIZE: Final = 4 << 20
PROGRAM: Final = "/usr/bin/qemu-system-x86_64"
#: A program in QEMU's place, which says how it was started.
ECHO: Final = """\
import json, os, sys
print(json.dumps([sys.argv[1:], {name: os.environ.get(name) for name in ("A", "EMPTY", "LC_ALL")}]))
"""


@pytest.fixture(scope="module")
def bench() -> Iterator[Embed]:
    missing = missing_for_embed()
    if missing is not None:
        pytest.skip(missing)
    with embed() as made:
        yield made


class Vote:
    """A quorum of three files, of which one has nothing that boots."""

    def __init__(self, bench: Embed, name: str) -> None:
        self.bench = bench
        self.name = name
        content = disk_content(b"voted")
        self.members = [
            bench.image(f"{name}-{number}", size=SIZE, content=one)
            for number, one in enumerate((content, b"\xff" * len(content), content))
        ]

    def disk(self, target: str, bus: str, format: bool = True) -> str:
        said = "<format type='raw'/>" if format else ""
        members = "".join(
            f"<backingStore type='file'>{said}<source file='{one}'/></backingStore>"
            for one in self.members
        )
        return (
            "<disk type='quorum' threshold='2'><driver name='qemu' type='quorum'/>"
            f"{members}<target dev='{target}' bus='{bus}'/><boot order='1'/></disk>"
        )

    def file(self, *disks: str, **more: Any) -> Path:
        path = self.bench.folder / f"{self.name}.xml"
        path.write_text(guest_xml(self.bench, self.name, *disks, **more))
        return path


def args(bench: Embed, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return bench.run(sys.executable, "-m", "virtquorum", "args", "--connect", bench.uri, *words)


def printed(bench: Embed, *words: str | Path) -> list[str]:
    """The words of a command line."""
    done = args(bench, "--json", *words)
    assert done.returncode == 0, done.stderr
    found = parse_json(done.stdout)
    assert isinstance(found, list)
    return found


def provide(said: str) -> list[Path]:
    """Make what the note says that libvirt would bring; the directories."""
    made = []
    (note,) = [line for line in said.splitlines() if "libvirt would bring" in line]
    for part in note.partition("without: ")[2].split(", "):
        what, _, path = part.rstrip("'").rpartition(" '")
        if what == "the directory":
            Path(path).mkdir(parents=True)
            made.append(Path(path))
        else:
            assert what == "a key of 32 bytes in the file"
            Path(path).write_bytes(bytes(range(32)))
    return made


@pytest.mark.parametrize(
    ("bus", "target", "machine"),
    [
        ("virtio", "vda", "q35"),
        ("scsi", "sda", "q35"),
        ("sata", "sda", "q35"),
        ("ide", "hda", "pc"),
    ],
)
def test_a_real_qemu_boots_from_the_line(bench: Embed, bus: str, target: str, machine: str) -> None:
    """Without libvirt, and without a placeholder."""
    vote = Vote(bench, f"run-{bus}")
    stock = disk_xml("sdz", bench.image(f"{bus}-stock"), bus="sata", boot=None)
    disks = [vote.disk(target, bus), *([stock] if machine == "q35" else [])]
    done = args(bench, "--json", vote.file(*disks, machine=machine))
    assert done.returncode == 0
    words = parse_json(done.stdout)
    assert not [one for one in words if "placeholder" in one or "no-such-file" in one]
    folders = provide(done.stderr)
    (monitor,) = [one for one in words if "id=charmonitor" in one]
    socket = monitor.partition("path=")[2].partition(",")[0]
    log = bench.folder / f"{bus}.log"
    pid = bench.held.start(["env", *words], output=log, errors=log)
    until(lambda: listens(Path(socket)) or not bench.held.runs(pid), log.read_text)
    qmp = QEMUMonitorProtocol(socket)
    try:
        qmp.connect()
        found: Any = qmp.cmd("query-block")
        drives = {
            one["qdev"].removeprefix("/machine/peripheral/").partition("/")[0]: one["inserted"]
            for one in found
        }
        assert drives.pop(f"ua-vq-{target}")["node-name"] == f"vq-{target}"
        assert {one["node-name"] for one in drives.values()} <= {"libvirt-1-format"}
        qmp.cmd("cont")
        said = Guest(bench, vote.name).booted()
        assert said[0] == "boot 80 00"
        assert said[1].endswith(b"voted".hex().ljust(32, "0"))
        event = qmp.pull_event(wait=20.0)
        while event is not None and event["event"] != "QUORUM_REPORT_BAD":
            event = qmp.pull_event(wait=20.0)
        assert event is not None
    finally:
        qmp.close()
        bench.held.signal(pid, signal.SIGKILL)
        bench.held.wait(pid)
        for one in folders:
            shutil.rmtree(one)
    assert [one.read_bytes()[MARK * SECTOR :][:SECTOR] for one in vote.members] == [MARKED] * 3


def same(words: list[str], *more: str) -> list[str]:
    """A command line without what libvirt makes up each time, and without ``more`` options."""
    left_out = {"-uuid", *more}
    return [one for one, before in zip(words, ["", *words], strict=False) if before not in left_out]


def test_a_domain_of_libvirts_has_the_line_of_its_file(bench: Embed) -> None:
    """By name and by UUID, inactive and running; nobody sees how it is kept there."""
    vote = Vote(bench, "kept")
    file = vote.file(vote.disk("vda", "virtio"))
    of_file = printed(bench, file)
    placeholder = bench.image("kept.placeholder", size=SIZE)
    domain = Domain.from_bytes(file.read_bytes(), str(file))
    lowered = lower(domain, files={"vda": str(placeholder)})
    bench.call(asked.define, lowered.text)
    of_name = printed(bench, "kept")
    assert same(of_name) == same(of_file)
    uuid = of_name[of_name.index("-uuid") + 1]
    assert printed(bench, uuid) == of_name
    path = bench.folder / "lowered.xml"
    path.write_bytes(lowered.to_bytes())
    assert same(printed(bench, path)) == same(of_file)
    bench.call(asked.start, "kept")
    # The live XML says what the processor really has.
    running = printed(bench, "kept")
    assert same(running, "-cpu") == same(of_file, "-cpu")
    assert "hypervisor=on" in running[running.index("-cpu") + 1]


def test_a_name_is_looked_for_on_the_usual_libvirt(bench: Embed) -> None:
    """Without --connect; its disks alone, too, and never a file's."""
    vote = Vote(bench, "usual")
    file = vote.file(vote.disk("vda", "virtio"))
    assert bench.virtquorum("define", "--no-checks", file).returncode == 0
    name = bench.virtquorum("args", "usual", "--json")
    assert json.loads(name.stdout) == printed(bench, "usual")
    disks = bench.virtquorum("args", "--disks-only", "--style", "blockdev", "--json", "usual")
    of_file = bench.virtquorum("args", "--style", "blockdev", "--json", file)
    assert (disks.returncode, of_file.returncode) == (0, 0)
    # Of a domain that libvirt has the device's address is known.
    nodes, of_nodes = (
        [one for one in json.loads(found.stdout) if "node-name" in one]
        for found in (disks, of_file)
    )
    assert nodes == of_nodes != []
    alone = bench.virtquorum("args", "usual", LIBVIRT_DEFAULT_URI="")
    assert (alone.returncode, "virtquorum dumpxml usual" in alone.stderr) == (3, True)
    there = bench.virtquorum(
        "args", "usual", LIBVIRT_DEFAULT_URI="", VIRSH_DEFAULT_CONNECT_URI=bench.uri
    )
    assert there.returncode == 0


def test_a_stock_domain_has_libvirts_own_line(bench: Embed) -> None:
    disk = disk_xml("vda", bench.image("stock", content=disk_content()))
    file = bench.folder / "stock.xml"
    file.write_text(guest_xml(bench, "stock", disk))
    said = bench.virsh("domxml-to-native", "qemu-argv", "--xml", file)
    assert same(printed(bench, file)) == same(shlex.split(said))
    bench.call(asked.define, file.read_text())
    said = bench.virsh("domxml-to-native", "qemu-argv", "--domain", "stock")
    assert printed(bench, "stock") == shlex.split(said)


def test_the_shapes_are_one_line(bench: Embed) -> None:
    """A shell makes of it what the array says, with odd words and variables."""
    vote = Vote(bench, "shapes")
    odd = """it's "$HOME" \\ `x`"""
    uuid = "5d9f4a3e-1b1c-4a53-9c6e-0b8f2d6f1e01"
    outer = (
        "<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>"
        f"<qemu:arg value='-name'/><qemu:arg value='{odd.replace(chr(39), '&apos;')}'/>"
        "<qemu:arg value=''/><qemu:arg value='a&#9;b&#10;c'/>"
        "<qemu:env name='A' value='b  &apos;$c'/><qemu:env name='EMPTY' value=''/>"
        "</qemu:commandline>"
    )
    file = vote.file(vote.disk("vda", "virtio"), outer=outer)
    file.write_text(file.read_text().replace("</name>", f"</name><uuid>{uuid}</uuid>"))
    words = printed(bench, file)
    assert odd in words
    assert (
        args(bench, "--nul", file).stdout.encode() == "".join(f"{one}\0" for one in words).encode()
    )
    echo = bench.folder / "echo"
    echo.write_text(f"#!{sys.executable}\n{ECHO}")
    echo.chmod(0o755)
    arguments = words[words.index(PROGRAM) + 1 :]
    for shape in ((), ("--oneline",)):
        text = args(bench, *shape, file).stdout
        # No shell has to have a line end in it: there is one in a word.
        assert (text.count(" \\\n") > 20) == (shape == ())
        done = bench.run("sh", "-c", text.replace(PROGRAM, str(echo)))
        seen, environment = json.loads(done.stdout)
        assert seen == arguments
        assert environment == {"A": "b  '$c", "EMPTY": "", "LC_ALL": "C"}


def test_what_a_line_leans_on(bench: Embed) -> None:
    """What nobody but libvirt can bring is said."""
    devices = (
        "<interface type='user'/><channel type='unix'><target type='virtio' name='a'/></channel>"
    )
    vote = Vote(bench, "leans")
    file = vote.file(vote.disk("vda", "virtio"), devices=devices)
    done = args(bench, "--target-qemu", "7.2", file)
    first, second, third = done.stderr.splitlines()
    root = f"{bench.root}/lib/qemu"
    assert re.sub("[0-9]+ of -net", "N of -net", first) == (
        "virtquorum: note: libvirt would bring, and QEMU does not start without: "
        f"the directory '{root}/domain--1-leans', "
        f"the directory '{root}/channel/target/domain--1-leans', "
        f"a key of 32 bytes in the file '{root}/domain--1-leans/master-key.aes', "
        "the open file N of -netdev 'hostnet0'"
    )
    assert second.endswith("libvirt translates each <interface> as a tap device, whatever its type")
    assert third.endswith("QEMU waits for 'cont' on its monitor (-S)")
    assert (
        bench.run("virsh", "--connect", bench.uri, "list", "--all", "--name").stdout.find("leans")
        < 0
    )


# libvirtd, which has volumes and secrets


def test_volumes_and_secrets_of_a_quorum(case: Case, daemon: str, luks: Any) -> None:
    done = run("args", "--json", "--connect", daemon, "--secrets-dir", case.secrets, case.file)
    assert done.code == 0
    assert luks.key.decode() not in done.out
    words = parse_json(done.out)
    files = {one.get("filename") for one in map(said, words)}
    assert str(case.secrets.parent / "volumes" / "v") in files
    secrets = {
        one["id"]: one["file"] for one in map(said, words) if one.get("qom-type") == "secret"
    }
    assert secrets.pop("masterKey0")
    assert sorted(secrets.values()) == sorted(str(one) for one in case.secrets.iterdir())
    # Without a place for the secrets nothing is printed.
    done = run("args", "--connect", daemon, case.file)
    assert (done.code, done.out) == (1, "")
    assert "needs the secret" in done.err


def said(word: str) -> dict[str, Any]:
    return json.loads(word) if word.startswith("{") else {}


def test_a_stock_disks_secret_is_said_to_be_lost(case: Case, daemon: str) -> None:
    """It is encrypted with a key that libvirt makes up for the translation."""
    text = case.file.read_text()
    image = case.secrets.parent / "by-uuid"
    by_uuid = encryption(f"uuid='{case.uuid}'")
    disk = (
        f"<disk type='file'><driver type='raw'/><source file='{image}'>{by_uuid}</source>"
        "<target dev='vda' bus='virtio'/></disk>"
    )
    case.file.write_text(
        text[: text.index("<disk")] + disk + text[text.index("</disk>") + len("</disk>") :]
    )
    done = run("args", "--connect", daemon, case.file)
    assert done.code == 0
    assert "the secret 'libvirt-1-format-encryption-secret0' without the key" in done.err


# What is wrong


def test_errors_are_one_line(bench: Embed) -> None:
    vote = Vote(bench, "wrong")
    bare = vote.file(vote.disk("vda", "virtio", format=False))
    disk = bench.folder / "disk.xml"
    disk.write_text(vote.disk("vda", "virtio"))
    machine = bench.folder / "machine.xml"
    machine.write_text(bare.read_text().replace("machine='q35'", "machine='none-such'")
                       .replace("<source", "<format type='raw'/><source"))  # fmt: skip
    for word, code, text in (
        ("nobody", 3, "virtquorum: 'nobody' is no file: libvirt says: "),
        ("/nowhere/d.xml", 3, "virtquorum: /nowhere/d.xml: cannot be read: no such file"),
        (str(disk), 1, "its root element is <disk>, and a command line is that of a <domain>; "
         "--disks-only prints the arguments of the disks in it\n"),
        (str(bare), 1, "disk 'vda': the format is not given"),
        (str(machine), 3, f"virtquorum: {machine}: libvirt says: "),
    ):  # fmt: skip
        done = args(bench, word)
        assert (done.returncode, done.stdout) == (code, ""), word
        assert text in done.stderr
        assert done.stderr.count("\n") == 1


def test_only_the_qemu_driver_translates(bench: Embed) -> None:
    vote = Vote(bench, "other")
    quorum = vote.file(vote.disk("vda", "virtio"))
    for word, text in (
        ("test", "not supported by the connection driver: virConnectDomainXMLToNative; only its "
         "QEMU driver translates domains, so connect to that, 'qemu:///system' say\n"),
        (str(quorum), "connect to QEMU"),
    ):  # fmt: skip
        done = run("args", "--connect", "test:///default", word)
        assert (done.code, done.out) == (3, "")
        assert text in done.err
        assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    "option", ["--disks-only", "--no-frontend", "--keep-going", "--style=drive", "--disk=vda"]
)
def test_what_asks_for_disks_alone(bench: Embed, option: str, daemon: str) -> None:
    vote = Vote(bench, "alone")
    done = run("args", option, "--connect", daemon, vote.file(vote.disk("vda", "virtio")))
    assert done.code == 0
    assert "-machine" not in done.out
    assert "vote-threshold" in done.out


# The text


def test_a_line_is_read_as_libvirt_writes_it() -> None:
    text = "A=b B='c d' E='' /usr/bin/q -name 'a'\\''b=c' -x '' 'a\r\tb\n'"
    line = CommandLine.from_text(text)
    assert line.environment == ("A=b", "B=c d", "E=")
    assert (line.program, line.arguments) == (
        "/usr/bin/q",
        ("-name", "a'b=c", "-x", "", "a\r\tb\n"),
    )
    assert needs(line) == []


def test_descriptors_are_found_in_every_spelling() -> None:
    line = CommandLine(
        environment=(),
        program="q",
        arguments=(
            "-add-fd", "set=0,fd=23,opaque=x", "-chardev", "socket,id=m,fd=22,server=on",
            "-netdev", '{"type":"tap","fds":"5:6","vhostfd":"7","id":"n"}',
            "-chardev", "file,id=s,path=/dev/fdset/0", "-name", "guest=/domain--1-x,fdx=1",
        ),
    )  # fmt: skip
    assert needs(line) == [
        "the open file 23 of -add-fd 'set=0,fd=23,opaque=x'",
        "the open file 22 of -chardev 'm'",
        "the open file 5:6 of -netdev 'n'",
        "the open file 7 of -netdev 'n'",
        "the open file /dev/fdset/0 of -chardev 's'",
    ]


class Answering:
    """A host whose libvirt answers with a line that is given."""

    where = "the connection 'x'"

    def __init__(self, *words: str) -> None:
        self.connection = self
        self.line = f"A=b {PROGRAM} {shlex.join(words)}"
        self.asked = ""

    def need_qemu(self) -> None:
        pass

    def domainXMLToNative(self, form: str, xml: str) -> str:  # noqa: N802
        self.asked = xml
        return self.line


def quorum_domain() -> Domain:
    members = "".join(
        f"<backingStore type='file'><format type='raw'/><source file='/{one}'/></backingStore>"
        for one in "ab"
    )
    return Domain.from_text(
        "<?xml version='1.0' encoding='UTF-16'?>"
        "<domain type='qemu'><name>d</name><os><type arch='x86_64' machine='pc'>hvm</type></os>"
        "<devices><disk type='quorum' threshold='2'><driver type='quorum'/>"
        f"{members}<target dev='vda' bus='virtio'/></disk></devices></domain>"
    )


def blockdev(**said: Any) -> tuple[str, str]:
    return "-blockdev", json.dumps({key.replace("_", "-"): one for key, one in said.items()})


def test_a_libvirt_that_knows_no_override_is_noticed() -> None:
    device = '{"driver":"virtio-blk-pci","id":"ua-vq-vda","drive":"libvirt-1-format"}'
    host: Any = Answering("-device", device)
    with pytest.raises(HostError, match="at the quorum 'vq-vda', but at 'libvirt-1-format'"):
        native(host, quorum_domain())
    host = Answering("-device", "virtio-blk-pci,drive=vq-vda,id=ua-vq-vda")
    line = native(host, quorum_domain()).line
    assert line.arguments == ("-device", "virtio-blk-pci,drive=vq-vda,id=ua-vq-vda")
    assert host.asked.startswith("<domain")


def test_what_libvirt_writes_for_a_placeholder_goes_and_nothing_else() -> None:
    """Also what stands above its nodes, and what a name is alike to."""
    host: Any = Answering()
    with pytest.raises(HostError, match="but at 'None'"):
        native(host, quorum_domain())
    (file,) = re.findall("<source file='([^']*)'/>", host.asked.partition("<devices>")[2])
    device = ("-device", '{"id":"ua-vq-vda","drive":"vq-vda"}')
    stock = (
        *blockdev(node_name="s", driver="file", filename=f"{file}0"),
        *blockdev(node_name="libvirt-1-format", driver="raw", file="s"),
        "-drive", f"file={file}",
    )  # fmt: skip
    host = Answering(
        *blockdev(node_name="libvirt-2-storage", driver="file", filename=file),
        *blockdev(node_name="libvirt-2-format", driver="raw", file="libvirt-2-storage"),
        *blockdev(node_name="c", driver="copy-on-read", file="libvirt-2-format"),
        *stock,
        *blockdev(node_name="guard", driver="blkdebug", image={"driver": "file", "filename": file}),
        *device,
    )
    assert native(host, quorum_domain()).line.arguments == (*stock, *device)
