"""The datatypes of RELAX NG: its own two, and those of XML Schema.

A type has a form (``read`` gives the value that a text stands for, None for
what is none of its values) and facets, which bound the values.  Values are
compared as values: '1' is '01' to an integer, and not to a string.
"""

from __future__ import annotations

import re
import struct
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from virtquorum.check.relaxng.name_class import join_name
from virtquorum.check.relaxng.regular import NAME_FIRST, NAME_REST, Regular, RegularError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["XSD", "Datatype", "DatatypeError", "datatype", "type_names"]

XSD: Final = "http://www.w3.org/2001/XMLSchema-datatypes"
_SPACES: Final = re.compile("[ \t\r\n]+")
_SPACE: Final = " \t\r\n"


class DatatypeError(Exception):
    """A type or facet that there is not; the message says which, and what there is."""

    def __init__(self, message: str, remedy: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class _Form(NamedTuple):
    """What a type is.

    ``space`` is 'preserve', 'replace' or 'collapse'; ``length`` is what its
    length facets count ('' for none); ``low`` and ``high`` bound integers.
    """

    read: Callable[[str], object]
    space: str = "collapse"
    length: str = ""
    ordered: bool = False
    digits: bool = False
    low: int | None = None
    high: int | None = None


def _by(pattern: str) -> Callable[[str], object]:
    # Compiled when it is first asked: the classes of names take milliseconds.
    return lambda text: text if _compiled(pattern).fullmatch(text) else None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _words(read: Callable[[str], object]) -> Callable[[str], object]:
    def words(text: str) -> object:
        parts = text.split(" ") if text else []
        return tuple(parts) if parts and all(read(one) is not None for one in parts) else None

    return words


_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_FLOAT: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[Ee][+-]?[0-9]+)?")
#: What int() takes without complaint.
_INT_DIGITS: Final = 4000


def _decimal(text: str) -> object:
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def _integer(text: str) -> object:
    if _INTEGER.fullmatch(text) is None:
        return None
    return int(text) if len(text) < _INT_DIGITS else Decimal(text)


def _float(text: str) -> object:
    if text in {"INF", "-INF", "NaN"}:
        # NaN is one value in XML Schema, and equal to itself.
        return "NaN" if text == "NaN" else float(text)
    return float(text) if _FLOAT.fullmatch(text) else None


def _single(text: str) -> object:
    value = _float(text)
    if not isinstance(value, float):
        return value
    try:
        return struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _boolean(text: str) -> object:
    return {"true": 1, "1": 1, "false": 0, "0": 0}.get(text)


def _hex(text: str) -> object:
    return bytes.fromhex(text) if re.fullmatch("(?:[0-9A-Fa-f]{2})*", text) else None


def _base64(text: str) -> object:
    import base64
    import binascii

    packed = text.replace(" ", "")
    try:
        value = base64.b64decode(packed, validate=True)
    except (binascii.Error, ValueError):
        return None
    # Bits behind the last byte must be 0; b64decode drops them.
    return value if base64.b64encode(value).decode("ascii") == packed else None


def _uri(text: str) -> object:
    if re.search("%(?![0-9A-Fa-f]{2})", text) or text.count("#") > 1:
        return None
    scheme = re.match("[^:/?#]*:", text)
    if scheme and not re.match("[A-Za-z][A-Za-z0-9+.-]*:.", text):
        return None
    return text


def _nothing(_text: str) -> object:
    """Entities and notations are declared in a DOCTYPE, which is refused."""
    return None


_ncname: Final = _by(f"[{NAME_FIRST}][{NAME_REST}]*")


def _any(text: str) -> object:
    return text


_MOMENTS: Final = (
    "dateTime", "date", "time", "gYearMonth", "gYear", "gMonthDay", "gDay", "gMonth", "duration",
)  # fmt: skip


def _moment(name: str) -> Callable[[str], object]:
    def read(text: str) -> object:
        from virtquorum.check.relaxng.moments import MOMENTS

        return MOMENTS[name](text)

    return read


def _whole(low: int | None = None, high: int | None = None) -> _Form:
    return _Form(_integer, ordered=True, digits=True, low=low, high=high)


