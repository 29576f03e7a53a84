"""What would change in a file, as a unified diff."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.cli.streams import Streams

__all__ = ["difference", "show_difference"]


def difference(name: str, old: str, new: str, what: str) -> Iterator[str]:
    """The lines of a unified diff that ``patch`` takes, each with its end.

    ``what`` says how the new text came about ('formatted').
    """
    from difflib import unified_diff

    # The parts of a path are all that patch reads of it; a line end would break the header.
    shown = printable(name)
    for line in unified_diff(_lines(old), _lines(new), shown, shown, "(as it is)", f"({what})"):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def show_difference(streams: Streams, name: str, old: str, new: str, what: str) -> None:
    """Write the diff: the document's own bytes where they are UTF-8, or safe for a terminal."""
    terminal = streams.out.isatty()
    for line in difference(name, old, new, what):
        if terminal:
            streams.out.write(printable(line[:-1], keep="\t\n\r") + "\n")
        else:
            streams.write_bytes(line.encode())


def _lines(text: str) -> list[str]:
    """The lines as patch sees them: other characters that end a line in Unicode are text."""
    lines = text.split("\n")
    return [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
