"""A shell's command line taken apart into words, each with its place; nothing is expanded.

Quotes, backslashes, line continuations and comments are a POSIX shell's, and
``$'…'`` is bash's, which ``printf %q`` writes.  What a shell would put in
place of something else ($VAR, $(…), backticks) cannot be known here and is
refused, and so is what ends a command or redirects it.  A line end is white
space, because arguments may be given one a line; each word tells whether one
stood before it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Final

from virtquorum.errors import ArgumentError
from virtquorum.qemu.back.place import Place

__all__ = ["Lines", "Word", "shell_words"]

_PLAIN: Final = re.compile(r"[^\s'\"\\$`;|&<>()]+")
_SPACE: Final = re.compile(r"\s+")
_SINGLE: Final = re.compile(r"'([^']*)'")
_DOUBLE: Final = re.compile(
    r'"([^"\\$`]*(?:(?:\\.|\$(?![A-Za-z_0-9({@*#?!-]))[^"\\$`]*)*)"', re.DOTALL
)
_IN_DOUBLE: Final = re.compile(r'\\([$`"\\]|\n)')
_ANSI: Final = re.compile(r"\$'([^'\\]*(?:\\.[^'\\]*)*)'", re.DOTALL)
_ANSI_ESCAPE: Final = re.compile(
    r"\\(?:x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|([0-7]{1,3})|(.))", re.DOTALL
)
_LETTERS: Final = {
    "a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t",
    "v": "\v",
}  # fmt: skip
_COMMENT: Final = re.compile(r"#[^\n]*")
_END: Final = re.compile(r"\s*(?:&|;)?\s*\Z")


class Word:
    """One word of a command line.

    ``begins_line`` says that before it a line ended without a backslash,
    which ends a shell's command.
    """

    __slots__ = ("begins_line", "place", "text")

    def __init__(self, text: str, place: Place, *, begins_line: bool = False) -> None:
        self.text = text
        self.place = place
        self.begins_line = begins_line


class Lines:
    """Lines and columns of offsets in a text, both from 1."""

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self._starts = [0, *(found.end() for found in re.finditer("\n", text))]

    def place(self, offset: int, number: int, *, kind: str = "argument") -> Place:
        """The place of what begins at an offset and has that number."""
        line = bisect_right(self._starts, offset)
        column = offset - self._starts[line - 1] + 1
        return Place(number, kind=kind, file=self.file, line=line, column=column)


def shell_words(text: str, lines: Lines, start: int = 0, stop: int | None = None) -> list[Word]:
    """The words of the part of a text; raises ArgumentError at what only a shell can know."""
    return _Splitter(text, lines, start, len(text) if stop is None else stop).words()


class _Splitter:
    def __init__(self, text: str, lines: Lines, start: int, stop: int) -> None:
        self.text = text[:stop]
        self.lines = lines
        self.at = start
        self.found: list[Word] = []
        self._line_ended = False

    def words(self) -> list[Word]:
        while self._more():
            start, begins_line = self.at, self._line_ended and bool(self.found)
            self._line_ended = False
            parts = []
            while (part := self._part()) is not None:
                parts.append(part)
            self.found.append(Word("".join(parts), self._place(start), begins_line=begins_line))
        return self.found

    def _more(self) -> bool:
        """Whether another word begins, once what separates words is passed."""
        while self.at < len(self.text):
            if (found := self._take(_SPACE)) or (found := self._take(_COMMENT)):
                self._line_ended |= "\n" in found[0]
                continue
            if self.text.startswith(("\\\n", "\\\r\n"), self.at):
                self.at = self.text.index("\n", self.at) + 1
                continue
            if self.text[self.at] in ";|&<>()":
                self._operator()
                return False
            return True
        return False

    def _operator(self) -> None:
        if not _END.match(self.text, self.at):
            raise ArgumentError(
                f"'{self.text[self.at]}' ends or redirects the command for a shell",
                place=self._place(self.at),
                remedy="give one command without what follows it, and put '…' around a value "
                "that holds this sign",
            )

    def _part(self) -> str | None:
        """The next piece of a word, None at its end."""
        if self.at >= len(self.text):
            return None
        if found := self._take(_PLAIN):
            return found[0]
        sign = self.text[self.at]
        if sign == "\\":
            return self._backslash()
        if sign == "'":
            return self._quoted(_SINGLE)
        if sign == '"':
            return _IN_DOUBLE.sub(_kept, self._quoted(_DOUBLE))
        if sign == "$" and self.text.startswith("'", self.at + 1):
            return _ANSI_ESCAPE.sub(self._ansi, self._quoted(_ANSI))
        if sign == "$" and not re.match(r"[A-Za-z_0-9({\"@*#?!$-]", self.text[self.at + 1 :][:1]):
            self.at += 1
            return sign
        if sign in "$`":
            raise self._expansion(self.at)
        return None

    def _backslash(self) -> str:
        if self.at + 1 >= len(self.text):
            self.at += 1
            return ""
        sign = self.text[self.at + 1]
        crlf = self.text.startswith("\\\r\n", self.at)
        self.at += 3 if crlf else 2
        return "" if crlf or sign == "\n" else sign

    def _quoted(self, pattern: re.Pattern[str]) -> str:
        found = self._take(pattern)
        if found is not None:
            return found[1]
        inside = re.compile(r"(?:\\.|[^\"\\$`]|\$(?![A-Za-z_0-9({@*#?!-]))*", re.DOTALL).match(
            self.text, self.at + 1
        )
        if pattern is _DOUBLE and inside and inside.end() < len(self.text):
            raise self._expansion(inside.end())
        raise ArgumentError(
            f"the quote {self.text[self.at]} is not closed", place=self._place(self.at)
        )

    def _expansion(self, offset: int) -> ArgumentError:
        what = re.compile(r"`|\$(?:[A-Za-z_]\w*|.?)", re.DOTALL).match(self.text, offset)
        return ArgumentError(
            f"the shell would put something else for '{what[0] if what else '$'}', which is not "
            "known here",
            place=self._place(offset),
            remedy="write the value itself, or put '…' around a value that holds this sign",
        )

    def _ansi(self, found: re.Match[str]) -> str:
        two, four, eight, octal, sign = found.groups()
        if sign is not None:
            return _LETTERS.get(sign, sign if sign in "\\'\"?" else f"\\{sign}")
        number = int(octal, 8) if octal else int(two or four or eight, 16)
        if 0 < number < 0x80 or (number < 0x110000 and not (two or octal) and number):
            return chr(number)
        raise ArgumentError(
            f"the escape '{found[0]}' stands for no character",
            place=self._place(self.at - 1),
            remedy="write the character itself, in UTF-8",
        )

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self.text, self.at)
        if found is not None:
            self.at = found.end()
        return found

    def _place(self, offset: int) -> Place:
        return self.lines.place(offset, len(self.found) + 1)


def _kept(found: re.Match[str]) -> str:
    return "" if found[1] == "\n" else found[1]
