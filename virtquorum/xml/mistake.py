"""What is wrong with an input that is no well-formed XML: where, and the way out.

expat names a handful of errors, and often the place behind the trouble.  This
looks at the text around it and says what a person would see there.
"""

from __future__ import annotations

import pyexpat
import re
from typing import TYPE_CHECKING, Final

from virtquorum.errors import NotWellFormedError
from virtquorum.xml.document import Element

if TYPE_CHECKING:
    from virtquorum.xml.document import Document

__all__ = ["Mistake"]

_UNQUOTED = re.compile(rb"""[^\s<>'"]{0,200}""")
#: A start tag up to where it goes wrong, behind a value or at the next attribute.
_HALF_TAG = re.compile(
    rb"""<([^\s/>!?]+)(?:\s+[^\s=<>'"/]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*"""
    rb"""(?:\s+([^\s=<>'"/]+)\s*(=?)\s*)?"""
)
_AMPERSAND = re.compile(rb"&[^;\s<>&'\"]*\Z")

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


class Mistake:
    """The words for a mistake in a document; ``innermost`` is the element that is open there.

    The outermost such element stands for the document itself, and has no name.
    """

    def __init__(self, document: Document, innermost: Element) -> None:
        self.document = document
        self.innermost = innermost

    def at(self, offset: int, message: str, remedy: str | None = None) -> NotWellFormedError:
        """The error with the place of an offset."""
        line, column = self.document.line_column(offset)
        return NotWellFormedError(
            message, file=self.document.name, line=line, column=column, remedy=remedy
        )

    def in_text(self, code: int, offset: int) -> NotWellFormedError:
        """Expat's error in words that say what to do."""
        data = self.document.data
        message = pyexpat.ErrorString(code) or "not well-formed"
        offset = max(0, min(offset, len(data)))
        innermost = self.innermost if self.innermost.name else None
        if message == "no element found":
            if innermost is not None:
                return self.at(
                    len(data),
                    f"the input ends inside <{innermost.name}>, open since line {innermost.line}",
                    f"close it with </{innermost.name}>, or look whether the file was cut off",
                )
            return self.at(offset, "no element found", "a <domain> or a <disk> is expected")
        if message == "mismatched tag" and innermost is not None:
            offset = data.rfind(b"</", 0, offset + 2)  # expat points at the name
            closing = re.match(rb"</\s*([^\s>]*)", data[offset : offset + 200])
            name = closing[1].decode("utf-8", "replace") if closing else "…"
            opened, line = innermost.name, innermost.line
            return self.at(
                offset,
                f"</{name}> closes nothing here: <{opened}> is open since line {line}",
                f"write </{opened}> first, or <{opened} …/> at line {line}",
            )
        if message == "undefined entity":
            entity = re.match(rb"&([^;\s]*);?", data[offset : offset + 80])
            name = entity[1].decode("utf-8", "replace") if entity else "…"
            return self.at(
                offset,
                f"the entity '&{name};' is not defined",
                "XML knows &lt; &gt; &amp; &apos; &quot; and numbers as in &#233;; write the "
                "character itself",
            )
        if message == "not well-formed (invalid token)":
            return self._invalid_token(offset)
        if message in ("unclosed token", "unclosed CDATA section", "partial character"):
            return self._cut_off(offset)
        if message == "junk after document element" and re.match(rb"<[^!?/]", data[offset:][:2]):
            return self.at(
                offset,
                "a second root element",
                "a document has one; save them in files of their own",
            )
        if message in _PLAIN:
            return self.at(offset, *_PLAIN[message])
        return self.at(offset, f"not well-formed: {message}")

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
        return self.at(offset, f"the input ends inside {inside}", _CUT_OFF)

    def _invalid_token(self, offset: int) -> NotWellFormedError:
        document, data = self.document, self.document.data
        try:
            data[offset : offset + 4].decode("utf-8")
        except UnicodeDecodeError as error:
            if error.start == 0 and error.reason != "unexpected end of data":
                return self.at(
                    offset,
                    f"byte 0x{data[offset]:02x} is not UTF-8",
                    "save the file as UTF-8, or declare its encoding in the first line: "
                    "<?xml version='1.0' encoding='…'?>",
                )
        if data.rfind(b"<", 0, offset) < 0:
            return self.at(offset, *_PLAIN["syntax error"])
        sign = data[offset : offset + 1]
        if sign < b" " and sign not in (b"\t", b"\n", b"\r", b""):
            return self.at(offset, f"the character U+{sign[0]:04X} is no part of XML")
        if data.startswith(b"</", offset - 1) and not self.innermost.name:
            return self.at(
                offset - 1, "an end tag closes nothing here", "a document has one root element"
            )
        return (
            self._in_comment(offset)
            or self._in_tag(offset)
            or self._stray_sign(offset)
            or self.at(
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
            return self.at(offset - 2, "'--' stands in a comment", "write one hyphen")
        return None

    def _stray_sign(self, offset: int) -> NotWellFormedError | None:
        """A sign that has a meaning in XML, in a text or value."""
        data = self.document.data
        if data[offset - 2 : offset + 1] == b"]]>":
            return self.at(offset - 2, "']]>' stands in a text", "write ]]&gt;")
        # Expat points behind the name that could be that of an entity.
        reference = _AMPERSAND.search(data[max(0, offset - 200) : offset])
        if reference is not None:
            offset -= len(reference[0])
        sign = data[offset : offset + 1]
        if sign not in (b"<", b"&"):
            return None
        return self.at(
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
                return self.at(
                    offset,
                    "white space is missing behind a value",
                    "look whether a quote is missing before it",
                )
            return None
        shown = name.decode("utf-8", "replace")
        if not equals:
            return self.at(offset, f"'{shown}' has no value", f"write {shown}='…'")
        unquoted = _UNQUOTED.match(data, offset)
        assert unquoted is not None
        value = unquoted[0].removesuffix(b"/").decode("utf-8", "replace").strip("‘’“”„«»")  # noqa: RUF001
        if data[unquoted.end() : unquoted.end() + 1] in (b"'", b'"'):
            value = ""  # that was the next attribute
        if element == b"threshold":
            return self.at(
                offset,
                f"the value of '{shown}' has no quotes; the line <threshold value={value}/> "
                "is from the proposal of 2014, which was never well-formed XML",
                f"remove it and write the threshold as an attribute: "
                f"<disk type='quorum' threshold='{value or 2}' …>",
            )
        return self.at(offset, f"the value of '{shown}' has no quotes", f"write {shown}='{value}'")

    def in_names(self, code: int, offset: int) -> NotWellFormedError:
        """Expat's error of namespaces, in words."""
        message = pyexpat.ErrorString(code) or "namespace error"
        undeclared = self._undeclared_prefix(offset)
        if message == "unbound prefix" and undeclared is not None:
            return self.at(
                offset,
                f"the prefix '{undeclared}' is not declared, so libvirt would ignore what "
                "carries it",
                "declare it, as xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0' on "
                "<domain> does for 'qemu'",
            )
        if message == "duplicate attribute":
            return self.at(
                offset,
                "an attribute stands twice in one tag, by two prefixes of one namespace",
                "remove one of them",
            )
        return self.at(offset, message)

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
