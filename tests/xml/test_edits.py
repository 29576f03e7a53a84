"""An edit changes the bytes of what it edits, and no others; what is refused changes nothing."""

from __future__ import annotations

import codecs
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.strategies import disks, images, quorum_disks
from virtquorum.errors import EditError
from virtquorum.model.disk import Disk, Target
from virtquorum.model.image import Image, Quorum, Terminator
from virtquorum.model.node import Comment, ForeignElement, Malformed
from virtquorum.model.sources import FileSource
from virtquorum.xml.document import Element, Limits
from virtquorum.xml.domain import Domain
from virtquorum.xml.format import format_disk

if TYPE_CHECKING:
    from collections.abc import Callable

    from virtquorum.model.image import AnyImage
    from virtquorum.xml.policy import Policy

slowly = settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

_PLAIN = """<?xml version='1.0'?>
<!-- before -->
<domain type='kvm' xmlns:f='urn:f'>
  <name>é東京\U0001f9ea</name>
  <devices>
    <emulator>/usr/bin/qemu</emulator>
    <!-- the first disk -->
    <disk type="quorum"   threshold="2" device='disk'><!-- inside -->
      <driver name='qemu' type='quorum'/>
      <backingStore type='file'><format type='raw'/><source file='/a'/></backingStore> <!-- a -->
      <backingStore type='quorum' f:note='kept'
          threshold='1'>
          <backingStore type='block'><format type='raw'/><source dev='/b'/></backingStore>

          <backingStore type='quorum'><threshold value='2'/><backingStore type='file'>
            <source file='/c'/></backingStore><backingStore/></backingStore>
      </backingStore>
      <backingStore type='file'>
        <source file='/d'/>
        <backingStore type='quorum'>
        </backingStore>
      </backingStore>
      <target dev='vda'/>
    </disk><!-- behind the first disk -->
    <disk type='file'><target dev='vdb'/></disk>
    <disk type='quorum'/>
    <disk type='quorum' device='disk'>
      <threshold value='2'/>
      <threshold value='3'/>
      <target dev='vdd'/>
    </disk>
    <interface type='network'/>
  </devices>
  <metadata><f:x  a = "1">  kept as it is </f:x></metadata>
</domain>
<!-- after -->
"""
_ONE_LINE = "".join(line.strip() for line in _PLAIN.splitlines() if "?xml" not in line)
_TEXTS = {
    "plain": _PLAIN,
    "crlf": _PLAIN.replace("\n", "\r\n"),
    "cr": _PLAIN.replace("\n", "\r"),
    "tabs": _PLAIN.replace("  ", "\t"),
    "one line": _ONE_LINE.replace("f:note='kept'threshold", "f:note='kept' threshold"),
    "no final newline": _PLAIN.rstrip("\n").removesuffix("<!-- after -->").rstrip(),
    "snapshot": "<domainsnapshot>" + _PLAIN.split("?>\n")[1] + "</domainsnapshot>",
}
_LATIN = _PLAIN.replace("東京\U0001f9ea", "ß").replace("?>", " encoding='ISO-8859-1'?>", 1)
_DOCUMENTS = {name: text.encode() for name, text in _TEXTS.items()} | {
    "utf-8 mark": codecs.BOM_UTF8 + _PLAIN.encode(),
    "utf-16": _PLAIN.encode("utf-16"),
    "utf-16-be mark": codecs.BOM_UTF16_BE + _PLAIN.encode("utf-16-be"),
    "utf-16-le no mark": _PLAIN.encode("utf-16-le"),
    "utf-32": _PLAIN.encode("utf-32"),
    "latin-1": _LATIN.encode("latin-1"),
    "latin-1 crlf": _LATIN.replace("\n", "\r\n").encode("latin-1"),
}
_NEW_DISK = Disk(
    image=Image(format="raw", source=FileSource(file="/new ☃\n'<&>")), target=Target(dev="vdz")
)
_NEW_IMAGE = Image(format="qcow2", source=FileSource(file="/new ☃"), backing=Terminator())


