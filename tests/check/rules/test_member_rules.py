"""The rules about members (VQ201 to VQ217): their edges, and whether the real programs agree."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.programs import qemu_img, refusal
from virtquorum.check.engine import Rules
from virtquorum.check.fixes import apply
from virtquorum.check.place import Placer
from virtquorum.check.rules import rule
from virtquorum.qemu.names import NODE_NAME
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from virtquorum.check.finding import Finding


class Found(NamedTuple):
    """Where a rule found something, how bad it is, and what it says."""

    line: int
    column: int
    severity: str
    message: str


def findings(code: str, text: str) -> list[Finding]:
    domain = Domain.from_text(text, "test.xml")
    document = domain.document
    own = rule(code)
    placer = Placer(document)
    rules = Rules(lambda one, _: one == code)
    return sorted(
        placer.finding(code, problem.severity or own.severity, problem)
        for _, problem in rules.problems(document.root, document.data, domain.disks)
    )


def found(code: str, text: str) -> list[Found]:
    return [
        Found(one.line, one.column, one.severity.value, one.message) for one in findings(code, text)
    ]


def places(code: str, text: str) -> list[tuple[int, str]]:
    """The line of each finding, and the text of its place."""
    return [(one.line, _marked(one, text)) for one in findings(code, text)]


def _marked(one: Finding, text: str) -> str:
    lines = text.splitlines()
    assert one.line == one.end_line
    return lines[one.line - 1][one.column - 1 : one.end_column - 1]


def fixed(code: str, text: str) -> str:
    """A text after the fixes of a rule."""
    new, _ = apply(text.encode(), findings(code, text))
    return new.decode()


def member(path: str = "/a", inside: str = "", *, format: str = "raw", attributes: str = "") -> str:
    """A member on a line of its own."""
    return (
        f"<backingStore type='file'{attributes}><format type='{format}'/>"
        f"<source file='{path}'/>{inside}</backingStore>\n"
    )


def nested(*members: str, attributes: str = "") -> str:
    inside = "".join(members)
    return f"<backingStore type='quorum' threshold='1'{attributes}>\n{inside}</backingStore>\n"


def quorum(*members: str, inside: str = "", attributes: str = "", target: str = "vda") -> str:
    """A quorum disk; its first member is in line 2."""
    return (
        f"<disk type='quorum' threshold='1'{attributes}>\n{''.join(members)}"
        f"{inside}<target dev='{target}'/></disk>\n"
    )


def disk(path: str = "/a", inside: str = "", *, format: str = "raw", attributes: str = "") -> str:
    return (
        f"<disk type='file'{attributes}><driver name='qemu' type='{format}'/>\n"
        f"<source file='{path}'/>\n{inside}<target dev='vdb'/></disk>\n"
    )


def domain(*disks: str) -> str:
    """A domain whose first disk begins in line 2."""
    return f"<domain><devices>\n{''.join(disks)}</devices></domain>\n"


READONLY = "<readonly/>\n"
SHAREABLE = "<shareable/>\n"


# VQ201


def test_a_source_beside_members_is_no_member() -> None:
    text = quorum("<source file='/new'/>\n", member("/a"), member("/b"))
    assert found("VQ201", text) == [
        (2, 1, "error", "a quorum has no <source>: its data is in its members")
    ]
    assert findings("VQ201", text)[0].fix is None, "it may be meant as a member"


@pytest.mark.parametrize(
    "source", ["<source/>", "<source index='1'/>", "<source file='/b'/>", "<source></source>"]
)
def test_a_source_that_adds_nothing_is_removed(source: str) -> None:
    without = quorum(member("/a"), member("/b"))
    assert fixed("VQ201", quorum(f"{source}\n", member("/a"), member("/b"))) == without


@pytest.mark.parametrize(
    "source",
    [
        "<source file='/a'><seclabel relabel='no'/></source>",
        "<source file='/a' fdgroup='x'/>",
        "<source dev='/a'/>",
        "<source><!-- keep me --></source>",
    ],
)
def test_a_source_that_says_more_is_kept(source: str) -> None:
    text = quorum(f"{source}\n", member("/a"))
    assert len(found("VQ201", text)) == 1
    assert fixed("VQ201", text) == text


def test_a_source_of_a_nested_quorum() -> None:
    text = quorum(member("/a"), nested("<source file='/x'/>\n", member("/b")))
    assert places("VQ201", text) == [(4, "<source file='/x'/>")]
    assert found("VQ201", disk()) == []


# VQ202


def test_what_is_dropped_is_counted() -> None:
    text = disk("/o", member("/a") + member("/b") + member("/c"), format="qcow2")
    assert found("VQ202", text) == [
        (
            4, 1, "error",
            "the <disk> is no quorum: libvirt keeps the first <backingStore>, in line 3, and drops"
            " this one and 1 more",
        )
    ]  # fmt: skip
    assert fixed("VQ202", text) == text


def test_what_is_dropped_below() -> None:
    inner = member("/b", member("/c") + "<backingStore/>\n", format="qcow2")
    text = disk("/o", inner, format="qcow2")
    assert places("VQ202", text) == [(4, "<backingStore/>")]
    assert "the <backingStore> is no quorum" in found("VQ202", text)[0].message


def test_the_terminator_may_be_the_one_that_is_kept() -> None:
    text = disk("/o", "<backingStore/>\n" + member("/a"), format="qcow2")
    assert [one.line for one in found("VQ202", text)] == [4]


def test_what_is_written_twice_is_removed() -> None:
    once = disk("/o", member("/a"), format="qcow2")
    twice = disk("/o", member("/a") * 3, format="qcow2")
    assert fixed("VQ202", twice) == once
    other = disk("/o", member("/a") + member("/a", "<!-- why -->"), format="qcow2")
    assert fixed("VQ202", other) == other


def test_members_are_not_dropped() -> None:
    assert found("VQ202", quorum(member("/a"), member("/b"), "<backingStore/>")) == []
    assert found("VQ202", disk("/o", member("/a"), format="qcow2")) == []


def test_libvirt_keeps_the_first(tmp_path: Path) -> None:
    text = disk("/o", member("/first") + member("/second") + member("/third"), format="qcow2")
    dumped = define(text, tmp_path)
    assert "/first" in dumped
    assert "/second" not in dumped
    assert "/third" not in dumped


# VQ203


def test_an_empty_member_is_removed_with_its_line() -> None:
    text = quorum(
        member("/a"), "  <backingStore/>\n", member("/b"), "<backingStore></backingStore>"
    )
    said = "an empty <backingStore/> is no member: it has no type, no <format> and no <source>"
    assert found("VQ203", text) == [(3, 3, "error", said), (5, 1, "error", said)]
    assert fixed("VQ203", text) == quorum(member("/a"), member("/b"))


@pytest.mark.parametrize(
    ("source", "type"),
    [
        ("file='/a'", "file"),
        ("dev='/dev/a'", "block"),
        ("dir='/a'", "dir"),
        ("protocol='nbd' name='x'", "network"),
        ("pool='p' volume='v'", "volume"),
    ],
)
def test_a_member_without_type_gets_that_of_its_source(source: str, type: str) -> None:
    inside = f"<format type='raw'/><source {source}/></backingStore>\n"
    text = quorum(f"<backingStore>{inside}")
    (one,) = findings("VQ203", text)
    assert one.message.startswith("the member has no type")
    assert one.expected == f"type='{type}'"
    assert fixed("VQ203", text) == quorum(f"<backingStore type='{type}'>{inside}")


@pytest.mark.parametrize(
    "store",
    [
        "<backingStore threshold='2'/>",
        "<backingStore><!-- to come --></backingStore>",
        "<backingStore><source/></backingStore>",
        "<backingStore><source file='/a' dev='/b'/></backingStore>",
    ],
)
def test_what_was_meant_is_not_guessed(store: str) -> None:
    text = quorum(store, member("/a"))
    assert [one.expected for one in findings("VQ203", text)] == ["type='…'"]
    assert fixed("VQ203", text) == text


def test_a_chain_may_end() -> None:
    text = quorum(member("/a", "<backingStore/>"), nested(member("/b", "<backingStore/>")))
    assert found("VQ203", text) == []
    assert found("VQ203", disk("/o", "<backingStore/>", format="qcow2")) == []
    assert len(found("VQ203", quorum(nested("<backingStore/>")))) == 1


# VQ204


def test_the_format_of_a_member() -> None:
    bare = "<backingStore type='file'>{}<source file='/x'/></backingStore>\n"
    text = quorum(bare.format(""), bare.format("<format/>"), nested(bare.format("")))
    assert [(one.line, one.message[:30]) for one in found("VQ204", text)] == [
        (2, "the member has no <format>, an"),
        (3, "the <format> of the member has"),
        (5, "the member has no <format>, an"),
    ]
    assert places("VQ204", text)[1] == (3, "<format/>")


def test_the_format_of_a_backing_image() -> None:
    bare = "<backingStore type='file'><source file='/x'/></backingStore>\n"
    text = quorum(member("/a", f"\n{bare}", format="qcow2"))
    assert [(one.line, one.message[:34]) for one in found("VQ204", text)] == [
        (3, "the backing image has no <format>,")
    ]
    text = disk("/o", bare, format="qcow2")
    assert [one.line for one in found("VQ204", text)] == [3]


def test_who_needs_no_format() -> None:
    assert found("VQ204", "<disk type='file'><source file='/a'/><target dev='vda'/></disk>") == []
    assert found("VQ204", quorum(nested(member("/a")), "<backingStore/>")) == []


def test_libvirt_refuses_a_store_without_format(tmp_path: Path) -> None:
    bare = "<backingStore type='file'><source file='/x'/></backingStore>\n"
    said = define(disk("/o", bare, format="qcow2"), tmp_path)
    assert "missing disk backing store format" in said


# VQ205


def test_each_repetition_is_found_once() -> None:
    text = quorum(member("/a"), member("/b"), member("/x/../a"), member("//a"))
    said = "this image is a member already, in line 2, and would vote twice"
    assert found("VQ205", text) == [(4, 47, "error", said), (5, 47, "error", said)]
    assert places("VQ205", text)[0] == (4, "<source file='/x/../a'/>")


def test_members_of_members_vote_with_the_members() -> None:
    text = quorum(member("/a"), nested(member("/b"), member("/a"), member("/b")))
    assert [(one.line, one.message[32:42]) for one in found("VQ205", text)] == [
        (5, "in line 2,"),
        (6, "in line 4,"),
    ]


def test_a_quorum_below_a_member_is_a_vote_of_its_own() -> None:
    below = nested(member("/b"), member("/b"))
    text = quorum(member("/a", "\n" + below, format="qcow2"), member("/c"))
    assert [one.line for one in found("VQ205", text)] == [5]
    overlay = disk("/o", nested(member("/b"), member("/b")), format="qcow2")
    assert [one.line for one in found("VQ205", overlay)] == [5]


def test_a_golden_image_below_several_members_is_fine() -> None:
    base = member("/base")
    text = quorum(member("/a", base, format="qcow2"), member("/b", base, format="qcow2"))
    for code in ("VQ205", "VQ206", "VQ207"):
        assert found(code, text) == []


def sliced(offset: int, size: int, path: str = "/a") -> str:
    slices = f"<slices><slice type='storage' offset='{offset}' size='{size}'/></slices>"
    return member(path).replace(f"'{path}'/>", f"'{path}'>{slices}</source>")


def test_two_slices_of_one_file() -> None:
    apart = (sliced(0, 512), sliced(512, 512))
    assert [one.message for one in findings("VQ205", quorum(*apart))] == [
        "a member already is in another slice of this file, in line 2, and QEMU locks the whole"
        " file"
    ]
    assert found("VQ205", quorum(*apart, inside=READONLY)) == []
    meet = quorum(sliced(0, 513), sliced(512, 512), inside=READONLY)
    assert "would vote twice" in found("VQ205", meet)[0].message


# VQ206


def test_the_other_disk_is_named() -> None:
    text = domain(quorum(member("/a"), member("/b")), disk("/b"))
    assert found("VQ206", text) == [
        (
            7, 1, "error",
            "disk 'vda' uses this image as well, in line 4, and only readers can share it",
        )
    ]  # fmt: skip
    assert places("VQ206", text) == [(7, "<source file='/b'/>")]
    unnamed = domain("<disk type='file'><source file='/b'/></disk>", disk("/b"))
    assert found("VQ206", unnamed)[0].message.startswith("another disk uses")


def test_all_disks_of_a_domain_are_compared_and_no_others() -> None:
    assert len(found("VQ206", domain(disk(), disk(), disk()))) == 2
    assert found("VQ206", domain(disk("/a"), disk("/b"))) == []
    assert found("VQ206", domain(quorum(member("/a"), member("/a")))) == []
    two = f"<devices>{disk()}</devices>"
    text = f"<domainsnapshot><domain>{two}</domain><inactiveDomain>{two}</inactiveDomain>"
    assert found("VQ206", f"{text}</domainsnapshot>") == []


@pytest.mark.parametrize(
    ("one", "two", "fine"),
    [
        (READONLY, READONLY, True),
        (READONLY, "", False),
        ("", READONLY, False),
        (SHAREABLE, SHAREABLE, True),
        (SHAREABLE, "", False),
        (SHAREABLE, READONLY, False),
        (SHAREABLE, SHAREABLE + READONLY, True),
        ("", SHAREABLE + READONLY, True),
        ("<transient shareBacking='yes'/>", "<transient shareBacking='yes'/>", True),
        ("<transient/>", "<transient/>", False),
    ],
)
def test_who_may_share(one: str, two: str, *, fine: bool) -> None:
    assert (found("VQ206", domain(disk("/a", one), disk("/a", two))) == []) == fine


def test_a_cdrom_only_reads() -> None:
    cdrom = disk("/a", attributes=" device='cdrom'")
    assert found("VQ206", domain(cdrom, cdrom)) == []
    assert len(found("VQ206", domain(cdrom, disk("/a")))) == 1


def test_shareable_is_for_raw_images_that_are_no_members() -> None:
    qcow2 = disk("/a", SHAREABLE, format="qcow2")
    assert len(found("VQ206", domain(qcow2, qcow2))) == 1
    shared = quorum(member("/a"), inside=SHAREABLE)
    assert len(found("VQ206", domain(shared, shared))) == 1
    read = quorum(member("/a"), inside=READONLY)
    assert found("VQ206", domain(read, read)) == []


def test_a_backing_image_is_read() -> None:
    overlay = disk("/o", member("/base"), format="qcow2")
    other = disk("/p", member("/base"), format="qcow2")
    assert found("VQ206", domain(overlay, other)) == []
    assert [one.line for one in found("VQ206", domain(overlay, disk("/base")))] == [7]
    below = disk("/q", nested(member("/m")), format="qcow2")
    assert found("VQ206", domain(below, below.replace("/q", "/r"))) == []


def test_slices_in_two_disks() -> None:
    one, two = quorum(sliced(0, 512)), quorum(sliced(512, 512), target="vdb")
    assert "another slice of this file, in line 3" in found("VQ206", domain(one, two))[0].message
    read = [text.replace("<target", "<readonly/><target") for text in (one, two)]
    assert found("VQ206", domain(*read)) == []


# VQ207


def test_the_later_one_is_the_place() -> None:
    overlay = member("/o", "\n" + member("/a"), format="qcow2")
    first = quorum(member("/a"), overlay)
    assert [(one.line, one.message) for one in found("VQ207", first)] == [
        (4, "this backing image is a member of the same quorum, in line 2")
    ]
    last = quorum(overlay, member("/a"))
    assert [(one.line, one.message) for one in found("VQ207", last)] == [
        (5, "this member is a backing image of another member, in line 3")
    ]
    assert found("VQ205", last) == []


def test_nobody_is_at_odds_who_only_reads() -> None:
    text = quorum(member("/a"), member("/o", member("/a"), format="qcow2"), inside=READONLY)
    assert [one.severity for one in found("VQ207", text)] == ["warning"]
    assert findings("VQ207", text)[0].expected == "an image that no member writes to"


def test_deep_below_and_in_nested_quorums() -> None:
    chain = member("/o", member("/p", member("/a"), format="qcow2"), format="qcow2")
    assert len(found("VQ207", quorum(nested(member("/a")), chain))) == 1
    below = member("/o", nested(member("/a"), member("/b")), format="qcow2")
    assert len(found("VQ207", quorum(member("/a"), below))) == 1
    assert found("VQ207", quorum(member("/c"), below)) == []
    own = member("/o", member("/o"), format="qcow2")
    assert len(found("VQ207", quorum(own))) == 1


# VQ208


def test_what_cannot_be_a_member() -> None:
    store = "<backingStore type='{}'><format type='{}'/>{}</backingStore>\n"
    nbd = "<source protocol='{}' name='x'><host name='h'/></source>"
    snapshot = nbd.format("rbd").replace("<host", "<snapshot name='s'/><host")
    text = quorum(
        store.format("file", "raw", ""),
        store.format("file", "raw", "<source/>"),
        store.format("block", "raw", "<source dev=''/>"),
        store.format("vhostuser", "raw", "<source type='unix' path='/s'/>"),
        store.format("file", "raw", "<source file='/a' fdgroup='g'/>"),
        store.format("network", "raw", nbd.format("sheepdog")),
        store.format("file", "cow", "<source file='/b'/>"),
        store.format("file", "luks", "<source file='/c'/>"),
        store.format("file", "fat", "<source file='/d'/>"),
        store.format("network", "raw", nbd.format("https")),
        store.format("dir", "fat", "<source dir='/e'/>"),
        store.format("file", "dmg", "<source file='/f'/>"),
        store.format("network", "raw", snapshot),
        store.format("network", "raw", nbd.format("nbd")),
        store.format("volume", "raw", "<source pool='p' volume='v'/>"),
        store.format("nvme", "raw", "<source type='pci' namespace='1'><address bus='1'/></source>"),
    )  # fmt: skip
    expected = [
        (2, "<backingStore type='file'>", "the member has no <source>"),
        (3, "<source/>", "the <source> of the member is empty"),
        (4, "<source dev=''/>", "the <source> of the member is empty"),
        (5, "type='vhostuser'", "a vhost-user server is no member"),
        (6, "fdgroup='g'", "the descriptors of an fdgroup are libvirt's"),
        (7, "protocol='sheepdog'", "QEMU has no driver for the protocol 'sheepdog' any more"),
        (8, "type='cow'", "QEMU has no driver for the format 'cow'"),
        (9, "type='luks'", "libvirt has no format 'luks'"),
        (10, "type='fat'", "only a directory has the format 'fat'"),
        (11, "protocol='https'", "QEMU cannot write over 'https'"),
        (12, "type='dir'", "a directory's FAT file system is read-only"),
        (13, "type='dmg'", "QEMU cannot write to 'dmg'"),
        (14, "<source protocol='rbd' name='x'>", "an RBD snapshot is read-only"),
    ]
    some = findings("VQ208", text)
    assert [(one.line, _marked(one, text)) for one in some] == [one[:2] for one in expected]
    for one, (_, _, message) in zip(some, expected, strict=True):
        assert one.message.startswith(message)
        assert one.expected
    read = text.replace("<target", "<readonly/><target")
    assert [one.line for one in found("VQ208", read)] == [*range(2, 11)]


def test_what_is_below_a_member_only_has_to_be_read() -> None:
    http = "<source protocol='http' name='x'><host name='h'/></source>"
    store = "<backingStore type='network'><format type='raw'/>{}</backingStore>"
    base = store.format(http)
    assert found("VQ208", quorum(member("/a", base, format="qcow2"))) == []
    assert found("VQ208", quorum(member("/a", nested(base), format="qcow2"))) == []
    assert len(found("VQ208", quorum(nested(base)))) == 1
    dropped = base.replace("http", "sheepdog")
    messages = [one.message for one in found("VQ208", quorum(member("/a", dropped)))]
    assert messages == ["QEMU has no driver for the protocol 'sheepdog' any more"]
    cdrom = quorum(base, attributes=" device='cdrom'")
    assert found("VQ208", cdrom) == []


def test_a_directory_has_its_format() -> None:
    store = "<backingStore type='dir'><format type='{}'/><source dir='/d'/></backingStore>"
    text = quorum(store.format("raw"), store.format("dir"), store.format("fat"), inside=READONLY)
    assert [one.message for one in findings("VQ208", text)] == [
        "a directory has the format 'fat', not 'raw'",
        "QEMU has no driver for the format 'dir'",
    ]


# VQ209


def test_storage_with_copies_is_noted_where_it_votes() -> None:
    net = "<source protocol='{}' name='p/i'><host name='h'/></source>"
    store = "<backingStore type='network'><format type='raw'/>{}</backingStore>\n"
    rbd, gluster, nbd = (store.format(net.format(one)) for one in ("rbd", "gluster", "nbd"))
    text = quorum(rbd, nested(gluster), nbd, member("/a", rbd, format="qcow2"))
    assert [(one.line, one.severity, one.message) for one in found("VQ209", text)] == [
        (2, "note", "Ceph keeps several copies of this member on its own"),
        (4, "note", "a replicated Gluster volume keeps several copies of this member on its own"),
    ]
    assert places("VQ209", text)[0] == (2, "protocol='rbd'")


# VQ210, VQ211


def name(value: str) -> str:
    return quorum(member("/a", attributes=f" nodename='{value}'"))


@pytest.mark.parametrize("value", ["a", "A", "rack-1.b_2", "a" * 31, "x."])
def test_node_names_that_qemu_takes(value: str) -> None:
    assert NODE_NAME.fullmatch(value)
    assert found("VQ210", name(value)) == found("VQ211", name(value)) == []


@pytest.mark.parametrize(
    "value",
    ["", "1a", "-a", "_a", ".a", "#block1", "a b", "a:b", "a/b", "ä", "aä", "a\u0661", "a "],
)
def test_node_names_that_are_none(value: str) -> None:
    assert not NODE_NAME.fullmatch(value)
    text = name(value)
    assert places("VQ210", text) == [(2, f"nodename='{value}'")]
    assert found("VQ211", text) == []
    said = found("VQ210", text)[0].message
    assert (f"'{value}'" in said) == bool(value)


def test_node_names_that_are_too_long() -> None:
    text = name("a" * 32)
    assert [one.message for one in findings("VQ211", text)] == [
        "the node name has 32 characters, and QEMU takes 31"
    ]
    assert found("VQ210", text) == []
    assert len(found("VQ210", name("1" * 100_000))[0].message) < 100


def test_a_name_below_a_member_counts() -> None:
    inner = member("/b", attributes=" nodename='1'")
    assert len(found("VQ210", quorum(member("/a", inner, format="qcow2")))) == 1
    assert len(found("VQ210", quorum(nested(member("/a"), attributes=" nodename='1'")))) == 1


# VQ212


def test_names_of_all_disks() -> None:
    one = member("/a", attributes=" nodename='x'")
    two = member("/b", attributes=" nodename='x'")
    upper = member("/c", attributes=" nodename='X'")
    text = domain(quorum(one, upper), quorum(two, target="vdb"), disk("/o", one, format="qcow2"))
    assert [(one.line, one.message) for one in found("VQ212", text)] == [
        (7, "the node name 'x' is taken, in line 3"),
        (11, "the node name 'x' is taken, in line 3"),
    ]
    assert places("VQ212", text)[0] == (7, "nodename='x'")


def test_two_domains_of_a_snapshot_may_have_one_name() -> None:
    one = quorum(member("/a", attributes=" nodename='x'"))
    inside = f"<devices>{one}</devices>"
    text = f"<domainsnapshot><domain>{inside}</domain><inactiveDomain>{inside}</inactiveDomain>"
    assert found("VQ212", f"{text}</domainsnapshot>") == []


def test_the_id_of_a_drive_is_no_name() -> None:
    one = quorum(member("/a", attributes=" nodename='drive-vdb'"))
    text = domain(one, disk("/b"), disk("/c"))
    assert [(one.line, one.severity, one.message) for one in found("VQ212", text)] == [
        (3, "error", "'drive-vdb' is the id of the drive of disk 'vdb', in line 5")
    ]
    assert found("VQ212", domain(one)) == []


@pytest.mark.parametrize(
    ("value", "whose"),
    [("libvirt-1-format", "libvirt"), ("libvirt-x", "libvirt"), ("vq-vda", "virtquorum")],
)
def test_names_that_others_give(value: str, whose: str) -> None:
    text = quorum(member("/a", attributes=f" nodename='{value}'"))
    (one,) = found("VQ212", text)
    assert (one.line, one.severity) == (2, "warning")
    assert one.message.endswith(f"are those that {whose} gives")
    twice = quorum(*(member(path, attributes=f" nodename='{value}'") for path in ("/a", "/b")))
    assert [one.severity for one in found("VQ212", twice)] == ["warning", "error"]
    assert found("VQ212", text.replace(value, value.capitalize())) == []


# VQ213


def test_a_policy_below_the_disk() -> None:
    text = quorum(member("/a").replace("'/a'", "'/a'\n  startupPolicy='optional'"))
    assert places("VQ213", text) == [(3, "startupPolicy='optional'")]
    assert fixed("VQ213", text) == quorum(member("/a"))
    below = disk("/o", member("/a").replace("'/a'", "'/a' startupPolicy='x'"), format="qcow2")
    assert fixed("VQ213", below) == disk("/o", member("/a"), format="qcow2")
    own = disk().replace("'/a'", "'/a' startupPolicy='optional'")
    assert found("VQ213", own) == []


def test_libvirt_drops_a_policy_below_the_disk(tmp_path: Path) -> None:
    below = member("/b").replace("'/b'", "'/b' startupPolicy='optional'")
    text = disk("/a", below, format="qcow2").replace("'/a'", "'/a' startupPolicy='optional'")
    dumped = define(text, tmp_path)
    assert "<source file='/a' startupPolicy='optional'/>" in dumped
    assert "<source file='/b'/>" in dumped


# VQ214


def chain(images: int, last: str = "") -> str:
    """Members' chain of so many images, one in a line."""
    head = "<backingStore type='file'><format type='qcow2'/><source file='/{}'/>\n"
    inside = "".join(head.format(number) for number in range(images))
    return f"{inside}{last}{'</backingStore>' * images}\n"


