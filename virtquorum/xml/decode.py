"""From the bytes of a file to the UTF-8 that the parser reads."""

from __future__ import annotations

import codecs
import contextlib
import re

from virtquorum.errors import NotWellFormedError

__all__ = ["Decoded", "decode", "encode"]

# Longest first: UTF-32's little-endian mark begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# A text that declares one of these is written with its mark.
_WRITTEN = {"utf-16": "utf-16-le", "utf-32": "utf-32-le"}
_MARK_OF = {encoding: mark for mark, encoding in _MARKS}
# XML 1.0, appendix F: how '<?' or '<d' looks in a wide encoding without a mark.
_WIDE = (
    (b"<\0\0\0", "utf-32-le"),
    (b"\0\0\0<", "utf-32-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)
_DECLARATION = re.compile(
    rb"""<\?xml\s[^>]*?\bencoding\s*=\s*(?:"([A-Za-z][A-Za-z0-9._-]*)"|'([A-Za-z][A-Za-z0-9._-]*)')"""
)
# Python has these under the name of a text encoding; no XML is written in them.
_NO_CHARSET = frozenset({"idna", "mbcs", "oem", "punycode", "raw-unicode-escape", "undefined",
                         "unicode-escape", "utf-7"})  # fmt: skip


class Decoded:
    """A document's text as UTF-8, and what it takes to write it as it was.

    ``data`` is UTF-8 without a byte order mark, ``encoding`` a Python codec
    name, ``mark`` the byte order mark that stood before the text, ``raw`` the
    file's own bytes where they are not UTF-8.
    """

    __slots__ = ("data", "encoding", "mark", "raw")

    def __init__(self, data: bytes, encoding: str, mark: bytes, raw: bytes | None = None) -> None:
        self.data = data
        self.encoding = encoding
        self.mark = mark
        self.raw = raw

    def encode(self, data: bytes) -> bytes:
        """``data`` (UTF-8) in the document's own encoding and with its mark.

        A character that the encoding lacks becomes a character reference.
        """
        if self.encoding == "utf-8":
            return self.mark + data
        return self.mark + data.decode("utf-8").encode(self.encoding, "xmlcharrefreplace")

    def edited(self, data: bytes) -> Decoded:
        """The same document with another text, as it reads back from its encoding."""
        if self.raw is None:
            return Decoded(data, self.encoding, self.mark)
        raw = self.encode(data)
        text = raw[len(self.mark) :].decode(self.encoding)
        return Decoded(text.encode("utf-8"), self.encoding, self.mark, raw)


def decode(raw: bytes, name: str) -> Decoded:
    """Decode a document by its byte order mark, its declaration, or as UTF-8.

    Raises NotWellFormedError for an encoding that is unknown, or that the
    bytes are not in.
    """
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            return _decoded(raw, len(mark), encoding, name)
    for start, encoding in _WIDE:
        if raw.startswith(start):
            return _decoded(raw, 0, encoding, name)
    found = _DECLARATION.match(raw)
    if found is None:
        return Decoded(raw, "utf-8", b"")
    declared = (found[1] or found[2]).decode("ascii")
    return _decoded(raw, 0, _codec(declared, name), name)


def encode(text: str) -> Decoded:
    """A text as a document, whose bytes are in the encoding that it declares.

    A declared encoding that is unknown is passed over.  Raises
    UnicodeEncodeError for a lone surrogate.
    """
    unmarked = text.removeprefix("\ufeff")
    data = unmarked.encode("utf-8")
    mark = codecs.BOM_UTF8 if text != unmarked else b""
    found = _DECLARATION.match(data)
    encoding = "utf-8"
    if found is not None:
        declared = (found[1] or found[2]).decode("ascii")
        with contextlib.suppress(LookupError):
            encoding = _WRITTEN.get(declared.lower(), "") or _text_codec(declared)
    if encoding == "utf-8":
        return Decoded(data, encoding, mark)
    decoded = Decoded(data, encoding, _MARK_OF.get(encoding, b""))
    return Decoded(data, encoding, decoded.mark, decoded.encode(data))


def _text_codec(declared: str) -> str:
    """Python's name of an encoding; raises LookupError where no XML is written in it."""
    info = codecs.lookup(declared)
    if not info._is_text_encoding or info.name.replace("_", "-") in _NO_CHARSET:
        raise LookupError(declared)
    return info.name


def _codec(declared: str, name: str) -> str:
    try:
        codec = _text_codec(declared)
    except LookupError:
        raise NotWellFormedError(
            f"the declared encoding '{declared}' is unknown",
            file=name,
            line=1,
            column=1,
            remedy="save the file as UTF-8, or name the encoding that it is in",
        ) from None
    if codec.startswith(("utf-16", "utf-32")):
        raise NotWellFormedError(
            f"the declared encoding is '{declared}', but the text is in bytes of eight bits",
            file=name,
            line=1,
            column=1,
            remedy="remove encoding='…' from the first line, or save the file as declared",
        )
    return codec


def _decoded(raw: bytes, start: int, encoding: str, name: str) -> Decoded:
    mark = raw[:start]
    if encoding == "utf-8":
        return Decoded(raw[start:], "utf-8", mark)
    try:
        data = raw[start:].decode(encoding).encode("utf-8")
    except UnicodeError as error:
        offset = start + error.start if isinstance(error, UnicodeDecodeError) else start
        raise NotWellFormedError(
            f"byte {offset} of the file is not {encoding.upper()}",
            file=name,
            remedy="the file is cut off or in another encoding; save it as UTF-8",
        ) from None
    return Decoded(data, encoding, mark, raw)
