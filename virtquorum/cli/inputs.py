"""The files that a command is to read: paths, directories and standard input."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import typer

from virtquorum.errors import InputError, UnreadableError, WrongRootError
from virtquorum.xml.document import Limits
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from virtquorum.cli.streams import Streams

__all__ = ["MaxDepth", "MaxSize", "Paths", "domains", "real_path"]

STDIN = "<stdin>"
#: After so many files the progress is shown again.
_STEP = 50

Paths = typer.Argument(
    metavar="[PATH…|-]",
    help="Files, directories (every *.xml below), or - for standard input.",
    show_default=False,
)
MaxDepth = typer.Option("--max-depth", min=1, help="Levels of elements that a document may have.")
MaxSize = typer.Option("--max-size", min=1, help="Bytes that a document may have.")


def domains(
    paths: Sequence[str], streams: Streams, limits: Limits, *, progress: bool = False
) -> Iterator[Domain | InputError]:
    """Read what the paths name, one after the other; what cannot be read comes as its error.

    In a directory, XML with another root (a network, a pool) is passed over
    with a note.  With ``progress`` the count of the files is shown while
    there are many.  Raises a usage error if there is nothing to read.
    """
    for count, one in enumerate(_domains(paths, streams, limits)):
        if progress and count and count % _STEP == 0:
            streams.progress(f"{count} files")
        yield one
    if progress:
        streams.progress("")


def _domains(
    paths: Sequence[str], streams: Streams, limits: Limits
) -> Iterator[Domain | InputError]:
    if not paths:
        if streams.input.isatty():
            raise typer.BadParameter("name a file or a directory, or - for standard input")
        paths = ["-"]
    for path in paths:
        if path == "-":
            yield _read(STDIN, streams, limits)
        elif os.path.isdir(path):
            yield from _below(path, streams, limits)
        else:
            # A file of that name is told from standard input by its directory.
            yield _read(path if path != STDIN else f"./{path}", streams, limits)


def real_path(domain: Domain) -> str | None:
    """The file that a domain came from, None for standard input."""
    return None if domain.name == STDIN else os.path.realpath(domain.name)


def _below(directory: str, streams: Streams, limits: Limits) -> Iterator[Domain | InputError]:
    seen: set[str] = set()
    found = 0
    failures: list[OSError] = []
    for folder, folders, files in os.walk(directory, onerror=failures.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = os.path.join(folder, name)
            real = os.path.realpath(path)
            if not name.endswith(".xml") or real in seen or not os.path.isfile(real):
                continue
            seen.add(real)
            one = _read(path, streams, limits)
            if isinstance(one, WrongRootError):
                streams.note(f"{path}: passed over, its root element is <{one.root}>")
                continue
            found += 1
            yield one
    for failure in failures:
        yield _unreadable(failure, failure.filename or directory)
    if not found and not failures:
        yield UnreadableError(
            "no domain XML in this directory",
            file=directory,
            remedy="only names that end in .xml are looked at",
        )


def _read(path: str, streams: Streams, limits: Limits) -> Domain | InputError:
    try:
        if path == STDIN:
            raw = streams.input.read(limits.size + 1)
        else:
            with open(path, "rb") as file:
                raw = file.read(limits.size + 1)
        return Domain.from_bytes(raw, path, limits)
    except OSError as error:
        return _unreadable(error, path)
    except InputError as error:
        return error


def _unreadable(error: OSError, path: str) -> UnreadableError:
    reason = (error.strerror or str(error)).lower()
    remedies = {
        "no such file or directory": "look at the name, or pipe the XML in and name -",
        "permission denied": "run it as a user who may read the file",
    }
    return UnreadableError(f"cannot be read: {reason}", file=path, remedy=remedies.get(reason))
