"""``virtquorum args``: disks as arguments for QEMU."""

from __future__ import annotations

import os
import shlex
from contextlib import ExitStack
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from virtquorum.cli.files import is_name
from virtquorum.cli.inputs import MaxDepth, MaxSize, named_disks, one_domain
from virtquorum.cli.secrets import SecretOptions, hand_out, provided
from virtquorum.cli.streams import Exit, Streams
from virtquorum.errors import TranslationError
from virtquorum.json_text import json_text
from virtquorum.qemu.drive import shell_lines
from virtquorum.qemu.qmp import is_shared
from virtquorum.qemu.qmp import undo as undone
from virtquorum.qemu.translate import Translated, arguments, commands, translate
from virtquorum.qemu.version import read_version
from virtquorum.xml.document import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from virtquorum.model.disk import Disk
    from virtquorum.qemu.provided import Lookup, Provided
    from virtquorum.qemu.qmp import Command
    from virtquorum.xml.domain import Domain

__all__ = ["command"]

_Shape: TypeAlias = Literal["lines", "json", "oneline", "nul"]


class Style(Enum):
    """How the block graph is spelled."""

    DRIVE = "drive"
    BLOCKDEV = "blockdev"
    QMP = "qmp"


def command(
    context: typer.Context,
    path: Annotated[
        str | None,
        typer.Argument(
            metavar="[PATH|-|DOMAIN]",
            help="A file, - for standard input, or a domain of libvirt's.",
            show_default=False,
        ),
    ] = None,
    style: Annotated[
        Style | None,
        typer.Option(
            "--style", help="How to spell the block graph; drive if not said.", show_default=False
        ),
    ] = None,
    disk: Annotated[
        list[str] | None,
        typer.Option(
            "--disk", metavar="TARGET", help="Only this disk; may be repeated.", show_default=False
        ),
    ] = None,
    no_frontend: Annotated[
        bool, typer.Option("--no-frontend", help="Without the guest's devices.")
    ] = False,
    undo: Annotated[
        bool, typer.Option("--undo", help="With --style qmp: what takes it all away again.")
    ] = False,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Leave out disks that cannot be translated.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON array of the arguments.")] = False,
    oneline: Annotated[
        bool, typer.Option("--oneline", help="All on one line for a shell.")
    ] = False,
    nul: Annotated[bool, typer.Option("--nul", help="Each argument ended by NUL.")] = False,
    secret: Annotated[
        list[str] | None,
        typer.Option(
            "--secret",
            metavar="UUID=file:PATH",
            help="Where the value of a libvirt secret is: file:PATH, base64:PATH, or object:ID "
            "for an object of yours. Or by usage. May be repeated.",
            show_default=False,
        ),
    ] = None,
    secrets_dir: Annotated[
        str | None,
        typer.Option(
            "--secrets-dir",
            metavar="DIR",
            help="Write there, readable for you alone, what no argument may hold: cookies, and "
            "secrets that libvirt was asked for.",
            show_default=False,
        ),
    ] = None,
    tls_dir: SecretOptions.Tls = None,
    tls_secret: Annotated[
        str | None,
        typer.Option(
            "--tls-secret",
            metavar="UUID",
            help="The secret that opens the key of the certificates, if it is encrypted; what "
            "qemu.conf calls nbd_tls_x509_secret_uuid.",
            show_default=False,
        ),
    ] = None,
    connect: Annotated[
        str | None,
        typer.Option(
            "--connect",
            "-c",
            metavar="URI",
            help="The libvirt to ask for volumes and secrets, and for the whole command line.",
            show_default=False,
        ),
    ] = None,
    disks_only: Annotated[
        bool,
        typer.Option("--disks-only", help="With --connect: the disks' arguments and no others."),
    ] = False,
    target_qemu: Annotated[
        str | None,
        typer.Option(
            "--target-qemu",
            metavar="VERSION",
            help="Say nothing that this QEMU lacks, 7.2 say.",
            show_default=False,
        ),
    ] = None,
    max_depth: Annotated[int, MaxDepth] = DEFAULT_LIMITS.depth,
    max_size: Annotated[int, MaxSize] = DEFAULT_LIMITS.size,
) -> int:
    """Print the arguments that give QEMU a domain's disks, or its whole command line.

    Of each disk its block graph and the guest's device, with the controllers
    that this needs; no format that the XML leaves open is guessed, and no
    password is printed. --style drive makes one -drive of a disk, with
    id=drive-TARGET; blockdev makes one -blockdev of each node; qmp makes a
    JSON list of commands for a monitor.

    With --connect, and nothing that chooses or spells disks, it is the whole
    command line of a domain, a file's or libvirt's own, as libvirt translates
    it, with the quorums in it: args --connect qemu:///system web. For a name
    that is no file's, LIBVIRT_DEFAULT_URI does for --connect.

    \b
      virtquorum args domain.xml
      virtquorum args --style blockdev --disk vda --json domain.xml
      virtquorum args --style qmp --no-frontend --undo domain.xml
      a=$(virtquorum args --oneline domain.xml) && eval "qemu-system-x86_64 $a"

    Exit codes: 0 clean, 1 a disk cannot be translated, 2 usage, 3 input that
    cannot be read or is no domain XML, or no connection to libvirt.
    """
    streams: Streams = context.obj
    limits = Limits(depth=max_depth, size=max_size)
    about_disks = style or disk or no_frontend or undo or keep_going or disks_only
    style = style or Style.DRIVE
    shape = _shape(style, undo, as_json=as_json, oneline=oneline, nul=nul)
    connect, is_domain = _libvirt(path, connect)
    if connect is not None and not about_disks:
        return _whole(
            path,
            connect,
            shape,
            lambda lookup: provided(secret or [], tls_dir, tls_secret, secrets_dir, lookup),
            read_version(target_qemu) if target_qemu is not None else None,
            limits,
            streams,
        )
    version = read_version(target_qemu) if target_qemu is not None else None
    with ExitStack() as stack:
        lookup: Lookup | None = None
        if is_domain:
            domain, lookup = _of_libvirt(path or "", stack, connect)
        else:
            domain = one_domain(path, streams, limits, "arguments", named=True)
            if connect is not None:
                from virtquorum.host.lookup import connect as connected

                lookup = stack.enter_context(connected(connect))
        chosen = named_disks(domain, disk) if disk else None
        if len(domain.machine_disks) < len(domain.disks):
            streams.note("of the two domains in it, these are the first one's disks")
        given = provided(secret or [], tls_dir, tls_secret, secrets_dir, lookup, undo=undo)
        found, refused = _translated(
            domain, style, chosen, not no_frontend, given, version, streams
        )
    if refused and not keep_going:
        if found:
            streams.note("the other disks are to be had with --keep-going, or --disk TARGET")
        return Exit.FINDINGS
    if undo:
        whole = len(found) == len(domain.machine_disks)
        streams.write_bytes(_commands(undone(_undone(found, whole, streams))))
        return Exit.FINDINGS if refused else Exit.CLEAN
    graphs = [one.built for one in found if one.built is not None]
    hand_out(graphs, given, streams, all_disks=not refused and chosen is None)
    streams.write_bytes(_printed(found, style, shape))
    return Exit.FINDINGS if refused else Exit.CLEAN


