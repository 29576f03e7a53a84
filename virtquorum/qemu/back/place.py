"""Where an argument or a command for QEMU stood."""

from __future__ import annotations

from virtquorum.model.location import Location

__all__ = ["COMMAND_LINE", "Place"]

#: What arguments are called that were given as words and not in a file.
COMMAND_LINE = "<arguments>"


class Place(Location):
    """An argument, or a command of a monitor, by its number from 1.

    ``option`` is the option ('-drive') or the command's name; a word that was
    given as a word has no line and no column, which are 0.
    """

    __slots__ = ("_column", "_file", "_line", "kind", "number", "option")

    def __init__(
        self,
        number: int,
        option: str | None = None,
        *,
        kind: str = "argument",
        file: str = COMMAND_LINE,
        line: int = 0,
        column: int = 0,
    ) -> None:
        self.number = number
        self.option = option
        self.kind = kind
        self._file = file
        self._line = line
        self._column = column

    @property
    def file(self) -> str:
        """What the input is called."""
        return self._file

    @property
    def line(self) -> int:
        """The line from 1; 0 without one."""
        return self._line

    @property
    def column(self) -> int:
        """The column from 1; 0 without one."""
        return self._column

    @property
    def path(self) -> str:
        """The number alone: ``argument[4]``."""
        return f"{self.kind}[{self.number}]"

    def of(self, option: str) -> Place:
        """This place, with the option to which it belongs."""
        return Place(
            self.number, option, kind=self.kind, file=self.file, line=self.line, column=self.column
        )

    @property
    def word(self) -> str:
        """The argument alone, for the middle of a sentence: 'argument 4 (-drive)'."""
        option = f" ({self.option})" if self.option else ""
        return f"{self.kind} {self.number}{option}"

    def __str__(self) -> str:
        where = f"{self._file}:{self._line}:{self._column}: " if self._line else ""
        return f"{where}{self.word}"
