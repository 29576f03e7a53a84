"""What is said of mistakes in a domain, as a golden; and that there is one for each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.explainer import GRAMMAR
from virtquorum.check.relaxng import Grammar, Mistake, read_grammar
from virtquorum.xml.document import Document

if TYPE_CHECKING:
    from collections.abc import Callable

DOMAIN = """\
<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>build-runner</name>
  <uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid>
  <memory unit='KiB'>1048576</memory>
  <vcpu placement='static'>2</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <boot dev='hd'/>
  </os>
  <features>
    <acpi/>
  </features>
  <on_poweroff>destroy</on_poweroff>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='none'/>
      <source file='/srv/root.qcow2'/>
      <target dev='vda' bus='virtio'/>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x05' function='0x0'/>
    </disk>
    <disk type='network' device='disk'>
      <source protocol='nbd' name='data'>
        <host name='example.org' port='10809'/>
      </source>
      <target dev='vdb'/>
    </disk>
    <interface type='bridge'>
      <mac address='52:54:00:12:34:56'/>
      <source bridge='br0'/>
    </interface>
    <memballoon model='virtio'/>
  </devices>
  <qemu:commandline>
    <qemu:arg value='-S'/>
  </qemu:commandline>
</domain>
"""

#: What is wrong: the text that is replaced, and by what.
CHANGES = {
    "a value near to a right one": ("cache='none'", "cache='nonee'"),
    "a value that is near to nothing": (
        "device='disk'>\n      <driver",
        "device='xyzzy'>\n      <driver",
    ),
    "an unknown disk type": ("type='file' device", "type='quorun' device"),
    "an empty value": ("bus='virtio'/>\n      <address", "bus=''/>\n      <address"),
    "a number too large": ("'>2</vcpu>", "'>65536</vcpu>"),
    "a value that matches no pattern": ("slot='0x05'", "slot='5x'"),
    "a MAC address": ("52:54:00:12:34:56", "52:54:00:12:34"),
    "a text that is no number": (">1048576<", ">1 GiB<"),
    "a text that is none of some values": (">destroy<", ">poweroff<"),
    "an empty element": (">2</vcpu>", "></vcpu>"),
    "a misspelled attribute": ("machine='pc'", "machin='pc'"),
    "an unknown attribute": ("<acpi/>", "<acpi colour='red'/>"),
    "the attribute of another type": ("file='/srv", "dev='/srv"),
    "a disk of another type": ("type='file' device", "type='block' device"),
    "a misspelled element with mistakes inside": (
        "<source bridge='br0'/>",
        "<sources brige='br0'/>",
    ),
    "a network of another type": ("<source protocol='nbd' name='data'>", "<source dev='/dev/sdb'>"),
    "a missing attribute": ("<qemu:arg value='-S'/>", "<qemu:arg/>"),
    "a missing type of an interface": ("<interface type='bridge'>", "<interface>"),
    "a misspelled required attribute": ("<domain type", "<domain typ"),
    "another name for a required attribute": ("<boot dev='hd'/>", "<boot name='hd'/>"),
    "a missing type of a network disk": ("<disk type='network'", "<disk"),
    "a misspelled element": ("<acpi/>", "<acpy/>"),
    "a misspelled container": ("devices>", "devcies>"),
    "an unknown element": ("<memballoon", "<frobnicate a='1'><x/></frobnicate><memballoon"),
    "an element in the wrong place": ("<features>", "<boot dev='hd'/><features>"),
    "an element that belongs in one place": ("<features>", "<emulator>/x</emulator><features>"),
    "an element twice": ("<target dev='vdb'/>", "<target dev='vdb'/><target dev='vdc'/>"),
    "a missing element": ("<target dev='vdb'/>", ""),
    "a missing name": ("<name>build-runner</name>", ""),
    "another name for a required element": ("<name>build-runner</name>", "<nom>build-runner</nom>"),
    "a missing text": ("<name>build-runner</name>", "<name/>"),
    "text between elements": ("<acpi/>", "acpi <acpi/>"),
    "text in an empty element": ("<acpi/>", "<acpi>on</acpi>"),
    "an element in a text": (">build-runner<", ">build<b/>-runner<"),
    "a namespace that is not there": ("<qemu:arg value", "<arg value"),
    "another root": ("domain", "domian"),
    "a root of something else": ("domain", "network"),
    "threshold as an element": ("<target dev='vdb'/>", "<threshold value='2'/><target dev='vdb'/>"),
}


@pytest.fixture(scope="module")
def grammar() -> Grammar:
    return read_grammar(str(GRAMMAR))


def mistakes(grammar: Grammar, name: str) -> list[Mistake]:
    old, new = CHANGES[name]
    assert old in DOMAIN
    text = DOMAIN.replace(old, new, 1)
    if old == "devices>":
        text = DOMAIN.replace(old, new)
    elif "root" in name:
        text = DOMAIN.replace(f"<{old} ", f"<{new} ").replace(f"</{old}>", f"</{new}>")
    return grammar.check(Document.from_text(text, "domain.xml").root)


def said(mistake: Mistake) -> str:
    place = f"{mistake.element.line}:{mistake.element.column}"
    if mistake.attribute:
        place += f" @{mistake.attribute}"
    if mistake.text:
        place += " text"
    return f"{place} {mistake.kind}: {mistake.message}; expected {mistake.expected}"


def test_what_is_said(grammar: Grammar, golden: Callable[[Path, str], None]) -> None:
    lines = []
    for name in CHANGES:
        lines += [f"# {name}", *map(said, mistakes(grammar, name)), ""]
    golden(Path(__file__).with_name("messages.out"), "\n".join(lines))


#: Changes that are two mistakes.
TWO = {"a misspelled element with mistakes inside", "a network of another type"}


@pytest.mark.parametrize("name", CHANGES)
def test_one_mistake_is_one_finding(name: str, grammar: Grammar) -> None:
    assert len(mistakes(grammar, name)) == (2 if name in TWO else 1)


def test_the_domain_is_right(grammar: Grammar) -> None:
    assert grammar.check(Document.from_text(DOMAIN, "domain.xml").root) == []


def test_an_element_in_a_document_is_checked_with_the_namespaces_around_it(
    grammar: Grammar,
) -> None:
    declared = " xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'"
    inner = DOMAIN.replace(declared, "")
    document = Document.from_text(f"<domstatus{declared}>{inner}</domstatus>", "status.xml")
    assert grammar.check(document.root.elements()[0]) == []
    assert len(grammar.check(document.root)) == 1


def test_one_character_taken_for_another_is_nearer_than_one_too_many() -> None:
    from virtquorum.check.relaxng.words import nearest

    formats = ("qcow", "qcow2", "cow", "qed", "raw")
    assert nearest("qcow3", formats)[:2] == ["qcow2", "qcow"]
    assert nearest("qcow22", formats)[0] == "qcow2"
    assert nearest("RAV", formats) == ["raw"]


def test_choices_begin_with_the_nearest(grammar: Grammar) -> None:
    (mistake,) = mistakes(grammar, "a value near to a right one")
    assert mistake.choices[0] == "none"
    assert set(mistake.choices) == {
        "none", "default", "writeback", "writethrough", "directsync", "unsafe",
    }  # fmt: skip
    (mistake,) = mistakes(grammar, "a misspelled container")
    assert mistake.choices[0] == "devices"
    assert len(mistake.choices) > 8
