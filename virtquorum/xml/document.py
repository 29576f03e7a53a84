"""Text to elements: safe reading, with the place of everything.

The parser is expat, with everything switched off that could reach beyond the
text: a DOCTYPE is refused (and with it every entity), nothing is included,
nothing is fetched.  It gives each element's byte offset; lines and columns
are worked out from it when somebody asks.
"""

from __future__ import annotations

import pyexpat
import re
from bisect import bisect_right
from collections import Counter
from typing import TYPE_CHECKING, Final, TypeAlias

from virtquorum.errors import LimitError, NotWellFormedError
from virtquorum.model.location import Location
from virtquorum.xml.decode import Decoded, decode, encode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from virtquorum.xml.mistake import Mistake

__all__ = ["DEFAULT_LIMITS", "SPACE", "Child", "Document", "Element", "Limits", "Markup"]

#: White space by XML's definition.
SPACE: Final = " \t\r\n"

_START_TAG = re.compile(rb"""<[^\s/>]+(?:\s+[^\s=]+\s*=\s*(?:"[^"]*"|'[^']*'))*\s*(/?)>""")
_ATTRIBUTE = re.compile(rb"""\s+([^\s=]+)\s*=\s*("[^"]*"|'[^']*')""")
_LINE_END = re.compile(rb"\r\n?|\n")
_COLON = re.compile(rb":[^\s<>=/:'\"&;0-9]")
_NAME_BEFORE = re.compile(rb"[^\s<>=/:'\"&;]*\Z")
#: How white space can be written beside itself: by number, or in a CDATA section.
_WRITTEN_SPACE = re.compile(r"&#([0-9]+);|&#x([0-9A-Fa-f]+);|<!\[CDATA\[(.*?)\]\]>", re.DOTALL)

#: Elements of which libvirt's XML may have several beside each other: their
#: path always carries a number.
_REPEATED: Final = frozenset(
    {"backingStore", "cookie", "disk", "host", "secret", "seclabel", "slice"}
)

_RAISE: Final = "if you trust the input, give a larger bound"


class Limits:
    """How much a document may hold before it is refused.

    ``depth`` in levels of elements, ``size`` in bytes, ``elements`` in
    elements.  libvirt itself takes at most 16 MiB of XML.
    """

    __slots__ = ("depth", "elements", "size")

    def __init__(
        self, *, depth: int = 256, size: int = 16 * 1024 * 1024, elements: int = 1_000_000
    ) -> None:
        self.depth = depth
        self.size = size
        self.elements = elements


DEFAULT_LIMITS: Final = Limits()


class Markup:
    """A comment (``target`` None) or a processing instruction between elements."""

    __slots__ = ("target", "text")

    def __init__(self, target: str | None, text: str) -> None:
        self.target = target
        self.text = text


class Element(Location):
    """One element of a document, and its place.

    ``start`` is the offset of its start tag in the document's UTF-8,
    ``close`` that of its end tag (``start`` again for ``<x/>``).  Text
    between elements is kept only where it is more than white space.
    """

    __slots__ = ("attributes", "children", "close", "name", "parent", "start")

    def __init__(
        self, name: str, attributes: dict[str, str], start: int, parent: Element | Document
    ) -> None:
        self.name = name
        self.attributes = attributes
        self.start = start
        self.close = start
        self.parent = parent
        self.children: Sequence[Child] = ()

    @property
    def document(self) -> Document:
        """The document that the element is in."""
        one: Element | Document = self
        while isinstance(one, Element):
            one = one.parent
        return one

    def elements(self, name: str | None = None) -> list[Element]:
        """The child elements, of one name or of all."""
        return [
            one
            for one in self.children
            if isinstance(one, Element) and (name is None or one.name == name)
        ]

    @property
    def text(self) -> str:
        """The text of an element without child elements, white space and all."""
        found = "".join([one for one in self.children if one.__class__ is str])
        if not found and self.close != self.start and not self.children:
            return _blank(self.inner.decode("utf-8"))
        return found

    @property
    def content(self) -> int:
        """The offset behind the start tag."""
        tag = _START_TAG.match(self.document.data, self.start)
        assert tag is not None
        return tag.end()

    @property
    def inner(self) -> bytes:
        """The bytes between start and end tag."""
        return b"" if self.close == self.start else self.document.data[self.content : self.close]

    @property
    def stop(self) -> int:
        """The offset behind the end tag."""
        if self.close == self.start:
            return self.content
        return self.document.data.index(b">", self.close) + 1

    @property
    def tag(self) -> bytes:
        """The bytes of the start tag."""
        return self.document.data[self.start : self.content]

    def attribute_spans(self) -> dict[str, tuple[int, int, int]]:
        """For each attribute: offsets of its name, of its quoted value, and behind it."""
        data = self.document.data
        end = self.content
        spans = {}
        found = _ATTRIBUTE.search(data, self.start, end)
        while found is not None:
            spans[found[1].decode("utf-8")] = (found.start(1), found.start(2), found.end())
            found = _ATTRIBUTE.match(data, found.end(), end)
        return spans

    @property
    def file(self) -> str:
        """See Location; likewise the next three."""
        return self.document.name

    @property
    def line(self) -> int:
        """The line of the start tag."""
        return self.document.line_column(self.start)[0]

    @property
    def column(self) -> int:
        """The column of the start tag."""
        return self.document.line_column(self.start)[1]

    @property
    def path(self) -> str:
        """The way from the root, which is left out where it is the domain."""
        steps = []
        document = self.document
        one: Element = self
        while isinstance(one.parent, Element):
            number, count = document.number(one, one.parent)
            numbered = count > 1 or one.name in _REPEATED
            steps.append(f"{one.name}[{number}]" if numbered else one.name)
            one = one.parent
        if one.name != "domain" or not steps:
            steps.append(one.name)
        return ".".join(reversed(steps))

    def __repr__(self) -> str:
        return f"<{self.name}> at {self}"


