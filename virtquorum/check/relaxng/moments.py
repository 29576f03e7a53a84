"""The values of the date and time types of XML Schema.

A value is a pair: whether it has a time zone, and seconds (UTC where it has
one) as an exact number.  Two values of which only one has a zone are ordered
only where they lie more than 14 hours apart, by part 2 of XML Schema.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MOMENTS", "Moment", "before"]

Moment: TypeAlias = tuple[bool, Fraction]

_ZONE: Final = r"(?P<zone>Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00)?"
_YEAR: Final = r"(?P<year>-?(?:[1-9][0-9]{4,17}|[0-9]{4}))"
_MONTH: Final = r"(?P<month>0[1-9]|1[0-2])"
_DAY: Final = r"(?P<day>0[1-9]|[12][0-9]|3[01])"
_TIME: Final = (
    r"(?P<hour>[01][0-9]|2[0-4]):(?P<minute>[0-5][0-9]):(?P<second>[0-5][0-9](?:\.[0-9]{1,40})?)"
)
_FORMS: Final = {
    "dateTime": f"{_YEAR}-{_MONTH}-{_DAY}T{_TIME}{_ZONE}",
    "date": f"{_YEAR}-{_MONTH}-{_DAY}{_ZONE}",
    "time": f"{_TIME}{_ZONE}",
    "gYearMonth": f"{_YEAR}-{_MONTH}{_ZONE}",
    "gYear": f"{_YEAR}{_ZONE}",
    "gMonthDay": f"--{_MONTH}-{_DAY}{_ZONE}",
    "gDay": f"---{_DAY}{_ZONE}",
    "gMonth": f"--{_MONTH}{_ZONE}",
}
_DURATION: Final = re.compile(
    r"(-?)P(?=.)(?:([0-9]{1,40})Y)?(?:([0-9]{1,40})M)?(?:([0-9]{1,40})D)?"
    r"(?:T(?=.)(?:([0-9]{1,40})H)?(?:([0-9]{1,40})M)?(?:([0-9]{1,40}(?:\.[0-9]{1,40})?)S)?)?"
)
_LONGEST: Final = Fraction(14 * 3600)


def _reader(form: str) -> Callable[[str], Moment | None]:
    pattern = re.compile(form)

    def read(text: str) -> Moment | None:
        found = pattern.fullmatch(text)
        return None if found is None else _moment(found.groupdict())

    return read


def _moment(parts: dict[str, str | None]) -> Moment | None:
    year = int(parts.get("year") or 2000)
    month = int(parts.get("month") or 1)
    day = int(parts.get("day") or 1)
    if "year" in parts and year == 0:  # part 2 of XML Schema 1.0 has no year 0
        return None
    if year < 0:
        year += 1
    if day > _days_in(year, month):
        return None
    seconds = Fraction(_day_number(year, month, day) * 86400)
    hour = int(parts.get("hour") or 0)
    minute = int(parts.get("minute") or 0)
    second = Fraction(parts.get("second") or 0)
    if hour == 24 and (minute or second):
        return None
    if "year" not in parts and "month" not in parts and "day" not in parts:
        hour %= 24
    seconds += hour * 3600 + minute * 60 + second
    zone = parts.get("zone")
    if zone and zone != "Z":
        offset = int(zone[1:3]) * 3600 + int(zone[4:6]) * 60
        seconds += offset if zone[0] == "-" else -offset
    return bool(zone), seconds


def _days_in(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 or year % 400 == 0) else 28
    return 30 if month in {4, 6, 9, 11} else 31


def _day_number(year: int, month: int, day: int) -> int:
    """Days since an early day, in the Gregorian calendar carried on both ways."""
    year -= month <= 2
    month = (month + 9) % 12
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * month + 2) // 5 + day


def before(one: Moment, other: Moment) -> bool:
    """Whether a value is certainly earlier than another."""
    if one[0] == other[0]:
        return one[1] < other[1]
    return one[1] + _LONGEST < other[1]


def _duration(text: str) -> tuple[Fraction, Fraction] | None:
    """Months and seconds of a duration; None for what is none."""
    found = _DURATION.fullmatch(text)
    if found is None:
        return None
    years, months, days, hours, minutes, seconds = (
        Fraction(one or 0) for one in found.groups()[1:]
    )
    sign = -1 if found[1] else 1
    whole = seconds + 60 * (minutes + 60 * (hours + 24 * days))
    return sign * (12 * years + months), sign * whole


#: For each type: what reads it; None comes back for what is no such value.
MOMENTS: Final[dict[str, Callable[[str], object]]] = {
    "duration": _duration,
    **{name: _reader(form) for name, form in _FORMS.items()},
}
