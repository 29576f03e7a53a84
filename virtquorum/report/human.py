"""Findings for people: where, what, the source line with the place marked, the way out.

::

    web.xml:7:25: error[VQ105] the threshold is 5, and there are only 3 members
       |
     7 |     <disk type='quorum' threshold='5' device='disk'>
       |                         ^^^^^^^^^^^^^
       = expected: a number from 1 to 3

A line is as wide as it is told to be.  Words are never broken: a path longer
than that stays in one piece.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Literal, NamedTuple

from virtquorum.printable import printable
from virtquorum.report.counts import Counts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from virtquorum.check.finding import Excerpt, Finding
    from virtquorum.report.report import FileResult, Run

__all__ = ["Role", "human", "human_file", "human_finding", "human_summary", "plain"]

#: What a piece of text is, for its colour: a file with line and column, a severity (and the carets
#: below the source), a message, the lines and numbers beside the source, a word like 'expected:',
#: good news.
Role = Literal["place", "error", "warning", "note", "message", "line", "label", "good"]

_USUAL = 80
#: Narrower than this nothing can be read; a terminal then wraps the lines itself.
_NARROWEST = 30
_TAB = 4
_INDENT = "    "
#: No single message, path or word of a document fills the screen with more characters than this.
_LONGEST = 2000


def plain(text: str, role: Role) -> str:
    """No colour at all."""
    return text


class _Word(NamedTuple):
    """A text that is not broken, and what it is."""

    text: str
    role: Role


class _Page(NamedTuple):
    """How to write: colours, width in columns, whether words go to further lines, ASCII only."""

    paint: Callable[[str, Role], str]
    width: int
    wrap: bool
    ascii_only: bool

    @property
    def dots(self) -> str:
        """What stands where something was cut off."""
        return "..." if self.ascii_only else "…"

    def safe(self, text: str) -> str:
        """A text that steers no terminal, and that the output has the characters for."""
        if len(text) > _LONGEST:
            text = text[:_LONGEST] + self.dots
        text = printable(text)
        return text.encode("ascii", "backslashreplace").decode() if self.ascii_only else text


def human(
    run: Run,
    *,
    paint: Callable[[str, Role], str] = plain,
    width: int = _USUAL,
    wrap: bool = True,
    ascii_only: bool = False,
) -> str:
    """The whole report; ``width`` is that of the output, in columns.

    Without ``wrap`` only the source lines are cut to it: in a file or a log a
    finding's message is found on one line.
    """
    files = (
        human_file(one, paint=paint, width=width, wrap=wrap, ascii_only=ascii_only)
        for one in run.files
    )
    return "".join(files) + human_summary(
        run, paint=paint, width=width, wrap=wrap, ascii_only=ascii_only
    )


def human_file(
    result: FileResult,
    *,
    paint: Callable[[str, Role], str] = plain,
    width: int = _USUAL,
    wrap: bool = True,
    ascii_only: bool = False,
) -> str:
    """The findings of a file, an empty line behind each; nothing if there are none."""
    return "".join(
        human_finding(one, paint=paint, width=width, wrap=wrap, ascii_only=ascii_only) + "\n"
        for one in result.findings
    )


def human_finding(
    finding: Finding,
    *,
    paint: Callable[[str, Role], str] = plain,
    width: int = _USUAL,
    wrap: bool = True,
    ascii_only: bool = False,
) -> str:
    """One finding, in lines that each have their end."""
    page = _Page(paint, max(width, _NARROWEST), wrap, ascii_only)
    head = [
        _Word(page.safe(f"{_place(finding)}:"), "place"),
        _Word(f"{finding.severity.value}[{page.safe(finding.rule)}]", finding.severity.value),
        *_words(page.safe(finding.message), "message"),
    ]
    lines = list(_wrapped(head, page, _INDENT, together=2))
    margin = " " * (len(str(finding.line)) + 2)
    if finding.excerpt is not None and finding.excerpt.text.strip():
        lines += _source(finding, finding.excerpt, page, margin)
    if finding.expected is not None:
        lines += _said("expected:", page.safe(finding.expected), page, margin)
    if finding.fix is not None:
        lines += _said("fix:", page.safe(finding.fix.description), page, margin)
    return "".join(f"{line}\n" for line in lines)


def _place(finding: Finding) -> str:
    """Where it is; what is about no place in a file (an option) has the line 0."""
    return f"{finding.file}:{finding.line}:{finding.column}" if finding.line else finding.file


def human_summary(
    run: Run,
    *,
    paint: Callable[[str, Role], str] = plain,
    width: int = _USUAL,
    wrap: bool = True,
    ascii_only: bool = False,
) -> str:
    """The remarks, a line each, and the run in one line."""
    page = _Page(paint, max(width, _NARROWEST), wrap, ascii_only)
    lines: list[str] = []
    for remark in run.remarks:
        words = [_Word("note:", "note"), *_words(page.safe(remark), "message")]
        lines += _wrapped(words, page, _INDENT)
    lines += _wrapped(_totals(run), page, _INDENT)
    return "".join(f"{line}\n" for line in lines)


def _totals(run: Run) -> list[_Word]:
    """The words of the last line."""
    counts = Counts.from_run(run)
    files = _number(len(run.files), "file") if run.files else "no files"
    beside = [f"{counts.fixable:,} fixable with --fix"] if counts.fixable else []
    beside += [f"{run.hidden:,} hidden"] if run.hidden else []
    last = _words(f"({', '.join(beside)})", "message") if beside else []
    found: list[_Word] = [
        _Word(_number(number, severity.value), severity.value)
        for severity, number in counts.findings.items()
        if number
    ]
    if not found:
        good = bool(run.files) and counts.valid == len(run.files)
        said = f"{files}, no findings" if run.files else files
        return _words(said, "good" if good else "message") + last
    kinds = [
        f"{number:,} {word}" if len(run.files) > 1 else word
        for number, word in (
            (counts.valid, "valid"),
            (counts.invalid, "invalid"),
            (counts.unreadable, "not checked"),
        )
        if number
    ]
    words = _words(f"{files}: {', '.join(kinds)};", "message")
    words += [_Word(f"{said},", role) for said, role in found[:-1]]
    words.append(found[-1])
    return words + last


def _number(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def _words(text: str, role: Role) -> list[_Word]:
    """The words of a text; two spaces beside each other have an empty word between them."""
    return [_Word(word, role) for word in text.split(" ")]


def _wrapped(
    words: Sequence[_Word], page: _Page, indent: str, *, together: int = 1
) -> Iterator[str]:
    """Words in lines of the page's width; all lines but the first begin with the indent.

    The first words, so many ``together``, stay on one line: programs look for them there.
    """
    line: list[str] = []
    lead, used = "", 0
    for number, (text, role) in enumerate(words):
        size = _width(text)
        if page.wrap and number >= together and line and used + 1 + size > page.width:
            yield (lead + " ".join(line)).rstrip(" ")
            line, lead, used = [], indent, len(indent) - 1
        used += size + (1 if line or lead else 0)
        line.append(page.paint(text, role) if text else "")
    yield (lead + " ".join(line)).rstrip(" ")


def _said(label: str, text: str, page: _Page, margin: str) -> Iterator[str]:
    """``= expected: …``, in as many lines as it takes, below each other."""
    words = [_Word(f"{margin}=", "line"), _Word(label, "label"), *_words(text, "message")]
    return _wrapped(words, page, " " * (len(margin) + len(label) + 3))


def _source(finding: Finding, excerpt: Excerpt, page: _Page, margin: str) -> Iterator[str]:
    """The line of the source, and below it the carets."""
    text = excerpt.text
    start = min(max(finding.column - excerpt.first, 0), len(text))
    stop = len(text.rstrip())
    if finding.end_line == finding.line:
        stop = min(finding.end_column - excerpt.first, len(text))
    stop = max(stop, start)
    shown, before, carets = _window(excerpt, start, stop, page, page.width - len(margin) - 2)
    number = f"{finding.line} ".rjust(len(margin))
    yield page.paint(f"{margin}|", "line")
    yield f"{page.paint(f'{number}|', 'line')} {shown}".rstrip(" ")
    marks = page.paint("^" * carets, finding.severity.value)
    yield f"{page.paint(f'{margin}|', 'line')} {' ' * before}{marks}"


def _window(
    excerpt: Excerpt, start: int, stop: int, page: _Page, room: int
) -> tuple[str, int, int]:
    """The part of a line around a place that fits the room.

    Returns the text, how many columns stand before the place, and how many
    the place has (at least one).
    """
    # No more than this can be seen, so a line of any length costs the same.
    first = max(0, start - 2 * room)
    last = min(len(excerpt.text), start + 2 * room)
    cells = _cells(excerpt.text[first:last].rstrip(), page)
    start, stop = (min(one - first, len(cells)) for one in (start, stop))
    ends = [0, *accumulate(width for _, width in cells)]
    cut_before = excerpt.cut_before or first > 0
    cut_behind = excerpt.cut_behind or last < len(excerpt.text)
    dots = len(page.dots)
    low, high = 0, len(cells)
    behind_it = start == len(cells)  # a caret behind the end of the line takes a column too
    needed = ends[-1] + behind_it + dots * (cut_before + cut_behind)
    indent = _indent(cells, start) if needed > room and not cut_before else 0
    if needed - ends[indent] <= room:
        low = indent
    else:
        low, high = _around(ends, start, stop, room - 2 * dots)
    left = page.dots if low > indent or cut_before else ""
    right = page.dots if high < len(cells) or cut_behind else ""
    text = "".join(shown for shown, _ in cells[low:high])
    before = len(left) + ends[min(start, high)] - ends[low]
    carets = max(1, ends[min(stop, high)] - ends[min(start, high)])
    return (left + text + right).rstrip(), before, carets


def _indent(cells: Sequence[tuple[str, int]], start: int) -> int:
    """How many cells before the place are the line's indentation; nobody misses them."""
    inked = (number for number, (shown, _) in enumerate(cells[:start]) if not shown.isspace())
    return next(inked, start)