def test_the_image_that_is_one_too_deep() -> None:
    assert found("VQ214", disk("/o", chain(199), format="qcow2")) == []
    text = disk("/o", chain(205), format="qcow2")
    assert found("VQ214", text) == [
        (202, 1, "error", "this is image 201 of its chain, and libvirt takes 200")
    ]
    assert found("VQ214", disk("/o", chain(199, "<backingStore/>"), format="qcow2")) == []


def test_below_a_quorum_it_is_a_warning() -> None:
    text = quorum(chain(200), chain(199), chain(200))
    assert [(one.line, one.severity) for one in found("VQ214", text)] == [
        (201, "warning"),
        (602, "warning"),
    ]


# VQ215


@pytest.mark.parametrize(
    ("format", "fine"),
    [
        *((one, True) for one in ("cow", "qcow", "qcow2", "qed", "vmdk")),
        *((one, False) for one in ("raw", "luks", "vdi", "vpc", "vhd", "ploop", "iso", "fat")),
    ],
)
def test_which_formats_have_backing_images(format: str, *, fine: bool) -> None:
    said = [] if fine else [(3, f"the format '{format}' has no backing images")]
    text = disk("/o", member("/a"), format=format)
    assert [(one.line, one.message) for one in found("VQ215", text)] == said
    text = quorum(member("/o", "\n" + member("/a"), format=format))
    assert [(one.line, one.message) for one in found("VQ215", text)] == said
    assert found("VQ215", disk("/o", "<backingStore/>", format=format)) == []


