"""The reports of a run: on standard output as it goes on, and in files at its end."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from virtquorum.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from virtquorum.cli.streams import Streams
    from virtquorum.report.report import FileResult, Run

__all__ = ["Shown", "output"]

_NARROWEST, _USUAL = 40, 80
#: The SGR codes of what human.py's roles are; typer's styles without typer.
_CODES: Final = {
    "place": "1",
    "error": "31;1",
    "warning": "33;1",
    "note": "36;1",
    "line": "2",
    "label": "1",
    "good": "32",
}


def output(word: str) -> tuple[str, str]:
    """The format and the file of ``--output FORMAT=FILE``; raises UsageError."""
    from virtquorum.report.formats import FORMATS

    format, equals, file = word.partition("=")
    if not equals or not file:
        raise UsageError(f"--output is FORMAT=FILE, not '{word}'")
    if file == "-":
        raise UsageError("--output writes files; --format is for standard output")
    if format not in FORMATS:
        raise UsageError(f"there is no format '{format}'; there are: {', '.join(FORMATS)}")
    return format, file


class Shown:
    """Shows results in one format on standard output, and in others in files."""

    def __init__(self, format: str, outputs: Sequence[tuple[str, str]], streams: Streams) -> None:
        self.format = format
        self.outputs = outputs
        self.streams = streams
        if format == "human":
            import virtquorum.report.human  # noqa: F401 - while libxml2 is at work
        self._width = max(streams.width or _USUAL, _NARROWEST)
        self._wrap = streams.width is not None  # elsewhere, lines are for programs to find
        self._paint = _painter(streams.colour)
        # GitHub shows these beside the lines of a pull request; they are no words for people.
        self._annotate = (
            os.environ.get("GITHUB_ACTIONS") == "true"
            and format == "human"
            and all(other != "github" for other, _ in outputs)
        )

    def file(self, result: FileResult) -> None:
        """A file has been checked: people are shown what was found at once."""
        if self.format != "human" or not result.findings:
            return
        from virtquorum.report.human import human_file

        self.streams.progress("")
        self._write(
            lambda ascii_only: human_file(
                result,
                paint=self._paint,
                width=self._width,
                wrap=self._wrap,
                ascii_only=ascii_only,
            )
        )

    def end(self, run: Run) -> None:
        """All files have been checked."""
        from virtquorum.report.formats import report

        if self.format == "human":
            from virtquorum.report.human import human_summary

            self._write(
                lambda ascii_only: human_summary(
                    run,
                    paint=self._paint,
                    width=self._width,
                    wrap=self._wrap,
                    ascii_only=ascii_only,
                )
            )
            if self._annotate:
                self._write(lambda ascii_only: report("github", run, ascii_only=ascii_only))
        else:
            self._write(lambda ascii_only: report(self.format, run, ascii_only=ascii_only))
        for format, file in self.outputs:
            from virtquorum.cli.replace import replace

            replace(file, report(format, run).encode("utf-8"), file)

    def _write(self, written: Callable[[bool], str]) -> None:
        """Write a text, or its form in ASCII where the output's encoding lacks a character."""
        text = written(False)
        self.streams.out.write(text if self.streams.can_write(text) else written(True))


def _painter(colour: bool) -> Callable[[str, str], str]:
    if not colour:
        return lambda text, role: text

    def paint(text: str, role: str) -> str:
        code = _CODES.get(role)
        return text if code is None else f"\x1b[{code}m{text}\x1b[0m"

    return paint
