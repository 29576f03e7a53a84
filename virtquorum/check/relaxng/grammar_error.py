"""The error of a grammar that is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.errors import InputError

if TYPE_CHECKING:
    from virtquorum.xml.document import Element

__all__ = ["GrammarError", "wrong"]


class GrammarError(InputError):
    """A grammar that cannot be read, or that is no RELAX NG."""


def wrong(
    place: Element, message: str, remedy: str | None = None, *, attribute: str | None = None
) -> GrammarError:
    """The error at an element of a grammar, or at one of its attributes."""
    offset = place.start
    if attribute is not None:
        offset = place.attribute_spans()[attribute][0]
    line, column = place.document.line_column(offset)
    return GrammarError(message, file=place.file, line=line, column=column, remedy=remedy)