def test_forgotten_members_are_not_taken_for_backing_images() -> None:
    text = disk("/o", member("/a") + member("/b"))
    assert found("VQ215", text) == []
    assert len(found("VQ202", text)) == 1


def test_a_disk_without_format_is_raw() -> None:
    text = disk("/o", member("/a")).replace(" type='raw'", "", 1)
    assert [one.message for one in findings("VQ215", text)] == [
        "the disk names no format, so it is 'raw', which has no backing images"
    ]
    volume = "<disk type='volume'><source pool='p' volume='v'/>{}</disk>"
    assert found("VQ215", volume.format(member("/a"))) == []
    assert found("VQ215", quorum(member("/a"))) == []
    assert found("VQ215", quorum(member("/a")).replace("1'>", "1'><driver type='raw'/>", 1)) == []


# VQ216, VQ217

AUTH = "<auth username='u'><secret type='ceph' usage='{}'/></auth>\n"
KEY = "<encryption format='luks'><secret type='passphrase' usage='{}'/></encryption>\n"


@pytest.mark.parametrize(("code", "part"), [("VQ216", AUTH), ("VQ217", KEY)])
def test_in_both_places(code: str, part: str) -> None:
    kind = "<disk type='network'>\n"
    source = "<source protocol='rbd' name='p/i'>\n{}</source>\n"
    one, two = part.format("x"), part.format("y")
    name = rule(code).name.removesuffix("-twice")
    before = f"{kind}{one}{source.format(one)}</disk>"
    assert [(it.line, it.message) for it in found(code, before)] == [
        (4, f"there is an <{name}> on the disk already, in line 2")
    ]
    assert fixed(code, before) == f"{kind}{one}{source.format('')}</disk>"
    after = f"{kind}{source.format(one)}{one}</disk>"
    assert [(it.line, it.message) for it in found(code, after)] == [
        (5, f"there is an <{name}> in the <source> of the disk already, in line 3")
    ]
    assert fixed(code, after) == f"{kind}{source.format(one)}</disk>"
    differ = f"{kind}{source.format(one)}{two}</disk>"
    assert len(found(code, differ)) == 1
    assert fixed(code, differ) == differ, "nobody knows which is right"
    for fine in (f"{kind}{one}</disk>", f"{kind}{source.format(one)}</disk>", f"{kind}</disk>"):
        assert found(code, fine) == []


