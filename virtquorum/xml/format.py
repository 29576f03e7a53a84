"""Model to text, and whole documents, as libvirt writes them.

libvirt's style (virBuffer and virXMLFormatElement): two spaces a level, an
element a line, single quotes, ``& < > ' "`` escaped everywhere, ``<x/>`` for
an element with nothing in it.  What stands in ``<metadata>`` it leaves to
libxml2, which writes double quotes; see ``_write_metadata``.

Beyond libvirt, a line end or tab in a value is written as a character
reference: libvirt writes it raw and reads a space back.
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, Final, TypeAlias

from virtquorum.errors import EditError
from virtquorum.model.image import Image, Quorum, Terminator
from virtquorum.model.node import (
    Comment,
    Described,
    ForeignAttribute,
    ForeignElement,
    Instruction,
    StrayText,
)
from virtquorum.model.source import ForeignSource
from virtquorum.xml.document import Element, Markup
from virtquorum.xml.parse import INDENT, is_layout
from virtquorum.xml.plan import Plan, Run, Step, backing_plan, disk_plan, node_plan, source_plan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from virtquorum.model.disk import Disk
    from virtquorum.model.image import AnyImage
    from virtquorum.model.node import Unmodelled
    from virtquorum.xml.plan import Context

__all__ = ["escape", "format_disk", "format_image", "write_tree"]

_REMEMBERED: Final = 256

_SPECIAL: Final = re.compile("[&<>'\"\t\n\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
#: What a comment cannot hold, where nothing is escaped and a line end is read as U+000A.
_UNWRITABLE: Final = re.compile("[\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_TEXT_ESCAPES: Final = {
    "&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&apos;", '"': "&quot;", "\r": "&#13;",
    "\n": "\n", "\t": "\t",
}  # fmt: skip
_VALUE_ESCAPES: Final = {**_TEXT_ESCAPES, "\n": "&#10;", "\t": "&#9;"}
#: Elements whose text people write, where an empty line is text and no layout.
_PROSE: Final = frozenset({"description", "entry", "title"})
#: A start tag as libxml2 writes it.
_LIBXML2_TAG: Final = re.compile(rb'<[^\s/>]+(?: [^\s=]+="[^"<\t\r\n]*")*/?>')

# What is still to be written: text, or an image and the white space before it, to be written
# when its turn comes.  So a chain's depth costs no recursion.
Piece: TypeAlias = "str | tuple[AnyImage, str]"


def escape(text: str, escapes: Mapping[str, str] = _VALUE_ESCAPES) -> str:
    """A text as libvirt writes it in an attribute value.

    Raises EditError for a character that XML does not have.
    """
    if _SPECIAL.search(text) is None:
        return text
    return _SPECIAL.sub(lambda found: _escaped(found[0], escapes), text)


def _escaped(sign: str, escapes: Mapping[str, str]) -> str:
    written = escapes.get(sign)
    if written is None:
        raise EditError(f"the character U+{ord(sign):04X} cannot be written in XML")
    return written


def format_disk(disk: Disk, pad: str = "") -> str:
    """The ``<disk>`` of a disk, as libvirt writes it, each line behind ``pad``, with a line end.

    Raises EditError for what a ``<disk>`` has no place for.
    """
    image = disk.image
    quorum = isinstance(image.source, Quorum)
    _check_top(image)
    out: list[Piece] = []
    nodes = (disk, disk.driver, image, image.source)
    _write(
        out, "disk", disk_plan(quorum), nodes, pad, f" type='{escape(image.source.type)}'", "disk"
    )
    return _joined(out)


def format_image(image: AnyImage, pad: str = "") -> str:
    """The ``<backingStore>`` of an image, as libvirt writes it."""
    return _joined([(image, pad)])


def _check_top(image: Image) -> None:
    misplaced: dict[str, object] = {"nodename": image.nodename, "unmodelled": image.unmodelled}
    if isinstance(image.source, (Quorum, ForeignSource)):
        misplaced["index"] = image.index  # it stands on <source>
    for name, value in misplaced.items():
        if value is not None and value != ():
            raise EditError(f"a disk's own image has no place for '{name}': only a member has it")
    _check_image(image)


def _check_image(image: Image) -> None:
    if isinstance(image.source, Quorum):
        if image.backing is not None:
            raise EditError("a quorum has members and no backing image")
        if any(not one.at for one in image.source.unmodelled):
            raise EditError("what is not modelled of a quorum belongs to its disk or image")
    elif isinstance(image.source, ForeignSource) and image.source.unmodelled:
        raise EditError("what is not modelled of a foreign source belongs into its element")


def _joined(out: list[Piece]) -> str:
    """Write out the images that are still to be written."""
    try:
        return "".join(out)  # type: ignore[arg-type]
    except TypeError:  # there are images in it
        pass
    done: list[str] = []
    rest = out[::-1]
    while rest:
        piece = rest.pop()
        if isinstance(piece, str):
            done.append(piece)
        else:
            more: list[Piece] = []
            _write_image(more, *piece)
            rest.extend(reversed(more))
    return "".join(done)


def _write_image(out: list[Piece], image: AnyImage, pad: str) -> None:
    if isinstance(image, Terminator):
        _write(out, "backingStore", node_plan(Terminator), (image,), pad)
        return
    _check_image(image)
    quorum = isinstance(image.source, Quorum)
    nodes = (image, image.source)
    type = f" type='{escape(image.source.type)}'"
    _write(out, "backingStore", backing_plan(quorum), nodes, pad, type, "backingStore")


def _write(
    out: list[Piece],
    name: str,
    plan: Plan,
    nodes: Sequence[Described],
    pad: str,
    first: str = "",
    context: Context | None = None,
) -> None:
    """Write one element with what its slots hold; nothing if it is a Plan's and holds nothing.

    ``first`` is the attribute that chose the node's class.
    """
    attributes = first
    for run in plan.runs:
        values = run.get(nodes[run.slot])
        written = run.known.get(values)
        attributes += _spell(run, values) if written is None else written
    unmodelled = nodes[plan.slot].unmodelled
    left = [one for one in unmodelled if one.at == plan.at] if unmodelled else ()
    for one in left:
        if isinstance(one, ForeignAttribute):
            attributes += f" {one.name}='{escape(one.value)}'"
    inside: list[Piece] = []
    content = None
    if plan.text is not None:
        value = getattr(nodes[plan.text.slot], plan.text.field)
        content = None if value is None else escape(plan.text.spell(value), _TEXT_ESCAPES)
    if left:
        _write_all_children(inside, plan, nodes, pad + INDENT, left, context)
    elif plan.children:
        _write_children(inside, plan, nodes, pad + INDENT, context)
    is_set = plan.flag is not None and getattr(nodes[plan.flag.slot], plan.flag.field)
    nested = plan.at or plan.name == "driver"
    if nested and not (attributes or inside or content is not None or is_set):
        return
    if inside:
        out.append(f"{pad}<{name}{attributes}>{content or ''}\n")
        out += inside
        out.append(f"{pad}</{name}>\n")
    elif content:
        out.append(f"{pad}<{name}{attributes}>{content}</{name}>\n")
    elif plan.open:
        out.append(f"{pad}<{name}{attributes}>\n{pad}</{name}>\n")
    else:
        out.append(f"{pad}<{name}{attributes}/>\n")


def _spell(run: Run, values: tuple[object, ...]) -> str:
    """The attributes of one slot."""
    written = ""
    for value, (before, spell) in zip(values, run.spelled):  # noqa: B905
        if value is not None:
            text = value if value.__class__ is str else spell(value)
            if _SPECIAL.search(text) is not None:
                text = escape(text)
            written += f"{before}{text}'"
    if len(run.known) < _REMEMBERED:
        run.known[values] = written
    return written


def _write_children(
    out: list[Piece], plan: Plan, nodes: Sequence[Described], pad: str, context: Context | None
) -> None:
    """Write the child elements for which a field is set."""
    written: Plan | Step | None = None
    for slot, get, children in plan.below:
        for value, (name, child) in zip(get(nodes[slot]), children):  # noqa: B905
            if value is None or child is written:
                continue
            if isinstance(child, Step):
                for one in value if value.__class__ is tuple else (value,):
                    _write_one(out, name, child, one, nodes, pad, context)
            elif value != ():
                _write(out, name, child, nodes, pad)
                written = child


def _write_all_children(
    out: list[Piece],
    plan: Plan,
    nodes: Sequence[Described],
    pad: str,
    left: Sequence[Unmodelled],
    context: Context | None,
) -> None:
    """Write the child elements, and between them what is not modelled, where it stood."""
    waiting = deque(one for one in left if not isinstance(one, ForeignAttribute))
    written: list[list[Piece]] = []
    for name, step in plan.children.items():
        if isinstance(step, Plan):
            piece: list[Piece] = []
            _write(piece, name, step, nodes, pad)
            written.append(piece)
            continue
        value = getattr(nodes[step.slot], step.field)
        for one in value if isinstance(value, tuple) else (value,) if value is not None else ():
            piece = []
            _write_one(piece, name, step, one, nodes, pad, context)
            written.append(piece)
    written = [piece for piece in written if piece]
    for number, piece in enumerate(written):
        while waiting and waiting[0].before <= number:
            out.append(_unmodelled(waiting.popleft(), pad))
        out += piece
    out += [_unmodelled(one, pad) for one in waiting]


def _write_one(
    out: list[Piece],
    name: str,
    step: Step,
    value: Described,
    nodes: Sequence[Described],
    pad: str,
    context: Context | None,
) -> None:
    """Write one node that a Step leads to."""
    if isinstance(value, (Image, Terminator)):
        out.append((value, pad))
    elif step.kind == "source":
        _write_source(out, value, nodes[step.slot], pad, context)
    elif step.key is None:
        _write(out, name, node_plan(type(value)), (value,), pad)
    else:
        assert isinstance(step.of, dict)
        plan = node_plan(type(value), step.key)
        first = ""
        if step.key in plan.attributes and plan.attributes[step.key] is None:
            key = next(key for key, cls in step.of.items() if cls is type(value))
            first = f" {step.key}='{key}'"
        _write(out, name, plan, (value,), pad, first)


def _write_source(
    out: list[Piece],
    source: Described,
    image: Described,
    pad: str,
    context: Context | None,
) -> None:
    if isinstance(source, ForeignSource):
        if source.element is not None:
            out.append(_unmodelled(source.element, pad))
        return
    assert context is not None
    piece: list[Piece] = []
    protocol = getattr(source, "protocol", None)
    first = f" protocol='{protocol}'" if protocol is not None else ""
    _write(piece, "source", source_plan(type(source), context), (source, image), pad, first)
    if piece != [f"{pad}<source/>\n"]:
        out += piece


def _unmodelled(one: Unmodelled, pad: str) -> str:
    """An element, comment, instruction or text that has no field."""
    assert not isinstance(one, ForeignAttribute)
    out: list[str] = []
    write_tree(out, one, pad)
    return "".join(out)


def write_tree(
    out: list[str],
    tree: Element | ForeignElement | Markup | Comment | Instruction | StrayText,
    pad: str,
    special: Mapping[int, str] | None = None,
) -> None:
    """Write a tree of which no more is known than that it is XML.

    ``special`` holds, by the identity of an Element, texts to write in its
    place.
    """
    # What is left of the element around, its white space, and its end tag.
    around: list[tuple[Iterator[object], str, str]] = []
    children: Iterator[object] = iter((tree,))
    while True:
        for one in children:
            if not isinstance(one, (Element, ForeignElement)):
                out.append(f"{pad}{_markup(one)}\n")
                continue
            if special is not None and id(one) in special:
                out.append(special[id(one)])
                continue
            name = one.name
            if name == "metadata" and isinstance(one, Element) and _is_domain(one.parent):
                _write_metadata(out, one, pad)
                continue
            start = f"{pad}<{name}{_attributes(one)}"
            kept = one.children
            if not kept:
                out.append(start + _leaf_end(one, pad))
            elif str not in map(type, kept):
                out.append(start + ">\n")
                around.append((children, pad, f"{pad}</{name}>\n"))
                children = iter(kept)
                pad += INDENT
                break
            else:
                out.append(f"{start}>{''.join(_inline(kept))}</{name}>\n")
        else:
            if not around:
                return
            children, pad, end = around.pop()
            out.append(end)


def _is_domain(parent: object) -> bool:
    return isinstance(parent, Element) and parent.name in ("domain", "inactiveDomain")


def _attributes(one: Element | ForeignElement) -> str:
    if not one.attributes:
        return ""
    pairs: Iterable[tuple[str, str]] = (
        one.attributes.items() if isinstance(one.attributes, dict) else one.attributes
    )
    written = ""
    for name, value in pairs:
        written += f" {name}='{value if _SPECIAL.search(value) is None else escape(value)}'"
    return written


def _leaf_end(one: Element | ForeignElement, pad: str) -> str:
    """The end of an element without children: its text, if it has any."""
    if isinstance(one, Element):
        if one.name == "devices":  # libvirt writes an empty one like this
            return f">\n{pad}</devices>\n"
        if one.close != one.start:
            text = one.text
            if not text:
                return "/>\n"
            if is_layout(text) and one.name not in _PROSE:
                # libvirt writes some elements like this when they are empty: <hyperv>
                return f">\n{pad}</{one.name}>\n"
            return f">{escape(text, _TEXT_ESCAPES)}</{one.name}>\n"
    return "/>\n"


def _markup(one: object) -> str:
    """A comment or processing instruction, or a text between elements."""
    if isinstance(one, StrayText):
        return escape(one.text, _TEXT_ESCAPES)
    if isinstance(one, Markup):
        target, text = one.target, one.text
    elif isinstance(one, Comment):
        target, text = None, one.text
    else:
        assert isinstance(one, Instruction)
        target, text = one.target, one.text
    unwritable = _UNWRITABLE.search(text)
    if unwritable is not None:
        sign = ord(unwritable[0])
        raise EditError(
            f"a {'comment' if target is None else 'processing instruction'} cannot hold the "
            f"character U+{sign:04X}"
        )
    if target is None:
        if "--" in text or text.endswith("-"):
            raise EditError("a comment cannot hold '--' or end with '-'")
        return f"<!--{text}-->"
    if "?>" in text:
        raise EditError("a processing instruction cannot hold '?>'")
    return f"<?{target} {text}?>" if text else f"<?{target}?>"


def _inline(children: Sequence[object]) -> list[str]:
    """Children among text, without a line end that was not there."""
    if len(children) == 1 and isinstance(children[0], str):
        return [escape(children[0], _TEXT_ESCAPES)]
    out: list[str] = []
    rest: list[object] = list(reversed(children))
    while rest:
        one = rest.pop()
        if isinstance(one, _Closing):
            out.append(one.text)
        elif isinstance(one, str):
            out.append(escape(one, _TEXT_ESCAPES))
        elif isinstance(one, (Element, ForeignElement)):
            inside: Sequence[object] = one.children
            if not inside and isinstance(one, Element) and one.close != one.start and one.text:
                inside = [one.text]
            out.append(f"<{one.name}{_attributes(one)}{'>' if inside else '/>'}")
            if inside:
                rest.append(_Closing(f"</{one.name}>"))
                rest.extend(reversed(inside))
        else:
            out.append(_markup(one))
    return out


class _Closing:
    """An end tag that waits for what is inside."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


