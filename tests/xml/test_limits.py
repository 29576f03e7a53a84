"""Large and deep input: what works, what is refused, and that no work is quadratic."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from virtquorum.errors import InputError, LimitError, NotWellFormedError
from virtquorum.model.disk import Disk
from virtquorum.model.image import Image, Quorum
from virtquorum.model.sources import FileSource
from virtquorum.xml.document import DEFAULT_LIMITS, Document, Limits
from virtquorum.xml.domain import Domain
from virtquorum.xml.format import format_disk

if TYPE_CHECKING:
    from collections.abc import Callable

    from virtquorum.model.image import AnyImage

_OPEN = "<domain><devices><disk type='{}'>"
_CLOSE = "</disk></devices></domain>"


def chain(length: int) -> str:
    store = "<backingStore type='file'><format type='qcow2'/><source file='/{}'/>"
    stores = "".join(store.format(number) for number in range(length - 1))
    return (
        _OPEN.format("file") + "<source file='/top'/>" + stores + "</backingStore>" * (length - 1)
    )


def wide(members: int) -> str:
    member = "<backingStore type='file'><format type='raw'/><source file='/{}'/></backingStore>"
    return _OPEN.format("quorum") + "".join(map(member.format, range(members)))


def nested(levels: int) -> str:
    return _OPEN.format("quorum") + (
        "<backingStore type='quorum' threshold='1'>" * (levels - 1)
        + "<backingStore/>"
        + "</backingStore>" * (levels - 1)
    )


def works(text: str) -> Disk:
    """All that is done with a disk, with hardly any stack left for recursion."""
    frame, depth = sys._getframe(), 0
    while frame.f_back is not None:
        frame, depth = frame.f_back, depth + 1
    bound = sys.getrecursionlimit()
    sys.setrecursionlimit(depth + 60)
    try:
        domain = Domain.from_text(text + _CLOSE)
        again = Domain.from_text(text + _CLOSE)
        (disk,) = domain.disks
        assert disk == again.disks[0]
        assert hash(disk) == hash(again.disks[0])
        assert repr(disk)
        assert repr(disk.image.source)
        assert Domain.from_text(format_disk(disk)).disks == (disk,)
        formatted = domain.formatted()
        assert formatted.disks == domain.disks
        assert formatted.formatted() is formatted
        assert domain.formatted(disks_only=True).disks == domain.disks
        lowest = list(disk.image.walk())[-1]
        assert lowest.location is not None
        assert lowest.location.path.startswith("devices.disk[0]")
        assert disk.quorums is not None
    finally:
        sys.setrecursionlimit(bound)
    return disk


def test_a_chain_of_200_images() -> None:
    disk = works(chain(200))
    assert len(list(disk.image.walk())) == 200


def test_a_quorum_of_1000_members() -> None:
    disk = works(wide(1000))
    assert disk.quorum is not None
    assert len(disk.quorum.members) == 1000
    source = disk.quorum.members[999]
    assert isinstance(source, Image)
    assert source.source == FileSource(file="/999")


def test_a_quorum_nested_240_deep() -> None:
    disk = works(nested(240))
    assert len(disk.quorums) == 240


def test_nodes_that_differ_only_at_the_bottom_differ() -> None:
    one, two = (
        Domain.from_text(nested(240).replace("<backingStore/>", below) + _CLOSE).disks
        for below in ("<backingStore/>", "<backingStore type='file'/>")
    )
    assert one != two


def test_unknown_elements_may_be_as_deep_as_all_others() -> None:
    deep = "<x>" * 250 + "</x>" * 250
    works(_OPEN.format("file") + deep)
    works("<domain><devices><disk type='file'>" + "t<x>" * 250 + "</x>" * 250)
    metadata = f"<domain><metadata>{deep}</metadata></domain>"
    assert Domain.from_text(metadata).formatted().formatted().text.count("<x") == 250


def test_a_model_made_by_hand_may_be_deeper_than_any_document() -> None:
    image: AnyImage = Image(source=FileSource(file="/0"))
    for _ in range(5000):
        image = Image(source=Quorum(members=(image,)))
    assert isinstance(image, Image)
    disk = Disk(image=Image(source=FileSource(file="/top"), backing=image))
    assert disk == replace(disk, image=replace(disk.image))
    assert hash(disk)
    assert len(disk.quorums) == 5000
    assert format_disk(disk).count("<backingStore") == 5001


# Bounds

_LEVELS = "<domain>" + "<a>" * 255 + "</a>" * 255 + "</domain>"


def test_256_levels_are_read_and_257_are_not() -> None:
    Domain.from_text(_LEVELS)
    with pytest.raises(LimitError) as caught:
        Domain.from_text(_LEVELS.replace("<a></a>", "\n<a>é<b/></a>"), "deep")
    assert str(caught.value) == (
        "deep:2:5: more than 256 levels of elements; "
        "if you trust the input, give a larger bound (--max-depth)"
    )
    Domain.from_text(_LEVELS.replace("<a></a>", "<a><b/></a>"), limits=Limits(depth=257))


def test_a_bound_of_depth_may_be_raised_far() -> None:
    text = "<domain>" + "<a>" * 20_000 + "</a>" * 20_000 + "</domain>"
    domain = Domain.from_text(text, limits=Limits(depth=20_001))
    assert sum(1 for _ in domain.document.walk()) == 20_001


def test_the_size_bound_counts_bytes_before_anything_is_read() -> None:
    raw = b"<domain>\xff</domain>"
    limits = Limits(size=len(raw) - 1)
    with pytest.raises(LimitError) as caught:
        Domain.from_bytes(raw, "big", limits)
    assert str(caught.value).startswith("big: the input is larger than the bound of 17 bytes;")
    with pytest.raises(NotWellFormedError):
        Domain.from_bytes(raw, "big", Limits(size=len(raw)))
    with pytest.raises(LimitError, match="larger than the bound of 18 bytes"):
        Domain.from_text("<domain>é</domain>", limits=Limits(size=18))
    assert DEFAULT_LIMITS.size == 16 * 1024 * 1024


def test_the_element_bound() -> None:
    text = "<domain>" + "<a/>" * 9 + "</domain>"
    Domain.from_text(text, limits=Limits(elements=10))
    with pytest.raises(LimitError, match="11 elements, more than the bound of 10"):
        Domain.from_text(text.replace("<a/>", "<a/><a/>", 1), limits=Limits(elements=10))


# What could reach out of the text, or grow

_LAUGHS = (
    "<!DOCTYPE domain [<!ENTITY a 'ha'>"
    + "".join(
        f"<!ENTITY {two} '{f'&{one};' * 10}'>"
        for one, two in zip("abcdefg", "bcdefgh", strict=True)
    )
    + "]><domain><name>&h;</name></domain>"
)


@pytest.mark.parametrize(
    "text",
    [
        _LAUGHS,
        "<!DOCTYPE domain SYSTEM 'file:///etc/passwd'><domain/>",
        "<!DOCTYPE d [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><domain><name>&x;</name></domain>",
        "<!DOCTYPE d [<!ENTITY % p SYSTEM 'http://127.0.0.1:1/x'> %p;]><domain/>",
        "<!DOCTYPE d PUBLIC '-//X' 'http://127.0.0.1:1/x.dtd'><domain/>",
        "<!DOCTYPE domain><domain/>",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_doctype_is_refused(text: str, encoding: str) -> None:
    with pytest.raises(NotWellFormedError, match="a DOCTYPE is refused"):
        Domain.from_bytes(text.encode(encoding))


def test_xinclude_is_an_element_like_any_other() -> None:
    text = (
        "<domain xmlns:xi='http://www.w3.org/2001/XInclude'><name>n</name><devices>"
        "<disk type='file'><xi:include href='file:///etc/passwd' parse='text'/></disk>"
        "</devices></domain>"
    )
    domain = Domain.from_text(text)
    assert "xi:include href=&apos;" not in domain.formatted().text
    assert "<xi:include href='file:///etc/passwd' parse='text'/>" in domain.formatted().text
    assert "root:" not in domain.formatted().text


# Work grows as the input does

_SHAPES: dict[str, Callable[[int], str]] = {
    "attributes in one tag": lambda n: (
        _OPEN.format("file")[:-1] + "".join(f" a{i}='{i}'" for i in range(n)) + ">" + _CLOSE
    ),
    "unknown children": lambda n: _OPEN.format("file") + "<x/>" * n + _CLOSE,
    "children of the same name": lambda n: (
        _OPEN.format("file") + "<serial>s</serial>" * n + "<target/>" + _CLOSE
    ),
    "comments and texts": lambda n: (
        _OPEN.format("file") + "t<!-- c -->" * n + "<target dev='a'/>" + _CLOSE
    ),
    "hosts": lambda n: (
        _OPEN.format("network")
        + "<source protocol='rbd' name='n'>" + "<host name='a'/>" * n + "</source>"
        + _CLOSE
    ),
    "members": lambda n: wide(n) + _CLOSE,
    "disks": lambda n: (
        "<domain><devices>" + "<disk type='file'><target dev='a'/></disk>" * n
        + "</devices></domain>"
    ),
    "a long text": lambda n: _OPEN.format("file") + f"<serial>{'é ' * n}</serial>" + _CLOSE,
    "a long value": lambda n: _OPEN.format("file") + f"<alias name='{'&lt; ' * n}'/>" + _CLOSE,
    "metadata": lambda n: f"<domain><metadata>{'<x>t<y/></x>' * n}</metadata></domain>",
}  # fmt: skip


def work(action: Callable[[], object]) -> int:
    """How many calls an action makes, of Python's functions and of C's."""
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        action()
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("shape", _SHAPES.values(), ids=_SHAPES)
def test_work_grows_no_faster_than_the_input(shape: Callable[[int], str]) -> None:
    def all_of_it(text: str) -> None:
        domain = Domain.from_text(text)
        domain.formatted(disks_only=True)
        domain.formatted()

    small, large = shape(200), shape(1600)
    all_of_it(shape(3))  # the plans are made now
    once, more = (work(lambda text=text: all_of_it(text)) for text in (small, large))  # type: ignore[misc]
    assert more < 8.5 * once + 2000


@pytest.mark.parametrize("shape", _SHAPES.values(), ids=_SHAPES)
def test_large_input_ends(shape: Callable[[int], str]) -> None:
    # C code may still be quadratic in a single call: this would then take minutes.
    text = shape(20_000 if shape is not _SHAPES["members"] else 5_000)
    domain = Domain.from_text(text)
    assert domain.formatted(disks_only=True).disks == domain.disks


_BROKEN = {
    "unclosed tags": "<a" * 500_000,
    "open elements": "<domain>" + "<a>" * 300_000,
    "an unclosed value": "<domain a='" + "x" * 1_000_000,
    "an unquoted value": "<domain a=" + "x" * 1_000_000,
    "an unquoted value behind many": "<domain" + " a{}='b'" * 100_000 + " c=d/>",
    "names and blanks": "<domain " + "a " * 500_000 + "=>",
    "ampersands": "<domain>" + "&" * 1_000_000,
    "an endless reference": "<domain>&" + "a" * 1_000_000,
    "colons": "<domain>" + "a:b " * 250_000 + "</domain",
    "undeclared prefixes": "<domain " + " ".join(f"a{i}:b=''" for i in range(50_000)) + "/>",
    "declaration": "<?xml " + "encoding=" * 100_000 + "?><domain/>",
    "blanks in a declaration": "<?xml" + " " * 1_000_000 + "<domain/>",
    "comment": "<domain><!--" + "-" * 1_000_000,
    "blanks in a tag": "<domain" + " " * 1_000_000 + "=/>",
    "quotes": "<domain " + "'\"" * 500_000,
    "angle brackets": "<domain>" + "< " * 500_000,
}


@pytest.mark.parametrize("text", _BROKEN.values(), ids=_BROKEN)
def test_large_broken_input_ends_with_an_error(text: str) -> None:
    with pytest.raises(InputError) as caught:
        Document.from_text(text, "broken")
    assert len(str(caught.value)) < 2000
