"""Hypothesis strategies for every class and field of the description table.

They are built from ``fields_of``, ``SOURCES`` and ``ADDRESSES``: a new field
or protocol is drawn without a word here.  What they draw is what XML can
hold; ``disks`` are disks that come back equal from their text.
"""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from virtquorum.model.disk import ADDRESSES, BareAddress, Disk, Driver
from virtquorum.model.image import Image, Quorum, Terminator
from virtquorum.model.node import (
    Comment,
    ForeignAttribute,
    ForeignElement,
    Instruction,
    Malformed,
    StrayText,
    Unmodelled,
)
from virtquorum.model.source import ForeignSource
from virtquorum.model.sources import SOURCES, source_class
from virtquorum.xml.plan import fields_of

if TYPE_CHECKING:
    from virtquorum.model.node import Described
    from virtquorum.model.spelling import Spelling

__all__ = [
    "Draw",
    "described",
    "described_classes",
    "disks",
    "foreign_elements",
    "images",
    "quorum_disks",
    "source_classes",
    "texts",
    "trees",
    "values",
]

Draw = Any
Path = tuple[str, ...]

_NOT_XML = "".join(map(chr, (*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF)))
_SIGNS = st.characters(codec="utf-8", exclude_characters=_NOT_XML)
_HOSTILE = (
    "", " ", "\n", "\t", "\r", "\r\n", "  \n ", "\u00a0", "'", '"', "&", "<", ">", "]]>",
    "<![CDATA[", "&amp;", "&#10;",
    "&lt;b/&gt;", "-->", "--", "?>", "<!--", "a'b\"c", " lead", "trail ", "a\n b",
    "a\tb", "a\r\nb", "\u0085", "\u2028", "\ufeff", "\ud7ff", "\U0001f9ea", "\U0010ffff", "é",
    "東京", "%n{0}$x", "yes", "on", "0", "007", "/var/lib/a b.qcow2", "no\x7f\x80",
)  # fmt: skip

#: Any text that XML holds, the awkward ones often.
texts = st.sampled_from(_HOSTILE) | st.text(_SIGNS, max_size=6) | st.just("plain")
_integers = st.integers(-(10**20) + 1, 10**20 - 1) | st.integers(0, 5)


def _is_integer(text: str) -> bool:
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) <= 20


def malformed(words: tuple[str, ...]) -> st.SearchStrategy[Malformed]:
    """Text where a number or one of two words should stand."""
    return texts.filter(lambda text: text not in words and not _is_integer(text)).map(Malformed)


def values(spelling: Spelling) -> st.SearchStrategy[Any]:
    """What a field that is a text may hold."""
    if spelling.kind == "flag":
        return st.just(True)
    match spelling.codec:
        case "integer":
            return _integers | malformed(())
        case "yes-no":
            return st.booleans() | malformed(("yes", "no"))
        case "on-off":
            return st.booleans() | malformed(("on", "off"))
    return st.sampled_from(spelling.choices) | texts if spelling.choices else texts


def source_classes() -> list[type[Any]]:
    """The class of every source of the table."""
    found = [source_class(*key) for key in SOURCES]
    assert None not in found
    return [cls for cls in found if cls is not None]


def described_classes() -> list[type[Any]]:
    """Every class that the description table leads to, each once."""
    found: dict[type[Any], None] = {}
    rest: list[type[Any]] = [Disk, Image, Quorum, Terminator, *source_classes()]
    while rest:
        cls = rest.pop(0)
        if cls in found:
            continue
        found[cls] = None
        for spelling in fields_of(cls).values():
            if isinstance(spelling.of, dict):
                rest += spelling.of.values()
            elif isinstance(spelling.of, type):
                rest.append(spelling.of)
    return list(found)


# What is not modelled

_NAMES = st.sampled_from(("unknown", "private-data", "ünbekannt", "_x.1"))
_FOREIGN_NAMES = _NAMES | st.just("f:thing")
_ATTRIBUTES = st.dictionaries(_NAMES | st.just("xml:lang"), texts, max_size=2)


def _is_comment(text: str) -> bool:
    return "--" not in text and not text.endswith("-") and "\r" not in text


def _is_instruction(text: str) -> bool:
    return "?>" not in text and "\r" not in text and text.lstrip(" \t\n") == text


