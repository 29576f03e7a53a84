"""``virtquorum args``: disks as arguments for QEMU."""

from __future__ import annotations

import shlex
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from virtquorum.cli.inputs import MaxDepth, MaxSize, domains
from virtquorum.cli.streams import Exit, Streams
from virtquorum.errors import EditError, InputError, TranslationError
from virtquorum.qemu.build import build, is_empty
from virtquorum.qemu.drive import drive_arguments, shell_lines
from virtquorum.qemu.leftover import (
    check_quorum_words,
    for_the_device,
    not_understood,
    without_effect,
)
from virtquorum.qemu.names import domain_names
from virtquorum.xml.document import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from virtquorum.model.disk import Disk
    from virtquorum.qemu.names import Names

__all__ = ["command"]


class Style(Enum):
    """How the block graph is spelled."""

    DRIVE = "drive"


def command(
    context: typer.Context,
    path: Annotated[
        str | None,
        typer.Argument(
            metavar="[PATH|-]", help="A file, or - for standard input.", show_default=False
        ),
    ] = None,
    style: Annotated[
        Style, typer.Option("--style", help="How to spell the block graph.")
    ] = Style.DRIVE,
    disk: Annotated[
        list[str] | None,
        typer.Option(
            "--disk", metavar="TARGET", help="Only this disk; may be repeated.", show_default=False
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON array of the arguments.")] = False,
    oneline: Annotated[
        bool, typer.Option("--oneline", help="All on one line for a shell.")
    ] = False,
    max_depth: Annotated[int, MaxDepth] = DEFAULT_LIMITS.depth,
    max_size: Annotated[int, MaxSize] = DEFAULT_LIMITS.size,
) -> int:
    """Print the arguments that give QEMU a domain's disks.

    Each disk becomes one -drive with if=none and id=drive-TARGET, its whole
    block graph inside; no format that the XML leaves open is guessed. So far
    for files, block devices and NBD without TLS, encryption or
    authentication; another disk is refused. What belongs to the guest's
    device (-device) is left to you and named on standard error.

    \b
      virtquorum args domain.xml
      virtquorum args --disk vda --json domain.xml
      a=$(virtquorum args --oneline domain.xml) && eval "qemu-system-x86_64 $a"

    Exit codes: 0 clean, 1 a disk cannot be translated, 2 usage, 3 input that
    cannot be read or is no domain XML.
    """
    streams: Streams = context.obj
    if as_json and oneline:
        raise typer.BadParameter("--json and --oneline exclude each other")
    limits = Limits(depth=max_depth, size=max_size)
    read = list(domains([path] if path is not None else [], streams, limits))
    if len(read) != 1:
        raise typer.BadParameter("the arguments are those of one domain; name one file")
    (domain,) = read
    if isinstance(domain, InputError):
        raise domain
    try:
        chosen = [domain.disk(target) for target in disk or []]
    except EditError as error:
        raise typer.BadParameter(str(error)) from None
    arguments: list[str] = []
    refused = False
    for one, names in zip(domain.disks, domain_names(domain.disks), strict=True):
        if chosen and not any(one is other for other in chosen):
            continue
        try:
            arguments += _arguments(one, names, streams)
        except TranslationError as error:
            streams.say(str(error))
            refused = True
    if refused:
        if len(domain.disks) > 1:
            streams.note("the other disks are to be had with --disk TARGET")
        return Exit.FINDINGS
    if as_json:
        streams.write_json(list(arguments))
    else:
        # File names are bytes: the output's encoding has no say in them.
        text = shlex.join(arguments) + "\n" if oneline else shell_lines(arguments)
        streams.write_bytes(text.encode("utf-8"))
    return Exit.CLEAN


def _arguments(disk: Disk, names: Names, streams: Streams) -> list[str]:
    """One disk's arguments, with a note for all of it that they do not say."""
    about = f"{disk.location}: disk '{disk.name}'"
    if is_empty(disk):
        check_quorum_words(disk)  # which build does for the others
        streams.note(f"{about} has no medium, so it has no block node")
        return []
    if disk.name is None:
        raise TranslationError(
            "the disk has no target, so its drive has no name",
            location=disk.location,
            remedy="write <target dev='vda' bus='virtio'/>",
        )
    arguments = drive_arguments(disk, build(disk, names), names.drive)
    if names.drive != f"drive-{disk.name}":
        streams.note(f"{about} is called '{names.drive}'")
    if left := for_the_device(disk):
        streams.note(f"{about}: left to -device: {', '.join(left)}")
    for one in without_effect(disk):
        streams.note(f"{about}: {one}")
    if left := not_understood(disk):
        streams.note(f"{about}: not understood and left out: {', '.join(left)}")
    return arguments