@pytest.fixture(params=list(_DOCUMENTS))
def domain(request: pytest.FixtureRequest) -> Domain:
    return Domain.from_bytes(_DOCUMENTS[request.param], "doc")


def element(node: Disk | AnyImage | Quorum) -> Element:
    assert isinstance(node.location, Element)
    return node.location


def unchanged_around(before: Domain, after: Domain, start: int, stop: int) -> None:
    """All bytes outside of a span are as they were."""
    one, two = before.document.data, after.document.data
    assert two.startswith(one[:start])
    assert two.endswith(one[stop:])
    assert len(two) >= start + len(one) - stop
    raw_before, raw_after = before.to_bytes(), after.to_bytes()
    decoded = before.document.decoded
    head = decoded.encode(one[:start])
    assert raw_before.startswith(head)
    assert raw_after.startswith(head)
    tail = decoded.encode(one[stop:])[len(decoded.mark) :]
    assert raw_before.endswith(tail)
    assert raw_after.endswith(tail)


def line_span(domain: Domain, one: Element) -> tuple[int, int]:
    """An element with the white space around it."""
    data = domain.document.data
    start, stop = one.start, one.stop
    while data[start - 1 : start].isspace():
        start -= 1
    while data[stop : stop + 1].isspace():
        stop += 1
    return start, stop


def quorums(domain: Domain) -> list[Image | Disk]:
    """Every quorum of the document, as its disk or as its image, in document order."""
    found: list[Image | Disk] = []
    for disk in domain.disks:
        for image in disk.image.walk():
            if isinstance(image.source, Quorum):
                found.append(disk if image is disk.image else image)
    return found


def quorum_of(node: Image | Disk) -> Quorum:
    source = node.image.source if isinstance(node, Disk) else node.source
    assert isinstance(source, Quorum)
    return source


def members(domain: Domain, number: int) -> tuple[AnyImage, ...]:
    return quorum_of(quorums(domain)[number]).members


_QUORUMS = range(6)


def test_the_documents_hold_the_same(domain: Domain) -> None:
    assert len(quorums(domain)) == len(_QUORUMS)
    assert [disk.name for disk in domain.disks] == ["vda", "vdb", None, "vdd"]


@pytest.mark.parametrize("raw", _DOCUMENTS.values(), ids=_DOCUMENTS)
def test_to_bytes_without_an_edit_is_the_identity(raw: bytes) -> None:
    assert Domain.from_bytes(raw).to_bytes() == raw


@pytest.mark.parametrize("number", range(4))
def test_replace_disk(domain: Domain, number: int) -> None:
    old = domain.disks[number]
    edited = domain.replace(old, _NEW_DISK)
    expected = list(domain.disks)
    expected[number] = _NEW_DISK
    assert edited.disks == tuple(expected)
    unchanged_around(domain, edited, element(old).start, element(old).stop)


@pytest.mark.parametrize("number", range(4))
def test_replace_disk_by_itself_changed_keeps_the_rest_of_it(domain: Domain, number: int) -> None:
    changed = replace(domain.disks[number], serial="S")
    edited = domain.replace(domain.disks[number], changed)
    assert edited.disks[number] == changed


@pytest.mark.parametrize("number", range(4))
def test_remove_disk(domain: Domain, number: int) -> None:
    old = domain.disks[number]
    edited = domain.remove(old)
    assert edited.disks == domain.disks[:number] + domain.disks[number + 1 :]
    unchanged_around(domain, edited, *line_span(domain, element(old)))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("blanks", ["", " ", "\t", "  \t "])
