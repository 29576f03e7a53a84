"""What a command talks to, and the exit codes it ends with."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from enum import IntEnum
from typing import BinaryIO, TextIO

__all__ = ["Exit", "Streams", "printable"]


class Exit(IntEnum):
    """The exit codes of every command."""

    CLEAN = 0
    FINDINGS = 1
    USAGE = 2
    UNREADABLE = 3
    INTERRUPTED = 130


@dataclass(frozen=True, kw_only=True, slots=True)
class Streams:
    """Standard input, output and error of a command."""

    input: BinaryIO
    out: TextIO
    err: TextIO

    @classmethod
    def standard(cls) -> Streams:
        """The process's own."""
        return cls(input=sys.stdin.buffer, out=sys.stdout, err=sys.stderr)

    def write_bytes(self, data: bytes) -> None:
        """Write bytes to the output as they are."""
        buffer = getattr(self.out, "buffer", None)
        if buffer is None:
            self.out.write(data.decode("utf-8", "replace"))
        else:
            self.out.flush()
            buffer.write(data)
            buffer.flush()

    def say(self, message: str) -> None:
        """A line about the run, on standard error."""
        self.err.write(f"virtquorum: {printable(message)}\n")

    @property
    def colour(self) -> bool:
        """Whether the output is a terminal on which colour is welcome (NO_COLOR, TERM)."""
        if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
            return False
        return self.out.isatty()

    @property
    def width(self) -> int | None:
        """How many columns the output has None if it is no terminal."""
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


def printable(text: str) -> str:
    """A text from a document on one line, without what would steer a terminal."""
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text
    )
