"""``virtquorum doctor``: what a crash has left of a quorum domain is found, and mended."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Annotated

import typer

from virtquorum.cli.connection import Connect, DryRun, domain_names, observer, refusing
from virtquorum.cli.streams import Exit, Streams
from virtquorum.host import connect as connected
from virtquorum.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from virtquorum.host.doctor import Ailment, Treated, Treatment
    from virtquorum.host.domain import HostDomain
    from virtquorum.host.session import Host
    from virtquorum.json_text import Json

__all__ = ["command"]

_VERSION = 1
#: What 'nothing is wrong' does not speak of.
_UNSEEN = "; what the members hold is not compared"


def command(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="DOMAIN",
            help="Its name, UUID or id; without it all domains are looked at, and the "
            "placeholders that none of them has.",
            show_default=False,
            autocompletion=domain_names,
        ),
    ] = None,
    connect: Connect = None,
    dry_run: DryRun = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Mend without asking what may lose something.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Say it for programs; see 'virtquorum schema'.")
    ] = False,
) -> int:
    """Find and mend what a crash, or somebody's hands, have left of a quorum domain.

    A change that was cut short is brought to its end, or taken back, and what
    is left over is taken away. What loses nothing is mended at once; what may
    lose something is asked first; what only a person can decide is said, with
    the ways out. No image is ever removed, nor read: whether the members hold
    the same QEMU's vote says at each read, and 'qemu-img compare' of a domain
    that is off.

    \b
      virtquorum doctor web
      virtquorum doctor --dry-run web
      virtquorum doctor --yes

    Exit codes: 0 nothing is wrong (any more), 1 something is left, 2 usage,
    3 no such domain, or no connection to libvirt.
    """
    streams: Streams = context.obj
    with connected(connect) as host:
        domain = host.domain(name) if name is not None else None
        with refusing(host, streams):
            treated = _treated(host, domain, streams, dry_run=dry_run, yes=yes, as_json=as_json)
        if as_json:
            streams.write_json(_json(host.uri, treated), indent=2)
        else:
            _write(treated, name, streams, dry_run=dry_run)
    if treated.signal is not None:
        return Exit.INTERRUPTED if treated.signal == signal.SIGINT else 128 + treated.signal
    return Exit.FINDINGS if treated.left else Exit.CLEAN


def _treated(
    host: Host,
    domain: HostDomain | None,
    streams: Streams,
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> Treated:
    from virtquorum.host.doctor import Treated, Treatment, examine, treat

    if dry_run:
        found = examine(host, domain)
        return Treated(found=tuple(Treatment(ailment=one, outcome="left") for one in found))
    agreed = _agreed(streams, yes=yes, may_ask=not as_json)
    return treat(host, domain, agreed=agreed, observer=observer(streams))


def _agreed(streams: Streams, *, yes: bool, may_ask: bool) -> Callable[[Ailment], bool]:
    def agreed(one: Ailment) -> bool:
        if yes:
            return True
        if not (may_ask and streams.input.isatty() and streams.err.isatty()):
            return False
        streams.progress("")
        for line in _lines(one):
            streams.err.write(f"{printable(line)}\n")
        streams.err.write("virtquorum: mend it? [y/N] ")
        streams.err.flush()
        return streams.input.readline().strip().lower() in (b"y", b"yes")

    return agreed


# For people


def _write(treated: Treated, name: str | None, streams: Streams, *, dry_run: bool) -> None:
    lines = [line for one in treated.found for line in _told(one, dry_run=dry_run)]
    lines.append(_sum(treated, name, dry_run=dry_run))
    for line in lines:
        shown = printable(line)
        if not streams.can_write(shown):
            shown = shown.encode("ascii", "backslashreplace").decode()
        streams.out.write(f"{shown}\n")


def _told(one: Treatment, *, dry_run: bool) -> Iterator[str]:
    yield from _lines(one.ailment)
    match one.outcome:
        case "mended":
            yield "  mended"
        case "failed":
            yield f"  not mended: {one.error}"
        case "asked":
            yield "  not mended: it may lose something; --yes mends it"
        case "left" if one.ailment.plan is not None and not dry_run:
            yield "  not mended"


def _lines(one: Ailment) -> Iterator[str]:
    where = f"domain '{one.domain}': " if one.domain is not None else ""
    yield f"{where}{one.severity.value}: {one.message}"
    if one.cause is not None:
        yield f"  cause: {one.cause}"
    if one.mending is not None:
        yield f"  mending: {one.mending}{' (is asked first)' if one.asks else ''}"
    for way in one.ways:
        yield f"  way out: {way}"


def _sum(treated: Treated, name: str | None, *, dry_run: bool) -> str:
    where = f"domain '{name}'" if name is not None else "all domains and placeholders"
    left = treated.left
    mended = sum(one.outcome == "mended" for one in treated.found)
    if not left:
        return f"{where}: {'all is mended' if mended else 'nothing is wrong'}{_UNSEEN}"
    words = f"{len(left)} {'thing is' if len(left) == 1 else 'things are'} wrong"
    if not dry_run:
        return f"{where}: {words} still" + (f", {mended} mended" if mended else "")
    if any(one.ailment.plan is not None for one in left):
        return f"{where}: {words}; without --dry-run it is mended as said"
    return f"{where}: {words}"


# For programs


def _json(uri: str, treated: Treated) -> Json:
    return {
        "version": _VERSION,
        "uri": uri,
        "found": [
            {**one.ailment.to_json(), "outcome": one.outcome, "error": one.error}
            for one in treated.found
        ],
        "left": len(treated.left),
    }