def test_removing_what_has_blanks_behind_it_leaves_no_blank_line(blanks: str, end: str) -> None:
    member = (
        "      <backingStore type='file'>|        <source file='/{}'/>|      </backingStore>{}|"
    )
    disk = "    <disk type='quorum'>|{}{}    </disk>{}|"
    two = disk.format(member.format("a", blanks), member.format("b", blanks), blanks)
    around = "<domain>|  <devices>|{}  </devices>|</domain>|".replace("|", end)
    domain = Domain.from_text(around.format((two + two).replace("|", end)))
    assert domain.remove(domain.disks[0]).text == around.format(two.replace("|", end))
    last = domain.remove(domain.disks[1])
    assert last.text == around.format(two.replace("|", end))
    assert last.remove(last.disks[0]).text == around.format("")
    for kept, gone in (("b", 0), ("a", 1)):
        one = disk.format("", member.format(kept, blanks), blanks)
        edited = domain.remove(members(domain, 0)[gone])
        assert edited.text == around.format((one + two).replace("|", end))


@pytest.mark.parametrize("number", [*range(4), None])
def test_insert_disk(domain: Domain, number: int | None) -> None:
    before = None if number is None else domain.disks[number]
    at = len(domain.disks) if number is None else number
    edited = domain.insert(_NEW_DISK, before=before)
    assert edited.disks == (*domain.disks[:at], _NEW_DISK, *domain.disks[at:])
    place = element(domain.disks[-1]).stop if before is None else element(before).start
    unchanged_around(domain, edited, place, place)


@pytest.mark.parametrize("number", _QUORUMS)
@pytest.mark.parametrize("threshold", [1, 2147483647])
def test_set_threshold(domain: Domain, number: int, threshold: int) -> None:
    node = quorums(domain)[number]
    for handle in (node, quorum_of(node)):
        edited = domain.set_threshold(handle, threshold)
        now = quorum_of(quorums(edited)[number])
        assert now.threshold == threshold
        assert now.threshold_element is None
        assert now == replace(
            quorum_of(node), threshold=threshold, threshold_element=None, unmodelled=()
        )
        unchanged_around(domain, edited, element(node).start, element(node).stop)


def test_set_threshold_writes_nothing_but_the_number(domain: Domain) -> None:
    (first, *_) = domain.disks
    edited = domain.set_threshold(first, 3)
    _, start, stop = element(first).attribute_spans()["threshold"]
    unchanged_around(domain, edited, start, stop)
    assert edited.document.data[start:stop] == b'"3"'
    assert domain.set_threshold(first, 2) is domain


_POLICIES = [
    ("read_pattern", "fifo"),
    ("read_pattern", "quorum"),
    ("rewrite_corrupted", True),
    ("rewrite_corrupted", False),
    ("blkverify", True),
    ("blkverify", None),
    ("rewrite_corrupted", None),
    ("read_pattern", None),
]


@pytest.mark.parametrize("number", _QUORUMS)
@pytest.mark.parametrize(("name", "value"), _POLICIES)
def test_set_policy(domain: Domain, number: int, name: Policy, value: str | bool | None) -> None:
    node = quorums(domain)[number]
    for handle in (node, quorum_of(node)):
        edited = domain.set_policy(handle, name, value)
        now = quorum_of(quorums(edited)[number])
        assert now == replace(quorum_of(node), **{name: value})  # type: ignore[arg-type]
        unchanged_around(domain, edited, element(node).start, element(node).stop)
        assert edited.set_policy(quorums(edited)[number], name, value) is edited


def test_set_policy_of_a_quorum_without_a_place_for_it() -> None:
    text = "<disk type='quorum' threshold='1'>\n  <target dev='vda'/>\n</disk>"
    domain = Domain.from_text(text)
    assert domain.set_policy(domain.disks[0], "blkverify", None) is domain
    edited = domain.set_policy(domain.disks[0], "blkverify", True)
    assert edited.text.splitlines()[1] == "  <driver name='qemu' type='quorum' blkverify='on'/>"
    with pytest.raises(EditError, match="no value for blkverify; values are: True, False"):
        domain.set_policy(domain.disks[0], "blkverify", "on")


