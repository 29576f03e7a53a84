"""What a command talks to, and the exit codes it ends with."""

from __future__ import annotations

import os
import sys
from enum import IntEnum
from typing import TYPE_CHECKING, BinaryIO, TextIO

from virtquorum.printable import printable

if TYPE_CHECKING:
    from virtquorum.json_text import Json

__all__ = ["Exit", "Streams"]


class Exit(IntEnum):
    """The exit codes of every command."""

    CLEAN = 0
    FINDINGS = 1
    USAGE = 2
    UNREADABLE = 3
    INTERRUPTED = 130


class Streams:
    """Standard input, output and error of a command."""

    __slots__ = ("_progress", "err", "input", "is_heard", "out")

    def __init__(self, *, input: BinaryIO, out: TextIO, err: TextIO, is_heard: bool = True) -> None:
        self.input = input
        self.out = out
        self.err = err
        #: Whether there is an output: what is written to a closed one would be lost.
        self.is_heard = is_heard
        self._progress = False  # whether there is a line to take away

    @classmethod
    def standard(cls) -> Streams:
        """The process's own, and /dev/null where they are closed (``<&-``)."""
        is_heard = sys.stdout is not None
        _take_the_places()
        if sys.stdin is None:
            sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 - till the process ends
        if sys.stdout is None:
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        if sys.stderr is None:
            sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        return cls(input=sys.stdin.buffer, out=sys.stdout, err=sys.stderr, is_heard=is_heard)

    def write_bytes(self, data: bytes) -> None:
        """Write bytes to the output as they are."""
        buffer = getattr(self.out, "buffer", None)
        if buffer is None:
            self.out.write(data.decode("utf-8", "replace"))
        else:
            self.out.flush()
            buffer.write(data)
            buffer.flush()

    def write_json(self, value: Json, *, indent: int | None = None) -> None:
        """Write JSON and a line end, in ASCII where the output's encoding lacks a character."""
        from virtquorum.json_text import json_text

        text = json_text(value, indent=indent)
        if not self.can_write(text):
            text = json_text(value, indent=indent, ascii_only=True)
        self.out.write(text + "\n")

    def say(self, message: str) -> None:
        """A line about the run, on standard error."""
        self.progress("")
        self.err.write(f"virtquorum: {printable(message)}\n")

    def note(self, message: str) -> None:
        """A line that is no error, on standard error."""
        self.say(f"note: {message}")

    def progress(self, message: str) -> None:
        """How far the run is, on standard error if that is a terminal; '' takes it away."""
        if (message or self._progress) and self.err.isatty():
            self.err.write(f"\r\x1b[K{message}")
            self.err.flush()
            self._progress = bool(message)

    @property
    def colour(self) -> bool:
        """Whether the output is a terminal on which colour is welcome (NO_COLOR, TERM)."""
        if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
            return False
        return self.out.isatty()

    @property
    def width(self) -> int | None:
        """How many columns the output has, None if it is no terminal."""
        if not self.out.isatty():
            return None
        try:
            terminal = os.get_terminal_size(self.out.fileno()).columns
        except (OSError, ValueError):
            terminal = 0
        return terminal or None

    def can_write(self, text: str) -> bool:
        """Whether the output's encoding has these characters."""
        try:
            text.encode(self.out.encoding or "utf-8")
        except (UnicodeEncodeError, LookupError):
            return False
        return True


def _take_the_places() -> None:
    """Open /dev/null as the standard streams that are closed.

    The next file to be opened, an image say, would be one of them otherwise,
    and programs that are run would write to it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest that is free
