"""Reading what a disk says: numbers, switches and words, or an error that names the disk."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from virtquorum.errors import TranslationError
from virtquorum.model.node import Malformed

if TYPE_CHECKING:
    from collections.abc import Collection

    from virtquorum.model.disk import Disk
    from virtquorum.model.location import Location

__all__ = ["LARGEST", "Reading", "disk_index"]

#: libvirt keeps the numbers of devices in 32 bits.
LARGEST: Final = 2**32 - 1
_PREFIX: Final = re.compile(r"(?:fd|hd|vd|sd|xvd|ubd)([a-z]+)[0-9]*")
_ID: Final = re.compile(r"[A-Za-z][A-Za-z0-9._-]*")
_ANY_BASE: Final = re.compile(r"0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20}")
_DECIMAL: Final = re.compile(r"[0-9]{1,20}")


def disk_index(target: str | None) -> int | None:
    """The number that a target's letters stand for: 'sda' is 0, 'vdaa' 26; None if it is none."""
    known = _PREFIX.fullmatch(target or "")
    if known is None or len(known[1]) > 6:
        return None
    number = 0
    for letter in known[1]:
        number = number * 26 + ord(letter) - ord("a") + 1
    return number - 1


class Reading:
    """A disk, and how to complain about it."""

    __slots__ = ("disk",)

    def __init__(self, disk: Disk) -> None:
        self.disk = disk

    def refused(
        self, message: str, place: Location | None = None, remedy: str | None = None
    ) -> TranslationError:
        """The error for this disk; ``place`` is where it is, if not the disk itself."""
        return TranslationError(
            message, location=place or self.disk.location, disk=self.disk.name, remedy=remedy
        )

    def number(
        self,
        value: int | str | None,
        what: str,
        place: Location | None,
        *,
        most: int = LARGEST,
        least: int = 0,
        any_base: bool = False,
    ) -> int | None:
        """A whole number in its bounds; ``any_base`` also reads '0x1f' and, as C does, '037'."""
        if isinstance(value, str):
            pattern = _ANY_BASE if any_base else _DECIMAL
            if isinstance(value, Malformed) or pattern.fullmatch(value) is None:
                raise self.refused(f"{what} is '{value}', which is no number", place)
            value = self._parsed(value, any_base, what, place)
        if value is not None and not least <= value <= most:
            raise self.refused(
                f"{what} is {value}", place, f"it is a number from {least} to {most}"
            )
        return value

    def _parsed(self, text: str, any_base: bool, what: str, place: Location | None) -> int:
        if any_base and text[:2] in ("0x", "0X"):
            return int(text, 16)
        if any_base and text.startswith("0") and text != "0":
            try:
                return int(text, 8)
            except ValueError:
                raise self.refused(f"{what} is '{text}', which is no number", place) from None
        return int(text)

    def switch(self, value: bool | str | None, what: str, place: Location | None) -> bool | None:
        """On, off, or not said."""
        if isinstance(value, str):
            raise self.refused(f"{what} is '{value}'", place, "it is 'on' or 'off'")
        return value

    def word(
        self, value: str | None, what: str, place: Location | None, known: Collection[str]
    ) -> str | None:
        """One of the words that are known, or not said."""
        if value is not None and value not in known:
            choices = ", ".join(f"'{one}'" for one in known)
            raise self.refused(f"{what} is '{value}'", place, f"choices are {choices}")
        return value

    def alias(self, value: str | None, place: Location | None) -> str | None:
        """The name that an ``<alias>`` gives to a device, which QEMU must take as an id."""
        if value is not None and _ID.fullmatch(value) is None:
            raise self.refused(
                f"the alias '{value}' is no id that QEMU takes",
                place,
                "a letter, then letters, digits, '.', '_' or '-'; libvirt's begin with 'ua-'",
            )
        return value