def test_a_policy_comes_back_out_of_the_text_it_went_into() -> None:
    text = "<disk type='quorum'>\n  <driver name='qemu' type=\"quorum\" />\n</disk>"
    domain = Domain.from_text(text)
    edited = domain.set_policy(domain.disks[0], "read_pattern", "fifo")
    assert edited.text == text.replace('"quorum"', "\"quorum\" read_pattern='fifo'")
    assert edited.set_policy(edited.disks[0], "read_pattern", None).text == text
    bare = Domain.from_text("<disk type='quorum'/>")
    made = bare.set_policy(bare.disks[0], "rewrite_corrupted", True)
    assert made.text == (
        "<disk type='quorum'>\n"
        "  <driver name='qemu' type='quorum' rewrite_corrupted='on'/>\n"
        "</disk>"
    )


@pytest.mark.parametrize("number", _QUORUMS)
def test_add_member_anywhere(domain: Domain, number: int) -> None:
    node = quorums(domain)[number]
    held = quorum_of(node).members
    for before in (*range(len(held) + 1), None):
        edited = domain.add_member(node, _NEW_IMAGE, before=before)
        at = len(held) if before is None else before
        assert members(edited, number) == (*held[:at], _NEW_IMAGE, *held[at:])
        unchanged_around(domain, edited, element(node).start, element(node).stop)


@pytest.mark.parametrize("number", _QUORUMS)
def test_replace_and_remove_each_member(domain: Domain, number: int) -> None:
    held = members(domain, number)
    for at, member in enumerate(held):
        for new in (_NEW_IMAGE, Terminator(), Image(source=Quorum(members=(_NEW_IMAGE,)))):
            edited = domain.replace(member, new)
            assert members(edited, number) == (*held[:at], new, *held[at + 1 :])
            unchanged_around(domain, edited, element(member).start, element(member).stop)
        edited = domain.remove(member)
        assert members(edited, number) == held[:at] + held[at + 1 :]
        unchanged_around(domain, edited, *line_span(domain, element(member)))


@pytest.mark.parametrize("number", _QUORUMS)
def test_reorder_members(domain: Domain, number: int) -> None:
    held = members(domain, number)
    order = [*range(1, len(held)), 0] if held else []
    node = quorums(domain)[number]
    edited = domain.reorder_members(node, order)
    assert members(edited, number) == tuple(held[at] for at in order)
    assert len(edited.document.data) == len(domain.document.data)
    unchanged_around(domain, edited, element(node).start, element(node).stop)
    back = [order.index(at) for at in range(len(held))]
    assert edited.reorder_members(quorums(edited)[number], back).to_bytes() == domain.to_bytes()


def test_replace_and_remove_a_backing_image(domain: Domain) -> None:
    overlay = members(domain, 0)[2]
    assert isinstance(overlay, Image)
    assert isinstance(overlay.backing, Image)
    edited = domain.replace(overlay.backing, _NEW_IMAGE)
    assert members(edited, 0)[2] == replace(overlay, backing=_NEW_IMAGE)
    gone = domain.remove(overlay.backing)
    assert members(gone, 0)[2] == replace(overlay, backing=None)


def test_an_edit_keeps_the_line_ends_and_the_mark(domain: Domain) -> None:
    data = domain.document.data
    edited = domain.insert(_NEW_DISK)
    assert edited.document.decoded.mark == domain.document.decoded.mark
    assert edited.document.decoded.encoding == domain.document.decoded.encoding
    if b"\r\n" in data:
        assert edited.document.data.count(b"\n") == edited.document.data.count(b"\r\n")


def test_removing_all_and_inserting_again_ends_with_the_same_disks(domain: Domain) -> None:
    disks = domain.disks
    while domain.disks:
        domain = domain.remove(domain.disks[0])
    for disk in disks:
        domain = domain.insert(disk)
    assert domain.disks == disks


