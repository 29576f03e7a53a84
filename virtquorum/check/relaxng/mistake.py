"""What the explainer found at one place of a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from virtquorum.xml.document import Element

__all__ = ["Kind", "Mistake"]

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