def _blank(inner: str) -> str:
    """The white space that an element's raw content stands for, its references resolved."""
    text = inner.replace("\r\n", "\n").replace("\r", "\n")
    if "&" in text or "<" in text:
        return _WRITTEN_SPACE.sub(_written_space, text)
    return text


def _written_space(found: re.Match[str]) -> str:
    decimal, hexadecimal, section = found.groups()
    if decimal is not None:
        return chr(int(decimal))
    return section if hexadecimal is None else chr(int(hexadecimal, 16))


Child: TypeAlias = Element | Markup | str


class Document:
    """A well-formed document: its bytes, and its elements with their places."""

    __slots__ = ("_counted", "_last", "_lines", "data", "decoded", "limits", "name", "root")

    def __init__(self, decoded: Decoded, name: str, limits: Limits = DEFAULT_LIMITS) -> None:
        """Parse a text.

        Raises NotWellFormedError and LimitError, with the place.
        """
        self.decoded = decoded
        self.data = decoded.data
        self.name = name
        self.limits = limits
        self._lines: list[int] | None = None
        self._last = (0, 0, 1)  # the line, offset and column that were last asked for
        self._counted: dict[int, tuple[dict[int, int], Counter[str]]] = {}
        self.root = _Reader(self, limits).read()

    @classmethod
    def from_bytes(cls, raw: bytes, name: str, limits: Limits = DEFAULT_LIMITS) -> Document:
        """Decode and parse the bytes of a file."""
        if len(raw) > limits.size:
            raise _too_large(name, limits)
        return cls(decode(raw, name), name, limits)

    @classmethod
    def from_text(cls, text: str, name: str, limits: Limits = DEFAULT_LIMITS) -> Document:
        """Parse a text; the encoding that its declaration names is the one to write it in."""
        try:
            decoded = encode(text)
        except UnicodeEncodeError as error:
            sign = ord(text[error.start])
            raise NotWellFormedError(
                f"character {error.start} of the text is U+{sign:04X}, a lone surrogate", file=name
            ) from None
        if len(decoded.data) > limits.size:
            raise _too_large(name, limits)
        return cls(decoded, name, limits)

    def edited(self, data: bytes) -> Document:
        """Parse another text (UTF-8) as this document's, in the same encoding.

        Its size is not bounded: it is ours.
        """
        return Document(self.decoded.edited(data), self.name, self.limits)

    def line_column(self, offset: int) -> tuple[int, int]:
        """Line and column (in characters), both from 1, of an offset."""
        if self._lines is None:
            self._lines = [0, *(found.end() for found in _LINE_END.finditer(self.data))]
        line = bisect_right(self._lines, offset)
        last_line, start, column = self._last
        begin = self._lines[line - 1]
        if line != last_line or offset - begin < start - offset:
            start, column = begin, 1
        if offset < start:
            column -= len(self.data[offset:start].decode("utf-8", "replace"))
        else:
            column += len(self.data[start:offset].decode("utf-8", "replace"))
        self._last = (line, offset, column)
        return line, column

    def number(self, element: Element, parent: Element) -> tuple[int, int]:
        """Which of its parent's children of its name an element is, and how many there are."""
        counted = self._counted.get(id(parent))
        if counted is None:
            numbers: dict[int, int] = {}
            counts: Counter[str] = Counter()
            for child in parent.elements():
                numbers[id(child)] = counts[child.name]
                counts[child.name] += 1
            counted = self._counted[id(parent)] = (numbers, counts)
        numbers, counts = counted
        return numbers[id(element)], counts[element.name]

    def line_of(self, offset: int) -> bytes:
        """The whole line around an offset, without its end."""
        start = max(self.data.rfind(b"\n", 0, offset), self.data.rfind(b"\r", 0, offset)) + 1
        end = _LINE_END.search(self.data, offset)
        return self.data[start : end.start() if end else len(self.data)]

    def walk(self) -> Iterator[Element]:
        """All elements, in the order of their start tags."""
        rest: list[Element] = [self.root]
        while rest:
            one = rest.pop()
            yield one
            rest.extend(reversed(one.elements()))


def _too_large(name: str, limits: Limits) -> LimitError:
    # How large it is nobody knows: who reads a file or a pipe stops behind the bound.
    return LimitError(
        f"the input is larger than the bound of {limits.size:,} bytes",
        file=name,
        remedy=f"{_RAISE} (--max-size)",
    )


