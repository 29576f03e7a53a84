"""What people do to a lowered domain by hand, and other programs: found, lifted or refused."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest
from lxml import etree

from virtquorum.check.engine import Checker
from virtquorum.check.grammar import find_libvirt_schemas
from virtquorum.check.options import Options
from virtquorum.errors import LoweredError
from virtquorum.stock.lift import lift
from virtquorum.stock.lower import lower
from virtquorum.xml.domain import Domain
from virtquorum.xml.troubles import RULES, troubles

if TYPE_CHECKING:
    from collections.abc import Callable

WRITTEN = """\
<domain type='kvm'>
  <name>web</name>
  <metadata>
    <app:a xmlns:app='urn:app'>kept</app:a>
  </metadata>
  <memory unit='KiB'>65536</memory>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
  </os>
  <devices>
    <disk type='quorum' threshold='2' device='disk'>
      <driver name='qemu' type='quorum' cache='none'/>
      <backingStore type='file'>
        <format type='raw'/>
        <source file='/srv/a'/>
      </backingStore>
      <backingStore type='file'>
        <format type='raw'/>
        <source file='/srv/b'/>
      </backingStore>
      <backingStore type='file'>
        <format type='raw'/>
        <source file='/srv/c'/>
      </backingStore>
      <target dev='vda' bus='virtio'/>
    </disk>
    <disk type='quorum' threshold='1' device='disk'>
      <driver name='qemu' type='quorum'/>
      <backingStore type='file'>
        <format type='raw'/>
        <source file='/srv/d'/>
      </backingStore>
      <target dev='sdb' bus='scsi'/>
    </disk>
  </devices>
