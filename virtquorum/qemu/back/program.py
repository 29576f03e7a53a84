"""Which words of an input are QEMU's arguments: in a script, or behind ``sudo`` and its like.

The program's name tells.  Its arguments end where a shell's command does; what
stands before and behind is passed over.  Without a program's name all words
are arguments, one a line or many.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from virtquorum.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from virtquorum.qemu.back.shell import Word

__all__ = ["Call", "qemu_call"]

_ASSIGNMENT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*", re.DOTALL)
#: Names of the program: those that mean it wherever they stand, then those of other things too.
_NAMES: Final = (
    re.compile(r"(?:.*/)?\.?qemu-(?:system|kvm)[^/=\s]*", re.DOTALL),
    re.compile(r"(?:.*/)?(?:qemu|kvm)", re.DOTALL),
)
_IMAGE: Final = re.compile(r".*\.(?:qcow2?|img|raw|iso|vmdk|vdi)", re.DOTALL)
_SHOWN: Final = 60


class Call(NamedTuple):
    """The program's name, None where there is none, its arguments, and what was passed over."""

    program: str | None
    words: Sequence[Word]
    remark: str | None = None


def qemu_call(words: Sequence[Word]) -> Call:
    """QEMU's arguments among words; raises ArgumentError where QEMU is called twice."""
    if words and words[0].text.startswith("-"):
        return Call(None, words)
    for name in _NAMES:
        calls = [at for at, word in enumerate(words) if _is_program(word.text, name)]
        calls = _with_arguments(words, calls) or calls[:1]
        if calls:
            return _cut(words, calls[0])
    at = 0
    while at < len(words) and _ASSIGNMENT.fullmatch(words[at].text):
        at += 1
    return Call(None, words[at:])


def _is_program(word: str, name: re.Pattern[str]) -> bool:
    return bool(name.fullmatch(word)) and not _IMAGE.fullmatch(word)


def _with_arguments(words: Sequence[Word], calls: Sequence[int]) -> list[int]:
    """Of the words that are called like the program the first on each line that has options."""
    found: list[int] = []
    stop = 0
    for at in calls:
        if at < stop:  # a value, or an argument of the program
            continue
        end = _end(words, at)
        if any(word.text.startswith("-") for word in words[at + 1 : end]):
            found.append(at)
            stop = end
    return found


def _end(words: Sequence[Word], program: int) -> int:
    """Where the command ends; a line that begins with an option belongs to the one above."""
    at = program + 1
    if at < len(words) and words[at].begins_line and words[at].text.startswith("-"):
        return len(words)  # one argument a line, and the program was the first
    while at < len(words):
        if words[at].begins_line and not words[at].text.startswith("-"):
            break
        at += 1
    return at


def _cut(words: Sequence[Word], first: int) -> Call:
    end = _end(words, first)
    for name in _NAMES:
        others = [at for at in range(end, len(words)) if _is_program(words[at].text, name)]
        if second := _with_arguments(words, others):
            raise ArgumentError(
                "there are two commands of QEMU in this, and this is the second one",
                place=words[second[0]].place,
                remedy="give one of them alone",
            )
    before = [word.text for word in words[:first] if not _ASSIGNMENT.fullmatch(word.text)]
    behind = [word.text for word in words[end:]]
    said = [
        f"'{_short(part)}' {where} it"
        for part, where in ((before, "before"), (behind, "behind"))
        if part
    ]
    remark = f"QEMU's command alone is read; passed over is {' and '.join(said)}" if said else None
    return Call(words[first].text, words[first + 1 : end], remark)


def _short(words: Sequence[str]) -> str:
    text = " ".join(words[:_SHOWN])
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
