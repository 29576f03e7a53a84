"""``virtquorum start``: a domain starts, once its quorum disks are what they should be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from virtquorum.cli.connection import (
    Connect,
    DomainName,
    DryRun,
    NoChecks,
    carried_out,
    looking,
    refusing,
    show_results,
)
from virtquorum.cli.streams import Exit, Streams
from virtquorum.host import connect as connected
from virtquorum.printable import printable

if TYPE_CHECKING:
    from virtquorum.host.domain import HostDomain

__all__ = ["command"]


def command(
    context: typer.Context,
    name: DomainName,
    connect: Connect = None,
    paused: Annotated[
        bool, typer.Option("--paused", help="Do not let the guest run yet: 'virsh resume' does.")
    ] = False,
    dry_run: DryRun = False,
    no_checks: NoChecks = False,
) -> int:
    """Start a domain.

    First the images of its quorum disks are looked at: whether QEMU's user
    can open them, and whether their sizes agree. Then QEMU is started, and
    the guest runs once its disks are found to be the quorums; otherwise QEMU
    is ended again.

    \b
      virtquorum start web
      virtquorum start --dry-run web
      virtquorum start --paused web

    Exit codes: 0 started, 1 refused or failed, 2 usage, 3 no such domain, or
    no connection to libvirt.
    """
    streams: Streams = context.obj
    with connected(connect) as host:
        domain = host.domain(name)
        with refusing(host, streams):
            from virtquorum.host.saved import waiting_notes
            from virtquorum.host.start import leaves_paused, left_notes, plan_start

            plan = plan_start(domain, paused=paused)
            for sentence in waiting_notes(domain):
                streams.note(sentence)
            if not no_checks and not _may_start(domain, streams):
                return Exit.FINDINGS
            code = carried_out(plan, streams, dry_run=dry_run)
        if not dry_run:
            for sentence in left_notes(plan):
                streams.note(sentence)
            done = "started, and paused" if leaves_paused(plan) else "started"
            streams.out.write(f"domain '{printable(domain.name)}' {done}\n")
    return code


def _may_start(domain: HostDomain, streams: Streams) -> bool:
    """Whether no image is in the way of a start; what is in the way is said."""
    from virtquorum.host.checks import check_images, refused
    from virtquorum.host.checks.lost import copied
    from virtquorum.host.checks.result import hopeless
    from virtquorum.host.start import lowerings_of, need_off, next_start

    lowered = next_start(domain)
    found = lowerings_of(domain, lowered)
    if not found:
        return True
    with looking(streams):
        results = check_images(domain.host.connection, lowered, found)
    if domain.host.is_local:
        results = [*copied(results, [one.disk for one in found], domain.name)]
    if refused(results):
        need_off(domain)  # else its own QEMU is who has the images open
    show_results(results, streams)
    if not refused(results):
        return True
    out = "" if hopeless(results) else "; --no-checks starts it all the same"
    streams.say(f"{domain.where} was not started{out}")
    return False
