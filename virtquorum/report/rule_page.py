"""A rule's page: Markdown for docs/rules.md, and text for a terminal."""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from virtquorum.check.finding import Severity
    from virtquorum.check.rule import Rule

__all__ = ["Role", "document", "draw_page", "draw_table", "markdown"]

#: What a piece of text is, for its colour.
Role = Literal["code", "error", "warning", "note", "heading", "literal", "example", "word"]
#: Colours a text, or leaves it.
Paint = "Callable[[str, Role], str]"

_INTRODUCTION = """\
# The rules

<!-- Written by the tests from the rules themselves: pytest tests/report --update-goldens -->

What `virtquorum validate` finds, rule by rule. `virtquorum explain RULE` shows the same page in a
terminal.

| severity | |
|---|---|
| error | libvirt or QEMU refuses it, or does something other than what is written |
| warning | it works, and is most likely not what was meant |
| note | worth knowing |

A finding of a rule can be worse or milder than the rule is as a rule; its page says when.

**Choosing rules.** `--select RULE` looks for some rules only, and `--ignore RULE` leaves some out.
RULE is a code (`VQ107`), the beginning of codes (`VQ1`, `VQ50`), a name (`threshold-one`) or `all`;
several are parted by commas. Of two that speak of one rule the more specific one counts. The rules
that say that a file cannot be read (VQ001 to VQ004) are always on.

**In the document**, a comment keeps back what is found in the element that follows it, and says
why:

```xml
<!-- virtquorum: ignore threshold-one one rack has to be enough -->
<disk type='quorum' threshold='1' device='disk'>
```

**Fixes.** A rule that is marked *fix* can write what was meant: `virtquorum validate --fix` changes
these bytes and no others, and only where there is one way to read the document. What needs a
decision is never changed.

**Images.** The rules from VQ501 on look at the images themselves, and only with `--check-images`.
"""

_SPAN = re.compile(r"(`[^`]+`|\*\*[^*]+\*\*|(?<![\w*])\*[^*\s][^*]*\*(?!\w))")


def markdown(rule: Rule) -> str:
    """The page as Markdown, with a heading of the second level."""
    marks = f"{rule.severity.value}, fix" if rule.fixable else rule.severity.value
    parts = [
        f"## {rule.code} {rule.name}",
        f"*{marks}*: {_title(rule)}",
        # A program's words may have an <element>, which would be HTML outside a literal.
        re.sub(r"(`[^`]*`)|<", lambda found: found[1] or r"\<", rule.documentation.strip()),
    ]
    if rule.failing:
        parts += ["Found in:", _fenced(rule.failing)]
    if rule.passing:
        parts += ["Not found in:", _fenced(rule.passing)]
    return "\n\n".join(parts) + "\n"


def document(rules: Sequence[Rule]) -> str:
    """All of docs/rules.md: what holds for all rules, an index, and the pages."""
    lines = ["| code | name | severity | what is wrong |", "|---|---|---|---|"]
    for rule in rules:
        fix = ", fix" if rule.fixable else ""
        anchor = f"{rule.code.lower()}-{rule.name}"
        lines.append(
            f"| [{rule.code}](#{anchor}) | `{rule.name}` | {rule.severity.value}{fix}"
            f" | {_title(rule)} |"
        )
    return "\n".join([_INTRODUCTION, *lines, "", "\n".join(map(markdown, rules))])


def draw_page(rule: Rule, paint: Callable[[str, Role], str], *, width: int) -> Iterator[str]:
    """The page for a terminal of so many columns, line by line, each with its end."""
    fix = ", has a fix" if rule.fixable else ""
    head = f"{rule.code} {rule.name}"
    severity = rule.severity.value
    gap = "  " if len(f"{head}  {severity}{fix}") <= width else "\n"
    yield f"{paint(head, 'code')}{gap}{paint(severity, _role(rule.severity))}{fix}\n"
    yield from _wrapped(rule.title, paint, width)
    for paragraph in re.split(r"\n\s*\n", rule.documentation.strip()):
        yield "\n"
        if paragraph.startswith(("|", "    ")):  # a table or a listing keeps its lines
            yield from (f"{line}\n" for line in paragraph.splitlines())
            continue
        for item in re.split(r"\n(?=[-*] |\d+\. )", paragraph):
            lead = re.match(r"[-*] |\d+\. ", item)
            yield from _wrapped(item, paint, width, hang=lead.end() if lead else 0)
    for heading, example in (("Found in:", rule.failing), ("Not found in:", rule.passing)):
        if example:
            yield f"\n{paint(heading, 'heading')}\n\n"
            # XML is not wrapped: it is there to be copied.
            yield from (
                f"  {paint(line, 'example')}\n" if line else "\n"
                for line in _shown(example).splitlines()
            )


