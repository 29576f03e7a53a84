"""The laws of parse and format, for drawn models and for drawn XML."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from lxml import etree

from tests.strategies import (
    described,
    described_classes,
    disks,
    images,
    source_classes,
    trees,
    values,
)
from virtquorum.errors import EditError
from virtquorum.model.disk import ADDRESSES, BareAddress, Disk, Driver
from virtquorum.model.image import Image, Quorum, Terminator
from virtquorum.model.node import (
    Comment,
    ForeignAttribute,
    ForeignElement,
    Instruction,
    Malformed,
    StrayText,
)
from virtquorum.model.parts import Cookie
from virtquorum.model.source import ForeignSource
from virtquorum.model.sources import BlockSource, FileSource, HttpSource
from virtquorum.xml.domain import Domain
from virtquorum.xml.format import format_disk, format_image
from virtquorum.xml.plan import fields_of

slowly = settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
briefly = settings(slowly, max_examples=15)


def read(text: str) -> Disk:
    (disk,) = Domain.from_text(text).disks
    return disk


def holds(disk: Disk) -> None:
    """The law: the disk comes back equal from its text, and is then written the same."""
    text = format_disk(disk)
    again = read(text)
    assert again == disk
    assert hash(again) == hash(disk)
    assert format_disk(again) == text


@slowly
@given(disks())
def test_parse_after_format_is_the_identity_on_disks(disk: Disk) -> None:
    holds(disk)


@slowly
@given(images(depth=3))
def test_parse_after_format_is_the_identity_on_images(image: Image | Terminator) -> None:
    text = format_image(image, "\t")
    outer = f"<disk type='quorum'>\n{text}</disk>"
    assert read(outer).image.below == (image,)
    assert all(line.startswith("\t") for line in text.splitlines()[:1])


@pytest.mark.parametrize("cls", source_classes(), ids=lambda cls: cls.__name__)
@briefly
@given(data=st.data())
def test_every_field_of_every_source_comes_back(cls: type[Any], data: st.DataObject) -> None:
    names = tuple(fields_of(cls))
    holds(data.draw(disks(0, source=(cls, names))))
    name = data.draw(st.sampled_from(names))
    holds(data.draw(disks(0, source=(cls, (name,)))))


@pytest.mark.parametrize(
    "name", [name for name in fields_of(Disk) if name not in ("driver", "image")]
)
@briefly
@given(data=st.data())
def test_every_field_of_a_disk_comes_back(name: str, data: st.DataObject) -> None:
    disk = data.draw(disks(0, only=(name,)))
    assert getattr(disk, name) is not None
    holds(disk)


@pytest.mark.parametrize("name", list(fields_of(Driver)))
@briefly
@given(data=st.data())
def test_every_field_of_a_driver_comes_back(name: str, data: st.DataObject) -> None:
    driver = Driver(**{name: data.draw(values(fields_of(Driver)[name]))})
    holds(Disk(driver=driver, image=Image(source=FileSource(file="/a"))))


@pytest.mark.parametrize("name", [name for name in fields_of(Quorum) if name != "members"])
@briefly
@given(data=st.data())
def test_every_field_of_a_quorum_comes_back_at_any_depth(name: str, data: st.DataObject) -> None:
    value = data.draw(values(fields_of(Quorum)[name]))
    inner = Image(source=Quorum(**{name: value}, members=(Terminator(),)))
    holds(Disk(image=Image(source=Quorum(**{name: value}, members=(inner, inner)))))
    holds(Disk(image=Image(source=FileSource(file="/top"), backing=inner)))


@pytest.mark.parametrize("key", list(ADDRESSES))
@briefly
@given(data=st.data())
def test_every_field_of_every_address_comes_back(key: str, data: st.DataObject) -> None:
    cls = ADDRESSES[key]
    names = tuple(fields_of(cls))
    address = BareAddress(type=key) if cls is BareAddress else data.draw(described(cls, names))
    image = Image(source=FileSource(file="/a"))
    holds(Disk(image=image, address=address))


def test_the_strategies_know_every_class() -> None:
    # 19 sources, Disk, Image, Quorum, Terminator, and what they are made of.
    names = {cls.__name__ for cls in described_classes()}
    assert {"Disk", "Driver", "Quorum", "Secret", "Cookie", "Slice", "IoTune"} <= names
    assert {cls.__name__ for cls in source_classes()} <= names
    assert len(source_classes()) == 19


def contents(text: str) -> Counter[Any]:
    """All that an XML text holds, in no order: elements with attributes, texts and comments.

    White space at the ends of a text and runs of it are layout.
    """
    found: Counter[Any] = Counter()
    nodes: list[Any] = list(etree.fromstring(text.encode()).iter())
    for one in nodes:
        if isinstance(one.tag, str):
            words = [*(one.text or "").split(), *(w for c in one for w in (c.tail or "").split())]
            found[(one.tag, tuple(sorted(one.attrib.items())), tuple(sorted(words)))] += 1
        else:
            target = getattr(one, "target", None)
            found[(type(one).__name__, target, one.text or "")] += 1
    return found


_TREES = (
    "<disk type='file'><wwn>1</wwn>A<wwn>dup</wwn>B<serial>1</serial></disk>",
    "<disk type='file'><driver foo='x'/><driver name='y'/></disk>",
    "<disk type='quorum'><threshold a='2'/><threshold value='3'/></disk>",
    "<disk type='file'>A<!--x--><?pi  y?>B</disk>",
    "<disk type='network'><source/><source protocol='nbd'/></disk>",
    "<disk type='file'><backingStore type='file'/><backingStore/><backingStore type='x'/></disk>",
    "<disk type='file'><serial>&#32;</serial><wwn>&#13;</wwn><vendor><![CDATA[ ]]></vendor></disk>",
    "<disk type='file'><serial/><serial>2</serial><alias/><alias name='a'/></disk>",
    "<disk type='file'><target dev='a'/><x/><target dev='b'/><x/><source file='s'/><x/></disk>",
    "<disk type='file'/>",
)


@slowly
@given(trees(name="disk"))
@example(_TREES[0])
@example(_TREES[1])
@example(_TREES[2])
@example(_TREES[3])
@example(_TREES[4])
@example(_TREES[5])
@example(_TREES[6])
@example(_TREES[7])
@example(_TREES[8])
@example(_TREES[9])
def test_formatting_any_disk_like_tree_keeps_the_model_and_loses_nothing(text: str) -> None:
    disk = read(text)
    formatted = format_disk(disk)
    again = read(formatted)
    assert again == disk
    assert format_disk(again) == formatted
    assert contents(formatted) == contents(text)


@pytest.mark.parametrize("text", _TREES)
def test_stray_things_stay_in_a_whole_document(text: str) -> None:
    domain = Domain.from_text(f"<domain><devices>{text}</devices></domain>")
    for formatted in (domain.formatted(), domain.formatted(disks_only=True)):
        assert formatted.disks == domain.disks
        assert contents(formatted.text) == contents(domain.text)


# What stands where it cannot be read from is refused, or kept as it is

_MISPLACED = {
    "nodename of a disk's own image": Disk(image=Image(source=FileSource(), nodename="n")),
    "index of a disk's own quorum": Disk(image=Image(source=Quorum(), index=1)),
    "index of a foreign source": Disk(image=Image(source=ForeignSource(type="x"), index=1)),
    "unmodelled of a disk's own image": Disk(
        image=Image(source=FileSource(), unmodelled=(Comment(text="c"),))
    ),
    "backing of a quorum": Disk(image=Image(source=Quorum(), backing=Terminator())),
    "unmodelled of a quorum": Disk(image=Image(source=Quorum(unmodelled=(Comment(text="c"),)))),
    "unmodelled of a foreign source": Disk(
        image=Image(source=ForeignSource(type="x", unmodelled=(Comment(text="c"),)))
    ),
    "a member's backing of a quorum": Disk(
        image=Image(source=Quorum(members=(Image(source=Quorum(), backing=Terminator()),)))
    ),
}


@pytest.mark.parametrize("disk", _MISPLACED.values(), ids=_MISPLACED)
def test_what_a_disk_has_no_place_for_is_refused(disk: Disk) -> None:
    with pytest.raises(EditError):
        format_disk(disk)


@pytest.mark.parametrize(
    "one",
    [
        Comment(text="a--b"),
        Comment(text="a-"),
        Comment(text="a\rb"),
        Comment(text="\x00"),
        Comment(text="\ud800"),
        Instruction(target="pi", text="a?>b"),
        Instruction(target="pi", text="a\rb"),
        StrayText(text="\x01"),
        ForeignAttribute(name="a", value="\ufffe"),
        ForeignElement(name="a", children=("\x0b",)),
        ForeignElement(name="a", children=(Comment(text="--"),)),
    ],
    ids=repr,
)
def test_what_xml_cannot_hold_is_refused(one: Any) -> None:
    disk = Disk(image=Image(source=FileSource(file="/a")), unmodelled=(one,))
    with pytest.raises(EditError):
        format_disk(disk)


@pytest.mark.parametrize("sign", ["\x00", "\x1f", "\ud800", "\ufffe", "\uffff"])
def test_a_value_with_a_character_that_xml_lacks_is_refused(sign: str) -> None:
    with pytest.raises(EditError, match=r"U\+"):
        format_disk(Disk(image=Image(source=BlockSource(dev=f"/dev/{sign}"))))


@pytest.mark.parametrize(
    ("text", "value"),
    [("2", 2), ("-3", -3), ("007", 7), ("-0", 0), ("9" * 20, int("9" * 20))],
)
def test_a_number_is_read_as_libvirt_reads_it(text: str, value: int) -> None:
    quorum = read(f"<disk type='quorum' threshold='{text}'/>").quorum
    assert quorum is not None
    assert quorum.threshold == value
    assert type(quorum.threshold) is int


@pytest.mark.parametrize("text", ["", " 2", "2 ", "+2", "0x2", "2.0", "two", "2_0", "٢", "9" * 21])
def test_what_is_no_number_is_kept_as_it_is(text: str) -> None:
    disk = read(f"<disk type='quorum' threshold='{text}'/>")
    assert disk.quorum is not None
    assert disk.quorum.threshold == Malformed(text)
    assert format_disk(disk) == f"<disk type='quorum' threshold='{text}'/>\n"


@pytest.mark.parametrize("text", ["", "Yes", "true", "1", "on"])
def test_what_is_no_switch_is_kept_as_it_is(text: str) -> None:
    disk = read(f"<disk type='file' rawio='{text}'/>")
    assert disk.rawio == Malformed(text)
    assert f"rawio='{text}'" in format_disk(disk)


def test_a_switch_and_a_number_are_not_mixed_up_by_what_is_remembered() -> None:
    # True and 1 are equal in Python, and written attributes are remembered by their values.
    ones = Disk(image=Image(source=FileSource(file="/a"), index=1))
    yes = Disk(image=Image(source=FileSource(file="/a")), rawio=True)
    assert "index='1'" in format_disk(ones)
    assert "rawio='yes'" in format_disk(yes)


def test_a_cookie_without_a_text_has_an_empty_one() -> None:
    disk = read(
        "<disk type='network'><source protocol='http'>"
        "<cookies><cookie name='a'/></cookies></source></disk>"
    )
    assert isinstance(disk.image.source, HttpSource)
    assert disk.image.source.cookies == (Cookie(name="a", value=""),)


@slowly
@given(trees(2), trees(2), trees(2), trees(3, name="disk"), st.sampled_from(("", "\n", "\r\n\t")))
@example("<x> </x>", "<x>&#32;</x>", "text <!-- c --> more", "<disk type='file'/>", "")
@example("<x>&#13;</x>", "<x>a<y/> <z/></x>", "<y/>", "<disk type='file'/>", "\n")
def test_formatting_any_document_loses_nothing_and_is_done_once(
    metadata: str, other: str, beside: str, disk: str, between: str
) -> None:
    parts = ("<domain><metadata>", metadata, "</metadata>", other, "<devices>", beside, disk,
             "</devices><description>", other, "</description></domain>")  # fmt: skip
    domain = Domain.from_text(between.join(parts))
    formatted = domain.formatted()
    assert formatted.disks == domain.disks
    assert formatted.formatted() is formatted
    assert contents(formatted.text) == contents(domain.text)
    assert contents(domain.formatted(disks_only=True).text) == contents(domain.text)