def _libvirt(path: str | None, uri: str | None) -> tuple[str | None, bool]:
    """The libvirt to ask, None for none, and whether the path is the name of a domain of its.

    Without --connect a file is a file's own affair; a domain's name means the libvirt
    that the environment names.
    """
    is_domain = path is not None and path != "-" and "/" not in path and not os.path.exists(path)
    if uri is None and is_domain and path is not None and is_name(path):
        found = map(os.environ.get, ("VIRSH_DEFAULT_CONNECT_URI", "LIBVIRT_DEFAULT_URI"))
        uri = next((one for one in found if one), None)
    return uri, is_domain and uri is not None


def _of_libvirt(name: str, stack: ExitStack, uri: str | None) -> tuple[Domain, Lookup | None]:
    """A domain of libvirt's with its quorum disks, and what can be asked for volumes and secrets.

    The connection stays until the stack's end.
    """
    from virtquorum.cli.command_line import named_domain
    from virtquorum.host import connect
    from virtquorum.stock.lift import lift

    host = stack.enter_context(connect(uri))
    return lift(named_domain(name, host)), host.lookup


def _whole(
    word: str | None,
    uri: str,
    shape: _Shape,
    provide: Callable[[Lookup | None], Provided],
    version: tuple[int, int] | None,
    limits: Limits,
    streams: Streams,
) -> int:
    """Print the command line of a whole domain; returns the exit code."""
    from virtquorum.cli.command_line import notes, printed, whole_domain
    from virtquorum.host import connect
    from virtquorum.host.native import native

    with connect(uri) as host:
        domain = whole_domain(word, host, streams, limits)
        given = provide(host.lookup)
        found = native(host, domain, provided=given, version=version)
    hand_out([one.built for one in found.lowerings], given, streams)
    for note in notes(found):
        streams.note(note)
    streams.write_bytes(printed(found.line, shape))
    return Exit.CLEAN


