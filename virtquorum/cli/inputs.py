"""The files that a command is to read: paths, directories and standard input."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import typer

from virtquorum.cli.files import STDIN, dumped, file_name, nothing_found, xml_files
from virtquorum.errors import EditError, InputError, UnreadableError, WrongRootError
from virtquorum.xml.document import Limits
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from virtquorum.cli.streams import Streams
    from virtquorum.model.disk import Disk

__all__ = ["MaxDepth", "MaxSize", "Paths", "domains", "named_disks", "one_domain"]

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
    paths: Sequence[str],
    streams: Streams,
    limits: Limits,
    *,
    progress: bool = False,
    named: bool = False,
) -> Iterator[Domain | InputError]:
    """Read what the paths name, one after the other; what cannot be read comes as its error.

    In a directory, XML with another root (a network, a pool) is passed over
    with a note.  With ``progress`` the count of the files is shown while
    there are many.  ``named`` is whether a path may be taken for a domain's
    name.  Raises a usage error if there is nothing to read.
    """
    for count, one in enumerate(_domains(paths, streams, limits)):
        if progress and count and count % _STEP == 0:
            streams.progress(f"{count} files")
        yield dumped(one) if named and isinstance(one, UnreadableError) else one
    if progress:
        streams.progress("")


def one_domain(
    path: str | None, streams: Streams, limits: Limits, what: str, *, named: bool = False
) -> Domain:
    """The only domain that a path names; ``what`` is what is wanted of it, for the message.

    ``named`` is whether the path may be taken for a domain's name.  Raises a
    usage error if there is none or there are several, InputError if it cannot
    be read.
    """
    if path is None and streams.input.isatty():
        raise typer.BadParameter("name a FILE, or - for standard input")
    read = list(domains([path] if path is not None else [], streams, limits, named=named))
    if len(read) != 1:
        raise typer.BadParameter(f"the {what} are those of one domain; name one file")
    (domain,) = read
    if isinstance(domain, InputError):
        raise domain
    return domain


def named_disks(domain: Domain, targets: Sequence[str]) -> list[Disk]:
    """The disks of targets that a person named; raises a usage error for one that is not there."""
    try:
        return [domain.disk(target) for target in targets]
    except EditError as error:
        raise typer.BadParameter(str(error)) from None


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
            yield _read(file_name(path), streams, limits)


def _below(directory: str, streams: Streams, limits: Limits) -> Iterator[Domain | InputError]:
    found = 0
    failures: list[OSError] = []
    for path in xml_files(directory, failures):
        one = _read(path, streams, limits)
        if isinstance(one, WrongRootError):
            streams.note(f"{path}: passed over, its root element is <{one.root}>")
            continue
        found += 1
        yield one
    for failure in failures:
        yield UnreadableError.of(failure, failure.filename or directory)
    if not found and not failures:
        yield nothing_found(directory)


def _read(path: str, streams: Streams, limits: Limits) -> Domain | InputError:
    try:
        if path == STDIN:
            raw = streams.input.read(limits.size + 1)
        else:
            with open(path, "rb") as file:
                raw = file.read(limits.size + 1)
        return Domain.from_bytes(raw, path, limits)
    except OSError as error:
        return UnreadableError.of(error, path)
    except InputError as error:
        return error
