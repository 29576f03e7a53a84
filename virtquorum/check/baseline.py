"""Findings that are known and left for later, kept in a file.

The file is JSON: ``{"version": 1, "findings": [{"path", "rule", "element",
"message", "count"}, …]}``, sorted, so that it can be reviewed and merged line
by line.  ``path`` is relative to the file's directory, with '/'.  Nothing in
it depends on lines: XML may move up and down, and what is known stays known.
``schemas/baseline.schema.json`` says the same to programs.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from virtquorum.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from virtquorum.check.finding import Finding
    from virtquorum.json_text import Json

__all__ = ["VERSION", "Baseline", "Entry"]

VERSION: Final = 1
_REMEDY: Final = "write it anew with --update-baseline"
_TEXTS: Final = ("path", "rule", "element", "message")
#: Places in messages ('see line 12', 'web.xml:12:5').
_LINE = re.compile(r"(\blines? )\d+\b|(?<=\w):\d+:\d+\b")


class Entry(NamedTuple):
    """What is known of one kind of finding; ``element`` is the path of the finding's element."""

    path: str
    rule: str
    element: str
    message: str


class Baseline:
    """Known findings and how many there are of each; each keeps back as many as it counts."""

    def __init__(self, counts: Mapping[Entry, int], directory: str) -> None:
        self.directory = os.path.abspath(directory)
        #: Entry and count, as they are in the file.
        self.counts: Counter[Entry] = Counter(dict(counts))
        # Messages are compared without the places that they name.
        self._left: Counter[Entry] = Counter()
        for entry, count in self.counts.items():
            self._left[_placeless(entry)] += count
        self._names: dict[str, str] = {}

    @classmethod
    def read(cls, path: str) -> Self:
        """Read a baseline file; raises ConfigurationError, with the place."""
        import json

        try:
            with open(path, encoding="utf-8") as file:
                value = json.load(file)
        except FileNotFoundError:
            raise ConfigurationError(
                "there is no such baseline",
                file=path,
                remedy="--update-baseline writes it",
            ) from None
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise ConfigurationError(f"cannot be read: {reason}", file=path) from None
        except json.JSONDecodeError as error:
            raise ConfigurationError(
                f"the baseline is not JSON: {error.msg[:1].lower()}{error.msg[1:]}",
                file=path,
                line=error.lineno,
                column=error.colno,
                remedy=_REMEDY,
            ) from None
        except (UnicodeDecodeError, RecursionError, ValueError) as error:
            why = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else "cannot be read"
            raise ConfigurationError(
                f"the baseline is not JSON: {why}", file=path, remedy=_REMEDY
            ) from None
        return cls(_counts(value, path), os.path.dirname(path) or ".")

    @classmethod
    def of(cls, findings: Iterable[Finding], directory: str) -> Self:
        """The baseline of some findings, for a file in a directory."""
        baseline = cls({}, directory)
        baseline.counts.update(baseline.entry(finding) for finding in findings)
        return baseline

    @property
    def text(self) -> str:
        """What stands in the file."""
        from virtquorum.json_text import json_text

        findings: list[Json] = [
            {**entry._asdict(), "count": count} for entry, count in sorted(self.counts.items())
        ]
        return json_text({"version": VERSION, "findings": findings}, indent=2) + "\n"

    def entry(self, finding: Finding) -> Entry:
        """A finding as the file would have it."""
        path = self._names.get(finding.file)
        if path is None:
            path = self._names[finding.file] = self._relative(finding.file)
        return Entry(path, finding.rule, finding.path, finding.message)

    def keeps(self, finding: Finding) -> bool:
        """Whether the finding is known; each entry says so as often as it counts."""
        entry = _placeless(self.entry(finding))
        if self._left[entry] < 1:
            return False
        self._left[entry] -= 1
        return True

    def stale(self, files: Iterable[str]) -> list[Entry]:
        """The entries of some files (those that were checked) that are not found any more, sorted.

        To be asked when all findings have been.
        """
        checked = {self._relative(file) for file in files}
        return sorted(
            entry
            for entry in self.counts
            if entry.path in checked and self._left[_placeless(entry)] > 0
        )

    def _relative(self, file: str) -> str:
        if file == "<stdin>":  # which has no directory
            return file
        return os.path.relpath(os.path.abspath(file), self.directory).replace(os.sep, "/")


def _placeless(entry: Entry) -> Entry:
    return entry._replace(message=_LINE.sub(lambda found: found[1] or "", entry.message))


def _counts(value: object, path: str) -> Counter[Entry]:
    """The entries of a baseline file, checked by hand: jsonschema is no dependency."""

    def wrong(message: str) -> ConfigurationError:
        return ConfigurationError(message, file=path, remedy=_REMEDY)

    if not isinstance(value, dict) or not isinstance(value.get("findings"), list):
        raise wrong("this is no baseline: an object with 'version' and 'findings' is expected")
    if value.get("version") != VERSION:
        raise wrong(f"version {value.get('version')!r} of a baseline is unknown; {VERSION} is")
    counts: Counter[Entry] = Counter()
    for number, one in enumerate(value["findings"]):
        where = f"findings[{number}]"
        if not isinstance(one, dict):
            raise wrong(f"{where} is no object")
        for key in one:
            if key not in (*_TEXTS, "count"):
                raise wrong(f"{where} has '{key}'; known are {', '.join(_TEXTS)} and count")
        for key in _TEXTS:
            if not isinstance(one.get(key), str):
                raise wrong(f"{where}.{key} is {'no text' if key in one else 'missing'}")
        count = one.get("count", 1)
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise wrong(f"{where}.count is no number from 1 on")
        counts[Entry(*(one[key] for key in _TEXTS))] += count
    return counts
