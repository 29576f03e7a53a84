"""``virtquorum from-args``: QEMU's arguments, or a monitor's commands, read back into disks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from virtquorum.cli.files import STDIN, file_name
from virtquorum.cli.streams import Exit, Streams
from virtquorum.errors import EditError, LimitError, UnreadableError
from virtquorum.model.disk import Disk
from virtquorum.qemu.back.reading import read
from virtquorum.qemu.back.words import given_text, given_words
from virtquorum.qemu.devices.machine import Machine
from virtquorum.xml.domain import Domain
from virtquorum.xml.format import format_disk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from virtquorum.qemu.back.reading import Read
    from virtquorum.qemu.back.words import Given

__all__ = ["command"]

_LARGEST = 16 * 1024 * 1024


def command(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ARG…|-]",
            help="QEMU's arguments as words, one word that holds them all, or - for standard "
            "input.",
            show_default=False,
        ),
    ] = None,
    domain: Annotated[
        str | None,
        typer.Option(
            "--domain",
            metavar="FILE",
            help="Print this domain with the disks put into it.",
            show_default=False,
        ),
    ] = None,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace", help="With --domain: a disk takes the place of one with its target."
        ),
    ] = False,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Leave out disks that have no XML.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 1 if anything of a disk has no XML.")
    ] = False,
) -> int:
    """Read QEMU's arguments back into the disks that they are.

    The input is a shell's command line, a JSON array of words, words that end
    in NUL, libvirt's log of a domain, or commands for a monitor: JSON, alone
    or in a log with QEMU's replies. What is printed is the XML of the disks;
    what has no XML is listed on standard error, by argument and option.

    \b
      virtquorum args domain.xml | virtquorum from-args -
      virtquorum from-args -drive file=a.qcow2,format=qcow2,if=virtio
      virtquorum from-args --domain domain.xml -- -hdb b.qcow2

    Exit codes: 0 clean, 1 a disk has no XML (--strict: anything has none),
    2 usage, 3 arguments that QEMU would not take, or that cannot be read.
    """
    streams: Streams = context.obj
    if replace and domain is None:
        raise typer.BadParameter("--replace is for --domain")
    found = read(_given(words or [], streams))
    _say(found, streams)
    if found.refused and not keep_going:
        if found.disks:
            streams.note("the other disks are to be had with --keep-going")
        return Exit.FINDINGS
    if not found.disks and not found.refused:
        streams.say("there are no disks in these arguments")
        return Exit.FINDINGS
    if domain is None:
        text = "".join(format_disk(disk) for disk in found.disks)
        streams.write_bytes(text.encode("utf-8"))
    else:
        made = _put_into(domain, found.disks, streams, replace=replace)
        streams.write_bytes(made.to_bytes())
    return Exit.FINDINGS if found.refused or (strict and found.notes.left) else Exit.CLEAN


def _given(words: Sequence[str], streams: Streams) -> Given:
    if words and list(words) != ["-"]:
        return given_words([_decoded(os.fsencode(word), "<arguments>") for word in words])
    if not words and streams.input.isatty():
        raise typer.BadParameter("give QEMU's arguments, or - for standard input")
    raw = streams.input.read(_LARGEST + 1)
    if len(raw) > _LARGEST:
        raise LimitError(f"larger than {_LARGEST} bytes", file=STDIN)
    return given_text(_decoded(raw, STDIN), STDIN)


def _decoded(raw: bytes, name: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        line = before.count(b"\n") + 1
        raise UnreadableError(
            f"byte {error.start + 1} is no UTF-8, which XML and libvirt need",
            file=name,
            line=line if name == STDIN else None,
        ) from None


def _say(found: Read, streams: Streams) -> None:
    for remark in found.notes.remarks:
        streams.note(remark)
    for left in found.notes.left:
        streams.note(f"no XML: {left}")
    for error in found.refused:
        streams.say(str(error))


def _put_into(path: str, disks: Sequence[Disk], streams: Streams, *, replace: bool) -> Domain:
    """A domain with the disks in it; raises EditError for a target that it has already."""
    name = file_name(path)
    try:
        with open(path, "rb") as file:
            made = Domain.from_bytes(file.read(), name)
    except OSError as error:
        raise UnreadableError.of(error, name) from None
    if Machine.of(made).boot_element is not None and any(one.boot for one in disks):
        streams.note("the domain says in <os> what it boots from; the arguments' order is left out")
        disks = [_without_boot(one) for one in disks]
    for disk in disks:
        old = next((one for one in made.machine_disks if one.name == disk.name), None)
        if old is None:
            made = made.insert(disk)
        elif replace:
            made = made.replace(old, disk)
        else:
            raise EditError(
                f"{old.location}: the domain has a disk '{disk.name}' already, and the arguments "
                "have one as well; with --replace it takes the other's place"
            )
    return made


def _without_boot(disk: Disk) -> Disk:
    fields = {name: getattr(disk, name) for name in disk.compared()}
    return Disk(**fields | {"boot": None})
