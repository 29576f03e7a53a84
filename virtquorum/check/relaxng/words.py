"""What is expected, in words."""

from __future__ import annotations

from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from virtquorum.check.relaxng.contents import leaves
from virtquorum.check.relaxng.name_class import split_name
from virtquorum.check.relaxng.pattern import Data, List, Text, Value
from virtquorum.check.relaxng.regular import LONGEST

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from virtquorum.check.relaxng.datatypes import Datatype
    from virtquorum.check.relaxng.pattern import Pattern

__all__ = [
    "choice_of",
    "nearest",
    "quoted",
    "shortened",
    "shown",
    "tag",
    "value_words",
    "values_of",
]

#: Longer lists are cut, and longer texts of the document and patterns of the grammar.
_LIST: Final = 8
_TEXT: Final = 60
#: Regular expressions of libvirt's grammars that say less to a person than a few words.
_IN_WORDS: Final = {
    r"(/|[a-zA-Z]:\\).+": "an absolute path",
    r"[a-fA-F0-9]{8}\-([a-fA-F0-9]{4}\-){3}[a-fA-F0-9]{12}": "a UUID",
    r"[a-fA-F0-9]{32}": "a UUID without hyphens",
    r"[a-fA-F0-9]{2}(:[a-fA-F0-9]{2}){5}": "a MAC address, as '52:54:00:12:34:56'",
    r"[a-fA-F0-9][02468aAcCeE](:[a-fA-F0-9]{2}){5}": (
        "a MAC address whose second digit is even, as '52:54:00:12:34:56'"
    ),
    r"([bB]([yY][tT][eE][sS]?)?)|([kKmMgGtTpPeE]([iI]?[bB])?)": (
        "a unit, as 'bytes', 'KiB', 'MiB', 'GiB' or 'TiB'"
    ),
    r"([0-9]+(-[0-9]+)?|\^[0-9]+)(,([0-9]+(-[0-9]+)?|\^[0-9]+))*": (
        "a set of numbers, as '0-3,^2,8'"
    ),
}
#: A wrong word is compared with so many; no grammar of libvirt's has as many in one place.
_COMPARED: Final = 500
_PATTERN: Final = 100

_KINDS: Final = {
    "anyURI": "a URI",
    "boolean": "'true', 'false', '1' or '0'",
    "decimal": "a number",
    "float": "a number",
    "double": "a number",
    "date": "a date as 2024-12-31",
    "dateTime": "a date and time as 2024-12-31T23:59:59",
    "time": "a time as 23:59:59",
    "gYear": "a year",
    "gYearMonth": "a month as 2024-12",
    "duration": "a duration as P1DT2H",
    "language": "a language as 'en-GB'",
    "hexBinary": "bytes in hexadecimal",
    "base64Binary": "bytes in base64",
    "NCName": "a name without a colon",
    "ID": "a name without a colon",
    "IDREF": "a name without a colon",
    "Name": "a name",
    "QName": "a name, with a declared prefix or none",
    "NMTOKEN": "a word of letters, digits and '.-_:'",
    "string": "a text",
    "token": "a text",
    "normalizedString": "a text",
}


def quoted(text: str) -> str:
    """A text of the document or the grammar in quotes, cut where it is long."""
    return f"'{shortened(text)}'"


def shortened(text: str, size: int = _TEXT) -> str:
    """A text, cut where it is longer than ``size`` characters."""
    return text if len(text) <= size else f"{text[: size - 1]}…"


def shown(name: str, scope: Mapping[str, str]) -> str:
    """A name as a document writes it that has a scope."""
    namespace, local = split_name(name)
    if not namespace:
        return local
    for prefix, known in scope.items():
        if known == namespace:
            return f"{prefix}:{local}" if prefix else local
    return f"{local} xmlns='{namespace}'"


def tag(name: str, scope: Mapping[str, str]) -> str:
    """A name as a start tag."""
    return f"<{shown(name, scope)}>"


def nearest(wrong: str, right: Iterable[str], *, cutoff: float = 0.6) -> list[str]:
    """Those of some words that are near to one, the nearest first.

    Of many words the first ones are looked at.
    """
    if not wrong or len(wrong) > _TEXT:
        return []
    return list(_nearest(wrong, tuple(islice(right, _COMPARED)), cutoff))


@lru_cache(maxsize=4096)
def _nearest(wrong: str, right: tuple[str, ...], cutoff: float) -> tuple[str, ...]:
    from difflib import SequenceMatcher

    matcher = SequenceMatcher(None, b=wrong.lower(), autojunk=False)
    found = []
    for number, one in enumerate(right):
        if len(one) > _TEXT:
            continue
        matcher.set_seq1(one.lower())
        if matcher.real_quick_ratio() >= cutoff and matcher.quick_ratio() >= cutoff:
            ratio = matcher.ratio()
            if ratio >= cutoff:
                found.append((not _is_one_off(wrong, one), -ratio, number, one))
    return tuple(one for *_, one in sorted(found))