@pytest.mark.parametrize(("part", "name"), [(AUTH, "auth"), (KEY, "encryption")])
def test_libvirt_refuses_both(part: str, name: str, tmp_path: Path) -> None:
    one = part.format("x")
    text = f"<disk type='network'>{one}<source protocol='rbd' name='p/i'>{one}</source>"
    said = define(f"{text}<target dev='vda'/></disk>", tmp_path)
    assert f"an <{name}> definition already found for disk source" in said


# The real programs


def define(disk: str, folder: Path) -> str:
    """What libvirt's test driver makes of a disk in a domain, or says against it."""
    path = folder / "domain.xml"
    path.write_text(
        "<domain type='test'><name>x</name><memory>1024</memory><os><type>hvm</type></os>"
        f"<devices>{disk}</devices></domain>"
    )
    done = subprocess.run(
        ["virsh", "-c", "test:///default", f"define {path}; dumpxml x"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def image(name: str, path: str, *, driver: str = "raw", reads: bool = False, **more: int) -> str:
    """A ``-blockdev`` for an image, in the layers that libvirt makes."""
    file = {"driver": "file", "filename": path, "auto-read-only": True}
    return json.dumps(
        {"driver": driver, "node-name": name, "read-only": reads, "file": file, **more}
    )


def vote(name: str, *members: str, reads: bool = False) -> str:
    return json.dumps(
        {
            "driver": "quorum", "node-name": name, "vote-threshold": 1, "read-only": reads,
            "children": [*members],
        }
    )  # fmt: skip


def arguments(nodes: Sequence[str], *drives: str) -> list[str]:
    """A machine with SCSI disks on nodes."""
    return [
        "-M", "q35", "-accel", "tcg", "-device", "virtio-scsi-pci",
        *(part for node in nodes for part in ("-blockdev", node)),
        *(part for drive in drives for part in ("-device", f"scsi-hd,drive={drive}")),
    ]  # fmt: skip


WRITE_LOCK = 'Failed to get "write" lock'
READ_ONLY = "Block node is read-only"


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        qemu_img("create", "-q", "-f", "raw", tmp_path / name, "1M")
    (tmp_path / "d").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("nodes", "drives", "said"),
    [
        pytest.param(
            [image("m0", "a"), image("m1", "a"), vote("q", "m0", "m1")], ["q"], WRITE_LOCK,
            id="one image as two members",
        ),
        pytest.param(
            [image("m0", "a", offset=0, size=524288), image("m1", "a", offset=524288, size=524288),
             vote("q", "m0", "m1")], ["q"], WRITE_LOCK,
            id="two slices of one file",
        ),
        pytest.param(
            [image("m0", "a"), image("m1", "a"), vote("q", "m0"), vote("p", "m1")],
            ["q,share-rw=on", "p,share-rw=on"], WRITE_LOCK,
            id="quorums that are to share a member",
        ),
        pytest.param(
            [image("m0", "a"), image("m1", "a", reads=True)], ["m0", "m1"],
            'Failed to get shared "write" lock',
            id="a writer and a reader",
        ),
        pytest.param(
            ['{"driver":"raw","node-name":"m0","read-only":false,"file":{"driver":"vvfat",'
             '"dir":"d","auto-read-only":true}}', vote("q", "m0")], ["q"], READ_ONLY,
            id="a directory that is written to",
        ),
        pytest.param([image("m0", "a", driver="dmg")], [], "Image is read-only", id="dmg"),
        pytest.param([image("m0", "a", driver="bochs")], [], "Image is read-only", id="bochs"),
        pytest.param(
            ['{"driver":"sheepdog","node-name":"m0"}'], [],
            "does not accept value 'sheepdog'",
            id="sheepdog",
        ),
        pytest.param([image("1a", "a")], [], "Invalid node-name: '1a'", id="an illegal name"),
        pytest.param([image("a" * 32, "a")], [], "Node name too long", id="a long name"),
        pytest.param(
            [image("x", "a"), image("x", "b")], [], "Duplicate nodes with node-name='x'",
            id="a name twice",
        ),
    ],
)  # fmt: skip
def test_qemu_refuses(nodes: list[str], drives: list[str], said: str, images: Path) -> None:
    assert said in refusal(arguments(nodes, *drives), images)


def test_qemu_takes_no_drive_id_for_a_name(images: Path) -> None:
    drive = ["-drive", "if=none,id=drive-vda,file=b,format=raw"]
    assert "conflicting with a device id" in refusal(
        [*drive, "-drive", "if=none,file=a,format=raw,node-name=drive-vda"], images
    )


@pytest.mark.parametrize(
    ("nodes", "drives"),
    [
        pytest.param(
            [image("m0", "a", reads=True), image("m1", "a", reads=True),
             vote("q", "m0", "m1", reads=True)], ["q"],
            id="one image twice, and nobody writes",
        ),
        pytest.param(
            [image("m0", "a"), image("m1", "a"), image("m2", "a", reads=True)],
            ["m0,share-rw=on", "m1,share-rw=on", "m2,share-rw=on"],
            id="raw images that are shared",
        ),
        pytest.param(
            [image("m0", "a"), image("m1", "a", reads=True)], ["m0", "m1,share-rw=on"],
            id="a writer and a reader that minds no writer",
        ),
        pytest.param([image("a" * 31, "a"), image("libvirt-1-format", "b")], [], id="names"),
    ],
)  # fmt: skip
def test_qemu_takes(nodes: list[str], drives: list[str], images: Path) -> None:
    with pytest.raises(AssertionError, match="QEMU took the arguments"):
        refusal(arguments(nodes, *drives), images)
