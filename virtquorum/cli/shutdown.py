"""``virtquorum shutdown``: a guest is asked to end, and waited for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Final

import typer

from virtquorum.cli.connection import Connect, DomainName, refusing, tell_kept, tell_unfinished
from virtquorum.cli.streams import Exit, Streams
from virtquorum.errors import HostError
from virtquorum.host import connect as connected
from virtquorum.printable import printable

if TYPE_CHECKING:
    from virtquorum.host.domain import HostDomain

__all__ = ["command"]

#: virDomainShutdownFlagValues, by virsh's words.
_MODES: Final = {"acpi": 1, "agent": 2, "initctl": 4, "signal": 8, "paravirt": 16}
#: How long a guest is waited for (seconds), if nobody says.
_TIMEOUT: Final = 120
#: Seconds between two looks.
_PAUSE: Final = 0.2


def command(
    context: typer.Context,
    name: DomainName,
    connect: Connect = None,
    mode: Annotated[
        list[str] | None,
        typer.Option(
            "--mode",
            metavar="MODE",
            help=f"How to ask: {', '.join(_MODES)}; may be repeated. If left out, libvirt chooses.",
            show_default=False,
        ),
    ] = None,
    timeout: Annotated[
        int,
        typer.Option(
            "--timeout", metavar="SECONDS", min=0, help="How long to wait; 0 does not wait."
        ),
    ] = _TIMEOUT,
) -> int:
    """Ask a guest to shut down, and wait until it has.

    What plugged disks leave behind is removed. A guest may ignore it:
    'virtquorum destroy' ends it at once.

    \b
      virtquorum shutdown web
      virtquorum shutdown --timeout 30 --mode acpi web

    Exit codes: 0 it has shut down (with --timeout 0: was asked), 1 it runs
    still, or cannot be asked, 2 usage, 3 no such domain, or no connection.
    """
    streams: Streams = context.obj
    flags = _flags(mode or [])
    with connected(connect) as host:
        domain = host.domain(name)
        with refusing(host, streams):
            return _shut_down(domain, flags, timeout, streams)


def _flags(words: list[str]) -> int:
    flags = 0
    for word in (one for many in words for one in many.split(",")):
        if word not in _MODES:
            raise typer.BadParameter(
                f"--mode: there is no mode '{word}'; there are: {', '.join(_MODES)}"
            )
        flags |= _MODES[word]
    return flags


def _shut_down(domain: HostDomain, flags: int, timeout: int, streams: Streams) -> int:
    from virtquorum.host.connection import asking
    from virtquorum.host.undefine import live_placeholders, remove_placeholders

    if not domain.is_active:
        raise HostError(f"{domain.where} does not run")
    text = domain.text()
    tell_unfinished(domain, streams, text, ends=True)
    files = live_placeholders(domain, text)
    tell_kept(domain, streams)
    with asking(domain.where):
        domain.handle.shutdownFlags(flags)
    shown = f"domain '{printable(domain.name)}'"
    if timeout == 0:
        streams.out.write(f"{shown} is asked to shut down\n")
        return Exit.CLEAN
    if not _has_ended(domain, timeout, streams):
        streams.say(
            f"{domain.where} runs still after {timeout} seconds; wait for longer, --timeout, or "
            f"end it at once: 'virtquorum destroy {domain.name}'"
        )
        return Exit.FINDINGS
    for sentence in remove_placeholders(domain, files):
        streams.note(sentence)
    streams.out.write(f"{shown} has shut down\n")
    return Exit.CLEAN


def _has_ended(domain: HostDomain, timeout: int, streams: Streams) -> bool:
    from virtquorum.host.undefine import runs

    began = time.monotonic()
    while runs(domain):
        passed = time.monotonic() - began
        if passed > timeout:
            streams.progress("")
            return False
        streams.progress(f"waiting for the guest, {int(passed)} of {timeout} seconds")
        time.sleep(_PAUSE)
    streams.progress("")
    return True
