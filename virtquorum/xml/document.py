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
from typing import TYPE_CHECKING, Final, TypeAlias

from virtquorum.errors import LimitError, NotWellFormedError
from virtquorum.model.location import Location
from virtquorum.xml.decode import Decoded, decode, encode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["DEFAULT_LIMITS", "Child", "Document", "Element", "Limits", "Markup"]

_START_TAG = re.compile(rb"""<[^\s/>]+(?:\s+[^\s=]+\s*=\s*(?:"[^"]*"|'[^']*'))*\s*(/?)>""")
_ATTRIBUTE = re.compile(rb"""\s+([^\s=]+)\s*=\s*("[^"]*"|'[^']*')""")
_LINE_END = re.compile(rb"\r\n?|\n")
_COLON = re.compile(rb":[^\s<>=/:'\"&;0-9]")
_NAME_BEFORE = re.compile(rb"[^\s<>=/:'\"&;]*\Z")
#: How white space can be written beside itself: by number, or in a CDATA section.
_WRITTEN_SPACE = re.compile(r"&#([0-9]+);|&#x([0-9A-Fa-f]+);|<!\[CDATA\[(.*?)\]\]>", re.DOTALL)
_UNQUOTED = re.compile(rb"""[^\s<>'"]{0,200}""")
#: A start tag up to where it goes wrong, behind a value or at the next attribute.
_HALF_TAG = re.compile(
    rb"""<([^\s/>!?]+)(?:\s+[^\s=<>'"/]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*"""
    rb"""(?:\s+([^\s=<>'"/]+)\s*(=?)\s*)?"""
)
_AMPERSAND = re.compile(rb"&[^;\s<>&'\"]*\Z")

#: Elements of which libvirt's XML may have several beside each other: their
#: path always carries a number.
_REPEATED: Final = frozenset(
    {"backingStore", "cookie", "disk", "host", "secret", "seclabel", "slice"}
)

_RAISE: Final = "if you trust the input, give a larger bound (--max-depth, --max-size)"

_CUT_OFF: Final = "look whether the file was cut off"
#: What expat says, and what is said here: the trouble and the way out.
_PLAIN: Final = {
    "syntax error": ("this is no XML", "a <domain> or a <disk> is expected"),
    "junk after document element": (
        "text after the end of the document",
        "a document has one root element",
    ),
    "duplicate attribute": ("an attribute stands twice in one tag", "remove one of them"),
    "reference to invalid character number": (
        "this reference is to no character of XML",
        "remove it",
    ),
    "XML or text declaration not at start of entity": (
        "<?xml …?> stands behind the beginning of the input",
        "move it to the very first line, or remove it",
    ),
    "XML declaration not well-formed": (
        "the XML declaration is not well-formed",
        "write <?xml version='1.0' encoding='UTF-8'?>",
    ),
}


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
        one: Element = self
        while isinstance(one.parent, Element):
            alike = one.parent.elements(one.name)
            if len(alike) > 1 or one.name in _REPEATED:
                number = next(n for n, sibling in enumerate(alike) if sibling is one)
                steps.append(f"{one.name}[{number}]")
            else:
                steps.append(one.name)
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

    __slots__ = ("_lines", "data", "decoded", "limits", "name", "root")

    def __init__(self, decoded: Decoded, name: str, limits: Limits = DEFAULT_LIMITS) -> None:
        """Parse a text.

        Raises NotWellFormedError and LimitError, with the place.
        """
        self.decoded = decoded
        self.data = decoded.data
        self.name = name
        self.limits = limits
        self._lines: list[int] | None = None
        self.root = _Reader(self, limits).read()

    @classmethod
    def from_bytes(cls, raw: bytes, name: str, limits: Limits = DEFAULT_LIMITS) -> Document:
        """Decode and parse the bytes of a file."""
        if len(raw) > limits.size:
            raise _too_large(len(raw), name, limits)
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
            raise _too_large(len(decoded.data), name, limits)
        return cls(decoded, name, limits)

    def edited(self, data: bytes) -> Document:
        """Parse another text (UTF-8) as this document's, in the same encoding."""
        if len(data) > self.limits.size:
            raise _too_large(len(data), self.name, self.limits)
        return Document(self.decoded.edited(data), self.name, self.limits)

    def line_column(self, offset: int) -> tuple[int, int]:
        """Line and column (in characters), both from 1, of an offset."""
        if self._lines is None:
            self._lines = [0, *(found.end() for found in _LINE_END.finditer(self.data))]
        line = bisect_right(self._lines, offset)
        before = self.data[self._lines[line - 1] : offset]
        return line, len(before.decode("utf-8", "replace")) + 1

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


