"""``virtquorum undefine``: a domain's definition goes, and its placeholders with it."""

from __future__ import annotations

from typing import Annotated

import typer

from virtquorum.cli.connection import (
    Connect,
    DomainName,
    DryRun,
    carried_out,
    refusing,
    tell_unfinished,
)
from virtquorum.cli.streams import Streams
from virtquorum.host import connect as connected
from virtquorum.printable import printable

__all__ = ["command"]


def command(
    context: typer.Context,
    name: DomainName,
    connect: Connect = None,
    dry_run: DryRun = False,
    managed_save: Annotated[
        bool, typer.Option("--managed-save", help="With its saved state.")
    ] = False,
    snapshots_metadata: Annotated[
        bool, typer.Option("--snapshots-metadata", help="With what libvirt knows of snapshots.")
    ] = False,
    checkpoints_metadata: Annotated[
        bool,
        typer.Option("--checkpoints-metadata", help="With what libvirt knows of checkpoints."),
    ] = False,
    nvram: Annotated[bool, typer.Option("--nvram", help="With the file of its NVRAM.")] = False,
    keep_nvram: Annotated[
        bool, typer.Option("--keep-nvram", help="Without the file of its NVRAM.")
    ] = False,
) -> int:
    """Take a domain's definition away, and its placeholders.

    No image is ever removed. A domain that runs goes on, and is gone when it
    ends.

    \b
      virtquorum undefine web
      virtquorum undefine --nvram --managed-save web

    Exit codes: 0 undefined, 1 refused, 2 usage, 3 no such domain, or no
    connection to libvirt.
    """
    streams: Streams = context.obj
    if nvram and keep_nvram:
        raise typer.BadParameter("--nvram and --keep-nvram exclude each other")
    chosen = {
        "managed-save": managed_save,
        "snapshots-metadata": snapshots_metadata,
        "checkpoints-metadata": checkpoints_metadata,
        "nvram": nvram,
        "keep-nvram": keep_nvram,
    }
    with connected(connect) as host:
        domain = host.domain(name)
        with refusing(host, streams):
            from virtquorum.host.definition import RemovePlaceholder
            from virtquorum.host.undefine import plan_undefine

            runs = domain.is_active
            if runs:
                tell_unfinished(domain, streams)
            plan = plan_undefine(domain, [word for word, said in chosen.items() if said])
            code = carried_out(plan, streams, dry_run=dry_run)
            if dry_run:
                return code
            for step in plan.steps:
                if isinstance(step, RemovePlaceholder) and step.stayed is not None:
                    streams.note(step.stayed)
            if runs:
                streams.note(f"{domain.where} runs on; its placeholders stay until it ends")
    streams.out.write(f"domain '{printable(domain.name)}' undefined\n")
    return code
