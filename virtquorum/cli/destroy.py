"""``virtquorum destroy``: a domain is switched off."""

from __future__ import annotations

from typing import Annotated

import typer

from virtquorum.cli.connection import Connect, DomainName, refusing, tell_kept, tell_unfinished
from virtquorum.cli.streams import Exit, Streams
from virtquorum.errors import HostError
from virtquorum.host import connect as connected
from virtquorum.printable import printable

__all__ = ["command"]

#: VIR_DOMAIN_DESTROY_GRACEFUL
_GRACEFUL = 1


def command(
    context: typer.Context,
    name: DomainName,
    connect: Connect = None,
    graceful: Annotated[
        bool,
        typer.Option("--graceful", help="Only if QEMU ends by itself, without being killed."),
    ] = False,
) -> int:
    """Switch a domain off at once, as by its power switch.

    Its definition and its images stay; what plugged disks leave behind is
    removed.

    \b
      virtquorum destroy web

    Exit codes: 0 it is off, 1 refused, 2 usage, 3 no such domain, or no
    connection to libvirt.
    """
    streams: Streams = context.obj
    with connected(connect) as host:
        domain = host.domain(name, settle=False)  # its QEMU may hang
        with refusing(host, streams):
            from virtquorum.host.undefine import destroy, live_placeholders, remove_placeholders

            if not domain.is_active:
                raise HostError(f"{domain.where} does not run")
            text = domain.text()
            tell_unfinished(domain, streams, text, ends=True)
            files = live_placeholders(domain, text)
            destroy(domain, _GRACEFUL if graceful else 0)
            tell_kept(domain, streams)
            for sentence in remove_placeholders(domain, files):
                streams.note(sentence)
    streams.out.write(f"domain '{printable(domain.name)}' destroyed\n")
    return Exit.CLEAN