@pytest.mark.parametrize(
    "devices",
    [
        "<devices/>",
        "<devices />",
        "<devices\n  a='>'/>",
        "<devices></devices>",
        "<devices>\n</devices>",
        "<devices>\n  </devices>",
        "<devices><emulator/></devices>",
        "<devices>\n    <emulator>/x</emulator>\n  </devices>",
        "<devices><interface/></devices>",
        "<devices><!-- none --></devices>",
        "<devices>\n    <!-- none -->\n  </devices>",
        "<devices/><devices/>",
    ],
)
@pytest.mark.parametrize("outer", ["<domain>{}</domain>", "<domain>\n  {}\n</domain>\n"])
def test_insert_where_there_is_no_disk(devices: str, outer: str) -> None:
    domain = Domain.from_text(outer.format(devices))
    edited = domain.insert(_NEW_DISK)
    assert edited.disks == (_NEW_DISK,)
    assert edited.text.startswith(outer.partition("{}")[0] + "<devices")
    assert edited.text.endswith(outer.partition("{}")[2])
    for kept in ("<!-- none -->", "<emulator", "<interface/>", "a='>'"):
        assert (kept in edited.text) == (kept in devices)


@pytest.mark.parametrize(
    "text",
    [
        "<disk type='quorum'/>",
        "<disk type='quorum' ></disk>",
        "<disk type='quorum'>\n</disk>\n",
        "<disk type='quorum'><driver/><target/></disk>",
        "<disk type='quorum'>\n  <target/>\n</disk>",
        "<disk type='quorum'><!-- c --></disk>",
    ],
)
def test_add_the_first_member_to_a_bare_disk(text: str) -> None:
    edited = Domain.from_text(text)
    edited = edited.add_member(edited.disks[0], _NEW_IMAGE)
    assert edited.disks[0].image.below == (_NEW_IMAGE,)
    edited = edited.add_member(edited.disks[0], Terminator(), before=0)
    assert edited.disks[0].image.below == (Terminator(), _NEW_IMAGE)


def test_a_self_closing_disk_and_what_follows_it_are_told_apart() -> None:
    domain = Domain.from_text(
        "<domain><devices><disk type='quorum'/><disk type='dir'/><a/></devices></domain>"
    )
    first, second = domain.disks
    assert domain.remove(first).text == (
        "<domain><devices><disk type='dir'/><a/></devices></domain>"
    )
    assert domain.remove(second).text == (
        "<domain><devices><disk type='quorum'/><a/></devices></domain>"
    )
    assert domain.remove(first).insert(first).disks == (second, first)


@slowly
@given(disk=disks(), old=disks(1), data=st.data())
def test_any_disk_can_replace_any_disk(disk: Disk, old: Disk, data: st.DataObject) -> None:
    pad = data.draw(st.sampled_from(("", "  ", "\t")))
    end = data.draw(st.sampled_from(("", "\n", "\r\n")))
    written = format_disk(old, pad).removesuffix("\n")
    text = f"<domain>{end}<devices>{end}{written}{end}<x/></devices></domain>"
    domain = Domain.from_text(text)
    assert domain.disks == (old,)
    edited = domain.replace(domain.disks[0], disk)
    assert edited.disks == (disk,)
    unchanged_around(domain, edited, element(domain.disks[0]).start, element(domain.disks[0]).stop)
    assert edited.insert(old).disks == (disk, old)


@slowly
@given(disk=quorum_disks(), member=images(1), data=st.data())
def test_any_member_can_be_put_anywhere(disk: Disk, member: AnyImage, data: st.DataObject) -> None:
    domain = Domain.from_text(format_disk(disk))
    number = data.draw(st.integers(0, len(quorums(domain)) - 1))
    held = members(domain, number)
    at = data.draw(st.integers(0, len(held)))
    node = quorums(domain)[number]
    edited = domain.add_member(node, member, before=at)
    assert members(edited, number) == (*held[:at], member, *held[at:])
    assert edited.remove(members(edited, number)[at]).disks[0].image.source is not None
    order = data.draw(st.permutations(range(len(held))))
    assert members(domain.reorder_members(node, order), number) == tuple(held[i] for i in order)
    threshold = data.draw(st.integers(1, 2147483647))
    now = quorum_of(quorums(domain.set_threshold(node, threshold))[number])
    assert now.threshold == now.vote_threshold == threshold


# What is refused

