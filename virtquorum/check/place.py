"""From problems to findings: lines, columns, excerpts and the edits of fixes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from virtquorum.check.finding import Edit, Excerpt, Finding, Fix, Severity

if TYPE_CHECKING:
    from virtquorum.check.rule import Problem, Repair
    from virtquorum.errors import InputError
    from virtquorum.xml.document import Document, Element

__all__ = ["Placer", "finding_of_error"]

#: Bytes of a line that an excerpt shows before and behind the place: a line may be a megabyte.
_BEFORE: Final = 160
_BEHIND: Final = 400
_SPACE: Final = b" \t\r\n"
_NO_TEXT: Final = re.compile(rb"<!--.*?-->|<\?.*?\?>", re.DOTALL)


class Placer:
    """Makes findings of what is wrong in one document."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._spans: dict[int, dict[str, tuple[int, int, int]]] = {}
        self._paths: dict[int, str] = {}

    def finding(self, code: str, severity: Severity, problem: Problem) -> Finding:
        """A problem as a finding."""
        start, stop = self._span(problem)
        repair = problem.fix() if problem.fix is not None else None
        return self.between(
            code,
            severity,
            problem.message,
            start,
            stop,
            problem.expected,
            path=self._path(problem.element),
            repair=repair,
        )

    def between(
        self,
        code: str,
        severity: Severity,
        message: str,
        start: int,
        stop: int,
        expected: str | None,
        *,
        path: str = "",
        repair: Repair | None = None,
    ) -> Finding:
        """A finding whose place is between two offsets."""
        line, column = self.document.line_column(start)
        excerpt = _excerpt(self.document.data, start, column)
        end_line, end_column = self.document.line_column(stop)
        return Finding(
            file=self.document.name,
            line=line,
            column=column,
            end_line=end_line,
            end_column=end_column,
            rule=code,
            message=message,
            path=path,
            expected=expected,
            severity=severity,
            fix=self._fix(repair),
            excerpt=excerpt,
        )

    def _path(self, element: Element) -> str:
        found = self._paths.get(id(element))
        if found is None:
            found = self._paths[id(element)] = element.path
        return found

    def _span(self, problem: Problem) -> tuple[int, int]:
        element = problem.element
        if problem.attribute is not None:
            spans = self._spans.get(id(element))
            if spans is None:
                spans = self._spans[id(element)] = element.attribute_spans()
            if problem.attribute in spans:
                start, _, stop = spans[problem.attribute]
                return start, stop
        content = element.content
        if problem.text and element.close != element.start:
            return _text_span(element, content)
        return element.start, content

    def _fix(self, repair: Repair | None) -> Fix | None:
        if repair is None:
            return None
        edits = []
        for start, stop, text in repair.changes:
            line, column = self.document.line_column(start)
            end_line, end_column = self.document.line_column(stop)
            edits.append(
                Edit(
                    start=start,
                    stop=stop,
                    text=text,
                    line=line,
                    column=column,
                    end_line=end_line,
                    end_column=end_column,
                )
            )
        return Fix(description=repair.description, edits=tuple(edits))


def _text_span(element: Element, content: int) -> tuple[int, int]:
    """The first text of an element that is more than white space; its content if there is none."""
    data = element.document.data
    at = content
    for child in [*element.elements(), None]:
        stop = element.close if child is None else child.start
        # What is no text in between is as long as it was, in blanks.
        gap = _NO_TEXT.sub(lambda found: b" " * len(found[0]), data[at:stop])
        if text := gap.strip(_SPACE):
            start = at + gap.index(text[:1])
            # Up to the markup that interrupts it, if any does.
            end = data.find(b"<", start, stop)
            end = end if end > start else stop
            return start, start + len(data[start:end].rstrip(_SPACE))
        if child is not None:
            at = child.stop
    return content, element.close


def _excerpt(data: bytes, start: int, column: int) -> Excerpt:
    """The line around an offset of a UTF-8 text, or what is near to it."""
    low, high = max(0, start - _BEFORE), min(len(data), start + _BEHIND)
    begin = max(data.rfind(b"\n", low, start), data.rfind(b"\r", low, start)) + 1
    cut_before = begin == 0 and low > 0
    begin = begin or low
    ends = [at for at in (data.find(b"\n", start, high), data.find(b"\r", start, high)) if at >= 0]
    end = min(ends, default=high)
    while cut_before and data[begin] & 0xC0 == 0x80:  # not amid a character
        begin += 1
    while end < len(data) and not ends and data[end] & 0xC0 == 0x80:
        end -= 1
    before = data[begin:start].decode("utf-8", "replace")
    text = before + data[start:end].decode("utf-8", "replace")
    return Excerpt(
        text=text,
        first=column - len(before),
        cut_before=cut_before,
        cut_behind=not ends and end < len(data),
    )


def finding_of_error(code: str, error: InputError, raw: bytes = b"") -> Finding:
    """What stopped the reading, as a finding; without a place it is at 1:1.

    ``raw`` is what was read, for the source line.
    """
    line, column = error.line or 1, error.column or 1
    return Finding(
        file=error.file,
        line=line,
        column=column,
        end_line=line,
        end_column=column,
        rule=code,
        message=error.message,
        expected=error.remedy,
        severity=Severity.ERROR,
        excerpt=_raw_excerpt(raw, line, column) if error.line is not None else None,
    )


def _raw_excerpt(raw: bytes, line: int, column: int) -> Excerpt | None:
    """The place in bytes that may be no XML; None where they are not UTF-8."""
    try:
        text = raw.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError:
        return None
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n", line)
    if len(lines) < line:
        return None
    before = "\n".join(lines[: line - 1]) + "\n" * (line > 1) + lines[line - 1][: column - 1]
    data = "\n".join(lines).encode()
    return _excerpt(data, len(before.encode()), column)