_comments = texts.filter(_is_comment)
_instructions = st.tuples(st.sampled_from(("pi", "x-y")), texts.filter(_is_instruction))


def _is_solid(text: str) -> bool:
    return bool(text.strip(" \t\r\n"))


@st.composite
def foreign_elements(draw: Draw, depth: int = 2) -> ForeignElement:
    """An element that the model does not know, with anything in it."""
    name = draw(_FOREIGN_NAMES)
    attributes = dict(draw(_ATTRIBUTES))
    if ":" in name:
        attributes["xmlns:f"] = "urn:f"
    kind = draw(st.sampled_from(("empty", "text", "elements", "mixed")))
    children: list[Any] = []
    if kind == "text":
        # White space with a line end in it is layout, and nothing more is known of it.
        text = draw(texts.filter(lambda one: _is_solid(one) or (one and "\n" not in one)))
        children.append(text)
    elif kind != "empty" and depth:
        kinds: list[st.SearchStrategy[Any]] = [
            foreign_elements(depth - 1),
            _comments.map(lambda one: Comment(text=one)),
            _instructions.map(lambda one: Instruction(target=one[0], text=one[1])),
        ]
        if kind == "mixed":
            kinds.append(texts.filter(_is_solid))
        drawn = draw(st.lists(st.one_of(kinds), max_size=4))
        for is_text, run in groupby(drawn, lambda one: isinstance(one, str)):
            alike = list(run)
            children += ["".join(alike)] if is_text else alike
    return ForeignElement(name=name, attributes=tuple(attributes.items()), children=tuple(children))


class _Holder:
    """One element as a node fills it: how many children it has, and whether it may take more."""

    def __init__(self) -> None:
        self.children: Counter[str] = Counter()
        self.holds_text = False


def _holders(parts: list[tuple[Spelling, str, Any]], context: str | None) -> dict[Path, _Holder]:
    """The elements that the set fields fill, by their way from the node's own element."""
    found: dict[Path, _Holder] = {(): _Holder()}

    def reach(path: Path) -> _Holder:
        if path not in found:
            found[path] = _Holder()
            reach(path[:-1]).children[path[-1]] = 1
        return found[path]

    for spelling, name, value in parts:
        inside = _inside(spelling, context)
        if spelling.kind == "attribute":
            reach(inside)
        elif spelling.kind in ("text", "flag"):
            own = reach((*inside, name) if name else inside)
            own.holds_text = own.holds_text or spelling.kind == "text"
        else:
            reach(inside).children[name] = len(value) if isinstance(value, tuple) else 1
    return found


def _inside(spelling: Spelling, context: str | None) -> Path:
    steps = []
    for step in spelling.inside:
        on_disk, bar, otherwise = step.partition("|")
        steps.append(on_disk if not bar or context == "disk" else otherwise)
    return tuple(step for step in steps if step)


def _parts(node: Described) -> list[tuple[Spelling, str, Any]]:
    """The described fields of a node that are set, with their names in XML."""
    return [
        (spelling, spelling.name if spelling.name is not None else field, value)
        for field, spelling in fields_of(type(node)).items()
        if (value := getattr(node, field)) is not None and value != ()
    ]


@st.composite
def _unmodelled(draw: Draw, holders: dict[Path, _Holder]) -> tuple[Unmodelled, ...]:
    """Things that the model has no field for, at places where the parser finds them again."""
    left: list[Unmodelled] = []
    if not draw(st.integers(0, 2)):
        for at in draw(st.lists(st.sampled_from(sorted(holders)), max_size=2, unique=True)):
            left += [
                ForeignAttribute(name=name, value=value, at=at)
                for name, value in draw(_ATTRIBUTES).items()
            ]
            if not holders[at].holds_text:
                left += draw(_placed(at, holders[at].children))
    return tuple(
        sorted(
            left, key=lambda one: (one.at, -1 if isinstance(one, ForeignAttribute) else one.before)
        )
    )