_OTHER = Domain.from_text(_PLAIN)
_EXOTIC = Disk(image=Image(source=FileSource()), unmodelled=(ForeignElement(name="g:x"),))
_NO_XML = Disk(image=Image(source=FileSource()), unmodelled=(ForeignElement(name="a b"),))
_NO_TEXT = Disk(image=Image(source=FileSource(file="\0")))
_NOT_READ_BACK = Disk(image=Image(source=FileSource(), index=Malformed("1")))
_HYPHENS = Disk(image=Image(source=FileSource()), unmodelled=(Comment(text="--"),))
_DEEP = Image(source=FileSource(file="/0"))
for _ in range(300):
    _DEEP = Image(source=FileSource(file="/n"), backing=_DEEP)


def _refused() -> dict[str, Callable[[Domain], object]]:
    return {
        "disk of another document": lambda one: one.replace(_OTHER.disks[0], _NEW_DISK),
        "disk of an earlier version": lambda one: one.set_threshold(one.disks[0], 7).remove(
            one.disks[0]
        ),
        "disk made by hand": lambda one: one.remove(_NEW_DISK),
        "insert before another's": lambda one: one.insert(_NEW_DISK, before=_OTHER.disks[0]),
        "member of another document": lambda one: one.remove(members(_OTHER, 0)[0]),
        "threshold of another's": lambda one: one.set_threshold(_OTHER.disks[0], 1),
        "threshold of no quorum": lambda one: one.set_threshold(one.disks[1], 1),
        "member of no quorum": lambda one: one.add_member(one.disks[1], _NEW_IMAGE),
        "order of no quorum": lambda one: one.reorder_members(one.disks[1], []),
        "member out of range": lambda one: one.add_member(one.disks[0], _NEW_IMAGE, before=4),
        "member before -1": lambda one: one.add_member(one.disks[0], _NEW_IMAGE, before=-1),
        "order too short": lambda one: one.reorder_members(one.disks[0], [0, 1]),
        "order with a repeat": lambda one: one.reorder_members(one.disks[0], [0, 1, 1]),
        "order out of range": lambda one: one.reorder_members(one.disks[0], [0, 1, 3]),
        "disk by image": lambda one: one.replace(one.disks[0], _NEW_IMAGE),
        "image by disk": lambda one: one.replace(members(one, 0)[0], _NEW_DISK),
        "the disk's own image": lambda one: one.replace(one.disks[1].image, _NEW_IMAGE),
        "undeclared prefix": lambda one: one.insert(_EXOTIC),
        "no name of XML": lambda one: one.replace(one.disks[0], _NO_XML),
        "no character of XML": lambda one: one.insert(_NO_TEXT),
        "not read back": lambda one: one.insert(_NOT_READ_BACK),
        "hyphens in a comment": lambda one: one.insert(_HYPHENS),
        "too deep": lambda one: one.add_member(one.disks[0], _DEEP),
    }


@pytest.mark.parametrize("edit", _refused().values(), ids=_refused())
def test_what_cannot_be_done_is_an_edit_error_and_changes_nothing(
    edit: Callable[[Domain], object],
) -> None:
    domain = Domain.from_text(_PLAIN, "doc")
    with pytest.raises(EditError):
        edit(domain)
    assert domain.text == _PLAIN


def test_a_bare_disk_has_no_place_for_another_one() -> None:
    domain = Domain.from_text("<disk type='file'/>")
    (disk,) = domain.disks
    with pytest.raises(EditError, match="bare <disk>"):
        domain.insert(_NEW_DISK)
    with pytest.raises(EditError, match="bare <disk>"):
        domain.insert(_NEW_DISK, before=disk)
    with pytest.raises(EditError, match="root element"):
        domain.remove(disk)
    assert domain.replace(disk, _NEW_DISK).disks == (_NEW_DISK,)


@pytest.mark.parametrize("text", ["<domain/>", "<domain><name/></domain>", "<domainsnapshot/>"])
def test_without_devices_there_is_no_place_for_a_disk(text: str) -> None:
    with pytest.raises(EditError, match="no <devices>"):
        Domain.from_text(text).insert(_NEW_DISK)