_NMTOKEN: Final = _by(f"[:{NAME_REST}]+")
_FORMS: Final = {
    "string": _Form(_any, "preserve", "characters"),
    "normalizedString": _Form(_any, "replace", "characters"),
    "token": _Form(_any, length="characters"),
    "language": _Form(_by("[a-zA-Z]{1,8}(?:-[a-zA-Z0-9]{1,8})*"), length="characters"),
    "Name": _Form(_by(f"[:{NAME_FIRST}][:{NAME_REST}]*"), length="characters"),
    "NCName": _Form(_ncname, length="characters"),
    "ID": _Form(_ncname, length="characters"),
    "IDREF": _Form(_ncname, length="characters"),
    "ENTITY": _Form(_nothing, length="characters"),
    "NMTOKEN": _Form(_NMTOKEN, length="characters"),
    "IDREFS": _Form(_words(_ncname), length="words"),
    "ENTITIES": _Form(_nothing, length="words"),
    "NMTOKENS": _Form(_words(_NMTOKEN), length="words"),
    "QName": _Form(_any),
    "NOTATION": _Form(_nothing),
    "anyURI": _Form(_uri, length="characters"),
    "boolean": _Form(_boolean),
    "hexBinary": _Form(_hex, length="bytes"),
    "base64Binary": _Form(_base64, length="bytes"),
    "float": _Form(_single, ordered=True),
    "double": _Form(_float, ordered=True),
    "decimal": _Form(_decimal, ordered=True, digits=True),
    "integer": _whole(),
    "nonPositiveInteger": _whole(high=0),
    "negativeInteger": _whole(high=-1),
    "nonNegativeInteger": _whole(low=0),
    "positiveInteger": _whole(low=1),
    "long": _whole(-(2**63), 2**63 - 1),
    "int": _whole(-(2**31), 2**31 - 1),
    "short": _whole(-(2**15), 2**15 - 1),
    "byte": _whole(-128, 127),
    "unsignedLong": _whole(0, 2**64 - 1),
    "unsignedInt": _whole(0, 2**32 - 1),
    "unsignedShort": _whole(0, 2**16 - 1),
    "unsignedByte": _whole(0, 255),
    **{name: _Form(_moment(name), ordered=True) for name in _MOMENTS},
}
_BOUNDS: Final = ("minInclusive", "maxInclusive", "minExclusive", "maxExclusive")
_LENGTHS: Final = ("length", "minLength", "maxLength")
_DIGITS: Final = ("totalDigits", "fractionDigits")


class Datatype:
    """A type with its facets.

    ``parameters`` are the facets as the grammar writes them, (name, value).
    ``contextual`` says that a value depends on the namespaces around it.
    """

    __slots__ = (
        "_bounds",
        "_digits",
        "_lengths",
        "contextual",
        "form",
        "name",
        "own",
        "parameters",
        "patterns",
    )

    def __init__(
        self, name: str, form: _Form, *, own: bool, parameters: Sequence[tuple[str, str]] = ()
    ) -> None:
        self.name = name
        self.form = form
        #: Whether it is RELAX NG's own 'string' or 'token'.
        self.own = own
        self.parameters = tuple(parameters)
        self.contextual = name == "QName"
        self.patterns: list[Regular] = []
        self._bounds: list[tuple[str, Any]] = []
        self._lengths: list[tuple[str, int]] = []
        self._digits: list[tuple[str, int]] = []
        for facet, value in parameters:
            self._add(facet, value)

    def normal(self, text: str) -> str:
        """A text with its white space as the type has it."""
        space = self.form.space
        if space == "preserve":
            return text
        if space == "replace":
            return text.replace("\t", " ").replace("\r", " ").replace("\n", " ")
        return _SPACES.sub(" ", text).strip(" ")

    def value(self, text: str, scope: Mapping[str, str]) -> object:
        """The value that a text stands for; None for what is none of the type's values."""
        normal = self.normal(text)
        value = _qualified(normal, scope) if self.contextual else self.form.read(normal)
        if value is None:
            return None
        form = self.form
        if form.low is not None and value < form.low:  # type: ignore[operator]
            return None
        if form.high is not None and value > form.high:  # type: ignore[operator]
            return None
        if self.parameters and not self._within(normal, value):
            return None
        return value

    def allows(self, text: str, scope: Mapping[str, str]) -> bool:
        """Whether a text is one of the type's values."""
        return self.value(text, scope) is not None

    def equal(self, value: object, text: str, scope: Mapping[str, str]) -> bool:
        """Whether a text stands for a value that ``value`` gave."""
        return self.value(text, scope) == value

    def bound(self, facet: str) -> object:
        """The value of one of the bounds ('minInclusive', …), None where it is not set."""
        return next((value for name, value in self._bounds if name == facet), None)

    def _within(self, normal: str, value: Any) -> bool:
        return (
            all(_in_bound(facet, bound, value) for facet, bound in self._bounds)
            and all(_in_size(facet, bound, _length(value)) for facet, bound in self._lengths)
            and all(_in_size(facet, bound, _count(facet, value)) for facet, bound in self._digits)
            and all(pattern.matches(normal) for pattern in self.patterns)
        )

    def _add(self, facet: str, written: str) -> None:
        form = self.form
        if facet == "pattern":
            try:
                self.patterns.append(Regular(written))
            except RegularError as error:
                raise DatatypeError(
                    f"the pattern '{written}' is no regular expression: {error}",
                    "write it as XML Schema part 2 says",
                ) from None
        elif facet in _BOUNDS and form.ordered:
            value = form.read(self.normal(written))
            if value is None:
                raise DatatypeError(
                    f"'{written}' is no value of '{self.name}', of which it is a bound"
                )
            self._bounds.append((facet, value))
        elif (facet in _LENGTHS and form.length) or (facet in _DIGITS and form.digits):
            if re.fullmatch(r"\s*\+?[0-9]{1,18}\s*", written) is None:
                raise DatatypeError(f"the value '{written}' of '{facet}' is no number")
            (self._lengths if facet in _LENGTHS else self._digits).append((facet, int(written)))
        else:
            raise DatatypeError(
                f"'{self.name}' has no parameter '{facet}'",
                f"it has {', '.join(_facets(form))}",
            )


