"""Small grammars, and documents with the verdict that the specification gives."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NamedTuple
from xml.sax.saxutils import escape

XSD: Final = "http://www.w3.org/2001/XMLSchema-datatypes"
HEAD: Final = f'xmlns="http://relaxng.org/ns/structure/1.0" datatypeLibrary="{XSD}"'


class Case(NamedTuple):
    """A grammar, and what it takes and does not take."""

    name: str
    grammar: str
    valid: list[str]
    invalid: list[str]


def grammar(body: str) -> str:
    """A whole grammar around a pattern, or around components."""
    if not body.lstrip().startswith(("<start", "<define", "<div", "<include")):
        body = f"<start>{body}</start>"
    return f"<grammar {HEAD}>{body}</grammar>"


def _patterns() -> list[Case]:
    """The cases of patterns.txt; '\\n' and the like stand for what they do in Python."""
    found = []
    text = (Path(__file__).parent / "patterns.txt").read_text()
    for part in re.split(r"^\[", text, flags=re.MULTILINE)[1:]:
        name, _, rest = part.partition("]\n")
        lines = rest.rstrip().split("\n")
        signs: dict[str, list[str]] = {"+": [], "-": []}
        body = [line.strip() for line in lines if line.startswith(" ")]
        for line in lines:
            if line[0] in signs:
                signs[line[0]].append(re.sub(r"\\([nrt])", _written, line[2:]))
        found.append(Case(name, grammar("".join(body)), signs["+"], signs["-"]))
    return found


def _written(found: re.Match[str]) -> str:
    return {"n": "\n", "r": "\r", "t": "\t"}[found[1]]


#: type: (values, what are none)
TYPES: Final[dict[str, tuple[list[str], list[str]]]] = {
    "string": (["", "  x "], []),
    "normalizedString": (["", " a\nb "], []),
    "token": (["", " a  b "], []),
    "language": (["en", "en-GB", " x-klingon-1 "], ["", "en_GB", "englishlang", "en-", "1"]),
    "Name": (["a", "_a:b", ":"], ["", "1a", "a b", "-a"]),
    "NCName": (["a", "_a-1.b", "é"], ["", "a:b", "1", "-a", "a b"]),
    "ID": (["a"], ["", "a:b", "1"]),
    "NMTOKEN": (["1", "-a", "a:b"], ["", "a b", "a/b"]),
    "NMTOKENS": (["a", " a  1 "], ["", "a /"]),
    "anyURI": (["", "http://example.org/a%20b?c#d", "a/b", "urn:x:y", "a b"], ["%zz", "a#b#c"]),
    "boolean": (["true", "0", " 1 ", "false"], ["", "yes", "TRUE", "2"]),
    "decimal": (["1", "-0.5", ".5", "5.", "+1"], ["", "1e3", ".", "1,0", "NaN"]),
    "integer": (["0", "-0", "+00012", "9" * 40], ["", "1.0", "1e3", "x", "--1", "+"]),
    "nonPositiveInteger": (["0", "-1", "-0"], ["1", ""]),
    "negativeInteger": (["-1", "-99999999999999999999"], ["0", "1"]),
    "nonNegativeInteger": (["0", "1"], ["-1"]),
    "positiveInteger": (["1", "+1"], ["0", "-1"]),
    "long": (
        ["9223372036854775807", "-9223372036854775808"],
        ["9223372036854775808", "-9223372036854775809"],
    ),
    "int": (["2147483647", "-2147483648"], ["2147483648", "-2147483649"]),
    "short": (["32767", "-32768"], ["32768", "-32769"]),
    "byte": (["127", "-128"], ["128", "-129"]),
    "unsignedLong": (["0", "18446744073709551615"], ["18446744073709551616", "-1"]),
    "unsignedInt": (["0", "4294967295"], ["4294967296", "-1"]),
    "unsignedShort": (["65535"], ["65536", "-1"]),
    "unsignedByte": (["255"], ["256", "-1"]),
    "float": (["1", "1e3", "-1.5E-3", "INF", "-INF", "NaN"], ["", "inf", "1e", "e1", "nan", "0x1"]),
    "double": (["1", "1e3", "INF", "NaN"], ["", "+INFINITY", "1e1.0"]),
    "duration": (
        ["P1Y", "-P1DT2H", "PT1.5S", "P1Y2M3DT4H5M6S"],
        ["", "P", "1Y", "P1YT", "P1S", "PT"],
    ),
    "dateTime": (
        ["2024-02-29T23:59:59", "2024-01-01T00:00:00Z", "2024-01-01T00:00:00.25+14:00"],
        [
            "",
            "2023-02-29T00:00:00",
            "2024-01-01",
            "2024-13-01T00:00:00",
            "2024-01-01T25:00:00",
            "2024-01-01T00:00",
        ],
    ),
    "date": (
        ["2024-02-29", "2024-01-01Z", "12024-01-01"],
        ["2023-02-29", "24-01-01", "2024-1-1", "2024-00-01"],
    ),
    "time": (["00:00:00", "23:59:59.5Z"], ["24:01:00", "1:00:00", "12:60:00"]),
    "gYearMonth": (["2024-12"], ["2024-13", "2024"]),
    "gYear": (["2024", "-0044"], ["24", "02024"]),
    "gMonthDay": (["--02-29"], ["--02-30", "-02-29"]),
    "gDay": (["---31"], ["---32", "31"]),
    "hexBinary": (["", "0fF0"], ["0", "0g"]),
    "base64Binary": (["", "AAAA", "AA==", "A A A A"], ["A", "AAA", "A===", "AB=="]),
}

#: type, facets, values, what are none
FACETS: Final[list[tuple[str, list[tuple[str, str]], list[str], list[str]]]] = [
    ("int", [("minInclusive", "3"), ("maxInclusive", "5")], ["3", "05", "+4"], ["2", "6", ""]),
    ("int", [("minExclusive", "3"), ("maxExclusive", "5")], ["4"], ["3", "5"]),
    (
        "double",
        [("minInclusive", "0.5"), ("maxExclusive", "1e1")],
        ["0.5", "9.99"],
        ["0.49", "10", "NaN"],
    ),
    (
        "decimal",
        [("totalDigits", "3"), ("fractionDigits", "1")],
        ["12.3", "012.30", "123", "-1.5"],
        ["1.23", "1234", "123.4"],
    ),
    ("string", [("length", "3")], ["abc", "  a", "é€x"], ["ab", "abcd", ""]),
    ("string", [("minLength", "1"), ("maxLength", "2")], ["a", "  "], ["", "abc"]),
    ("token", [("minLength", "2")], ["ab", " a b "], ["a", " a "]),
    ("hexBinary", [("length", "2")], ["00ff"], ["00", "0"]),
    ("base64Binary", [("maxLength", "3")], ["AAAA", "AA=="], ["AAAAAAAA"]),
    ("NMTOKENS", [("maxLength", "2")], ["a", "a b"], ["a b c"]),
    (
        "date",
        [("minInclusive", "2024-01-01"), ("maxExclusive", "2025-01-01")],
        ["2024-01-01", "2024-12-31"],
        ["2023-12-31", "2025-01-01"],
    ),
    ("unsignedInt", [("pattern", "[0-9]+")], ["1", " 01 "], ["+1", "-1", "x", "4294967296"]),
    (
        "int",
        [("pattern", "[0-9]+"), ("pattern", ".{2}"), ("minInclusive", "20")],
        ["20", "99"],
        ["19", "100", "+2"],
    ),
    ("boolean", [("pattern", "true|false")], ["true"], ["1", "0"]),
]

#: expression, texts that match, texts that do not
REGULAR: Final[list[tuple[str, list[str], list[str]]]] = [
    ("a|bc", ["a", "bc"], ["ab", "c", "", "abc"]),
    ("", [""], ["a"]),
    ("a*b+c?", ["b", "aabbc"], ["a", "bcc"]),
    ("a{2}b{1,2}c{0,}", ["aab", "aabbccc"], ["ab", "aabbb"]),
    ("(ab)+", ["ab", "abab"], ["aba"]),
    ("^a$", ["^a$"], ["a"]),
    ("[^a-c]", ["d", "^", "é"], ["a", "", "dd"]),
    ("[a\\-z]+", ["a-z"], ["b"]),
    ("[-a]+", ["-a"], ["b"]),
    ("[a-]+", ["a-"], ["b"]),
    ("[a-z-[aeiou]]+", ["bcd"], ["abc", "B"]),
    ("[^a-z-[0-9]]", ["A"], ["a", "5"]),
    ("[\\^a]", ["^", "a"], ["b"]),
    ("a.c", ["abc", "a c", "aéc"], ["ac", "a\nc"]),
    ("\\d+", ["12", "٣"], ["a", ""]),
    ("\\D\\s\\S", ["a b", "-\tx"], ["1 b", "abc"]),
    ("\\i\\c*", ["a-1", "_:x", "é"], ["1a", "-"]),
    ("\\w+", ["aé1", "+", "€"], ["a b", "-", "a.b"]),
    ("\\p{Lu}\\P{Lu}", ["Aa", "É1"], ["aA", "AA"]),
    ("\\p{IsBasicLatin}+", ["abc"], ["é"]),
    ("\\p{L}{2}", ["aé"], ["a1"]),
    ("\\[\\]\\.\\\\\\|\\(\\)\\{\\}\\*\\+\\?", ["[].\\|(){}*+?"], ["x"]),
    ("(a|b)*abb", ["abb", "babaabb"], ["ab", "abba"]),
    ("(a*)*b", ["b", "aaab"], ["a" * 40]),
    ("(x+x+)+y", ["xxy"], ["x" * 60, "x" * 60 + "z"]),
    (
        "([a-fA-F0-9]{2}:){5}[a-fA-F0-9]{2}",
        ["52:54:00:aB:01:ff"],
        ["52:54:00", "52:54:00:aB:01:fg"],
    ),
]


def _data(name: str, type: str, facets: list[tuple[str, str]]) -> str:
    params = "".join(f"<param name='{facet}'>{escape(value)}</param>" for facet, value in facets)
    return grammar(
        f"<element name='r'><optional><attribute name='a'><data type='{type}'>{params}</data>"
        f"</attribute></optional><data type='{type}'>{params}</data></element>"
    )


def _texts(values: list[str]) -> list[str]:
    return [f"<r>{escape(one)}</r>" for one in values]


def cases() -> list[Case]:
    """All of them."""
    found = _patterns()
    for name, (valid, invalid) in TYPES.items():
        found.append(Case(f"type-{name}", _data(name, name, []), _texts(valid), _texts(invalid)))
    for number, (type, facets, valid, invalid) in enumerate(FACETS):
        body = _data(type, type, facets)
        found.append(Case(f"facet-{number}-{type}", body, _texts(valid), _texts(invalid)))
    for number, (pattern, valid, invalid) in enumerate(REGULAR):
        body = _data("", "string", [("pattern", pattern)])
        found.append(Case(f"regular-{number}", body, _texts(valid), _texts(invalid)))
    return found
