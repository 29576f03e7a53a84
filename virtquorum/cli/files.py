"""Which files a command line names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from virtquorum.errors import InputError, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    Error = TypeVar("Error", bound=InputError)

__all__ = ["STDIN", "dumped", "file_name", "is_name", "nothing_found", "real_path", "xml_files"]

#: What standard input is called.
STDIN = "<stdin>"


def file_name(path: str) -> str:
    """What a file is called; one called like standard input is told from it by its directory."""
    return path if path != STDIN else f"./{path}"


def is_name(word: str) -> bool:
    """Whether a word may be a domain's name: no file, no '/' in it, no '.xml' at its end."""
    is_path = word in ("", STDIN) or "/" in word or word.lower().endswith(".xml")
    return not is_path and word.isprintable() and not os.path.lexists(word)


def dumped(error: Error) -> Error:
    """An error for a file that is not there, with what helps if a domain of libvirt's is meant."""
    if is_name(error.file):
        import shlex

        error.remedy = (
            f"{error.remedy}; the XML of a domain of libvirt's is printed by: virtquorum dumpxml "
            f"{shlex.quote(error.file)}"
        )
    return error


def real_path(name: str) -> str | None:
    """The file behind a name, None for standard input."""
    return None if name == STDIN else os.path.realpath(name)


def xml_files(
    directory: str, failures: list[OSError], skip: Callable[[str], bool] | None = None
) -> Iterator[str]:
    """Every file below a directory whose name ends in .xml, each once.

    Hidden directories are left out; ``skip`` leaves out more.  Directories
    that cannot be read are added to ``failures``.
    """
    seen: set[str] = set()
    for folder, folders, files in os.walk(directory, onerror=failures.append):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and (skip is None or not skip(os.path.join(folder, name)))
        )
        for name in sorted(files):
            if not name.endswith(".xml"):
                continue
            path = os.path.join(folder, name)
            real = os.path.realpath(path)
            if real in seen or (skip is not None and skip(path)) or not os.path.isfile(real):
                continue
            seen.add(real)
            yield path


def nothing_found(directory: str, *, excluded: bool = False) -> InputError:
    """That a directory holds nothing to read; ``excluded`` says that some may be left out."""
    remedy = "only names that end in .xml are looked at"
    return UnreadableError(
        "no domain XML in this directory",
        file=directory,
        remedy=f"{remedy}, and some names are excluded" if excluded else remedy,
    )