</domain>
"""
LOWERED = lower(Domain.from_text(WRITTEN), directory="/p").text
#: As ``virsh dumpxml`` has it.
DUMPED = Domain.from_text(LOWERED).formatted().text
ANOTHER = (
    "<qemu:device alias='ua-vq-vda'><qemu:frontend>"
    "<qemu:property name='drive' type='string' value='x'/></qemu:frontend></qemu:device>"
)
NODE = "<qemu:arg value='-blockdev'/><qemu:arg value='{\"node-name\":\"vq-vdq\"}'/>"
VDA = "<target dev='vda' bus='virtio'/>"
SDB = "<target dev='sdb' bus='scsi'/>"
ALIAS = "      <alias name='ua-vq-vda'/>"
RAW = "type='raw' cache='writeback'/>\n      <source file='/p/web-vda"
POINTED = "type='string' value='vq-vda'"
STOCK = (
    "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/srv/b'/>"
    "<target dev='vdx' bus='virtio'/></disk>"
)


def swap(old: str, new: str, count: int = 1) -> Callable[[str], str]:
    def edit(text: str) -> str:
        assert old in text, old
        return text.replace(old, new, count)

    return edit


def cut(start: str, stop: str) -> Callable[[str], str]:
    def edit(text: str) -> str:
        at = text.index(start)
        return text[:at] + text[text.index(stop, at) + len(stop) :]

    return edit


def without_placeholder(text: str) -> str:
    at = text.index("    <disk type='file'")
    return text[:at] + text[text.index("</disk>\n", at) + len("</disk>\n") :]


def argument_moved(text: str) -> str:
    """The first pair of arguments behind all others."""
    start = text.index("    <qemu:arg")
    stop = text.index("\n", text.index("\n", start) + 1) + 1
    end = text.index("  </qemu:commandline>")
    return text[:start] + text[stop:end] + text[start:stop] + text[end:]


def record_doubled(text: str) -> str:
    end = text.index("    </virtquorum>")
    return text[:end] + text[text.index("      <lowered") : end] + text[end:]


#: What was done, and the rules that speak of it.
EDITS: dict[str, tuple[Callable[[str], str], set[str]]] = {
    "nothing": (lambda text: text, set()),
    "a boot order": (swap(ALIAS, f"      <boot order='1'/>\n{ALIAS}"), set()),
    "another bus": (swap(SDB, "<target dev='sdb' bus='sata'/>"), set()),
    "a record of the future": (swap('version="1"', 'version="2"'), {"VQ602"}),
    "a record of no version": (swap(' version="1"', ""), {"VQ601"}),
    "a second record": (
        swap("</virtquorum>", '</virtquorum><virtquorum xmlns="urn:virtquorum:domain:1.0"/>'),
        {"VQ601"},
    ),
    "a disk without a quorum in the record": (
        swap('<disk type="quorum" threshold="1"', '<disk type="file"'),
        {"VQ601"},
    ),
    "the record's disk has another target": (
        swap('<target dev="sdb" bus="scsi"/>', '<target dev="sdc" bus="scsi"/>'),
        {"VQ601"},
    ),
    "a disk twice in the record": (record_doubled, {"VQ601"}),
    "the record's threshold": (swap('threshold="2"', 'threshold="3"'), {"VQ601"}),
    "the path of a recorded member": (swap('file="/srv/b"', 'file="/srv/other"'), {"VQ601"}),
    "a policy in the record": (
        swap('type="quorum" cache="none"', 'type="quorum" cache="none" read_pattern="fifo"'),
        {"VQ601"},
    ),
    "the placeholder taken out": (without_placeholder, {"VQ603"}),
    "the alias taken out": (swap(f"{ALIAS}\n", ""), {"VQ603"}),
    "another alias": (swap("name='ua-vq-vda'/>", "name='ua-mine'/>"), {"VQ603"}),
    "another target": (swap(VDA, "<target dev='vdb' bus='virtio'/>"), {"VQ603"}),
    "an SD card": (swap(VDA, "<target dev='vda' bus='sd'/>"), {"VQ603"}),
    "another source": (swap("'/p/web-vda.placeholder'", "'/srv/images/x.raw'"), {"VQ604"}),
    "another format": (swap(RAW, RAW.replace("raw", "qcow2", 1)), {"VQ604"}),
    "the override taken out": (cut("  <qemu:override", "</qemu:override>\n"), {"VQ605"}),
    "an override of another node": (swap(POINTED, "type='string' value='x'"), {"VQ605"}),
    "an override that removes": (swap(POINTED, "type='remove'"), {"VQ605"}),
    "a later override": (swap("  </qemu:override>", f"{ANOTHER}</qemu:override>"), {"VQ605"}),
    "all arguments taken out": (cut("  <qemu:commandline", "</qemu:commandline>\n"), {"VQ606"}),
    "an argument changed": (swap("vote-threshold&quot;:2", "vote-threshold&quot;:1"), {"VQ606"}),
    "an argument behind the others": (argument_moved, {"VQ606"}),
    "the record taken out": (
        cut("    <virtquorum", "</virtquorum>\n"),
        {"VQ607"},
    ),
    "an argument of ours more": (
        swap("  </qemu:commandline>", f"{NODE}</qemu:commandline>"), {"VQ607"},
    ),
    "a member as a disk of its own": (swap("  </devices>", STOCK + "</devices>"), {"VQ608"}),
    "discard": (swap("cache='writeback'/>", "cache='writeback' discard='unmap'/>"), {"VQ609"}),
    "another cache mode": (swap("cache='writeback'/>", "cache='none'/>"), {"VQ609"}),
    "no cache mode": (swap(" cache='writeback'/>", "/>"), {"VQ609"}),
    "read-only": (swap("<shareable/>", "<readonly/><shareable/>"), {"VQ609"}),
    "transient": (swap("<shareable/>", "<shareable/><transient/>"), {"VQ609"}),
    "not shareable": (swap("      <shareable/>\n", ""), {"VQ610"}),
}  # fmt: skip
CHECKER = Checker(Options(libvirt_schemas=find_libvirt_schemas()))


def codes(text: str) -> set[str]:
    return {one.rule for one in CHECKER.check_bytes(text.encode(), "web.xml").findings}


@pytest.mark.parametrize("name", EDITS)
def test_what_was_done_is_found_and_nothing_else(name: str) -> None:
    edit, expected = EDITS[name]
    assert codes(edit(DUMPED)) == expected


@pytest.mark.parametrize("name", EDITS)
def test_lifting_names_the_rule(name: str) -> None:
    edit, expected = EDITS[name]
    domain = Domain.from_text(edit(DUMPED))
    refused = expected & set(RULES.values())
    if not refused:
        assert lift(domain).domain_name == "web"
        return
    with pytest.raises(LoweredError) as caught:
        lift(domain)
    text = str(caught.value)
    assert caught.value.line
    (code,) = refused
    assert f"virtquorum explain {code}" in text or code == "VQ602"


@pytest.mark.parametrize("name", EDITS)
def test_force_believes_the_record(name: str) -> None:
    """What comes out can be lowered, and has nothing of the old lowering."""
    edit, expected = EDITS[name]
    domain = Domain.from_text(edit(DUMPED))
    kinds = {one.kind for one in troubles(domain.document.root)}
    if kinds & {"record", "newer"}:
        with pytest.raises(LoweredError):
            lift(domain, force=True)
        return
    lifted = lift(domain, force=True)
    if expected <= {"VQ603", "VQ604", "VQ605", "VQ606"}:
        assert "vq-" not in lifted.text
        assert "qemu:" not in lifted.text
    # Another disk that has a quorum disk's target is not ours to take away.
    if name != "the record taken out":
        assert {one.name for one in lifted.disks if one.quorums} == {"vda", "sdb"}
        again = lower(lifted, directory="/p")
        assert [*troubles(again.document.root)] == []


def test_what_was_changed_of_the_device_comes_along() -> None:
    text = EDITS["another bus"][0](EDITS["a boot order"][0](DUMPED))
    first, second = lift(Domain.from_text(text)).disks
    assert first.boot is not None
    assert first.boot.order == 1
    assert second.target is not None
    assert second.target.bus == "sata"
    assert first.driver.cache == "none"
    assert first.readonly is None


# Other programs' spelling


def by_xmllint(text: str) -> str:
    return subprocess.run(
        ["xmllint", "--format", "-"], input=text, capture_output=True, text=True, check=True,
        timeout=60,
    ).stdout  # fmt: skip


def by_elementtree(text: str) -> str:
    """ns0:, ns1: … for every namespace, also where there was no prefix."""
    return ElementTree.tostring(ElementTree.fromstring(text), encoding="unicode")  # noqa: S314


def by_lxml(text: str) -> str:
    root = etree.fromstring(text.encode())
    etree.cleanup_namespaces(root)
    return etree.tostring(root, encoding="unicode")


def by_hand(text: str) -> str:
    """A prefix for the record, and the disks in it in no namespace."""
    return (
        text.replace("<virtquorum xmlns=", "<vq:virtquorum xmlns:vq=")
        .replace("</virtquorum", "</vq:virtquorum")
        .replace("<lowered", "<vq:lowered")
        .replace("</lowered", "</vq:lowered")
    )


@pytest.mark.parametrize("source", [LOWERED, DUMPED], ids=["lowered", "dumped"])
@pytest.mark.parametrize("rewrite", [by_xmllint, by_elementtree, by_lxml, by_hand])
def test_a_record_is_understood_however_it_is_spelled(
    rewrite: Callable[[str], str], source: str
) -> None:
    text = rewrite(source)
    domain = Domain.from_text(text)
    assert [*troubles(domain.document.root)] == []
    lifted = lift(domain)
    assert lifted.disks == Domain.from_text(WRITTEN).disks
    assert "virtquorum" not in lifted.text
    assert "vq-" not in lifted.text
    assert codes(lifted.text) <= codes(WRITTEN)
    again = lower(lifted, directory="/p")
    assert [*troubles(again.document.root)] == []
    assert lift(again).to_bytes() == lifted.to_bytes()


def test_comments_and_words_of_others_stay_where_ours_were() -> None:
    text = LOWERED
    for old, new in (
        ("  </metadata>", "    <!-- mine -->\n  </metadata>"),
        ("  </qemu:commandline>", "    <qemu:env name='A' value='b'/>\n  </qemu:commandline>"),
        ("  </qemu:override>", "    <!-- theirs -->\n  </qemu:override>"),
    ):
        text = text.replace(old, new)
    lifted = lift(Domain.from_text(text)).text
    for kept in ("<!-- mine -->", "<qemu:env", "<!-- theirs -->", "kept</app:a>"):
        assert kept in lifted
    assert "vq-" not in lifted
