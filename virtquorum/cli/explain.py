"""``virtquorum explain``: what a rule finds, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from virtquorum.check.rules import RULES, all_rules, rule
from virtquorum.check.selection import EXPECTED, codes, nearest, normal
from virtquorum.cli.streams import Exit, Streams
from virtquorum.errors import UsageError
from virtquorum.report.rule_page import draw_page, draw_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from virtquorum.check.rule import Rule
    from virtquorum.json_text import Json
    from virtquorum.report.rule_page import Role

__all__ = ["command"]

_COLOURS: dict[Role, dict[str, object]] = {
    "code": {"bold": True},
    "error": {"fg": "red", "bold": True},
    "warning": {"fg": "yellow"},
    "note": {"fg": "cyan"},
    "heading": {"bold": True},
    "literal": {"fg": "green"},
}
#: Lines wider than this are hard to read, however wide the terminal is.
_NARROWEST, _USUAL, _WIDEST = 40, 80, 100


def _complete(beginning: str) -> list[str]:
    known = [*RULES, *(name for name, _ in RULES.values())]
    return [one for one in known if one.lower().startswith(beginning.lower())]


def command(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RULE…]",
            help="Codes (VQ106), beginnings of codes (VQ1) or names; without any, all in a table.",
            show_default=False,
            autocompletion=_complete,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> int:
    """Say what a rule finds, what happens then, what to do, and show an example of each.

    \b
      virtquorum explain
      virtquorum explain VQ106
      virtquorum explain --json threshold-one

    Exit codes: 0 clean, 2 usage.
    """
    streams: Streams = context.obj
    rules = [rule(code) for code in _codes(words)] if words else all_rules()
    if as_json:
        streams.write_json([_json(one) for one in rules], indent=2)
        return Exit.CLEAN
    paint = _painter(streams.colour)
    width = min(max(streams.width or _USUAL, _NARROWEST), _WIDEST)
    if words:
        text = "\n".join("".join(draw_page(one, paint, width=width)) for one in rules)
    else:
        text = "".join(draw_table(rules, paint, width=width))
    if not streams.can_write(text):
        encoding = streams.out.encoding or "ascii"
        text = text.encode(encoding, "replace").decode(encoding)
    streams.out.write(text)
    return Exit.CLEAN


def _codes(words: Sequence[str]) -> list[str]:
    """The codes that the words name, each once, in the order of the words."""
    found: dict[str, None] = {}
    for word in words:
        beginning = normal(word)
        if beginning is None:
            way_out = nearest(word) or f"expected {EXPECTED}; 'virtquorum explain' lists them"
            raise UsageError(f"no rule is called '{word}'; {way_out}")
        found.update(dict.fromkeys(sorted(codes(beginning))))
    return list(found)


def _json(rule: Rule) -> Json:
    return {
        "code": rule.code,
        "name": rule.name,
        "severity": rule.severity.value,
        "title": rule.title,
        "documentation": rule.documentation.strip(),
        "failing": rule.failing or None,
        "passing": rule.passing or None,
        "fixable": rule.fixable,
    }


def _painter(colour: bool) -> Callable[[str, Role], str]:
    if not colour:
        return lambda text, role: text

    def paint(text: str, role: Role) -> str:
        style = _COLOURS.get(role)
        return text if style is None else typer.style(text, **style)  # type: ignore[arg-type]

    return paint
