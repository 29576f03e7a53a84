"""Comments that keep findings back: ``<!-- virtquorum: ignore RULE[, RULE…] reason -->``.

Such a comment speaks of the element that follows it, with all inside; as the
last thing in an element, of that element; before or behind the root element,
of the document.  RULE is a code, the beginning of codes, a name, or 'all'.

The tree keeps no places of comments, so they are looked for in the bytes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from virtquorum.check.finding import Severity
from virtquorum.check.lowered import HINT, is_recorded
from virtquorum.check.rules import RULES
from virtquorum.check.selection import ALWAYS, EXPECTED, codes, nearest, normal
from virtquorum.xml.document import Element

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from virtquorum.xml.document import Document

__all__ = ["CommentProblem", "Ignores"]

_MARK: Final = b"virtquorum:"
#: What may hold a '<' that begins no tag.  The document is well-formed: each has its end.
_NO_TAG = re.compile(rb"<!--(.*?)-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>", re.DOTALL)
_DIRECTIVE = re.compile(rb"\s*virtquorum:\s*([^\s,]*)\s*")
_WORD = re.compile(rb"[^\s,]+")
_COMMA = re.compile(rb"\s*,\s*")

#: Whether these find anything depends on the machine and the options: a comment for one of them
#: alone is never said to be without effect.
_ELSEWHERE: Final = frozenset(
    {"VQ010", "VQ011", *(code for code, (_, of) in RULES.items() if of == "images")}
)
_ABOUT_COMMENTS: Final = frozenset({"VQ020", "VQ021"})
#: After so many words that no rule has, no further ones are compared with all names.
_GUESSES: Final = 50
_LONGEST: Final = 60


class CommentProblem(NamedTuple):
    """What is wrong with a comment: VQ020 or VQ021, and its place as offsets in the UTF-8 text."""

    code: str
    message: str
    start: int
    stop: int
    expected: str | None


class _Word:
    """A rule's name in a comment, and whether it has kept anything back."""

    __slots__ = ("beginning", "start", "stop", "target", "text", "used")

    def __init__(self, text: str, start: int, stop: int, target: int) -> None:
        #: As messages show it.
        self.text = text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
        self.start = start
        self.stop = stop
        #: The offset of the start or end tag of the element that it speaks of.
        self.target = target
        self.beginning = normal(text)
        self.used = False


class Ignores:
    """The comments of a document that keep findings back, and what became of them."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._lowered = HINT in document.data
        #: By the offset of a start or end tag, and the beginning of codes.
        self._scopes: dict[int, dict[str, _Word]] = {}
        self._words: list[_Word] = []
        self._wrong: list[tuple[CommentProblem, int]] = []
        if _MARK in document.data:
            self._read()

    def hides(self, element: Element, code: str) -> bool:
        """Whether a comment keeps back an element's finding; the nearest one then counts as used.

        The findings that say that a file cannot be read are never kept back.
        """
        if not self._scopes or code in ALWAYS:
            return False
        # The more specific word is the used one, so that the other is known to be needless.
        beginnings = [code[:length] for length in range(len(code), -1, -1)]
        one: Element | Document = element
        while isinstance(one, Element):
            for offset in (one.start, one.close):
                scope = self._scopes.get(offset)
                for beginning in beginnings if scope is not None else ():
                    word = scope.get(beginning)  # type: ignore[union-attr]
                    if word is not None:
                        word.used = True
                        return True
            one = one.parent
        return False

    def problems(
        self, takes: Callable[[str, Severity], bool] | None = None
    ) -> Iterator[CommentProblem]:
        """What is wrong with the comments, to be asked when all findings have been.

        ``takes`` says which rules were looked for.  A word is said to have
        kept nothing back (VQ021) only if all of its rules were, at every
        severity.
        """
        if not self._words and not self._wrong:
            return
        elements = self._targets()
        for problem, target in self._wrong:
            if not self.hides(elements[target], problem.code):
                yield problem
        # Words that may keep back what is said of the others come last.
        for word in sorted(self._words, key=lambda one: not _ABOUT_COMMENTS.isdisjoint(_of(one))):
            judged = _of(word) - _ELSEWHERE
            if word.used or not judged:
                continue
            if takes is not None and not all(takes(code, Severity.NOTE) for code in judged):
                continue
            if self._lowered and is_recorded(elements[word.target]):
                continue
            if judged & _ABOUT_COMMENTS or not self.hides(elements[word.target], "VQ021"):
                yield CommentProblem(
                    "VQ021",
                    f"'{word.text}' keeps nothing back here",
                    word.start,
                    word.stop,
                    "a finding of this rule in the element that the comment speaks of,"
                    " or no such comment",
                )

    def _read(self) -> None:
        """Find the comments, from the last to the first: each speaks of the tag behind it."""
        data = self._document.data
        behind, target = len(data), self._document.root.start  # where the tag is known of
        for found in reversed([*_NO_TAG.finditer(data)]):
            tag = data.find(b"<", found.end(), behind)
            if tag >= 0:
                target = tag
            behind = found.start()
            if found[1] is not None and _MARK in found[1]:
                self._read_comment(found[1], found.start(), found.end(), target)
        self._words.reverse()
        self._wrong.reverse()
        for word in self._words:
            assert word.beginning is not None
            self._scopes.setdefault(word.target, {}).setdefault(word.beginning, word)

    def _read_comment(self, text: bytes, start: int, stop: int, target: int) -> None:
        directive = _DIRECTIVE.match(text)
        if directive is None:
            return
        said = directive[1].decode("utf-8")
        at = start + len(b"<!--")
        words: list[_Word] = []
        place = directive.end()
        while said.lower() == "ignore" and (found := _WORD.match(text, place)):
            words.append(
                _Word(found[0].decode("utf-8"), at + found.start(), at + found.end(), target)
            )
            comma = _COMMA.match(text, found.end())
            if comma is None:
                break
            place = comma.end()
        if not words:
            message = "the comment names no rule"
            if said.lower() != "ignore":
                message = f"'{said}' is nothing that a comment can ask for"
            expected = f"'virtquorum: ignore RULE reason', where RULE is {EXPECTED}"
            self._wrong.append((CommentProblem("VQ020", message, start, stop, expected), target))
        for word in reversed(words):
            if word.beginning is None:
                self._wrong.append((self._unknown(word), target))
            elif codes(word.beginning) <= ALWAYS:
                message = f"'{word.text}' cannot be ignored"
                problem = CommentProblem("VQ020", message, word.start, word.stop, None)
                self._wrong.append((problem, target))
            else:
                self._words.append(word)

    def _unknown(self, word: _Word) -> CommentProblem:
        guess = nearest(word.text) if len(self._wrong) < _GUESSES else ""
        return CommentProblem(
            "VQ020",
            f"no rule is called '{word.text}'" + (f"; {guess}" if guess else ""),
            word.start,
            word.stop,
            EXPECTED,
        )

    def _targets(self) -> dict[int, Element]:
        """The elements by the offsets of their tags."""
        found: dict[int, Element] = {}
        for element in self._document.walk():
            found[element.start] = element
            # The close of an empty element is its start, as far as anybody can find it.
            found[element.close] = element
        return found


def _of(word: _Word) -> frozenset[str]:
    assert word.beginning is not None
    return codes(word.beginning)
