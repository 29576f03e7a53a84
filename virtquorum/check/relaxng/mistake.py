"""What the explainer found at one place of a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from virtquorum.xml.document import Element

__all__ = ["MOST", "Kind", "Mistake", "Mistakes", "TooMany"]

#: How many mistakes of one document are told.
MOST: Final = 1_000

#: 'gave-up' says that the bound on work was reached before the end of the document.
Kind: TypeAlias = Literal[
    "element-not-allowed",
    "element-missing",
    "attribute-not-allowed",
    "attribute-missing",
    "attribute-value",
    "text-value",
    "text-not-allowed",
    "gave-up",
]


class Mistake(NamedTuple):
    """One mistake in a document.

    The place is ``element``'s start tag, or that of its ``attribute`` (its
    name as it is written) where one is named, or the element's text where
    ``text`` is True: the element that is not allowed, the parent of one that
    is missing, the element whose attribute is missing.  ``expected`` says in
    words what should stand there; ``choices`` are the values or names that
    may, the nearest first where one is near.
    """

    element: Element
    attribute: str | None
    text: bool
    kind: Kind
    message: str
    expected: str | None
    choices: tuple[str, ...]


class TooMany(Exception):  # noqa: N818 - it ends one document's check, and is no error
    """A document has MOST mistakes."""


class Mistakes:
    """The mistakes that have been found in a document."""

    def __init__(self) -> None:
        self.found: list[Mistake] = []

    def add(self, mistake: Mistake) -> int:
        """Keep one, and give its number; raises TooMany where it is the last that is kept."""
        self.found.append(mistake)
        if len(self.found) >= MOST:
            raise TooMany
        return len(self.found) - 1

    def in_order(self) -> list[Mistake]:
        """All, by place; what is said of the end comes last."""
        orders: dict[int, dict[str, int]] = {}

        def place(mistake: Mistake) -> tuple[bool, int, int]:
            element, written = mistake.element, mistake.attribute
            number = 0
            if written is not None:
                order = orders.get(id(element))
                if order is None:
                    order = {name: place for place, name in enumerate(element.attributes, 1)}
                    orders[id(element)] = order
                number = order[written]
            elif mistake.text:
                number = len(element.attributes) + 1
            return mistake.kind == "gave-up", element.start, number

        return sorted(self.found, key=place)
