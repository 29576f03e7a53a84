"""Bytes in any encoding, and texts that say that they are in one."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtquorum.errors import InputError, NotWellFormedError
from virtquorum.xml.document import Document
from virtquorum.xml.domain import Domain

_NAME = "Äß é"
_BODY = f"<domain type='kvm'><name>{_NAME}</name><devices/></domain>\n"


def declared(encoding: str) -> str:
    return f"<?xml version='1.0' encoding='{encoding}'?>\n{_BODY}"


_BYTES = {
    "utf-8": _BODY.encode(),
    "utf-8 declared": declared("UTF-8").encode(),
    "utf-8 declared otherwise": declared("utf8").encode(),
    "utf-8 mark": codecs.BOM_UTF8 + _BODY.encode(),
    "mark before declaration": codecs.BOM_UTF8 + declared("ISO-8859-1").encode(),
    "latin-1": declared("ISO-8859-1").encode("latin-1"),
    "latin-1 in double quotes": declared("ISO-8859-1").replace("'", '"').encode("latin-1"),
    "latin-9": declared("iso-8859-15").encode("iso-8859-15"),
    "windows": declared("windows-1252").encode("cp1252"),
    "utf-16": _BODY.encode("utf-16"),
    "utf-16 declared": declared("UTF-16").encode("utf-16"),
    "utf-16 big": codecs.BOM_UTF16_BE + _BODY.encode("utf-16-be"),
    "utf-16 without mark": declared("UTF-16LE").encode("utf-16-le"),
    "utf-16 big without mark": declared("UTF-16BE").encode("utf-16-be"),
    "utf-32": _BODY.encode("utf-32"),
    "utf-32 big": codecs.BOM_UTF32_BE + _BODY.encode("utf-32-be"),
    "utf-32 without mark": _BODY.encode("utf-32-le"),
    "utf-32 big without mark": _BODY.encode("utf-32-be"),
}


@pytest.mark.parametrize("raw", _BYTES.values(), ids=_BYTES)
def test_every_encoding_is_read_and_written_back(raw: bytes) -> None:
    domain = Domain.from_bytes(raw)
    assert domain.domain_name == _NAME
    assert domain.to_bytes() == raw
    formatted = domain.formatted()
    again = Domain.from_bytes(formatted.to_bytes())
    assert again.domain_name == _NAME
    assert again.text == formatted.text
    assert again.document.decoded.encoding == domain.document.decoded.encoding
    assert again.document.decoded.mark == domain.document.decoded.mark


def test_a_character_that_the_encoding_lacks_is_written_by_number() -> None:
    raw = b"<?xml version='1.0' encoding='us-ascii'?><domain><name>&#233;</name></domain>"
    formatted = Domain.from_bytes(raw).formatted()
    assert b"<name>&#233;</name>" in formatted.to_bytes()
    assert Domain.from_bytes(formatted.to_bytes()).domain_name == "é"
    assert formatted.domain_name == "é"


@pytest.mark.parametrize(
    "encoding",
    ["utf-7", "punycode", "idna", "unicode_escape", "raw-unicode-escape", "base64", "hex", "rot13",
     "zlib", "undefined", "mbcs", "oem", "klingon", "aliases", "a.b", "x" * 5000],
)  # fmt: skip
def test_what_is_no_encoding_of_xml_is_refused(encoding: str) -> None:
    with pytest.raises(NotWellFormedError, match="is unknown") as caught:
        Domain.from_bytes(f"<?xml version='1.0' encoding='{encoding}'?><domain/>".encode())
    assert caught.value.line == 1


@pytest.mark.parametrize("encoding", ["utf-16", "UTF-16LE", "utf-32", "utf_32_be"])
def test_a_wide_encoding_that_is_only_declared_is_refused(encoding: str) -> None:
    with pytest.raises(NotWellFormedError, match="bytes of eight bits"):
        Domain.from_bytes(f"<?xml version='1.0' encoding='{encoding}'?><domain/>".encode())


@pytest.mark.parametrize(
    "raw",
    [
        _BODY.encode("utf-16")[:-1],
        codecs.BOM_UTF16_LE + b"\x00\xd8",
        codecs.BOM_UTF32_LE + b"\xff\xff\xff\xff",
        declared("ascii").encode(),
        declared("shift_jis").encode("latin-1"),
    ],
)
def test_bytes_that_are_not_in_their_encoding_are_refused(raw: bytes) -> None:
    with pytest.raises(NotWellFormedError, match=r"byte \d+ of the file is not"):
        Domain.from_bytes(raw)


@given(st.binary(max_size=60), st.sampled_from(sorted(_BYTES)))
def test_any_bytes_are_read_or_refused(junk: bytes, name: str) -> None:
    for raw in (junk, _BYTES[name][: len(junk)] + junk, _BYTES[name] + junk):
        try:
            domain = Domain.from_bytes(raw)
        except InputError:
            continue
        assert domain.to_bytes() == raw


# Texts


@pytest.mark.parametrize("encoding", ["utf-8", "ISO-8859-1", "UTF-16", "utf-16-be", "UTF-32"])
def test_a_text_is_written_in_the_encoding_that_it_declares(encoding: str) -> None:
    domain = Domain.from_text(declared(encoding))
    assert domain.domain_name == _NAME
    assert domain.text == declared(encoding)
    raw = domain.to_bytes()
    assert Domain.from_bytes(raw).domain_name == _NAME
    assert Domain.from_bytes(raw).to_bytes() == raw
    formatted = domain.formatted()
    assert formatted.domain_name == _NAME
    assert Domain.from_bytes(formatted.to_bytes()).domain_name == _NAME


def test_a_text_with_a_character_that_its_encoding_lacks() -> None:
    domain = Domain.from_text(
        "<?xml version='1.0' encoding='latin1'?><domain><name>東</name></domain>"
    )
    assert domain.domain_name == "東"
    assert b"&#26481;" in domain.to_bytes()
    assert domain.formatted().domain_name == "東"


def test_an_unknown_encoding_of_a_text_is_passed_over() -> None:
    text = "<?xml version='1.0' encoding='klingon'?><domain><name>é</name></domain>"
    domain = Domain.from_text(text)
    assert domain.domain_name == "é"
    assert domain.to_bytes() == text.encode()
    assert domain.formatted().domain_name == "é"


def test_a_mark_before_a_text_stays() -> None:
    domain = Domain.from_text("\ufeff" + _BODY)
    assert domain.to_bytes() == codecs.BOM_UTF8 + _BODY.encode()


@pytest.mark.parametrize("number", [0xD800, 0xDFFF, 0xDC80])
def test_a_lone_surrogate_is_refused(number: int) -> None:
    with pytest.raises(NotWellFormedError, match=f"character 8 .*U\\+{number:04X}"):
        Document.from_text(f"<domain>{chr(number)}</domain>", "t")
