"""A file's name reaches QEMU as one value, whatever is in it, by every way out."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

import pytest

from tests.programs import missing, nbd_server, qemu
from virtquorum.qemu.names import domain_names
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"not installed: {missing()}")

NAMES = [
    "a,b.raw",
    "a,,b,readonly=on.raw",
    ",if=virtio",
    "a=b.raw",
    "it's.raw",
    'say "x".raw',
    "with  space .raw",
    " ",
    "line\nend.raw",
    "tab\t.raw",
    "-drive",
    "--help",
    "json:{}",
    'json:{"driver":"null-co"}',
    "nbd:localhost:10809",
    "fat:rw:x",
    "file:x.raw",
    "100%.raw",
    "%s%n",
    "back\\slash.raw",
    "\\n\\u0041",
    "Größe-日本-🗳.raw",
    "$(touch owned)",
    "`touch owned`; touch owned & $HOME",
    "*?[a]{b,c}~!#",
    "a.raw'; touch owned; '",
    "\u009b31m\u202egnp.raw",
    "x" * 200,
]


def disks(names: list[str], *, chain_ends: bool = False) -> str:
    """A domain in which each name is one disk, alone and as a quorum's member."""
    end = "<backingStore/>" if chain_ends else ""
    text = ""
    for number, name in enumerate(names):
        source = f"<source file={quoteattr(name, {chr(10): '&#10;', chr(9): '&#9;'})}/>"
        # The sound of two locks on one file: read-only.
        text += (
            f"<disk type='file' device='disk'><driver type='qcow2'/><source file='top.qcow2'/>"
            f"<backingStore type='file'><format type='raw'/>{source}{end}</backingStore>"
            f"<target dev='vda{number}'/><readonly/></disk>"
            f"<disk type='quorum' threshold='1'><driver type='quorum'/>"
            f"<backingStore type='file'><format type='raw'/>{source}</backingStore>"
            f"<target dev='sda{number}'/><readonly/></disk>"
        )
    return f"<domain><devices>{text}</devices></domain>"


def shown(domain: Path, *options: str) -> bytes:
    done = subprocess.run(
        [sys.executable, "-m", "virtquorum", "args", *options, domain],
        check=True, capture_output=True, timeout=60, cwd=domain.parent,
    )  # fmt: skip
    return done.stdout


@pytest.fixture
def domain(tmp_path: Path) -> Path:
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", tmp_path / "top.qcow2", "1M"], check=True
    )
    for name in NAMES:
        (tmp_path / name).write_bytes(bytes(1024 * 1024))
    file = tmp_path / "domain.xml"
    file.write_text(disks(NAMES), encoding="utf-8")
    return file


def test_qemu_opens_just_these_files(domain: Path) -> None:
    arguments = json.loads(shown(domain, "--json"))
    disks = Domain.from_bytes(domain.read_bytes()).disks
    every = domain_names(disks)
    with qemu(arguments, domain.parent) as running:
        nodes = running.nodes()
    for number, name in enumerate(NAMES):
        names = every[2 * number + 1]
        member = disks[2 * number + 1].image.below[0]
        node = nodes[f"{names.of(member)}-s"]  # type: ignore[arg-type]
        assert node["drv"] == "file"
        filename = node["image"]["filename"]
        # QEMU itself puts a name that looks like a protocol into JSON.
        if filename.startswith("json:{") and filename != name:
            filename = json.loads(filename.removeprefix("json:"))["filename"]
        assert filename.removeprefix("file:") == name.removeprefix("file:")
        assert node["ro"] is True
    assert not (domain.parent / "owned").exists()


@pytest.mark.parametrize("option", [[], ["--oneline"]])
@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_shell_makes_the_same_words_of_it(domain: Path, option: list[str], shell: str) -> None:
    text = shown(domain, *option)
    done = subprocess.run(
        [shell, "-c", b'eval "set -- $1"; printf "%s\\0" "$@"', shell, text],
        check=True, capture_output=True, timeout=60, cwd=domain.parent,
    )  # fmt: skip
    words = done.stdout.decode("utf-8").split("\0")[:-1]
    assert words == json.loads(shown(domain, "--json"))
    assert not (domain.parent / "owned").exists()


def test_a_chain_that_ends_is_spelled_in_json(tmp_path: Path) -> None:
    """A value inside JSON inside an option: quoted twice, and still one."""
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", tmp_path / "top.qcow2", "1M"], check=True
    )
    names = [name for name in NAMES if not name.startswith("file:")]
    text = ""
    for number, name in enumerate(names):
        subprocess.run(
            ["qemu-img", "create", "-q", "-f", "qcow2", f"./{name}", "1M"], check=True, cwd=tmp_path
        ) if not name.startswith(("json:", "nbd:", "fat:")) else (tmp_path / name).write_bytes(
            (tmp_path / "top.qcow2").read_bytes()
        )
        source = f"<source file={quoteattr(name, {chr(10): '&#10;', chr(9): '&#9;'})}/>"
        text += (
            f"<disk type='file'><driver type='qcow2'/>{source}<backingStore/>"
            f"<target dev='vd{number}'/></disk>"
        )
    file = tmp_path / "domain.xml"
    file.write_text(f"<domain><devices>{text}</devices></domain>", encoding="utf-8")
    arguments = json.loads(shown(file, "--json"))
    assert all("file=json:{" in one for one in arguments[1::2])
    with qemu(arguments, tmp_path) as running:
        nodes = running.nodes()
    for number, name in enumerate(names):
        node = nodes[f"vq-vd{number}-s"]
        filename = node["image"]["filename"]
        if filename.startswith("json:{") and filename != name:
            filename = json.loads(filename.removeprefix("json:"))["filename"]
        assert filename == name


@pytest.mark.parametrize("export", ["a,b", "x=y", "'q' \"r\"", "日本 🗳", "json:{}", "back\\slash"])
def test_an_nbd_export_and_its_socket_are_one_value(tmp_path: Path, export: str) -> None:
    image, socket = tmp_path / "image.raw", tmp_path / "so,ck=et '.sock"
    image.write_bytes(bytes(1024 * 1024))
    file = tmp_path / "domain.xml"
    file.write_text(
        "<domain><devices><disk type='quorum' threshold='1'><driver type='quorum'/>"
        "<backingStore type='network' nodename='far'><format type='raw'/>"
        f"<source protocol='nbd' name={quoteattr(export)}>"
        f"<host transport='unix' socket={quoteattr(str(socket))}/></source></backingStore>"
        "<target dev='vda'/></disk></devices></domain>",
        encoding="utf-8",
    )
    with (
        nbd_server(image, socket, export=export),
        qemu(json.loads(shown(file, "--json")), tmp_path) as running,
    ):
        assert running.nodes()["far"]["image"]["virtual-size"] == 1024 * 1024