def _too_large(size: int, name: str, limits: Limits) -> LimitError:
    return LimitError(
        f"the input has {size:,} bytes, more than the bound of {limits.size:,}",
        file=name,
        remedy=_RAISE,
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
            raise self._error(data.index(b"\0"), "a NUL byte is no part of XML")
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
            if not text.strip(" \t\r\n"):
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
            raise self._error(
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
            raise self._not_well_formed(error.code, parser.ErrorByteIndex) from None
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
            offset = parser.ErrorByteIndex
            message = pyexpat.ErrorString(error.code) or "namespace error"
            undeclared = self._undeclared_prefix(offset)
            if message == "unbound prefix" and undeclared is not None:
                raise self._error(
                    offset,
                    f"the prefix '{undeclared}' is not declared, so libvirt would ignore what "
                    "carries it",
                    "declare it, as xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0' on "
                    "<domain> does for 'qemu'",
                ) from None
            if message == "duplicate attribute":
                raise self._error(
                    offset,
                    "an attribute stands twice in one tag, by two prefixes of one namespace",
                    "remove one of them",
                ) from None
            raise self._error(offset, message) from None

    def _undeclared_prefix(self, offset: int) -> str | None:
        """The first prefix that the element at an offset uses and nothing around it declares."""
        rest = self.innermost.elements()
        while rest:
            element = rest.pop()
            if element.start == offset:
                break
            rest += element.elements()
        else:
            return None
        declared = {"xml", "xmlns"}
        one: Element | Document = element
        while isinstance(one, Element):
            declared.update(name[6:] for name in one.attributes if name.startswith("xmlns:"))
            one = one.parent
        used = (name.partition(":") for name in (element.name, *element.attributes))
        return next((prefix for prefix, colon, _ in used if colon and prefix not in declared), None)

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

    def _error(self, offset: int, message: str, remedy: str | None = None) -> NotWellFormedError:
        line, column = self.document.line_column(offset)
        return NotWellFormedError(
            message, file=self.document.name, line=line, column=column, remedy=remedy
        )

    def _limit(self, offset: int, what: str, bound: int) -> LimitError:
        line, column = self.document.line_column(offset)
        return LimitError(
            f"more than {bound:,} {what}",
            file=self.document.name,
            line=line,
            column=column,
            remedy=_RAISE,
        )

    def _not_well_formed(self, code: int, offset: int) -> NotWellFormedError:
        """Expat's error in words that say what to do."""
        data = self.document.data
        message = pyexpat.ErrorString(code) or "not well-formed"
        offset = max(0, min(offset, len(data)))
        innermost = self.innermost if self.innermost.name else None
        if message == "no element found":
            if innermost is not None:
                return self._error(
                    len(data),
                    f"the input ends inside <{innermost.name}>, open since line {innermost.line}",
                    f"close it with </{innermost.name}>, or look whether the file was cut off",
                )
            return self._error(offset, "no element found", "a <domain> or a <disk> is expected")
        if message == "mismatched tag" and innermost is not None:
            offset = data.rfind(b"</", 0, offset + 2)  # expat points at the name
            closing = re.match(rb"</\s*([^\s>]*)", data[offset : offset + 200])
            name = closing[1].decode("utf-8", "replace") if closing else "…"
            opened, line = innermost.name, innermost.line
            return self._error(
                offset,
                f"</{name}> closes nothing here: <{opened}> is open since line {line}",
                f"write </{opened}> first, or <{opened} …/> at line {line}",
            )
        if message == "undefined entity":
            entity = re.match(rb"&([^;\s]*);?", data[offset : offset + 80])
            name = entity[1].decode("utf-8", "replace") if entity else "…"
            return self._error(
                offset,
                f"the entity '&{name};' is not defined",
                "XML knows &lt; &gt; &amp; &apos; &quot; and numbers as in &#233;; write the "
                "character itself",
            )
        if message == "not well-formed (invalid token)":
            return self._invalid_token(offset)
        if message in ("unclosed token", "unclosed CDATA section", "partial character"):
            return self._cut_off(offset)
        if message in _PLAIN:
            return self._error(offset, *_PLAIN[message])
        return self._error(offset, f"not well-formed: {message}")

    def _cut_off(self, offset: int) -> NotWellFormedError:
        data = self.document.data
        inside = "a character"
        for begin, name in ((b"<!--", "a comment"), (b"<![CDATA[", "a CDATA section"),
                            (b"<?", "a processing instruction"), (b"<", "a tag")):  # fmt: skip
            if data.startswith(begin, offset):
                inside = name
                break
            if name == "a CDATA section" and data.rfind(begin) > data.rfind(b"]]>"):
                offset, inside = data.rfind(begin), name
                break
        return self._error(offset, f"the input ends inside {inside}", _CUT_OFF)

    def _invalid_token(self, offset: int) -> NotWellFormedError:
        document, data = self.document, self.document.data
        try:
            data[offset : offset + 4].decode("utf-8")
        except UnicodeDecodeError as error:
            if error.start == 0 and error.reason != "unexpected end of data":
                return self._error(
                    offset,
                    f"byte 0x{data[offset]:02x} is not UTF-8",
                    "save the file as UTF-8, or declare its encoding in the first line: "
                    "<?xml version='1.0' encoding='…'?>",
                )
        if data.rfind(b"<", 0, offset) < 0:
            return self._error(offset, *_PLAIN["syntax error"])
        sign = data[offset : offset + 1]
        if sign < b" " and sign not in (b"\t", b"\n", b"\r", b""):
            return self._error(offset, f"the character U+{sign[0]:04X} is no part of XML")
        if data.startswith(b"</", offset - 1) and not self.innermost.name:
            return self._error(
                offset - 1, "an end tag closes nothing here", "a document has one root element"
            )
        return (
            self._in_comment(offset)
            or self._in_tag(offset)
            or self._stray_sign(offset)
            or self._error(
                offset,
                "not well-formed XML here: "
                f"{document.line_of(offset).strip()[:60].decode('utf-8', 'replace')!r}",
            )
        )

    def _in_comment(self, offset: int) -> NotWellFormedError | None:
        data = self.document.data
        if data[offset - 2 : offset] == b"--" and (
            data.rfind(b"<!--", 0, offset) > data.rfind(b"-->", 0, offset)
        ):
            return self._error(offset - 2, "'--' stands in a comment", "write one hyphen")
        return None

    def _stray_sign(self, offset: int) -> NotWellFormedError | None:
        """A sign that has a meaning in XML, in a text or value."""
        data = self.document.data
        if data[offset - 2 : offset + 1] == b"]]>":
            return self._error(offset - 2, "']]>' stands in a text", "write ]]&gt;")
        # Expat points behind the name that could be that of an entity.
        reference = _AMPERSAND.search(data[max(0, offset - 200) : offset])
        if reference is not None:
            offset -= len(reference[0])
        sign = data[offset : offset + 1]
        if sign not in (b"<", b"&"):
            return None
        return self._error(
            offset,
            f"'{sign.decode()}' stands where it cannot",
            "inside text and values write &lt; for '<' and &amp; for '&'",
        )

    def _in_tag(self, offset: int) -> NotWellFormedError | None:
        """A mistake of quoting in a start tag."""
        data = self.document.data
        start = data.rfind(b"<", 0, offset)
        opened = _HALF_TAG.match(data, start, offset)
        if opened is None:
            return None
        if opened.end() != offset:
            return None
        element, name, equals = opened.groups()
        if name is None:
            if data[offset - 1 : offset] in (b"'", b'"'):
                return self._error(
                    offset,
                    "white space is missing behind a value",
                    "look whether a quote is missing before it",
                )
            return None
        shown = name.decode("utf-8", "replace")
        if not equals:
            return self._error(offset, f"'{shown}' has no value", f"write {shown}='…'")
        unquoted = _UNQUOTED.match(data, offset)
        assert unquoted is not None
        value = unquoted[0].removesuffix(b"/").decode("utf-8", "replace")
        if data[unquoted.end() : unquoted.end() + 1] in (b"'", b'"'):
            value = ""  # that was the next attribute
        if element == b"threshold":
            return self._error(
                offset,
                f"the value of '{shown}' has no quotes; the line <threshold value={value}/> "
                "is from the proposal of 2014, which was never well-formed XML",
                f"remove it and write the threshold as an attribute: "
                f"<disk type='quorum' threshold='{value or 2}' …>",
            )
        return self._error(
            offset, f"the value of '{shown}' has no quotes", f"write {shown}='{value}'"
        )
