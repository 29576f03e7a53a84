"""What is to be said about a reading beside its disks."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from virtquorum.printable import printable

if TYPE_CHECKING:
    from virtquorum.model.location import Location

__all__ = ["Common", "Left", "Notes"]

_LONGEST = 100


class Left(NamedTuple):
    """Something that QEMU was told and that libvirt's XML has no words for."""

    place: Location
    path: str
    value: str
    why: str | None = None

    def __str__(self) -> str:
        value = self.value if len(self.value) <= _LONGEST else f"{self.value[:_LONGEST]}…"
        why = f": {self.why}" if self.why else ""
        return printable(f"{self.place}: {self.path}={value}{why}")


class Common(NamedTuple):
    """A remark that holds of several things: how it is said of one, and of more.

    ``one`` has '{name}' and '{value}' in it; ``more`` stands before the names, with their
    values if ``valued``.
    """

    one: str
    more: str
    valued: bool = False

    def line(self, found: list[tuple[Location | None, str, str]]) -> str:
        """The remark."""
        if len(found) == 1:
            place, name, value = found[0]
            text = self.one.replace("{value}", value).replace("{name}", name)
            return f"{place}: {text}" if place is not None else text
        each = dict.fromkeys(
            f"'{name}' {value}" if self.valued else f"'{name}'" for _, name, value in found
        )
        return f"{self.more}: {', '.join(each)}"


class Notes:
    """What was passed over, guessed or has no XML, in the order in which it was met.

    ``remarks`` are lines; ``left`` is what has no XML; ``passwords`` are the ids that were
    given to passwords found in addresses, and what each is for.  A password itself is in
    none of them.
    """

    def __init__(self) -> None:
        self._remarks: dict[str | Common, list[tuple[Location | None, str, str]]] = {}
        self.left: list[Left] = []
        self.passwords: dict[str, str] = {}

    def remark(self, place: Location | None, text: str) -> None:
        """Say something once."""
        line = printable(f"{place}: {text}" if place is not None else text)
        self._remarks[line] = []

    def gather(self, what: Common, place: Location | None, name: str, value: str = "") -> None:
        """Say something of a thing, on one line with the others of which it holds."""
        self._remarks.setdefault(what, []).append((place, name, value))

    @property
    def remarks(self) -> list[str]:
        """The lines, each once."""
        return [
            printable(what.line(found)) if isinstance(what, Common) else what
            for what, found in self._remarks.items()
        ]

    def leave(self, place: Location, path: str, value: object, why: str | None = None) -> None:
        """Say that a property has no XML."""
        shown = ("on" if value else "off") if isinstance(value, bool) else str(value)
        self.left.append(Left(place, path, shown, why))

    def password(self, what: str) -> str:
        """The id of a secret for a password that an address held; ``what`` names it."""
        id = f"password of {what}"
        self.passwords[id] = what
        return id
