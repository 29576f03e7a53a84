"""Sets of characters, as the regular expressions of XML Schema name them.

A set is a tuple of ranges (first, last), in order and apart.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cache
from typing import Final, TypeAlias

__all__ = [
    "ALL",
    "DOT",
    "NAME_FIRST",
    "NAME_REST",
    "Set",
    "contains",
    "escape",
    "joined",
    "named",
    "single",
    "spelled",
    "without",
]

Set: TypeAlias = tuple[tuple[int, int], ...]

_LAST: Final = 0x10FFFF
ALL: Final[Set] = ((0, _LAST),)
#: Characters that begin a name without a colon, as a class of ``re``.
NAME_FIRST: Final = (
    "A-Z_a-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c-\u200d"
    "\u2070-\u218f\u2c00-\u2fef\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd\U00010000-\U000effff"
)
#: Those that go on with it.
NAME_REST: Final = NAME_FIRST + "\u00b7\u0300-\u036f\u203f-\u20400-9.-"


def single(sign: str) -> Set:
    """The set of one character."""
    return ((ord(sign), ord(sign)),)


def contains(given: Set, point: int) -> bool:
    """Whether a character is in a set."""
    at = bisect_right(given, (point, _LAST)) - 1
    return at >= 0 and point <= given[at][1]


def joined(one: Set, other: Set) -> Set:
    """What is in either set."""
    found: list[tuple[int, int]] = []
    for first, last in sorted((*one, *other)):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return tuple(found)


def without(one: Set, other: Set) -> Set:
    """What is in one set and not in the other."""
    found: list[tuple[int, int]] = []
    cuts = iter(other)
    cut = next(cuts, None)
    for first, last in one:
        while cut is not None and cut[1] < first:
            cut = next(cuts, None)
        begin = first
        while cut is not None and cut[0] <= last:
            if cut[0] > begin:
                found.append((begin, cut[0] - 1))
            begin = max(begin, cut[1] + 1)
            if cut[1] > last:
                break
            cut = next(cuts, None)
        if begin <= last:
            found.append((begin, last))
    return tuple(found)


def spelled(given: Set) -> str:
    """The set as ``re`` writes it."""
    if not given:
        return "(?!)"
    if given == ALL:
        return r"[\s\S]"
    parts = []
    for first, last in given:
        parts.append(_escaped(first) if first == last else f"{_escaped(first)}-{_escaped(last)}")
    return f"[{''.join(parts)}]"


def _escaped(point: int) -> str:
    return f"\\U{point:08x}"


DOT: Final = without(ALL, ((10, 10), (13, 13)))
_SPACE: Final[Set] = ((9, 10), (13, 13), (32, 32))


def _of_class(inner: str) -> Set:
    found: Set = ()
    for part in re.findall(r"(?s)(.)-(.)|(.)", inner):
        low, high = (part[2], part[2]) if part[2] else (part[0], part[1])
        found = joined(found, ((ord(low), ord(high)),))
    return found


@cache
def escape(sign: str) -> Set | None:
    """The set of an escape of several characters ('s' of '\\s'); None for what is none."""
    lower = sign.lower()
    if lower == "s":
        found = _SPACE
    elif lower == "i":
        found = joined(_of_class(NAME_FIRST), single(":"))
    elif lower == "c":
        found = joined(_of_class(NAME_REST), single(":"))
    elif lower == "d":
        found = _category("Nd")
    elif lower == "w":
        others = joined(joined(_category("P"), _category("Z")), _category("C"))
        found = without(ALL, others)
    else:
        return None
    return found if sign == lower else without(ALL, found)


_CATEGORIES: Final = frozenset(
    [
        "L",
        "Lu",
        "Ll",
        "Lt",
        "Lm",
        "Lo",
        "M",
        "Mn",
        "Mc",
        "Me",
        "N",
        "Nd",
        "Nl",
        "No",
        "P",
        "Pc",
        "Pd",
        "Ps",
        "Pe",
        "Pi",
        "Pf",
        "Po",
        "Z",
        "Zs",
        "Zl",
        "Zp",
        "S",
        "Sm",
        "Sc",
        "Sk",
        "So",
        "C",
        "Cc",
        "Cf",
        "Co",
        "Cn",
    ]
)


@cache
def _category(name: str) -> Set:
    """The characters of a general category of Unicode, or of all that begin so."""
    by_name = _by_category()
    found: Set = ()
    for one, ranges in by_name.items():
        if one.startswith(name):
            found = joined(found, ranges)
    return found


@cache
def _by_category() -> dict[str, Set]:
    from unicodedata import category

    found: dict[str, list[tuple[int, int]]] = {}
    begin, last = 0, category(chr(0))
    for point in range(1, _LAST + 2):
        one = category(chr(point)) if point <= _LAST else ""
        if one != last:
            found.setdefault(last, []).append((begin, point - 1))
            begin, last = point, one
    return {name: tuple(ranges) for name, ranges in found.items()}


#: The blocks of XML Schema 1.0: name, first and last character.
_BLOCKS: Final = """
BasicLatin 0 7f; Latin-1Supplement 80 ff; LatinExtended-A 100 17f; LatinExtended-B 180 24f;
IPAExtensions 250 2af; SpacingModifierLetters 2b0 2ff; CombiningDiacriticalMarks 300 36f;
Greek 370 3ff; Cyrillic 400 4ff; Armenian 530 58f; Hebrew 590 5ff; Arabic 600 6ff;
Syriac 700 74f; Thaana 780 7bf; Devanagari 900 97f; Bengali 980 9ff; Gurmukhi a00 a7f;
Gujarati a80 aff; Oriya b00 b7f; Tamil b80 bff; Telugu c00 c7f; Kannada c80 cff;
Malayalam d00 d7f; Sinhala d80 dff; Thai e00 e7f; Lao e80 eff; Tibetan f00 fff;
Myanmar 1000 109f; Georgian 10a0 10ff; HangulJamo 1100 11ff; Ethiopic 1200 137f;
Cherokee 13a0 13ff; UnifiedCanadianAboriginalSyllabics 1400 167f; Ogham 1680 169f;
Runic 16a0 16ff; Khmer 1780 17ff; Mongolian 1800 18af; LatinExtendedAdditional 1e00 1eff;
GreekExtended 1f00 1fff; GeneralPunctuation 2000 206f; SuperscriptsandSubscripts 2070 209f;
CurrencySymbols 20a0 20cf; CombiningMarksforSymbols 20d0 20ff; LetterlikeSymbols 2100 214f;
NumberForms 2150 218f; Arrows 2190 21ff; MathematicalOperators 2200 22ff;
MiscellaneousTechnical 2300 23ff; ControlPictures 2400 243f;
OpticalCharacterRecognition 2440 245f; EnclosedAlphanumerics 2460 24ff; BoxDrawing 2500 257f;
BlockElements 2580 259f; GeometricShapes 25a0 25ff; MiscellaneousSymbols 2600 26ff;
Dingbats 2700 27bf; BraillePatterns 2800 28ff; CJKRadicalsSupplement 2e80 2eff;
KangxiRadicals 2f00 2fdf; IdeographicDescriptionCharacters 2ff0 2fff;
CJKSymbolsandPunctuation 3000 303f; Hiragana 3040 309f; Katakana 30a0 30ff;
Bopomofo 3100 312f; HangulCompatibilityJamo 3130 318f; Kanbun 3190 319f;
BopomofoExtended 31a0 31bf; EnclosedCJKLettersandMonths 3200 32ff; CJKCompatibility 3300 33ff;
CJKUnifiedIdeographsExtensionA 3400 4db5; CJKUnifiedIdeographs 4e00 9fff;
YiSyllables a000 a48f; YiRadicals a490 a4cf; HangulSyllables ac00 d7a3; PrivateUse e000 f8ff;
CJKCompatibilityIdeographs f900 faff; AlphabeticPresentationForms fb00 fb4f;
ArabicPresentationForms-A fb50 fdff; CombiningHalfMarks fe20 fe2f;
CJKCompatibilityForms fe30 fe4f; SmallFormVariants fe50 fe6f;
ArabicPresentationForms-B fe70 fefe; Specials feff feff; HalfwidthandFullwidthForms ff00 ffef
"""


@cache
def _blocks() -> dict[str, Set]:
    found: dict[str, Set] = {}
    for block in _BLOCKS.split(";"):
        name, first, last = block.split()
        found[name] = ((int(first, 16), int(last, 16)),)
    return found


def named(name: str) -> Set | None:
    """The set of '\\p{name}'; None for a name that there is not."""
    if name in _CATEGORIES:
        return _category(name)
    return _blocks().get(name[2:]) if name.startswith("Is") else None