def _write_metadata(out: list[str], metadata: Element, pad: str) -> None:
    """Write ``<metadata>`` as libvirt does, which has libxml2 write what is in it.

    That means double quotes, namespaces before attributes, and text as it
    was.  A tag that already looks so is left alone, since which characters
    become references depends on libxml2's version.
    """
    data = metadata.document.data
    rest: list[str | tuple[Element | Markup, str]] = [(metadata, pad)]
    while rest:
        top = rest.pop()
        if isinstance(top, str):
            out.append(top)
            continue
        one, pad = top
        if isinstance(one, Markup):
            out.append(pad + _markup(one) + "\n")
            continue
        tag = one.tag
        if _LIBXML2_TAG.fullmatch(tag) is None:
            tag = _libxml2_tag(one)
        start = pad + tag.decode("utf-8")
        kept = one.children
        if not kept or any(isinstance(child, str) for child in kept):
            inner = data[one.content : one.close] if one.close != one.start else b""
            if inner:
                text = inner.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
                out.append(f"{start}{text}</{one.name}>\n")
            else:
                out.append(start.removesuffix("/>").removesuffix(">") + "/>\n")
            continue
        out.append(start + "\n")
        rest.append(f"{pad}</{one.name}>\n")
        rest.extend((child, pad + INDENT) for child in reversed(kept) if not isinstance(child, str))


def _libxml2_tag(one: Element) -> bytes:
    pairs = sorted(one.attributes.items(), key=lambda pair: not pair[0].startswith("xmlns"))
    written = "".join(
        f' {name}="{escape(value).replace("&apos;", chr(39))}"' for name, value in pairs
    )
    end = "/>" if one.close == one.start else ">"
    return f"<{one.name}{written}{end}".encode()
