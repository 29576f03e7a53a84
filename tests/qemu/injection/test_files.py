"""Files of any name, from the command line to QEMU."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.qemu.agreement.monitor import NO_QEMU, started
from tests.qemu.agreement.opening import STYLES, Style
from tests.qemu.injection.names import NAMES, SIZE, attribute, domain_of
from virtquorum.errors import InputError
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.skipif(bool(NO_QEMU), reason=f"not installed: {NO_QEMU}")


def disks(names: list[str]) -> str:
    """A domain in which each name is one disk's backing image, and a quorum's member."""
    every = []
    for number, name in enumerate(names):
        source = f"<source file={attribute(name)}/>"
        # So that no two of them lock one file, all are read-only.
        every.append(
            f"<disk type='file' device='disk'><driver type='qcow2'/><source file='top.qcow2'/>"
            f"<backingStore type='file'><format type='raw'/>{source}</backingStore>"
            f"<target dev='vda{number}'/><readonly/></disk>"
            f"<disk type='quorum' threshold='1'><driver type='quorum'/>"
            f"<backingStore type='file'><format type='raw'/>{source}</backingStore>"
            f"<target dev='sda{number}'/><readonly/></disk>"
        )
    return domain_of(*every)


def shown(domain: Path, *options: str) -> bytes:
    done = subprocess.run(
        [sys.executable, "-m", "virtquorum", "args", "--no-frontend", *options, domain],
        check=True, capture_output=True, timeout=60, cwd=domain.parent,
    )  # fmt: skip
    return done.stdout


def image(file: Path, format: str = "qcow2") -> None:
    """Make an image, whatever its name is."""
    plain = file.parent / "plain"
    subprocess.run(["qemu-img", "create", "-q", "-f", format, plain, str(SIZE)], check=True)
    plain.rename(file)


@pytest.fixture
def domain(tmp_path: Path) -> Path:
    image(tmp_path / "top.qcow2")
    for name in NAMES:
        (tmp_path / name).write_bytes(bytes(SIZE))
    file = tmp_path / "domain.xml"
    file.write_text(disks(NAMES), encoding="utf-8", newline="")
    return file


def reported(node: dict[str, Any]) -> str:
    """A file's name, as QEMU has it; it puts one that looks like a protocol into JSON."""
    filename: str = node["image"]["filename"]
    if filename.startswith('json:{"driver": "file"'):
        filename = json.loads(filename.removeprefix("json:"))["filename"]
    return filename


@pytest.mark.parametrize("style", STYLES)
def test_qemu_opens_just_these_files(style: Style, domain: Path) -> None:
    said = json.loads(shown(domain, "--style", style, "--json"))
    commands = said if style == "qmp" else []
    with started([] if style == "qmp" else said, domain.parent) as running:
        for one in commands:
            running.tell(one)
        nodes = running.nodes()
        top = {
            child: parent for parent, name, child in running.edges() if name != "backing"
        }  # fmt: skip
    files = [name for name, node in nodes.items() if node["drv"] == "file"]
    found = {
        (top[top[name]], reported(nodes[name])) for name in files if top[name] in top
    }  # the members'
    # A name that begins with 'file:' QEMU reports without that, and opens with it.
    wanted = {(f"vq-sda{number}", name.removeprefix("file:")) for number, name in enumerate(NAMES)}
    assert {(node, name.removeprefix("file:")) for node, name in found} == wanted
    assert all(node["ro"] for node in nodes.values() if node["drv"] != "file")
    assert not (domain.parent / "owned").exists()


@pytest.mark.parametrize("option", [[], ["--oneline"], ["--style", "blockdev"]])
@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_shell_makes_the_same_words_of_it(domain: Path, option: list[str], shell: str) -> None:
    text = shown(domain, *option)
    done = subprocess.run(
        [shell, "-c", b'eval "set -- $1"; printf "%s\\0" "$@"', shell, text],
        check=True, capture_output=True, timeout=60, cwd=domain.parent,
    )  # fmt: skip
    words = done.stdout.decode("utf-8").split("\0")[:-1]
    style = [one for one in option if one != "--oneline"]
    assert words == json.loads(shown(domain, "--json", *style))
    assert words == shown(domain, "--nul", *style).decode("utf-8").split("\0")[:-1]
    assert not (domain.parent / "owned").exists()


def test_a_chain_that_ends_is_spelled_in_json(tmp_path: Path) -> None:
    """A value inside JSON inside an option: quoted twice, and still one."""
    for name in NAMES:
        image(tmp_path / name)
    xml = domain_of(
        *(
            f"<disk type='file'><driver type='qcow2'/><source file={attribute(name)}/>"
            f"<backingStore/><target dev='vd{number}'/></disk>"
            for number, name in enumerate(NAMES)
        )
    )
    file = tmp_path / "domain.xml"
    file.write_text(xml, encoding="utf-8", newline="")
    arguments = json.loads(shown(file, "--json"))
    assert all("file=json:{" in one for one in arguments[1::2])
    with started(arguments, tmp_path) as running:
        nodes = running.nodes()
    for number, name in enumerate(NAMES):
        found = reported(nodes[f"vq-vd{number}-s"])
        assert found.removeprefix("file:") == name.removeprefix("file:")


# What is no text


@pytest.mark.parametrize("bytes_", [b"\xff", b"\xed\xa0\x80", b"a\xc3", b"\xc0\xaf"])
def test_bytes_that_are_no_utf_8_are_refused(bytes_: bytes) -> None:
    xml = disks(["a"]).encode().replace(b"file='a'", b"file='" + bytes_ + b"'")
    xml = xml.replace(b'file="a"', b'file="' + bytes_ + b'"')
    assert bytes_ in xml
    with pytest.raises(InputError):
        Domain.from_bytes(xml)


@pytest.mark.parametrize("text", ["\udcff", "a\x00b", "\x1b[31m", "\uffff"])
def test_what_xml_cannot_hold_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        Domain.from_text(disks([text]))


def test_a_document_in_another_encoding_becomes_utf_8(tmp_path: Path) -> None:
    (tmp_path / "é,").write_bytes(bytes(SIZE))
    image(tmp_path / "top.qcow2")
    declaration = "<?xml version='1.0' encoding='ISO-8859-1'?>"
    file = tmp_path / "domain.xml"
    file.write_bytes((declaration + disks(["é,"])).encode("latin-1"))
    with started(json.loads(shown(file, "--json")), tmp_path) as running:
        assert "é," in {reported(node) for node in running.nodes().values()}
