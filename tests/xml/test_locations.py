"""Where things stand: file, line, column in characters, and path."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtquorum.errors import NotWellFormedError
from virtquorum.model.image import Image, Quorum
from virtquorum.model.location import Location
from virtquorum.xml.document import Document, Element
from virtquorum.xml.domain import Domain

_TEXT = """<?xml version='1.0'?>
<domain type='kvm'>
  <name>é\U0001f9ea</name><devices><!-- 東京 --><disk type='file'/>
\t<disk type='quorum'>
      <backingStore type='file'><source file='/a'/></backingStore><backingStore/>
      <backingStore type='quorum'>
        <backingStore type='file'>
          <source file='é'/><backingStore type='network'>
          <source protocol='rbd'><host name='a'/><host name='b'/></source></backingStore>
        </backingStore>
      </backingStore>
      <target dev='vda'/>
    </disk>
  </devices>
</domain>
"""


def place(location: Location | None) -> tuple[int, int, str]:
    assert location is not None
    return location.line, location.column, location.path


@pytest.mark.parametrize(
    "raw",
    [
        _TEXT.encode(),
        _TEXT.replace("\n", "\r\n").encode(),
        _TEXT.replace("\n", "\r").encode(),
        codecs.BOM_UTF8 + _TEXT.encode(),
        _TEXT.encode("utf-16"),
        _TEXT.encode("utf-32"),
    ],
    ids=["lf", "crlf", "cr", "utf-8 mark", "utf-16", "utf-32"],
)
def test_every_node_knows_its_place(raw: bytes) -> None:
    domain = Domain.from_bytes(raw, "some/file.xml")
    first, second = domain.disks
    assert place(first.location) == (3, 38, "devices.disk[0]")
    assert place(second.location) == (4, 2, "devices.disk[1]")
    assert place(first.image.location) == place(first.location)
    assert second.quorum is not None
    assert place(second.quorum.location) == place(second.location)
    assert second.target is not None
    assert place(second.target.location) == (12, 7, "devices.disk[1].target")
    one, two, three = second.quorum.members
    assert place(one.location) == (5, 7, "devices.disk[1].backingStore[0]")
    assert place(two.location) == (5, 67, "devices.disk[1].backingStore[1]")
    assert isinstance(one, Image)
    assert place(one.source.location) == (5, 33, "devices.disk[1].backingStore[0].source")
    assert isinstance(three, Image)
    assert isinstance(three.source, Quorum)
    assert place(three.location) == (6, 7, "devices.disk[1].backingStore[2]")
    (overlay,) = three.source.members
    assert isinstance(overlay, Image)
    path = "devices.disk[1].backingStore[2].backingStore[0]"
    assert place(overlay.location) == (7, 9, path)
    assert isinstance(overlay.backing, Image)
    assert place(overlay.backing.location) == (8, 29, f"{path}.backingStore[0]")
    hosts = overlay.backing.source.hosts  # type: ignore[union-attr]
    assert [place(host.location)[1:] for host in hosts] == [
        (34, f"{path}.backingStore[0].source.host[0]"),
        (50, f"{path}.backingStore[0].source.host[1]"),
    ]
    assert str(hosts[0].location) == "some/file.xml:9:34"
    assert first.location is not None
    assert first.location.file == "some/file.xml"


def test_paths_in_what_holds_a_domain() -> None:
    inner = "<devices><disk type='file'><source file='/a'/></disk></devices>"
    domains = f"<domain>{inner}</domain><inactiveDomain>{inner}</inactiveDomain>"
    text = f"<domainsnapshot>{domains}</domainsnapshot>"
    one, two = Domain.from_text(text).disks
    assert place(one.image.source.location)[2] == "domainsnapshot.domain.devices.disk[0].source"
    assert place(two.location)[2] == "domainsnapshot.inactiveDomain.devices.disk[0]"


def test_the_path_of_a_bare_disk() -> None:
    text = "<disk type='quorum'><backingStore type='file'><source file='/a'/></backingStore></disk>"
    (disk,) = Domain.from_text(text).disks
    assert place(disk.location) == (1, 1, "disk")
    assert place(disk.image.below[0].location) == (1, 21, "disk.backingStore[0]")


def test_the_path_of_the_root_and_of_what_repeats() -> None:
    domain = Domain.from_text("<domain><name/><x/><x/><devices/></domain>")
    paths = [one.path for one in domain.document.walk()]
    assert paths == ["domain", "name", "x[0]", "x[1]", "devices"]


def test_a_text_with_a_mark_counts_columns_without_it() -> None:
    (disk,) = Domain.from_text("\ufeff<disk type='file'/>").disks
    assert place(disk.location) == (1, 1, "disk")


def test_an_error_stands_where_the_text_is() -> None:
    for raw in (
        "<domain>\r\né\U0001f9ea<a></b>".encode(),
        "<domain>\né\U0001f9ea<a></b>".encode("utf-16"),
    ):
        with pytest.raises(NotWellFormedError) as caught:
            Domain.from_bytes(raw, "f")
        assert (caught.value.line, caught.value.column) == (2, 6)


def element(text: str, name: str) -> Element:
    return next(one for one in Document.from_text(text, "t").walk() if one.name == name)


@pytest.mark.parametrize(
    ("tag", "spans"),
    [
        ("<a/>", {}),
        ("<a b='1'/>", {"b": ("b", "'1'")}),
        (
            '<a\n\tb = "1"\r\n  c=\'x="y" z="w"\' ></a>',
            {"b": ("b", '"1"'), "c": ("c", "'x=\"y\" z=\"w\"'")},
        ),
        ("<a é:ü='>' d='/>'>x</a>", {"é:ü": ("é:ü", "'>'"), "d": ("d", "'/>'")}),
        ("<a a=' a=' aa=\" a='b' \"/>", {"a": ("a", "' a='"), "aa": ("aa", "\" a='b' \"")}),
    ],
)  # fmt: skip
def test_attribute_spans_are_exact(tag: str, spans: dict[str, tuple[str, str]]) -> None:
    text = f"<domain xmlns:é='u'>東京 {tag}<tail b='no'/></domain>"
    one = element(text, "a")
    data = one.document.data
    found = {
        name: (data[start:middle].decode(), data[middle:stop].decode())
        for name, (start, middle, stop) in one.attribute_spans().items()
    }
    for name, (written, value) in spans.items():
        assert found[name][0].rstrip(" =") == written
        assert found[name][1] == value
    assert found.keys() == spans.keys() == one.attributes.keys()


@pytest.mark.parametrize(
    "text", ["<a/>", "<a />", "<a></a>", "<a b='/>'></a>", "<a b='>'>t</a >", "<a><!--/>--></a>",
             "<a>/></a>", "<a> </a>", "<a><a/></a>", "<a><b/></a>", "<a b='&lt;/a>'><b></b></a\n>"],
)  # fmt: skip
@pytest.mark.parametrize("behind", ["", "</x>", "<a/>", "/>", " >"])
def test_the_span_of_an_element_is_exact(text: str, behind: str) -> None:
    document = f"<r>é{text}{behind if behind != '</x>' else ''}</r>"
    one = element(document, "a")
    data = one.document.data
    assert data[one.start : one.stop].decode() == text
    assert data[one.start : one.content].decode() + data[one.content : one.stop].decode() == text
    assert one.tag.decode() == text[: len(one.tag.decode())]
    assert (one.close == one.start) == text.endswith("/>")
    inner = one.inner.decode()
    assert inner in text
    assert text.startswith(one.tag.decode() + inner)


@given(st.text("aé€😀 \n\r", max_size=40), st.lists(st.integers(0, 40), max_size=12))
def test_lines_and_columns_do_not_depend_on_what_was_asked_before(
    text: str, places: list[int]
) -> None:
    document = Document.from_text(f"<domain>{text}</domain>", "x")
    whole = f"<domain>{text}</domain>"
    for place in places:
        before = whole[: min(place, len(whole))]
        if before.endswith("\r") and whole[len(before) :].startswith("\n"):
            continue  # between the two halves of a line end
        lines = before.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        expected = (len(lines), len(lines[-1]) + 1)
        assert document.line_column(len(before.encode())) == expected
