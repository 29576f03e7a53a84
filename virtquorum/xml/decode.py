"""From the bytes of a file to the UTF-8 that the parser reads."""

from __future__ import annotations

import codecs
import re

from virtquorum.errors import NotWellFormedError

__all__ = ["Decoded", "decode"]

# Longest first: UTF-32's little-endian mark begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
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


def _codec(declared: str, name: str) -> str:
    try:
        info = codecs.lookup(declared)
    except LookupError:
        info = None
    if info is None or not info._is_text_encoding or info.name.replace("_", "-") in _NO_CHARSET:
        raise NotWellFormedError(
            f"the declared encoding '{declared}' is unknown",
            file=name,
            line=1,
            column=1,
            remedy="save the file as UTF-8, or name the encoding that it is in",
        )
    if info.name.startswith(("utf-16", "utf-32")):
        raise NotWellFormedError(
            f"the declared encoding is '{declared}', but the text is in bytes of eight bits",
            file=name,
            line=1,
            column=1,
            remedy="remove encoding='…' from the first line, or save the file as declared",
        )
    return info.name


def _decoded(raw: bytes, start: int, encoding: str, name: str) -> Decoded:
    mark = raw[:start]
    if encoding in ("utf-8", "ascii"):  # ASCII is UTF-8 already; the parser checks it
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