def _shape(style: Style, undo: bool, *, as_json: bool, oneline: bool, nul: bool) -> _Shape:
    """How arguments are printed; refuses options that say nothing together."""
    if as_json + oneline + nul > 1:
        raise typer.BadParameter("--json, --oneline and --nul exclude each other")
    if style is Style.QMP and (oneline or nul):
        raise typer.BadParameter("--style qmp prints JSON, and no arguments")
    if undo and style is not Style.QMP:
        raise typer.BadParameter("--undo is for --style qmp")
    return "json" if as_json else "oneline" if oneline else "nul" if nul else "lines"


def _translated(
    domain: Domain,
    style: Style,
    chosen: Sequence[Disk] | None,
    frontends: bool,
    given: Provided,
    version: tuple[int, int] | None,
    streams: Streams,
) -> tuple[list[Translated], bool]:
    """The disks that can be translated, and whether there are others; all is said on stderr."""
    found: list[Translated] = []
    refused = False
    for one in translate(
        domain,
        style=style.value,
        chosen=chosen,
        frontends=frontends,
        provided=given,
        version=version,
    ):
        if isinstance(one, TranslationError):
            streams.say(str(one))
            refused = True
            continue
        found.append(one)
        about = f"{one.disk.location}: disk '{one.disk.name}'"
        for remark in one.remarks:
            streams.note(f"{about} {remark}")
    return found, refused


def _undone(found: list[Translated], whole: bool, streams: Streams) -> list[Command]:
    """The commands to take back; what other disks may need is left where these are not all."""
    every = commands(found)
    if whole:
        return every
    left = [str(one["arguments"]["id"]) for one in every if is_shared(one)]  # type: ignore[index,call-overload]
    if left:
        streams.note(f"left alone, because other disks may need them: {', '.join(left)}")
    return [one for one in every if not is_shared(one)]


def _commands(every: Sequence[Command]) -> bytes:
    lines = ",\n ".join(json_text(dict(one)) for one in every)
    return f"[{lines}]\n".encode()


def _printed(found: list[Translated], style: Style, shape: _Shape) -> bytes:
    """The output's bytes: file names are bytes, so the output's encoding has no say in them."""
    if style is Style.QMP:
        return _commands(commands(found))
    words = arguments(found, style.value)
    match shape:
        case "json":
            text = json_text(list(words)) + "\n"
        case "nul":
            text = "".join(f"{word}\0" for word in words)
        case "oneline":
            text = shlex.join(words) + "\n"
        case "lines":
            text = shell_lines(words)
    return text.encode()