class _Reader:
    """One run of expat over a document."""

    def __init__(self, document: Document, limits: Limits) -> None:
        self.document = document
        self.limits = limits
        #: The element that is open where the parser stands; the outermost has no name.
        self.innermost = Element("", {}, 0, document)

    def read(self) -> Element:
        document, limits = self.document, self.limits
        data = document.data
        if not data.strip():
            raise NotWellFormedError(
                "the input is empty",
                file=document.name,
                remedy="a <domain> or a <disk> is expected",
            )
        if b"\0" in data:
            raise self._mistake().at(
                data.index(b"\0"),
                "a NUL byte: this is no XML but some other kind of file",
                "a <domain> or a <disk> is expected",
            )
        # What may begin an element; a '<' in a comment is counted with them.
        count = data.count(b"<") - data.count(b"</") - data.count(b"<!") - data.count(b"<?")
        if count > limits.elements:
            raise LimitError(
                f"the input has {count:,} elements, more than the bound of {limits.elements:,}",
                file=document.name,
                remedy=_RAISE,
            )
        parser = pyexpat.ParserCreate("utf-8")
        parser.buffer_text = True
        # One call for a run of text, so that white space is judged as a whole.
        parser.buffer_size = min(len(data) + 1, 2**30)
        top = self.innermost
        current = top
        depth = 0
        deepest = limits.depth

        def keep(child: Child) -> None:
            if current.children:
                current.children.append(child)  # type: ignore[attr-defined]
            else:
                current.children = [child]

        def start(name: str, attributes: dict[str, str]) -> None:
            nonlocal current, depth
            element = Element(name, attributes, parser.CurrentByteIndex, current)
            # As keep does; a call more for every element would be felt.
            if current.children:
                current.children.append(element)  # type: ignore[attr-defined]
            else:
                current.children = [element]
            current = element
            depth += 1
            if depth > deepest:
                raise self._limit(element.start, "levels of elements", deepest)

        def end(_name: str) -> None:
            nonlocal current, depth
            close = parser.CurrentByteIndex
            # For <x/> expat says the offset behind the tag, where another one may begin.
            if current.children or data[close - 2 : close] != b"/>":
                current.close = close
            current = current.parent  # type: ignore[assignment]
            depth -= 1

        def characters(text: str) -> None:
            if not text.strip(SPACE):
                # White space counts only beside text, as in <p>one <b/> <c/></p>.
                kept = current.children
                if not kept or (kept[0].__class__ is not str and kept[-1].__class__ is not str):
                    return
            keep(text)

        def comment(text: str) -> None:
            keep(Markup(None, text))

        def instruction(target: str, text: str) -> None:
            keep(Markup(target, text))

        def doctype(*_: object) -> None:
            raise self._mistake().at(
                data.rfind(b"<!DOCTYPE", 0, parser.CurrentByteIndex),  # it is at the '[' or '>'
                "a DOCTYPE is refused, and with it the entities that it could define",
                "remove it: libvirt's XML has none",
            )

        parser.StartElementHandler = start
        parser.EndElementHandler = end
        parser.CharacterDataHandler = characters
        parser.CommentHandler = comment
        parser.ProcessingInstructionHandler = instruction
        parser.StartDoctypeDeclHandler = doctype
        try:
            parser.Parse(data, True)
        except pyexpat.ExpatError as error:
            self.innermost = current
            raise self._mistake().in_text(error.code, parser.ErrorByteIndex) from None
        self._check_prefixes()
        root = next(one for one in top.children if isinstance(one, Element))
        # Comments around the root stay in the bytes; they are no part of the tree.
        root.parent = document
        return root

    def _check_prefixes(self) -> None:
        """Refuse an undeclared prefix, which libvirt would pass over in silence."""
        if not self._may_have_prefixes():
            return
        parser = pyexpat.ParserCreate("utf-8", " ")
        try:
            parser.Parse(self.document.data, True)
        except pyexpat.ExpatError as error:
            raise self._mistake().in_names(error.code, parser.ErrorByteIndex) from None

    def _may_have_prefixes(self) -> bool:
        """Whether any name in a tag may have a prefix other than xmlns or xml."""
        data = self.document.data
        for number, found in enumerate(_COLON.finditer(data)):
            if number == 1000:
                return True
            before = data[max(0, found.start() - 100) : found.start()]
            if _NAME_BEFORE.search(before)[0] not in (b"", b"xmlns", b"xml"):  # type: ignore[index]
                return True
        return False

    def _mistake(self) -> Mistake:
        """For the words of an error; loaded only for an input that has one."""
        from virtquorum.xml.mistake import Mistake

        return Mistake(self.document, self.innermost)

    def _limit(self, offset: int, what: str, bound: int) -> LimitError:
        line, column = self.document.line_column(offset)
        return LimitError(
            f"more than {bound:,} {what}",
            file=self.document.name,
            line=line,
            column=column,
            remedy=f"{_RAISE} (--max-depth)",
        )
