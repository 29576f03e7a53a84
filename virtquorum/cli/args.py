"""``virtquorum args``: disks as arguments for QEMU."""

from __future__ import annotations

import json
import shlex
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from virtquorum.cli.inputs import MaxDepth, MaxSize, domains
from virtquorum.cli.streams import Exit, Streams
from virtquorum.errors import InputError
from virtquorum.qemu.build import build, is_empty, untranslated
from virtquorum.qemu.drive import drive_arguments, shell_lines
from virtquorum.qemu.names import Names
from virtquorum.xml.document import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from virtquorum.model.disk import Disk

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
    block graph inside; nothing is probed. So far for files, block devices and
    NBD; what belongs to the guest's device (-device) is left to you and named
    on standard error.

    \b
      virtquorum args domain.xml
      virtquorum args --disk vda --json domain.xml
      qemu-system-x86_64 … $(virtquorum args --oneline domain.xml | …)

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
    chosen = [domain.disk(target) for target in disk or []]
    arguments: list[str] = []
    used: set[str] = set()
    ids: set[str] = set()
    for number, one in enumerate(domain.disks):
        names = Names(one, number, used)
        if chosen and one not in chosen:
            continue
        if is_empty(one):
            streams.say(f"{one.location}: disk '{one.name}' has no medium, so no block node")
            continue
        arguments += drive_arguments(build(one, names), _id(one, number, ids))
        if left := untranslated(one):
            streams.say(f"{one.location}: disk '{one.name}': left to -device: {', '.join(left)}")
    if as_json:
        streams.out.write(json.dumps(arguments, ensure_ascii=False) + "\n")
    elif oneline:
        streams.out.write(shlex.join(arguments) + "\n")
    else:
        streams.out.write(shell_lines(arguments))
    return Exit.CLEAN


def _id(disk: Disk, number: int, ids: set[str]) -> str:
    """The drive's id: what libvirt calls it, by the target."""
    from virtquorum.qemu.names import NODE_NAME

    id = f"drive-{disk.name}"
    if disk.name is None or NODE_NAME.fullmatch(disk.name) is None or id in ids:
        id = f"drive-disk{number}"
    ids.add(id)
    return id