def draw_table(
    rules: Sequence[Rule], paint: Callable[[str, Role], str], *, width: int
) -> Iterator[str]:
    """A line for each rule: code, severity, name, title; longer titles go on below."""
    names = max(len(rule.name) for rule in rules)
    column = len("VQ000  warning  ") + names + 2
    for rule in rules:
        severity = rule.severity.value
        lead = (
            f"{paint(rule.code, 'code')}  {paint(severity, _role(rule.severity))}"
            f"{' ' * (len('warning') - len(severity))}  {rule.name.ljust(names)}  "
        )
        # In a narrow terminal the title has a line of its own.
        beside = width - column >= 24
        room = width - (column if beside else 4)
        title = _fill(rule.title, room)
        if not beside:
            yield lead.rstrip() + "\n"
            yield from (f"    {line}\n" for line in title)
            continue
        yield f"{lead}{title[0]}\n"
        yield from (f"{' ' * column}{line}\n" for line in title[1:])


def _role(severity: Severity) -> Role:
    return severity.value


def _title(rule: Rule) -> str:
    """The title as Markdown, in which a bare <element> would be HTML."""
    return re.sub(r"<[^>]*>", r"`\g<0>`", rule.title)


def _fenced(example: str) -> str:
    return f"```xml\n{_shown(example).rstrip()}\n```"


def _shown(example: str) -> str:
    """An example as a page has it: of what is deep or long, the middle is left out."""
    return re.sub(r"^(.{100}).{40,}(.{50})$", r"\1 … \2", example, flags=re.MULTILINE)


def _fill(text: str, width: int) -> list[str]:
    """The words of a text in lines of at most so many columns, as far as words allow it."""
    lines: list[str] = []
    for word in text.split():
        if lines and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines or [""]


def _wrapped(
    text: str, paint: Callable[[str, Role], str], width: int, *, hang: int = 0
) -> Iterator[str]:
    """A paragraph of Markdown in lines; literals and stress are painted, their marks are gone.

    A literal with spaces may be broken, as any text; so words are filled
    first, each with what it is, and painted in runs.
    """
    words: list[list[tuple[str, Role]]] = [[]]
    for piece in _SPAN.split(text):
        role: Role = "word"
        if piece[:1] == "`" and len(piece) > 1:
            piece, role = piece[1:-1], "literal"  # noqa: PLW2901
        elif piece[:1] == "*" and _SPAN.fullmatch(piece):
            piece, role = piece.strip("*"), "heading"  # noqa: PLW2901
        for number, part in enumerate(re.split(r"\s+", piece)):
            if number:
                words.append([])
            if part:
                words[-1].append((part, role))
    line: list[list[tuple[str, Role]]] = []
    used = 0
    indent = ""
    for word in filter(None, words):
        length = sum(len(part) for part, _ in word)
        if line and used + 1 + length > width - len(indent):
            yield indent + _painted(line, paint)
            line, used, indent = [], 0, " " * hang
        used += length + bool(line)
        line.append(word)
    yield indent + _painted(line, paint)


def _painted(line: Sequence[Sequence[tuple[str, Role]]], paint: Callable[[str, Role], str]) -> str:
    """Words as text, in which neighbours of one role are painted at once."""
    pieces: list[tuple[str, Role]] = []
    for word in line:
        if pieces:
            pieces.append((" ", word[0][1] if word[0][1] == pieces[-1][1] else "word"))
        pieces += word
    runs = groupby(pieces, key=lambda piece: piece[1])
    return "".join(paint("".join(text for text, _ in run), role) for role, run in runs) + "\n"