def _facets(form: _Form) -> list[str]:
    found = ["pattern"]
    found += _BOUNDS if form.ordered else ()
    found += _LENGTHS if form.length else ()
    found += _DIGITS if form.digits else ()
    return found


def _in_bound(facet: str, bound: Any, value: Any) -> bool:
    if value == bound:
        return facet.endswith("Inclusive")
    least = facet.startswith("min")
    if "NaN" in (value, bound):
        return False
    if isinstance(value, tuple):
        from fractions import Fraction

        from virtquorum.check.relaxng import moments

        if isinstance(value[0], bool):
            return moments.before(bound, value) if least else moments.before(value, bound)
        # Durations: months have 28 to 31 days, so that not all are ordered.
        low, high = (bound, value) if least else (value, bound)
        return all(
            low[0] * days * 86400 + low[1] < high[0] * days * 86400 + high[1]
            for days in (Fraction(28), Fraction(61, 2), Fraction(31))
        )
    return bool(value > bound) if least else bool(value < bound)


def _in_size(facet: str, bound: int, size: int) -> bool:
    if facet == "length":
        return size == bound
    return size >= bound if facet == "minLength" else size <= bound


def _length(value: Any) -> int:
    return len(value)


def _count(facet: str, value: Decimal | int) -> int:
    """How many digits a number has, without zeros that mean nothing."""
    _, digits, exponent = Decimal(value).as_tuple()
    assert isinstance(exponent, int)
    whole = "".join(map(str, digits))
    if exponent < 0:
        kept = whole.rstrip("0")
        exponent += len(whole) - len(kept)
        if exponent > 0:
            kept, exponent = kept + "0" * exponent, 0
        whole = kept
    fraction = max(0, -exponent)
    return fraction if facet == "fractionDigits" else max(len(whole.lstrip("0")), 1)


def _qualified(text: str, scope: Mapping[str, str]) -> object:
    prefix, colon, local = text.rpartition(":")
    if _ncname(local) is None or (colon and _ncname(prefix) is None):
        return None
    if prefix and prefix not in scope:
        return None
    return join_name(scope.get(prefix, ""), local)


_OWN: Final = {
    "string": Datatype("string", _FORMS["string"], own=True),
    "token": Datatype("token", _FORMS["token"], own=True),
}
_PLAIN: Final[dict[str, Datatype]] = {}


def type_names(library: str) -> list[str]:
    """The types of a library; empty for an unknown library."""
    if library == XSD:
        return sorted(_FORMS)
    return sorted(_OWN) if library == "" else []


def datatype(library: str, name: str, parameters: Sequence[tuple[str, str]] = ()) -> Datatype:
    """A type by library and name, with facets; raises DatatypeError."""
    if library not in {"", XSD}:
        raise DatatypeError(f"unknown datatype library '{library}'", f"write '{XSD}', or none")
    names = type_names(library)
    if name not in names:
        raise DatatypeError(f"unknown datatype '{name}'", f"there is {', '.join(names)}")
    if library == "":
        if parameters:
            raise DatatypeError(
                f"RELAX NG's own '{name}' has no parameter '{parameters[0][0]}'",
                f"write datatypeLibrary='{XSD}'",
            )
        return _OWN[name]
    if parameters:
        return Datatype(name, _FORMS[name], own=False, parameters=parameters)
    found = _PLAIN.get(name)
    if found is None:
        found = _PLAIN[name] = Datatype(name, _FORMS[name], own=False)
    return found