def test_the_size_bound_is_for_what_is_read_and_not_for_edits() -> None:
    text = "<domain><devices/></domain>"
    domain = Domain.from_text(text, limits=Limits(size=len(text) + 20))
    assert domain.insert(_NEW_DISK).disks == (_NEW_DISK,)


def test_an_encoding_that_does_not_give_the_same_bytes_is_refused() -> None:
    # ISO-2022-JP has escape sequences that say nothing, and Python leaves them out.
    raw = b"<?xml version='1.0' encoding='iso-2022-jp'?><domain>\x1b(B<devices/></domain>"
    domain = Domain.from_bytes(raw)
    assert domain.to_bytes() == raw
    with pytest.raises(EditError, match="encoding"):
        domain.insert(_NEW_DISK)


def test_a_disk_by_its_target() -> None:
    domain = Domain.from_text(_PLAIN, "doc")
    assert domain.disk("vdd") is domain.disks[3]
    with pytest.raises(EditError, match="its disks are: 'vda', 'vdb', 'vdd'"):
        domain.disk("vdx")
    with pytest.raises(EditError, match="its disks are: none"):
        Domain.from_text("<domain/>").disk("vda")


@pytest.mark.parametrize("threshold", [0, -1, 2**31, True, "2", 1.0, None])
def test_a_threshold_that_qemu_would_misread_is_not_written(threshold: object) -> None:
    domain = Domain.from_text("<disk type='quorum' threshold='2'/>")
    with pytest.raises(EditError, match="a threshold is a number from 1 to 2147483647"):
        domain.set_threshold(domain.disks[0], threshold)  # type: ignore[arg-type]


@pytest.mark.parametrize("new", ["<backingStore/>", None, 3])
def test_what_is_no_image_is_not_put_in(new: object) -> None:
    domain = Domain.from_text("<disk type='quorum' threshold='2'><backingStore/></disk>")
    with pytest.raises(EditError, match=f"not a {type(new).__name__}"):
        domain.add_member(domain.disks[0], new)  # type: ignore[arg-type]


def test_a_disk_is_no_member_and_an_image_no_disk() -> None:
    domain = Domain.from_text(
        "<domain><devices><disk type='quorum' threshold='1'><backingStore type='file'>"
        "<source file='/a'/></backingStore></disk><disk type='file'/></devices></domain>"
    )
    one, two = domain.disks
    (member,) = one.image.below
    with pytest.raises(EditError, match="a member is an image, not a Disk"):
        domain.add_member(one, two)  # type: ignore[arg-type]
    with pytest.raises(EditError, match="a disk is inserted, not a Image"):
        domain.insert(member)  # type: ignore[arg-type]
    with pytest.raises(EditError, match="a disk goes in the place of a disk"):
        domain.replace(one, member)


def test_what_is_there_already_can_be_put_in_again() -> None:
    """The check that an edit holds counts, so an equal node elsewhere proves nothing."""
    domain = Domain.from_text(
        "<domain><devices><disk type='quorum' threshold='1'><backingStore type='file'>"
        "<source file='/a'/></backingStore></disk></devices></domain>"
    )
    (disk,) = domain.disks
    (member,) = disk.image.below
    assert domain.replace(disk, disk).disks == domain.disks
    twice = domain.add_member(disk, member)
    assert twice.disks[0].image.below == (member, member)
    assert twice.insert(disk).disks == (twice.disks[0], disk)
    assert twice.replace(twice.disks[0].image.below[1], member).disks == twice.disks


def test_formatting_may_make_a_document_larger_than_its_bound() -> None:
    limits = Limits(size=120)
    text = "<disk><source file='/a'/>" + "<a/>" * 22 + "</disk>"
    domain = Domain.from_text(text, limits=limits)
    formatted = domain.formatted()
    assert len(formatted.to_bytes()) > limits.size
    assert formatted.to_bytes() == domain.format()