@st.composite
def _placed(draw: Draw, at: Path, children: Counter[str]) -> list[Unmodelled]:
    placed: list[Unmodelled] = []
    places = st.integers(0, children.total())
    for before in sorted(draw(st.lists(places, max_size=3))):
        kind = draw(st.sampled_from(("element", "comment", "instruction", "text")))
        if kind == "element":
            one = draw(foreign_elements())
            placed.append(
                ForeignElement(
                    name=one.name,
                    attributes=one.attributes,
                    children=one.children,
                    at=at,
                    before=before,
                )
            )
        elif kind == "comment":
            placed.append(Comment(text=draw(_comments), at=at, before=before))
        elif kind == "instruction":
            target, text = draw(_instructions)
            placed.append(Instruction(target=target, text=text, at=at, before=before))
        else:
            follows = placed[-1] if placed else None
            if isinstance(follows, StrayText) and follows.before == before:
                continue  # two texts beside each other are one
            text = draw(texts.map(lambda one: one.strip(" \t\r\n")).filter(bool))
            placed.append(StrayText(text=text, at=at, before=before))
    return placed


# Nodes


@st.composite
def _fields(
    draw: Draw,
    cls: type[Any],
    only: tuple[str, ...] = (),
    required: tuple[str, ...] = (),
    skip: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Some fields of a class, or exactly ``only`` these; images and sources aside."""
    spellings = {
        name: spelling
        for name, spelling in fields_of(cls).items()
        if spelling.kind not in ("source", "image", "images") and name not in skip
    }
    chosen = list(only)
    if not only and spellings:
        chosen = draw(st.lists(st.sampled_from(list(spellings)), max_size=5, unique=True))
    wanted = {*chosen, *required} & set(spellings)
    for name, spelling in spellings.items():
        # An element that is there has a text, be it an empty one.
        if spelling.kind == "text" and spelling.name == "":
            inside = spelling.inside
            if not inside or any(spellings[one].inside == inside for one in wanted):
                wanted.add(name)
    found = {}
    for name, spelling in spellings.items():
        if name in wanted:
            found[name] = draw(_value(spelling))
    return found


def _value(spelling: Spelling) -> st.SearchStrategy[Any]:
    if spelling.kind == "child":
        assert isinstance(spelling.of, type)
        return described(spelling.of)
    if spelling.kind == "children":
        assert isinstance(spelling.of, type)
        return st.lists(described(spelling.of), min_size=1, max_size=3).map(tuple)
    if spelling.kind == "variants":
        return addresses()
    return values(spelling)


@st.composite
def described(draw: Draw, cls: type[Any], only: tuple[str, ...] = ()) -> Any:
    """A node that is one element with fields of its own: a host, a secret, an address."""
    own = draw(_fields(cls, only))
    node = cls(**own)
    return cls(**own, unmodelled=draw(_unmodelled(_holders(_parts(node), None))))


@st.composite
def addresses(draw: Draw) -> Any:
    """A disk's address, of every type."""
    key = draw(st.sampled_from(list(ADDRESSES)))
    cls = ADDRESSES[key]
    own = {"type": key} if cls is BareAddress else draw(_fields(cls))
    node = cls(**own)
    return cls(**own, unmodelled=draw(_unmodelled(_holders(_parts(node), None))))


@st.composite
def sources(draw: Draw, context: str, only: tuple[type[Any], tuple[str, ...]] | None = None) -> Any:
    """A source that is no quorum, of any class or of one, with any fields or some."""
    if only is None and not draw(st.integers(0, 9)):
        return draw(_foreign_sources())
    cls, names = only or (draw(st.sampled_from(source_classes())), ())
    own = draw(_fields(cls, names))
    if own or cls.protocol is not None:
        node = cls(**own)
        own["unmodelled"] = draw(_unmodelled(_holders(_parts(node), context)))
    return cls(**own)


@st.composite
def _foreign_sources(draw: Draw) -> ForeignSource:
    element = draw(foreign_elements())
    known = {type for type, _ in SOURCES} | {"quorum"}
    type = draw(st.just("network") | texts.filter(lambda one: one not in known))
    attributes = element.attributes
    if draw(st.booleans()):
        attributes = (("protocol", "carrier-pigeon"), *attributes)
    kept = ForeignElement(name="source", attributes=attributes, children=element.children)
    return ForeignSource(type=type, element=draw(st.none() | st.just(kept)))


@st.composite
def images(draw: Draw, depth: int = 2) -> Image | Terminator:
    """A member or a backing image."""
    kind = draw(st.sampled_from(("image", "image", "image", "quorum", "terminator")))
    if kind == "terminator":
        return draw(described(Terminator))  # type: ignore[no-any-return]
    own = draw(_fields(Image))
    if kind == "quorum" and depth:
        own["source"] = draw(_quorums(depth, "backingStore"))
        parts = _parts(Image(**own))
        parts = [part for part in parts if part[0].kind != "source"] + _parts(own["source"])
    else:
        own["source"] = draw(sources("backingStore"))
        if depth and draw(st.booleans()):
            own["backing"] = draw(images(depth - 1))
        parts = _parts(Image(**own))
        if not _is_written(own["source"]):
            parts = [part for part in parts if part[0].kind != "source"]
    holders = _holders(parts, "backingStore")
    if ("format",) in holders and not _fills_format(own):
        del holders[("format",)]
    holders.pop(("threshold",), None)
    return Image(**own, unmodelled=draw(_unmodelled(_only_own(holders, own["source"]))))


def _fills_format(own: dict[str, Any]) -> bool:
    return own.get("format") is not None or own.get("metadata_cache") is not None


def _only_own(holders: dict[Path, _Holder], source: Any) -> dict[Path, _Holder]:
    """What lies in the quorum's own elements is the quorum's, not the image's."""
    if not isinstance(source, Quorum):
        return holders
    return {at: one for at, one in holders.items() if at[:1] != ("threshold",)}


def _is_written(source: Any) -> bool:
    """Whether a source has a ``<source>`` of its own."""
    if isinstance(source, ForeignSource):
        return source.element is not None
    return source.protocol is not None or source != type(source)()


@st.composite
def _quorums(draw: Draw, depth: int, context: str) -> Quorum:
    own = draw(_fields(Quorum))
    own["members"] = tuple(draw(st.lists(images(depth - 1), max_size=3)))
    holders = _holders(_parts(Quorum(**own)), context)
    theirs = {at: one for at, one in holders.items() if at[:1] == ("threshold",)}
    unmodelled = draw(_unmodelled(theirs)) if theirs else ()
    return Quorum(**own, unmodelled=unmodelled)


@st.composite
def disks(
    draw: Draw,
    depth: int = 2,
    *,
    quorum: bool | None = None,
    source: tuple[type[Any], tuple[str, ...]] | None = None,
    only: tuple[str, ...] = (),
) -> Disk:
    """A disk, whole: a quorum or any other source, with all that may stand around it."""
    if quorum is None:
        quorum = source is None and draw(st.booleans())
    image: dict[str, Any] = draw(_fields(Image, skip=("index", "nodename")))
    if quorum:
        image["source"] = draw(_quorums(depth, "disk"))
    else:
        image["source"] = draw(sources("disk", source))
        if not isinstance(image["source"], ForeignSource):
            image["index"] = draw(st.none() | values(fields_of(Image)["index"]))
        if depth and draw(st.booleans()):
            image["backing"] = draw(images(depth - 1))
    own = draw(_fields(Disk, only, skip=("driver",)))
    own["image"] = top = Image(**image)
    own["driver"] = draw(_drivers(top))
    parts = _parts(Disk(**own)) + _parts(top)
    if quorum:
        parts = [part for part in parts if part[0].kind != "source"] + _parts(image["source"])
    elif not _is_written(image["source"]) and image.get("index") is None:
        parts = [part for part in parts if part[0].kind != "source"]
    if own["driver"] == Driver():
        parts = [part for part in parts if part[1] != "driver"]
    holders = _holders(parts, "disk")
    theirs = ("driver", "source", "threshold")
    mine = {at: one for at, one in holders.items() if at[:1] == () or at[0] not in theirs}
    return Disk(**own, unmodelled=draw(_unmodelled(mine)))


@st.composite
def _drivers(draw: Draw, image: Image) -> Driver:
    own = draw(_fields(Driver))
    parts = [part for part in _parts(image) if part[0].kind not in ("source", "image")]
    if isinstance(image.source, Quorum):
        parts += [part for part in _parts(image.source) if part[0].kind != "images"]
    on_driver = [part for part in parts if _inside(part[0], "disk")[:1] == ("driver",)]
    if not own and not on_driver:
        return Driver()
    holders = _holders(_parts(Driver(**own)), None)
    for spelling, name, _ in on_driver:
        if spelling.kind == "child":
            holders[()].children[name] = 1
    return Driver(**own, unmodelled=draw(_unmodelled(holders)))


def quorum_disks(depth: int = 2) -> st.SearchStrategy[Disk]:
    """A disk that is a quorum."""
    return disks(depth, quorum=True)


# Trees of XML that look like a disk


def _element_names() -> list[str]:
    found = {"unknown", "f:thing"}
    for cls in described_classes():
        for field, spelling in fields_of(cls).items():
            if spelling.kind != "attribute":
                found.add(spelling.name if spelling.name is not None else field)
            found.update(_inside(spelling, "disk") + _inside(spelling, "backingStore"))
    return sorted(found - {"", "-"})


def _attribute_names() -> list[str]:
    found = {"unknown", "type", "protocol", "xml:lang"}
    for cls in described_classes():
        for field, spelling in fields_of(cls).items():
            if spelling.kind == "attribute":
                found.add(spelling.name or field)
    return sorted(found)


def _common(names: list[str], often: tuple[str, ...]) -> st.SearchStrategy[str]:
    assert set(often) <= set(names), set(often) - set(names)
    return st.sampled_from(often) | st.sampled_from(names)


_TREE_NAMES = _common(
    _element_names(),
    ("backingStore", "source", "driver", "format", "target", "serial", "alias", "address", "host",
     "slices", "slice", "threshold", "readonly", "initiator", "iqn", "cookies", "cookie", "auth"),
)  # fmt: skip
_TREE_ATTRIBUTES = _common(
    _attribute_names(), ("type", "name", "protocol", "threshold", "value", "index", "file")
)
_WORDS = st.sampled_from(
    ("file", "quorum", "network", "nbd", "rbd", "https", "iscsi", "block", "nvme", "pci", "drive",
     "qcow2", "on", "yes", "no", "2", "17", "0", "two", "", " ", "a b", "é\U0001f9ea", "'", '"',
     "&lt;", "&#10;", "&#9;", "&#13;", "&#32;", "&amp;amp;", "]]&gt;", "&#160;")
)  # fmt: skip
_SPACES = st.sampled_from((" ", "\n", "\t", "  \r\n"))
_BETWEEN = st.sampled_from(("", "", "\n  ", " ", "\r\n\t", "\n\n"))


@st.composite
def _start(draw: Draw, name: str, type: bool) -> str:
    attributes = dict(draw(st.lists(st.tuples(_TREE_ATTRIBUTES, _WORDS), max_size=4)))
    if type:
        attributes.setdefault("type", draw(_WORDS))
    tag = f"<{name}"
    if ":" in name:
        attributes["xmlns:f"] = "urn:f"
    for attribute, value in attributes.items():
        quote = (
            draw(st.sampled_from("'\"")) if value not in ("'", '"') else {"'": '"', '"': "'"}[value]
        )
        equals = draw(st.sampled_from(("=", "=", " = ")))
        tag += f"{draw(_SPACES)}{attribute}{equals}{quote}{value}{quote}"
    end: str = draw(st.sampled_from(("", "", "\n")))
    return tag + end


@st.composite
def _contents(draw: Draw, depth: int) -> str:
    written: str = draw(_BETWEEN)
    for _ in range(draw(st.integers(0, 5 if depth > 2 else 3))):
        kind = draw(st.sampled_from(("element",) * 6 + ("text", "comment", "pi", "cdata")))
        if kind == "element" and depth:
            written += draw(trees(depth - 1))
        elif kind == "comment":
            written += f"<!--{draw(_comments)}-->"
        elif kind == "pi":
            target, text = draw(_instructions)
            written += f"<?{target} {text}?>"
        elif kind == "cdata":
            written += f"<![CDATA[{draw(texts).replace(']]>', '').replace(chr(13), '')}]]>"
        elif kind == "text":
            written += draw(_WORDS).replace("&#13;", "x")
        written += draw(_BETWEEN)
    return written


@st.composite
def trees(draw: Draw, depth: int = 4, name: str | None = None) -> str:
    """Well-formed XML with the names of a disk, in any order, number and place."""
    outermost = name is not None
    name = name or draw(_TREE_NAMES)
    start: str = draw(
        _start(name, type=outermost or (name == "backingStore" and draw(st.booleans())))
    )
    if draw(st.integers(0, 2)) == 0 and not outermost:
        end: str = draw(st.sampled_from(("/>", f"></{name}>")))
        return start + end
    return f"{start}>{draw(_contents(depth))}</{name}>"
