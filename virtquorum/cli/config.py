"""The configuration of ``virtquorum validate``: ``.virtquorum.toml`` or ``pyproject.toml``.

The nearest file counts that has a table for us, from a directory upward to the
top of its repository or file system.  Options of the command line count more.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Self

from virtquorum.check.finding import Severity
from virtquorum.check.selection import Selection
from virtquorum.errors import ConfigurationError, UsageError
from virtquorum.model.node import Node, node

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["FILE", "KEYS", "Config", "excluded"]

#: The file of our own; its keys stand in the table [validate].
FILE: Final = ".virtquorum.toml"
_PROJECT: Final = "pyproject.toml"
_TABLES: Final = {FILE: ("validate",), _PROJECT: ("tool", "virtquorum", "validate")}
#: What marks the top of a repository.
_TOPS: Final = (".git", ".hg", ".svn")
_GRAMMARS: Final = ("rng", "xsd", "both")
_TOML_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_HEADER = re.compile(r"\s*\[([^\[\]]+)\]")


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Config(Node):
    """What the configuration says; None and () where it says nothing.

    ``path`` is the file, None without one.  ``libvirt_schemas`` and
    ``baseline`` are paths, relative ones made whole by the file's directory.
    ``per_file_ignores`` are patterns (see ``excluded``) and rules.
    """

    path: str | None = None
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    severity: Severity | None = None
    exclude: tuple[str, ...] = ()
    grammar: str | None = None
    libvirt_schemas: str | None = None
    baseline: str | None = None
    check_images: bool | None = None
    per_file_ignores: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @classmethod
    def find(cls, start: str | None = None) -> Self:
        """The configuration that counts in a directory (the current one unless given).

        Raises ConfigurationError for a file that makes no sense.
        """
        folder = os.path.abspath(start if start is not None else os.getcwd())
        while True:
            for name in _TABLES:
                path = os.path.join(folder, name)
                if os.path.isfile(path) and (found := cls._read(path, wanted=False)) is not None:
                    return found
            above = os.path.dirname(folder)
            if above == folder or any(os.path.exists(os.path.join(folder, top)) for top in _TOPS):
                return cls()
            folder = above

    @classmethod
    def read(cls, path: str) -> Self:
        """The configuration of a file that somebody named.

        Raises ConfigurationError, also where the file has no table for us.
        """
        found = cls._read(path, wanted=True)
        assert found is not None
        return found

    @classmethod
    def _read(cls, path: str, *, wanted: bool) -> Self | None:
        table = _table(path, wanted=wanted)
        return None if table is None else cls(path=path, **table)

    @property
    def directory(self) -> str:
        """The directory of the file, from which its patterns see the paths."""
        return os.path.dirname(os.path.abspath(self.path)) if self.path is not None else os.curdir

    def excludes(self, path: str) -> bool:
        """Whether ``exclude`` has a file or a directory."""
        return excluded(path, self.exclude, self.directory)

    def ignores_for(self, file: str) -> tuple[str, ...]:
        """The rules that per-file-ignores keeps back for a file; part of no Selection yet."""
        return tuple(
            word
            for pattern, words in self.per_file_ignores
            if excluded(file, [pattern], self.directory)
            for word in words
        )


def excluded(path: str, patterns: Sequence[str], *bases: str) -> bool:
    """Whether a pattern has a path, or a directory above it.

    Paths are seen from each of the directories ``bases`` (the current one
    unless given) that they lie in.  A pattern without '/' is for one name,
    of the file or of any directory on the way to it; one with '/' is for the
    whole way; one that begins with '/' is for the absolute path.  '*', '?'
    and '[…]' stay within a name, '**' is any number of directories, and a
    '/' at the end says that a directory is meant.
    """
    if not patterns:
        return False
    whole = os.path.abspath(path)
    ways = []
    for base in bases or (os.curdir,):
        way = os.path.relpath(whole, os.path.abspath(base))
        if way.split(os.sep, 1)[0] != os.pardir:
            ways.append(way)
    # Outside of all: the directories above it are nobody's choice.
    ways = ways or [os.path.basename(whole)]
    return any(
        _pattern(one).match(way) is not None
        for one in patterns
        for way in ([whole] if one.startswith("/") else ways)
    )


@lru_cache(maxsize=1024)
def _pattern(pattern: str) -> re.Pattern[str]:
    """A pattern as an expression for a path and for all that lies below it."""
    text = pattern.rstrip("/")
    out = [] if "/" in text else [r"(?:.*/)?"]
    text = text.removeprefix("./")
    at = 0
    while at < len(text):
        if text.startswith("**/", at) and (at == 0 or text[at - 1] == "/"):
            out.append(r"(?:[^/]+/)*")
            at += 3
        elif text[at:] == "**" and (at == 0 or text[at - 1] == "/"):
            out.append(r".+")
            at += 2
        elif text[at] == "*":
            out.append(r"[^/]*")
            at += 1
        elif text[at] == "?":
            out.append(r"[^/]")
            at += 1
        elif text[at] == "[" and (end := text.find("]", at + 2)) > 0:
            inner = text[at + 1 : end].replace("\\", r"\\").replace("[", r"\[")
            inner = f"^/{inner[1:]}" if inner[0] in "!^" else inner
            out.append(f"(?!/)[{inner}]")
            at = end + 1
        else:
            out.append(re.escape(text[at]))
            at += 1
    return re.compile(
        "".join(out) + (r"/.+\Z" if pattern.endswith("/") else r"(?:/.*)?\Z"), re.DOTALL
    )


def _table(path: str, *, wanted: bool) -> dict[str, Any] | None:
    """The fields of a Config that a file gives; None if it has no table for us."""
    try:
        with open(path, "rb") as file:
            raw = file.read()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigurationError(f"cannot be read: {reason}", file=path) from None
    own = os.path.basename(path) != _PROJECT
    if not own and not wanted and b"virtquorum" not in raw:
        return None  # most projects' files are none of our business: they are not even parsed
    text = _text(raw, path)
    value = _parsed(text, path)
    steps = _TABLES[FILE if own else _PROJECT]
    for number, step in enumerate(steps):
        # Beside our own table stand the other tools', but in our file and table nobody's.
        if own or number == 2:
            _known(value, [step], steps[:number], text, path)
        if step not in value:
            if wanted and not own:
                name = ".".join(steps)
                raise ConfigurationError(f"there is no table [{name}] in it", file=path)
            return {} if own else None
        value = value[step]
        if not isinstance(value, dict):
            raise _wrong(f"'{step}' must be a table", text, path, steps[:number], step)
    return _fields(value, steps, text, path)


def _text(raw: bytes, path: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigurationError("it is not UTF-8", file=path, line=line) from None


def _parsed(text: str, path: str) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        place = _TOML_PLACE.search(message)
        line = column = None
        if place is not None:
            message = message[: place.start()]
            line = int(place[1]) if place[1] else text.count("\n") + 1
            column = int(place[2]) if place[2] else None
        message = message[:1].lower() + message[1:]
        raise ConfigurationError(
            f"it is no TOML: {message}", file=path, line=line, column=column
        ) from None
    except RecursionError:
        raise ConfigurationError("it is nested too deeply", file=path) from None


class _Wrong(Exception):  # noqa: N818 - it never leaves this module
    """What is wrong with a value, in words."""


def _fields(table: Mapping[str, Any], steps: Sequence[str], text: str, path: str) -> dict[str, Any]:
    _known(table, KEYS, steps, text, path)
    directory = os.path.dirname(path)
    fields = {}
    for key, value in table.items():
        try:
            fields[key.replace("-", "_")] = KEYS[key](value, directory)
        except (_Wrong, UsageError) as error:
            raise _wrong(f"{key}: {error}", text, path, steps, key) from None
    return fields


def _known(
    table: Mapping[str, Any],
    keys: Sequence[str] | Mapping[str, object],
    steps: Sequence[str],
    text: str,
    path: str,
) -> None:
    """Refuse a key that nobody would read."""
    for key in table:
        if key in keys:
            continue
        from difflib import get_close_matches

        near = get_close_matches(key.lower().replace("_", "-"), list(keys), 1, 0.6)
        remedy = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(keys)}"
        if not steps and key in KEYS:
            remedy = "it belongs below [validate]"
        raise _wrong(f"'{key}' is unknown", text, path, steps, key, remedy)


def _wrong(
    message: str, text: str, path: str, steps: Sequence[str], key: str, remedy: str | None = None
) -> ConfigurationError:
    return ConfigurationError(message, file=path, line=_line(text, steps, key), remedy=remedy)


def _line(text: str, steps: Sequence[str], key: str) -> int | None:
    """The line on which a key stands, as far as it is written in the usual way.

    tomllib says no places; a wrong line would be worse than none, so only a
    single candidate counts.
    """
    written = re.compile(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[=.]")
    header: list[str] = []
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        if (table := _HEADER.match(line)) is not None:
            header = [part.strip().strip("\"'") for part in table[1].split(".")]
            if header[: len(steps) + 1] == [*steps, key]:
                found.append(number)
        elif header == [*steps] and written.match(line):
            found.append(number)
    return found[0] if len(found) == 1 else None


def _strings(value: object, _directory: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise _Wrong("a list of strings is expected, as in ['one', 'two']")
    return tuple(value)


def _patterns(value: object, directory: str) -> tuple[str, ...]:
    patterns = _strings(value, directory)
    for one in patterns:
        _check_pattern(one)
    return patterns


def _check_pattern(pattern: str) -> None:
    if not pattern.strip("/"):
        raise _Wrong(f"'{pattern}' is no pattern")
    try:
        _pattern(pattern)
    except re.error:
        raise _Wrong(f"'{pattern}' is no pattern: '[…]' holds no such range") from None


def _select(value: object, directory: str) -> tuple[str, ...]:
    words = _strings(value, directory)
    Selection.from_words(select=words)
    return words


def _ignore(value: object, directory: str) -> tuple[str, ...]:
    words = _strings(value, directory)
    Selection.from_words(ignore=words)
    return words


def _choice(value: object, choices: Sequence[str]) -> str:
    if value not in choices or not isinstance(value, str):
        expected = ", ".join(f"'{one}'" for one in choices)
        raise _Wrong(f"{_shown(value)} is none of its values; expected {expected}")
    return value


def _severity(value: object, _directory: str) -> Severity:
    return Severity(_choice(value, [one.value for one in Severity]))


def _grammar(value: object, _directory: str) -> str:
    return _choice(value, _GRAMMARS)


def _path(value: object, directory: str) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise _Wrong(f"a path is expected, not {_shown(value)}")
    return os.path.join(directory, value)


def _truth(value: object, _directory: str) -> bool:
    if not isinstance(value, bool):
        raise _Wrong(f"true or false is expected, not {_shown(value)}")
    return value


def _per_file(value: object, directory: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if not isinstance(value, dict):
        raise _Wrong("a table of patterns is expected, as in { 'old/*.xml' = ['VQ1'] }")
    for pattern in value:
        _check_pattern(pattern)
    return tuple((pattern, _ignore(words, directory)) for pattern, words in value.items())


def _shown(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


#: Each key, and how its value is read; the directory is the file's.
KEYS: Final[dict[str, Callable[[object, str], object]]] = {
    "select": _select,
    "ignore": _ignore,
    "severity": _severity,
    "exclude": _patterns,
    "grammar": _grammar,
    "libvirt-schemas": _path,
    "baseline": _path,
    "check-images": _truth,
    "per-file-ignores": _per_file,
}
