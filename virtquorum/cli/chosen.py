"""The documents that a check is asked for: files, directories and standard input."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from virtquorum.check.options import Item
from virtquorum.cli.files import STDIN, file_name, is_name, nothing_found, real_path, xml_files
from virtquorum.errors import UnreadableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from virtquorum.check.engine import Checked
    from virtquorum.cli.streams import Streams
    from virtquorum.errors import InputError
    from virtquorum.report.report import FileResult

__all__ = ["Chosen"]

_WRONG_ROOT = "VQ004"


class Chosen:
    """The documents that the paths name, and what became of directories.

    ``skip`` says whether a path below a named directory is left out;
    ``stdin_name`` is what standard input is called, of which ``size`` bytes
    are read and one more.  ``passed_over`` counts the XML that lay there and
    was none of libvirt's.
    """

    def __init__(
        self,
        paths: Sequence[str],
        streams: Streams,
        *,
        skip: Callable[[str], bool] | None = None,
        stdin_name: str | None = None,
        size: int,
    ) -> None:
        self.items: list[Item] = []
        self._found: set[str] = set()  # the names that a directory gave, not the command line
        self._directories: list[tuple[str, range]] = []
        self._failures: list[InputError] = []
        self.passed_over = 0
        #: What is worth knowing of the run.
        self.remarks: list[str] = []
        self._seen: set[str] = set()
        self._skip = skip
        if not paths:
            if streams.input.isatty():
                raise UsageError(
                    "name a file or a directory, or - for standard input; "
                    "see 'virtquorum validate --help'"
                )
            paths = ["-"]
        for path in paths:
            if path == "-":
                raw = streams.input.read(size + 1)
                self.items.append(Item(stdin_name or STDIN, raw))
            elif os.path.isdir(path):
                self._take_directory(path)
            else:
                self._take(file_name(path))
                if is_name(path):
                    self.remarks.append(
                        "a domain of libvirt's is checked by: virtquorum dumpxml "
                        f"{shlex.quote(path)} | virtquorum validate -"
                    )

    def _take(self, name: str) -> None:
        real = real_path(name) or name
        if real not in self._seen:
            self._seen.add(real)
            self.items.append(Item(name))

    def _take_directory(self, directory: str) -> None:
        failures: list[OSError] = []
        before = len(self.items)
        known = len(self._seen)
        for path in xml_files(directory, failures, self._skip):
            self._take(path)
            self._found.add(path)
        self._failures += [UnreadableError.of(one, one.filename or directory) for one in failures]
        if not failures and len(self._seen) == known and not self._holds_known(directory):
            self._failures.append(nothing_found(directory, excluded=self._skip is not None))
        self._directories.append((directory, range(before, len(self.items))))

    def _holds_known(self, directory: str) -> bool:
        """Whether files of a directory were named before it."""
        inside = os.path.join(os.path.realpath(directory), "")
        return any(one.startswith(inside) for one in self._seen)

    def spare(self, outputs: Iterable[str]) -> None:
        """Raise UsageError where a report would take the place of a document."""
        for file in outputs:
            if os.path.realpath(file) in self._seen:
                raise UsageError(f"--output would overwrite {file}, which is to be checked")

    def passes_over(self, item: Item, checked: Checked, streams: Streams) -> bool:
        """Whether an item is no document of ours, and only lay in a directory with some."""
        if checked.readable or item.name not in self._found:
            return False
        if checked.findings[0].rule != _WRONG_ROOT or _is_misspelled(checked.root):
            return False
        streams.note(f"{item.name}: passed over, its root element is <{checked.root}>")
        self.passed_over += 1
        return True

    def failed(self, results: Sequence[FileResult]) -> list[FileResult]:
        """Directories that could not be read, or in which there was nothing to check."""
        from virtquorum.check.engine import unread
        from virtquorum.report.report import FileResult

        failures = list(self._failures)
        checked = {one.path for one in results}
        for directory, numbers in self._directories:
            names = [self.items[number].name for number in numbers]
            if names and not checked.intersection(names):
                failures.append(nothing_found(directory, excluded=self._skip is not None))
        return [
            FileResult(
                path=one.file, valid=False, findings=tuple(unread(one).findings), checked=False
            )
            for one in failures
        ]


def _is_misspelled(root: str) -> bool:
    """Whether a root element is nearly one that libvirt's documents have."""
    from difflib import get_close_matches

    known = ("domain", "disk", "domainsnapshot", "domaincheckpoint", "network", "volume", "pool")
    return len(root) < 40 and bool(get_close_matches(root, known, 1, 0.75))
