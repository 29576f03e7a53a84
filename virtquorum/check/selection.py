"""Which rules are asked for: words such as 'VQ105', 'VQ1' and 'threshold-above-members'."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Self

from virtquorum.check.finding import Severity
from virtquorum.check.rules import RULES
from virtquorum.errors import UsageError
from virtquorum.model.node import Node, node

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["ALWAYS", "EXPECTED", "Selection", "codes", "nearest", "normal", "split"]

#: What stops the reading: a file that nobody could look at is never a pass.
ALWAYS: Final = frozenset({"VQ001", "VQ002", "VQ003", "VQ004"})
#: What a word may be, for messages.
EXPECTED: Final = "a code ('VQ105'), the beginning of codes ('VQ1'), a rule's name, or 'all'"

_DIGITS = re.compile("[0-9]")
_NAMES = {name: code for code, (name, _) in RULES.items()}


def split(words: Iterable[str]) -> list[str]:
    """The single words of options that may each hold several, with commas between them.

    Raises UsageError for an option without any.
    """
    found = []
    for option in words:
        single = [one for one in (part.strip() for part in option.split(",")) if one]
        if not single:
            raise UsageError(f"'{option}' names no rule; expected {EXPECTED}")
        found += single
    return found


def normal(word: str) -> str | None:
    """A word as a code or the beginning of one, '' for all rules; None if no rule has it.

    The length of what comes back says how specific the word is.
    """
    lower = word.lower()
    if lower == "all":
        return ""
    if lower in _NAMES:
        return _NAMES[lower]
    upper = word.upper()
    return upper if upper.startswith("VQ") and codes(upper) else None


@lru_cache(maxsize=256)
def codes(beginning: str) -> frozenset[str]:
    """The codes of all rules that begin so."""
    return frozenset(code for code in RULES if code.startswith(beginning))


@lru_cache(maxsize=256)
def nearest(word: str) -> str:
    """A question after the name or code that was most likely meant: "did you mean 'VQ105'?", or ''.

    Words longer than any rule's name have none.
    """
    if len(word) > 60:
        return ""
    from difflib import get_close_matches

    digits = _DIGITS.findall(word)
    if len(digits) == 3:  # one digit taken for another says nothing, but two exchanged do
        near = [code for code in RULES if sorted(code[2:]) == sorted(digits)]
        exact = "VQ" + "".join(digits)
        found = [exact] if exact in near else near[:2]
    else:
        found = get_close_matches(word.lower(), _NAMES, 2, 0.6)
    return f"did you mean {' or '.join(repr(one) for one in found)}?" if found else ""


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Selection(Node):
    """The rules that are reported, and from which severity on.

    Of two words that speak of a rule the more specific one counts: a name or
    a code more than 'VQ10', that more than 'VQ1', that more than 'all'; of
    equals, the ignoring one.
    """

    severity: Severity
    chosen: frozenset[str]

    @classmethod
    def from_words(
        cls,
        select: Sequence[str] = (),
        ignore: Sequence[str] = (),
        severity: Severity = Severity.NOTE,
    ) -> Self:
        """The rules of some words; without any in ``select``, all rules that none ignores.

        Raises UsageError for a word that no rule has, and for one in
        ``ignore`` that has only the rules that are always reported.
        """
        return cls(severity=severity, chosen=codes("")).changed(select, ignore)

    def changed(self, select: Sequence[str] = (), ignore: Sequence[str] = ()) -> Self:
        """With words that count more than all before, as options do over a configuration.

        A ``select`` puts all that was there aside; an ``ignore`` alone takes
        away from it.  Raises UsageError as from_words does.
        """
        taken, left = _specific(select, "select"), _specific(ignore, "ignore")
        chosen = {
            code
            for code in RULES
            if (taken[code] > left[code] if select else left[code] < 0 and code in self.chosen)
        }
        return replace(self, chosen=frozenset(chosen))

    def takes(self, code: str, severity: Severity) -> bool:
        """Whether a finding of a rule and a severity is to be reported."""
        return code in ALWAYS or (code in self.chosen and severity.rank <= self.severity.rank)


def _specific(words: Sequence[str], option: str) -> dict[str, int]:
    """How specific the words speak of each code; -1 where none does."""
    found = dict.fromkeys(RULES, -1)
    for word in split(words):
        beginning = normal(word)
        if beginning is None:
            raise UsageError(
                f"no rule is called '{word}'; {nearest(word) or f'expected {EXPECTED}'}"
            )
        if option == "ignore" and codes(beginning) <= ALWAYS:
            raise UsageError(
                f"'{word}' cannot be ignored: a file that cannot be read is never a pass;"
                " leave the file out with --exclude"
            )
        for code in codes(beginning):
            found[code] = max(found[code], len(beginning))
    return found
