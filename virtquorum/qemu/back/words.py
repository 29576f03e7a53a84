"""The forms in which arguments for QEMU come, and what is read of each.

A list of words, a shell's command line (alone or in libvirt's log of a
domain), a JSON array of words, words that end in NUL; or commands for a
monitor: a JSON array, objects one after the other, or a log in which they
stand among replies and other text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from virtquorum.errors import ArgumentError, LimitError
from virtquorum.json_text import json_text
from virtquorum.qemu.back.json_value import JsonMistake, read_json
from virtquorum.qemu.back.place import Place
from virtquorum.qemu.back.shell import Lines, Word, shell_words

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "LARGEST",
    "Arguments",
    "Command",
    "Commands",
    "Given",
    "Word",
    "given_text",
    "given_words",
]

#: Characters that an input may have.
LARGEST: Final = 16 * 1024 * 1024
_START: Final = re.compile(r"^.*: starting up libvirt version.*$", re.MULTILINE)
_CONTINUED: Final = re.compile(r"(?:.*\\\r?\n)*.*")
_COMMAND: Final = re.compile(r"""\{\s*["'](?:execute|exec-oob)["']\s*:""")
_OBJECT: Final = re.compile(r"\{")
#: Where an object of QMP begins, by what stands first in it.
_QMP: Final = re.compile(
    r"""\{\s*["'](?:execute|exec-oob|arguments|id|return|error|QMP|event|timestamp|data|class)["']"""
)
#: A prompt of HMP, or its commands that are about disks.
_HMP: Final = re.compile(
    r"\(qemu\)|QEMU [0-9][^\n]* monitor -|"
    r"(?:drive_add|drive_del|device_add|device_del|object_add|object_del|chardev-add)[ \t]+[^=\s]"
)
_OPTION_FIRST: Final = re.compile(r"\s*-")


class Command(NamedTuple):
    """A command for QEMU's monitor."""

    name: str
    arguments: dict[str, Any]
    place: Place


class Arguments(NamedTuple):
    """The words of a command line; ``remarks`` say what was passed over."""

    words: tuple[Word, ...]
    remarks: tuple[str, ...] = ()


class Commands(NamedTuple):
    """Commands in their order, without those that QEMU answered with an error."""

    commands: tuple[Command, ...]
    remarks: tuple[str, ...] = ()


Given: TypeAlias = Arguments | Commands


def given_words(words: Sequence[str]) -> Given:
    """What was given as separate words; one that holds white space or JSON is read as a text."""
    if len(words) == 1 and re.search(r"\s|^[\[{]", words[0]):
        return given_text(words[0])
    return Arguments(tuple(Word(word, Place(at)) for at, word in enumerate(words, 1)))


def given_text(text: str, file: str = "<argument>") -> Given:
    """What a text holds, whatever form it has.

    Raises ArgumentError where it cannot be read, LimitError where it is too large.
    """
    if len(text) > LARGEST:
        raise LimitError(f"larger than {LARGEST} characters", file=file)
    lines = Lines(text, file)
    begin = text.lstrip()
    at = len(text) - len(begin)
    if begin.startswith("["):
        return _array(text, at, lines)
    if _HMP.match(begin):
        raise ArgumentError(
            "these are commands of the monitor for people (HMP), which are not read",
            place=lines.place(at, 1, kind="command"),
            remedy="give QEMU's arguments, or the commands as QMP has them: "
            '{"execute": "blockdev-add", "arguments": {…}}',
        )
    if "\0" in text:
        return _ended_by_nul(text)
    if starts := list(_START.finditer(text)):
        return _libvirt_log(text, starts, lines)
    if begin.startswith("{") or (_COMMAND.search(text) and not _OPTION_FIRST.match(text)):
        return _log(text, lines)
    return Arguments(tuple(shell_words(text, lines)))


def _ended_by_nul(text: str) -> Arguments:
    words = text.removesuffix("\n").removesuffix("\0").split("\0")
    return Arguments(tuple(Word(word, Place(at)) for at, word in enumerate(words, 1)))


def _libvirt_log(text: str, starts: list[re.Match[str]], lines: Lines) -> Arguments:
    """The last start in libvirt's log of a domain: the lines that continue each other."""
    begin = starts[-1].end() + 1
    found = _CONTINUED.match(text, begin)
    remarks: tuple[str, ...] = ()
    if len(starts) > 1:
        remarks = (f"the log tells of {len(starts)} starts; the last one is read",)
    stop = found.end() if found else len(text)
    return Arguments(tuple(shell_words(text, lines, begin, stop)), remarks)


def _value(text: str, at: int, lines: Lines, number: int, kind: str) -> tuple[Any, int]:
    try:
        return read_json(text, at)
    except JsonMistake as mistake:
        place = lines.place(mistake.offset, number, kind=kind)
        raise ArgumentError(f"this is no JSON: {mistake.message}", place=place) from None


def _array(text: str, at: int, lines: Lines) -> Given:
    value, end = _value(text, at, lines, 1, "argument")
    if text[end:].strip():
        place = lines.place(end + len(text[end:]) - len(text[end:].lstrip()), len(value) + 1)
        raise ArgumentError("something follows the JSON array", place=place)
    kind = "command" if value and isinstance(value[0], dict) else "argument"
    places = [Place(number, kind=kind, file=lines.file) for number in range(1, len(value) + 1)]
    if kind == "argument":
        for one, place in zip(value, places, strict=True):
            if not isinstance(one, str):
                raise ArgumentError("a word is a text in JSON", place=place)
        return Arguments(tuple(Word(*pair) for pair in zip(value, places, strict=True)))
    exchange = _Exchange()
    for one, place in zip(value, places, strict=True):
        if not isinstance(one, dict):
            raise ArgumentError("a command is an object in JSON", place=place)
        exchange.take(one, place)
    return exchange.commands()


def _log(text: str, lines: Lines) -> Commands:
    """The commands among whatever else a log or a session holds."""
    exchange = _Exchange()
    at = 0
    alone = text.lstrip().startswith("{")
    number = 1
    while found := (_OBJECT if alone else _QMP).search(text, at):
        between = text[at : found.start()]
        try:
            value, at = read_json(text, found.start())
        except JsonMistake as mistake:
            if not alone or (at and between.strip()):  # a log's own braces
                at = max(found.end(), mistake.offset)
                continue
            place = lines.place(mistake.offset, number, kind="command")
            raise ArgumentError(f"this is no JSON: {mistake.message}", place=place) from None
        number += exchange.take(value, lines.place(found.start(), number, kind="command"))
    return exchange.commands()


class _Exchange:
    """Commands, and what QEMU answered to them."""

    def __init__(self) -> None:
        self._commands: list[Command | None] = []
        self._waiting: list[int] = []
        self._ids: dict[str, int] = {}
        self._said: dict[str, str] = {}
        self.remarks: list[str] = []

    def take(self, one: dict[str, Any], place: Place) -> int:
        """Take an object of QMP; returns how many commands it is."""
        name = one.get("execute", one.get("exec-oob"))
        if name is None:
            if "return" in one or "error" in one:
                self._answered(one)
            elif not {"QMP", "event"} & one.keys():
                raise ArgumentError(
                    "the object is no command of QMP",
                    place=place,
                    remedy='a command is {"execute": "blockdev-add", "arguments": {…}}',
                )
            return 0
        arguments = one.get("arguments", {})
        if not isinstance(name, str) or not isinstance(arguments, dict):
            raise ArgumentError("'execute' is a text and 'arguments' an object", place=place)
        if "id" in one and self._repeated(one):
            return 0
        self._waiting.append(len(self._commands))
        self._commands.append(Command(name, arguments, place.of(name)))
        return 1

    def _repeated(self, one: dict[str, Any]) -> bool:
        """Whether a log has this very command already: libvirt's tells of each three times."""
        key = json_text(one["id"])
        said = json_text({"execute": one.get("execute"), "arguments": one.get("arguments")})
        if self._said.get(key) == said:
            return True
        self._ids[key] = len(self._commands)
        self._said[key] = said
        return False

    def _answered(self, one: dict[str, Any]) -> None:
        if "id" in one:
            at = self._ids.get(json_text(one["id"]))
        else:
            at = self._waiting[0] if self._waiting else None
        if at is None:
            return
        if at in self._waiting[:1]:
            del self._waiting[0]
        command = self._commands[at]
        if "error" in one and command is not None:
            self._commands[at] = None
            error = one["error"]
            said = error.get("desc") if isinstance(error, dict) else error
            self.remarks.append(
                f"{command.place} is passed over, QEMU refused it: {str(said)[:200]}"
            )

    def commands(self) -> Commands:
        """The commands that QEMU did not refuse."""
        kept = tuple(one for one in self._commands if one is not None)
        return Commands(kept, tuple(self.remarks))
