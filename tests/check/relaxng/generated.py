"""Random grammars that the specification allows, and documents of the same few names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from tests.check.relaxng.conformance import grammar

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

NAMES = ("a", "b", "c", "d")
ATTRIBUTES = ("x", "y")
_LEAVES = (
    "<text/>",
    "<empty/>",
    "<data type='int'/>",
    "<value>1</value>",
    "<choice><value>on</value><value>off</value></choice>",
    "<list><oneOrMore><value>1</value></oneOrMore></list>",
)
_VALUES = ("<data type='int'/>", "<value>1</value>", "<text/>", "<value>on</value>")


@st.composite
def grammars(draw: DrawFn) -> str:
    """A grammar whose root element is 'r'."""
    return grammar(f"<element name='r'>{draw(contents(3))}</element>")


@st.composite
def contents(draw: DrawFn, depth: int) -> str:
    """What an element holds: attributes, and elements or a value."""
    if depth == 0 or draw(st.integers(0, 3)) == 0:
        return draw(attributes()) + draw(st.sampled_from(_LEAVES))
    if draw(st.integers(0, 3)) == 0:
        branches = [draw(attributes()) + draw(particles(NAMES, depth)) for _ in range(2)]
        return f"<choice>{''.join(f'<group>{one}</group>' for one in branches)}</choice>"
    inner = draw(particles(NAMES, depth))
    if draw(st.integers(0, 5)) == 0:
        inner = f"<mixed>{inner}</mixed>"
    return draw(attributes()) + inner


@st.composite
def attributes(draw: DrawFn) -> str:
    found = ""
    for name in ATTRIBUTES:
        written = f"<attribute name='{name}'>{draw(st.sampled_from(_VALUES))}</attribute>"
        found += draw(st.sampled_from(("", written, f"<optional>{written}</optional>")))
    return found


@st.composite
def particles(draw: DrawFn, names: tuple[str, ...], depth: int) -> str:
    """A pattern of elements of some names; no branches of an interleave share one."""
    kind = draw(
        st.sampled_from(
            (
                "element",
                "element",
                "group",
                "interleave",
                "choice",
                "optional",
                "zeroOrMore",
                "oneOrMore",
            )
        )
    )
    if kind == "element" or (kind == "interleave" and len(names) < 2):
        name = draw(st.sampled_from(names))
        return f"<element name='{name}'>{draw(contents(depth - 1))}</element>"
    if kind == "interleave":
        cut = draw(st.integers(1, len(names) - 1))
        parts = (draw(particles(names[:cut], depth)), draw(particles(names[cut:], depth)))
        return f"<interleave>{parts[0]}{parts[1]}</interleave>"
    if kind in {"group", "choice"}:
        inner = "".join(
            draw(particles(names, depth - 1))
            if depth > 1
            else f"<element name='{draw(st.sampled_from(names))}'><empty/></element>"
            for _ in range(2)
        )
        return f"<{kind}>{inner}</{kind}>"
    return f"<{kind}>{draw(particles(names, depth))}</{kind}>"


@st.composite
def documents(draw: DrawFn, name: str = "r", depth: int = 3) -> str:
    """A document; most do not fit."""
    written = "".join(
        f" {one}='{draw(st.sampled_from(('1', 'on', 'z')))}'"
        for one in ATTRIBUTES
        if draw(st.booleans())
    )
    count = draw(st.integers(0, 3)) if depth else 0
    inner = "".join(
        draw(documents(draw(st.sampled_from((*NAMES, *NAMES, "e"))), depth - 1))
        for _ in range(count)
    )
    if count == 0 or draw(st.integers(0, 5)) == 0:
        inner += draw(st.sampled_from(("", "", "1", "on", " ")))
    return f"<{name}{written}>{inner}</{name}>"


@st.composite
def fitting(draw: DrawFn) -> tuple[str, str]:
    """A grammar, and a document that fits: one that is drawn along it."""
    import xml.etree.ElementTree as Tree

    text = draw(grammars())
    root = Tree.fromstring(text)  # noqa: S314 - it has just been drawn
    element = root[0][0]
    return text, _along(draw, element)


def _along(draw: DrawFn, element: object) -> str:
    """A document element for an element pattern."""
    attributes: dict[str, str] = {}
    content = "".join(_of(draw, one, attributes, 0) for one in element)  # type: ignore[attr-defined]
    name = element.get("name")  # type: ignore[attr-defined]
    written = "".join(f" {key}='{value}'" for key, value in attributes.items())
    return f"<{name}{written}>{content}</{name}>"


def _of(draw: DrawFn, pattern: object, attributes: dict[str, str], depth: int) -> str:
    kind = pattern.tag.rpartition("}")[2]  # type: ignore[attr-defined]
    children = list(pattern)  # type: ignore[call-overload]
    match kind:
        case "element":
            return _along(draw, pattern)
        case "attribute":
            attributes[pattern.get("name")] = _of(draw, children[0], attributes, depth)  # type: ignore[attr-defined]
            return ""
        case "choice":
            return _of(draw, draw(st.sampled_from(children)), attributes, depth)
        case "optional" | "zeroOrMore" | "oneOrMore":
            least, most = {"optional": (0, 1), "zeroOrMore": (0, 2), "oneOrMore": (1, 2)}[kind]
            times = draw(st.integers(least, most)) if depth < 3 else least
            return "".join(
                "".join(_of(draw, one, attributes, depth + 1) for one in children)
                for _ in range(times)
            )
        case "interleave":
            return "".join(
                _of(draw, one, attributes, depth) for one in draw(st.permutations(children))
            )
        case "text":
            return draw(st.sampled_from(("", "t")))
        case "data":
            return draw(st.sampled_from(("7", " -1 ")))
        case "value":
            return f" {pattern.text} "  # type: ignore[attr-defined]
        case "empty":
            return ""
    return "".join(_of(draw, one, attributes, depth) for one in children)


@st.composite
def changed(draw: DrawFn) -> tuple[str, str]:
    """A grammar, and a document that fitted before one element was moved, left out or doubled."""
    import copy
    import xml.etree.ElementTree as Tree

    text, document = draw(fitting())
    root = Tree.fromstring(document)  # noqa: S314 - it has just been drawn
    parents = [one for one in root.iter() if len(one)]
    if parents:
        parent = draw(st.sampled_from(parents))
        number = draw(st.integers(0, len(parent) - 1))
        kind = draw(st.sampled_from(("out", "twice", "last", "name")))
        child = parent[number]
        if kind == "name":
            child.tag = draw(st.sampled_from(NAMES))
        elif kind == "twice":
            parent.insert(number, copy.deepcopy(child))
        else:
            parent.remove(child)
            if kind == "last":
                parent.append(child)
    return text, Tree.tostring(root, "unicode")
