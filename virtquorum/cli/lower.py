"""``virtquorum lower``: a quorum domain as one that stock libvirt runs."""

from __future__ import annotations

import os
import shlex
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from virtquorum.cli.inputs import MaxDepth, MaxSize
from virtquorum.cli.secrets import SecretOptions, hand_out, provided
from virtquorum.cli.stock import Diff, Write, put_out, whole_domain
from virtquorum.cli.streams import Streams
from virtquorum.qemu.version import read_version
from virtquorum.stock.lift import lift
from virtquorum.stock.lower import kept_files, lowerings, with_lowerings
from virtquorum.stock.placeholder import DIRECTORY
from virtquorum.xml.document import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from virtquorum.host.session import Host
    from virtquorum.stock.lower import Lowering

__all__ = ["command"]

#: Placeholders that are named; of more the number is said.
_NAMED = 4


def command(
    context: typer.Context,
    path: Annotated[
        str | None,
        typer.Argument(
            metavar="[PATH|-]", help="A file, or - for standard input.", show_default=False
        ),
    ] = None,
    placeholder_dir: Annotated[
        str | None,
        typer.Option(
            "--placeholder-dir",
            metavar="DIR",
            help=f"Where the placeholders are, or will be; {DIRECTORY} if not said, or with "
            "--connect where 'virtquorum define' makes them.",
            show_default=False,
        ),
    ] = None,
    write: Annotated[bool, Write] = False,
    diff: Annotated[bool, Diff] = False,
    secret: Annotated[
        list[str] | None,
        typer.Option(
            "--secret",
            metavar="UUID=file:PATH",
            help="Where the value of a libvirt secret is; see 'virtquorum args'. May be repeated.",
            show_default=False,
        ),
    ] = None,
    secrets_dir: Annotated[
        str | None,
        typer.Option(
            "--secrets-dir",
            metavar="DIR",
            help="Write there, readable for you alone, what no argument may hold; it has to stay "
            "as long as the domain does.",
            show_default=False,
        ),
    ] = None,
    tls_dir: SecretOptions.Tls = None,
    tls_secret: SecretOptions.TlsSecret = None,
    connect: Annotated[
        str | None,
        typer.Option(
            "--connect",
            "-c",
            metavar="URI",
            help="The libvirt that it is for: to ask for volumes, secrets and its placeholders.",
            show_default=False,
        ),
    ] = None,
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
    """Write a quorum domain as one that stock libvirt (8.2 or newer) runs.

    Each quorum disk gives its place to a placeholder; the quorum itself goes
    into <qemu:commandline>, <qemu:override> points the guest's device at it,
    and the disk is kept in the metadata: 'virtquorum lift' gives the domain
    back as it was. One that is lowered already is lowered anew. A domain
    without quorum disks comes out as it is. The placeholders are files that
    'virtquorum define' makes, or 'virtquorum doctor DOMAIN' once libvirt has
    the domain; with --connect they are where it looks for them.

    \b
      virtquorum lower domain.xml
      virtquorum lower --connect qemu:///system domain.xml > lowered.xml
      virtquorum lower --write --placeholder-dir /srv/placeholders domain.xml

    Exit codes: 0 clean, 1 a disk cannot be lowered, or differences (--diff),
    2 usage, 3 input that cannot be read or is no <domain>, or no connection
    to libvirt.
    """
    streams: Streams = context.obj
    limits = Limits(depth=max_depth, size=max_size)
    domain = whole_domain(path, streams, limits, write=write, diff=diff)
    lifted = lift(domain)
    with ExitStack() as stack:
        lookup = None
        if connect is not None:
            from virtquorum.host import connect as connected

            host = stack.enter_context(connected(connect))
            lookup = host.lookup
            placeholder_dir = placeholder_dir or _directory(host)
        given = provided(secret or [], tls_dir, tls_secret, secrets_dir, lookup)
        found = lowerings(
            lifted,
            directory=os.path.abspath(placeholder_dir or DIRECTORY),
            files=kept_files(domain),
            provided=given,
            version=read_version(target_qemu) if target_qemu is not None else None,
        )
    if not found:
        streams.note("no quorum disk in it, so there is nothing to lower")
        return put_out(domain, lifted, streams, "lowered", write=write, diff=diff)
    lowered = with_lowerings(lifted, found)
    hand_out([one.built for one in found], given, streams, write=not diff)
    code = put_out(domain, lowered, streams, "lowered", write=write, diff=diff)
    has_place = connect is not None or placeholder_dir is not None
    _tell(found, lifted.domain_name or "DOMAIN", streams, has_place=has_place)
    return code


def _directory(host: Host) -> str:
    """Where ``define`` makes placeholders on a host."""
    if not host.placeholder_directory:
        raise typer.BadParameter(
            f"where placeholders are on '{host.name}' is not known from here; say it: "
            "--placeholder-dir DIR"
        )
    return host.placeholder_directory


def _tell(found: Sequence[Lowering], name: str, streams: Streams, *, has_place: bool) -> None:
    for one in found:
        for remark in one.remarks:
            streams.note(f"{one.disk.location}: disk '{one.disk.name}' {remark}")
    missing = [one.file for one in found if not os.path.exists(one.file)]
    if missing:
        named = ", ".join(f"'{file}'" for file in missing[:_NAMED])
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        what = (
            f"placeholder {named}: an empty raw file of the quorum's size"
            if len(missing) == 1
            else f"placeholders {named}{more}: empty raw files of the quorums' sizes"
        )
        them = "it" if len(missing) == 1 else "them"
        place = "" if has_place else f"; --connect URI has {them} where that libvirt's are"
        streams.note(
            f"a start needs the {what}; 'virtquorum doctor {shlex.quote(name)}' makes {them} once "
            f"the domain is defined, and 'virtquorum define' does both{place}"
        )