def _around(ends: Sequence[int], start: int, stop: int, room: int) -> tuple[int, int]:
    """Which cells to show: the place, and what fits before and behind it.

    ``ends`` has the column before each cell, and the one behind the last.
    """
    last = len(ends) - 1
    free = room - (ends[stop] - ends[start])
    if free <= 0:
        return start, max(start + 1, bisect_right(ends, ends[start] + room) - 1)
    behind = min(free, ends[last] - ends[stop])
    before = min(max(free // 2, free - behind), ends[start])
    low = start
    while low > 0 and ends[start] - ends[low - 1] <= before:
        low -= 1
    high = stop
    while high < last and ends[high + 1] - ends[low] <= room:
        high += 1
    return low, high


def _cells(text: str, page: _Page) -> list[tuple[str, int]]:
    """Each character as it is shown, with its width in columns."""
    cells: list[tuple[str, int]] = []
    column = 0
    for sign in text:
        if sign == "\t":
            width = _TAB - column % _TAB
            shown = " " * width
        else:
            shown = page.safe(sign)
            width = _width(shown)
        cells.append((shown, width))
        column += width
    return cells


def _width(text: str) -> int:
    """The columns that a printable text takes in a terminal."""
    if text.isascii():
        return len(text)
    from unicodedata import category, east_asian_width

    return sum(
        0 if category(one) in ("Mn", "Me") else 2 if east_asian_width(one) in "WF" else 1
        for one in text
    )
