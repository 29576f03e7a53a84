"""JSON as QEMU reads it: to any depth up to a bound, strictly, with the place of a mistake.

QEMU takes texts in single quotes as well, refuses a key that comes twice, and
nests at most 1,024 levels.  Numbers beyond 64 bits have no meaning for a disk
and are refused.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

__all__ = ["MOST_LEVELS", "JsonMistake", "read_json"]

#: QEMU's own bound (MAX_NESTING of its JSON parser).
MOST_LEVELS: Final = 1024

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_TEXT: Final = re.compile(r'"[^"\\\x00-\x1f]*(?:\\.[^"\\\x00-\x1f]*)*"')
_SINGLE: Final = re.compile(r"'[^'\\\x00-\x1f]*(?:\\.[^'\\\x00-\x1f]*)*'")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?(?![0-9A-Za-z_.])")
_WORD: Final = re.compile(r"[A-Za-z]+")
_WORDS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None}
_ESCAPE: Final = re.compile(r"\\(u[0-9A-Fa-f]{4}|[^u])|\"")
_LARGEST_DIGITS: Final = 20


class JsonMistake(Exception):  # noqa: N818 - it becomes an ArgumentError
    """What is wrong with a JSON text, and at which offset."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


def read_json(text: str, start: int = 0) -> tuple[Any, int]:
    """The value that begins at an offset, and where it ends.

    Raises JsonMistake.
    """
    return _Reader(text, start).value()


class _Reader:
    """Keeps the open objects and arrays on a stack, so that depth costs no recursion."""

    def __init__(self, text: str, start: int) -> None:
        self.text = text
        self.at = start
        # Open containers; for an object the key whose value comes next.
        self.open: list[tuple[dict[str, Any] | list[Any], str]] = []

    def value(self) -> tuple[Any, int]:
        while True:
            one = self._begun()
            if isinstance(one, (dict, list)) and not self._closes(one):
                if len(self.open) >= MOST_LEVELS:
                    raise JsonMistake(f"nested deeper than {MOST_LEVELS} levels", self.at)
                self.open.append((one, self._key(one)))
                continue
            while True:  # a value is complete
                if not self.open:
                    return one, self.at
                container, key = self.open[-1]
                if isinstance(container, dict):
                    container[key] = one
                else:
                    container.append(one)
                if self._goes_on(container):
                    self.open[-1] = (container, self._key(container))
                    break
                self.open.pop()
                one = container

    def _skip(self) -> str:
        found = _SPACE.match(self.text, self.at)
        assert found is not None
        self.at = found.end()
        return self.text[self.at : self.at + 1]

    def _begun(self) -> Any:
        """A scalar, or an object or array whose bracket has just been read."""
        sign = self._skip()
        if sign in ("{", "["):
            self.at += 1
            return {} if sign == "{" else []
        if sign in ('"', "'"):
            return self._string()
        if found := _NUMBER.match(self.text, self.at):
            return self._number(found)
        if (found := _WORD.match(self.text, self.at)) and found[0] in _WORDS:
            self.at = found.end()
            return _WORDS[found[0]]
        raise JsonMistake(self._unexpected("a value"), self.at)

    def _closes(self, container: dict[str, Any] | list[Any]) -> bool:
        if self._skip() != ("}" if isinstance(container, dict) else "]"):
            return False
        self.at += 1
        return True

    def _goes_on(self, container: dict[str, Any] | list[Any]) -> bool:
        if self._closes(container):
            return False
        if self._skip() != ",":
            end = "}" if isinstance(container, dict) else "]"
            raise JsonMistake(self._unexpected(f"',' or '{end}'"), self.at)
        self.at += 1
        return True

    def _key(self, container: dict[str, Any] | list[Any]) -> str:
        if isinstance(container, list):
            return ""
        if self._skip() not in ('"', "'"):
            raise JsonMistake(self._unexpected("a key in quotes"), self.at)
        start = self.at
        key = self._string()
        if key in container:
            raise JsonMistake(f"the key '{key}' comes twice", start)
        if self._skip() != ":":
            raise JsonMistake(self._unexpected("':'"), self.at)
        self.at += 1
        return key

    def _string(self) -> str:
        single = self.text[self.at] == "'"
        found = (_SINGLE if single else _TEXT).match(self.text, self.at)
        if found is None:
            raise JsonMistake("a text that does not end, or with a control character", self.at)
        self.at = found.end()
        body = found[0][1:-1]
        if "\\" not in body:
            return body
        try:
            text = json.loads('"' + _ESCAPE.sub(_as_json, body) + '"')
        except ValueError:
            wrong = "a text with an escape that JSON does not have"
            raise JsonMistake(wrong, found.start()) from None
        assert isinstance(text, str)
        if "\0" in text or (not text.isascii() and _has_surrogate(text)):
            raise JsonMistake("a text with an escape that is no character", found.start())
        return text

    def _number(self, found: re.Match[str]) -> int | float:
        self.at = found.end()
        if found[1] or found[2]:
            return float(found[0])
        if len(found[0]) > _LARGEST_DIGITS or not -(2**63) <= int(found[0]) < 2**64:
            raise JsonMistake("a number of more than 64 bits", found.start())
        return int(found[0])

    def _unexpected(self, expected: str) -> str:
        here = self.text[self.at : self.at + 1]
        return f"'{here}' where {expected} is expected" if here else f"ends before {expected}"


def _as_json(found: re.Match[str]) -> str:
    """An escape as JSON has it; QEMU knows one for the single quote, and a text in those."""
    if found[1] is None:
        return '\\"'
    return "'" if found[1] == "'" else found[0]


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= sign <= "\udfff" for sign in text)