def _is_one_off(wrong: str, right: str) -> bool:
    """Whether one character is another one: 'qcow3' is meant for 'qcow2', and not for 'qcow'."""
    if len(wrong) != len(right):
        return False
    return sum(one != other for one, other in zip(wrong.lower(), right.lower(), strict=True)) == 1


def choice_of(words: Sequence[str], *, near: str | None = None) -> str:
    """'one of a, b, c', cut where it is long; and the question whether ``near`` was meant."""
    if len(words) == 1:
        text = words[0]
    elif len(words) > _LIST:
        text = f"one of {', '.join(words[:_LIST])}, … ({len(words) - _LIST} more)"
    else:
        text = f"one of {', '.join(words)}"
    return f"{text}; did you mean {near}?" if near and len(words) > 1 else text


def values_of(contents: Iterable[Pattern]) -> list[str]:
    """The values that a grammar spells out, in its order."""
    found = [one for one in leaves(contents) if isinstance(one, Value)]
    found.sort(key=lambda one: one.order)
    return list(dict.fromkeys(one.written for one in found))


def value_words(contents: Sequence[Pattern], given: str) -> tuple[str, tuple[str, ...]]:
    """What is expected where ``given`` stands, and the values that are spelled out."""
    values = values_of(contents)
    near = nearest(given.strip(), values)
    values = list(dict.fromkeys((*near, *values)))
    kinds = list(
        dict.fromkeys(_kind(one, given) for one in leaves(contents) if not isinstance(one, Value))
    )
    if not values:
        words = _either(kinds) or "nothing"
        return f"{words}, of at most {LONGEST:,} characters" if len(given) > LONGEST else words, ()
    words = choice_of([f"'{one}'" for one in values])
    if kinds:
        words = f"{words} or {_either(kinds)}"
    if near and (len(values) > 1 or kinds):
        words += f"; did you mean '{near[0]}'?"
    return words, tuple(values)


def _either(kinds: Sequence[str]) -> str:
    return " or ".join(kinds[:4]) + (", …" if len(kinds) > 4 else "")


def _kind(pattern: Pattern, given: str) -> str:
    if isinstance(pattern, Text):
        return "any text"
    if isinstance(pattern, List):
        return f"words between spaces, each {value_words((pattern.content,), '')[0]}"
    assert isinstance(pattern, Data)
    words = _datatype(pattern.datatype, given)
    if pattern.but is not None:
        words += f", but not {value_words((pattern.but,), '')[0].removeprefix('one of ')}"
    return words


def _datatype(datatype: Datatype, given: str) -> str:
    form = datatype.form
    patterns = [one.written for one in datatype.patterns]
    if form.digits or form.ordered:
        number = _number(datatype, given)
        patterns = [one for one in patterns if one not in {"[0-9]+", "-?[0-9]+"}]
        return _with(number, patterns)
    sizes = dict(datatype.parameters)
    words = _KINDS.get(datatype.name, f"a value of the type '{datatype.name}'")
    unit = form.length or "characters"
    if "length" in sizes:
        words += f" of {sizes['length']} {unit}"
    elif "minLength" in sizes and "maxLength" in sizes:
        words += f" of {sizes['minLength']} to {sizes['maxLength']} {unit}"
    elif "minLength" in sizes:
        words += f" of at least {sizes['minLength']} {unit}"
    elif "maxLength" in sizes:
        words += f" of at most {sizes['maxLength']} {unit}"
    return _with(words, patterns)


def _with(words: str, patterns: Sequence[str]) -> str:
    if not patterns:
        return words
    if len(patterns) == 1 and words == "a text" and patterns[0] in _IN_WORDS:
        return _IN_WORDS[patterns[0]]
    spelled = " and ".join(shortened(one, _PATTERN) for one in patterns)
    if words == "a text":
        words = "text"
    return f"{words} that matches {spelled}"


def _number(datatype: Datatype, given: str) -> str:
    form = datatype.form
    if (
        {name for name, _ in datatype.parameters} <= {"pattern"}
        and form.digits
        and not given.strip().lstrip("+-").isdigit()
    ):
        # How large it may be is no matter where there is no number.
        return "a whole number" if form.low != 0 else "a whole number of at least 0"
    low: Any = form.low
    high: Any = form.high
    found = dict(datatype.parameters)
    low = found.get("minInclusive", low)
    high = found.get("maxInclusive", high)
    noun = _KINDS.get(
        datatype.name, "a whole number" if form.digits else f"a value of '{datatype.name}'"
    )
    if "minExclusive" in found:
        noun += f" above {found['minExclusive']}"
        low = None
    if "maxExclusive" in found:
        noun += f" below {found['maxExclusive']}"
        high = None
    if noun == "a whole number" and (low is not None or high is not None):
        noun = "a number"
    if low is not None and high is not None:
        return f"{noun} from {low} to {high}"
    if low is not None:
        return f"{noun} of at least {low}"
    return f"{noun} of at most {high}" if high is not None else noun
