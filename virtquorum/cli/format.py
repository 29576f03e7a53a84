"""``virtquorum format``: domain XML as libvirt writes it."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from virtquorum.cli.inputs import MaxDepth, MaxSize, Paths, domains, real_path
from virtquorum.cli.streams import Exit, Streams
from virtquorum.errors import EditError, InputError, UnreadableError
from virtquorum.printable import printable
from virtquorum.xml.document import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from virtquorum.xml.domain import Domain

__all__ = ["command"]


def command(
    context: typer.Context,
    paths: Annotated[list[str] | None, Paths] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; list what would change, exit 1 if any.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Show what would change, exit 1 if anything.")
    ] = False,
    write: Annotated[
        bool, typer.Option("--write", "-w", help="Change the files, each at once or not at all.")
    ] = False,
    disks_only: Annotated[
        bool, typer.Option("--disks-only", help="Format the disks, leave all else as it is.")
    ] = False,
    max_depth: Annotated[int, MaxDepth] = DEFAULT_LIMITS.depth,
    max_size: Annotated[int, MaxSize] = DEFAULT_LIMITS.size,
) -> int:
    """Write domain XML as libvirt writes it: quotes, two spaces, the order in disks.

    Inside disks, elements and attributes get libvirt's order; comments and
    unknown elements stay. The output of virsh dumpxml comes out as it went
    in. Several documents are written one after the other.

    \b
      virtquorum format domain.xml
      virsh dumpxml web | virtquorum format -
      virtquorum format --check --diff domains
      virtquorum format --write --disks-only domain.xml

    Exit codes: 0 clean, 1 differences (--check, --diff), 2 usage,
    3 input that cannot be read or is no domain XML.
    """
    streams: Streams = context.obj
    if write and (check or diff):
        raise typer.BadParameter("--write changes the files; --check and --diff only look")
    if write and "-" in (paths or ["-"]):
        raise typer.BadParameter("--write needs files; standard input has none to write to")
    code = Exit.CLEAN
    read = changed = 0
    limits = Limits(depth=max_depth, size=max_size)
    for domain in domains(paths or [], streams, limits, progress=check or diff or write):
        if isinstance(domain, InputError):
            streams.say(str(domain))
            code = Exit.UNREADABLE
            continue
        read += 1
        try:
            if write or diff:  # what takes the place of a file is read again first
                new = domain.formatted(disks_only=disks_only)
                formatted = new.to_bytes()
            else:
                formatted = domain.format(disks_only=disks_only)
        except EditError as error:
            streams.say(str(error))
            code = max(code, Exit.FINDINGS)
            continue
        differs = formatted != domain.to_bytes()
        changed += differs
        if write:
            if differs:
                try:
                    _replace(domain, formatted)
                except UnreadableError as error:
                    streams.say(str(error))
                    code = Exit.UNREADABLE
                    changed -= 1
                else:
                    streams.say(f"reformatted {domain.name}")
        elif check or diff:
            if differs:
                code = max(code, Exit.FINDINGS)
                streams.progress("")
                if diff:
                    _show_difference(domain, new.text, streams)
                if check:
                    streams.out.write(f"would be reformatted: {printable(domain.name)}\n")
        else:
            streams.write_bytes(formatted)
    if (check or write) and read > 1:
        streams.say(
            f"{changed} of {read} files {'reformatted' if write else 'would be reformatted'}"
        )
    return code


def _show_difference(domain: Domain, formatted: str, streams: Streams) -> None:
    """A unified diff, in the document's own bytes where they are UTF-8, for ``patch``."""
    from difflib import unified_diff

    # The parts of a path are all that patch reads of it; a line end would break the header.
    name = printable(domain.name)
    for line in unified_diff(
        _lines(domain.text),
        _lines(formatted),
        name,
        name,
        "(as it is)",
        "(formatted)",
    ):
        ended = line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        if streams.out.isatty():
            streams.out.write(printable(ended[:-1], keep="\t\n\r") + "\n")
        else:
            streams.write_bytes(ended.encode())


def _lines(text: str) -> list[str]:
    """The lines as patch sees them: other characters that end a line in Unicode are text."""
    lines = text.split("\n")
    return [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _replace(domain: Domain, formatted: bytes) -> None:
    """Put the new text in the place of the file: wholly, or not at all."""
    path = real_path(domain)
    assert path is not None
    folder, name = os.path.split(path)
    try:
        # The name of the file need not leave room for more than a few characters.
        handle, temporary = tempfile.mkstemp(prefix=f".{name[:40]}.", dir=folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(formatted)
                file.flush()
                _copy_attributes(path, file.fileno())
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
    except OSError as error:
        raise UnreadableError(
            f"cannot be written: {(error.strerror or str(error)).lower()}; it is as it was",
            file=domain.name,
        ) from None


def _copy_attributes(path: str, handle: int) -> None:
    """Give an open file the owner, mode and extended attributes of another one."""
    status, own = os.stat(path), os.fstat(handle)
    if (status.st_uid, status.st_gid) != (own.st_uid, own.st_gid):
        os.fchown(handle, status.st_uid, status.st_gid)
    os.fchmod(handle, status.st_mode & 0o7777)
    with suppress(OSError):  # not every file system has them; SELinux's label is one
        for name in os.listxattr(path):
            os.setxattr(handle, name, os.getxattr(path, name))
