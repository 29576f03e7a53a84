"""``virtquorum from-args``: QEMU's arguments, or a monitor's commands, read back into disks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from virtquorum.cli.files import STDIN, file_name
from virtquorum.cli.streams import Exit, Streams
from virtquorum.errors import EditError, LimitError, UnreadableError, VirtquorumError
from virtquorum.model.disk import Disk
from virtquorum.qemu.back.reading import read
from virtquorum.qemu.back.words import LARGEST, given_text, given_words
from virtquorum.qemu.devices.machine import Machine
from virtquorum.xml.domain import Domain
from virtquorum.xml.format import format_disk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from virtquorum.qemu.back.reading import Read
    from virtquorum.qemu.back.words import Given
    from virtquorum.xml.document import Element

__all__ = ["command"]

_PCI = ("domain", "bus", "slot", "function")


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
            help="Print this domain (- for standard input) with the disks put into it.",
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
        bool,
        typer.Option(
            "--keep-going",
            help="Leave out disks that have no XML, or whose arguments QEMU would refuse.",
        ),
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
    into = None if domain is None else _domain(domain, words or [], streams)
    reserved = () if into is None else [one.name for one in into.machine_disks if one.name]
    given = _given(words or [], streams)
    found = read(given, reserved=reserved, keep_going=keep_going)
    _say(found, streams)
    disks, texts = _written(found.disks, streams)
    refused = bool(found.refused) or len(disks) < len(found.disks)
    if refused and not keep_going:
        if disks:
            streams.note("the other disks are to be had with --keep-going")
        return Exit.FINDINGS
    if not disks and not refused and not found.mistakes:
        streams.say("there are no disks in these arguments")
        return Exit.FINDINGS
    if into is None:
        streams.write_bytes("".join(texts).encode("utf-8"))
    else:
        made = _put_into(into, disks, streams, replace=replace)
        for line in _shared(made):
            streams.note(line)
        streams.write_bytes(made.to_bytes())
    if found.mistakes:
        return Exit.UNREADABLE
    return Exit.FINDINGS if refused or (strict and found.notes.left) else Exit.CLEAN


def _written(disks: Sequence[Disk], streams: Streams) -> tuple[list[Disk], list[str]]:
    """The disks that XML can hold, and their XML; the others are said."""
    kept: list[Disk] = []
    texts: list[str] = []
    for disk in disks:
        try:
            texts.append(format_disk(disk))
            kept.append(disk)
        except EditError as error:
            streams.say(f"disk '{disk.name}': {error}")
    return kept, texts


def _given(words: Sequence[str], streams: Streams) -> Given:
    if words and list(words) != ["-"]:
        return given_words([_decoded(os.fsencode(word), "<arguments>") for word in words])
    if not words and streams.input.isatty():
        raise typer.BadParameter("give QEMU's arguments, or - for standard input")
    raw = streams.input.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise LimitError(f"larger than {LARGEST} bytes", file=STDIN)
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
    errors: list[VirtquorumError] = [*found.mistakes, *found.refused]
    for error in errors:
        streams.say(str(error))


def _domain(path: str, words: Sequence[str], streams: Streams) -> Domain:
    """The domain of ``--domain``; '-' is standard input, if the arguments are not there."""
    if path == "-":
        if not words or list(words) == ["-"]:
            raise typer.BadParameter(
                "--domain - reads the domain from standard input, so the arguments have to be words"
            )
        name, raw = STDIN, streams.input.read(LARGEST + 1)
    else:
        name = file_name(path)
        try:
            with open(path, "rb") as file:
                raw = file.read(LARGEST + 1)
        except OSError as error:
            raise UnreadableError.of(error, name) from None
    if len(raw) > LARGEST:
        raise LimitError(f"larger than {LARGEST} bytes", file=name)
    made = Domain.from_bytes(raw, name)
    root = made.document.root
    if root.name == "domain" and not root.elements("devices"):
        raise EditError(
            f"{root}: the domain has no <devices> to put a "
            "disk into; write '<devices></devices>' into it"
        )
    return made


def _put_into(made: Domain, disks: Sequence[Disk], streams: Streams, *, replace: bool) -> Domain:
    """A domain with the disks in it; raises EditError for a target that it has already."""
    if Machine.of(made).boot_element is not None and any(one.boot for one in disks):
        streams.note("the domain says in <os> what it boots from; the arguments' order is left out")
        disks = [_without_boot(one) for one in disks]
    for disk in disks:
        old = next((one for one in made.machine_disks if one.name == disk.name), None)
        if old is None:
            made = made.insert(disk)
        elif replace:
            streams.note(f"'{disk.name}' takes the place of the disk at {old.location}")
            made = made.replace(old, disk)
        else:
            raise EditError(
                f"{old.location}: the domain has a disk '{disk.name}' already, and the arguments "
                "have one as well; with --replace it takes the other's place"
            )
    return made


def _shared(made: Domain) -> Iterator[str]:
    """What two devices of a domain have both, and only one can."""
    root = made.document.root
    domains = [root] if root.name == "domain" else root.elements("domain")
    devices = domains[0].elements("devices") if domains else []
    taken: dict[tuple[object, ...], Element] = {}
    for one in (device for group in devices for device in group.elements()):
        for key, what in _claims(one):
            other = taken.setdefault(key, one)
            if other is not one:
                yield (
                    f"in what is printed {what} is that of <{other.name}> (line {other.line}) and "
                    f"of <{one.name}> (line {one.line})"
                )


def _claims(device: Element) -> Iterator[tuple[tuple[object, ...], str]]:
    """The boot orders and PCI addresses of a device, and what they are called."""
    for boot in device.elements("boot"):
        order = boot.attributes.get("order")
        if order is not None:
            yield ("boot", order), f"the boot order {order}"
    for address in device.elements("address"):
        if address.attributes.get("type") != "pci":
            continue
        words = [address.attributes.get(name, "0") for name in _PCI]
        try:
            numbers = tuple(int(word, 0) for word in words)
        except ValueError:  # the checks tell of it
            continue
        if any(numbers):
            shown = "{:04x}:{:02x}:{:02x}.{:x}".format(*numbers)
            yield ("pci", *numbers), f"the PCI address {shown}"


def _without_boot(disk: Disk) -> Disk:
    fields = {name: getattr(disk, name) for name in disk.compared()}
    return Disk(**fields | {"boot": None})
