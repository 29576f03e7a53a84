"""``virtquorum patch DOMAIN set``: a quorum's threshold and policies."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from virtquorum.cli.connection import DryRun
from virtquorum.cli.patch_options import Config, ConnectHere, Current, Json_, Live, Said, Yes, made
from virtquorum.model.image import LARGEST_THRESHOLD

if TYPE_CHECKING:
    from virtquorum.host.domain import HostDomain
    from virtquorum.host.patch import Options, Patch, Settings

__all__ = ["set_"]


class Switch(StrEnum):
    """A policy that is on, off, or QEMU's default, which is off."""

    on = "on"
    off = "off"
    default = "default"


class Pattern(StrEnum):
    """How a quorum reads: from all members, which vote, or from the first that answers."""

    quorum = "quorum"
    fifo = "fifo"
    default = "default"


def set_(
    context: typer.Context,
    quorum: Annotated[
        str,
        typer.Argument(
            metavar="QUORUM",
            help="A disk's target, or the way to a quorum inside it: vda/1.",
            show_default=False,
        ),
    ],
    threshold: Annotated[
        int | None,
        typer.Option(
            "--threshold",
            min=1,
            max=LARGEST_THRESHOLD,
            metavar="N",
            help="How many members must agree.",
            show_default=False,
        ),
    ] = None,
    rewrite_corrupted: Annotated[
        Switch | None,
        typer.Option(
            "--rewrite-corrupted", help="Write the right data over wrong data.", show_default=False
        ),
    ] = None,
    read_pattern: Annotated[
        Pattern | None,
        typer.Option(
            "--read-pattern", help="Whether all members are read, or the first.", show_default=False
        ),
    ] = None,
    blkverify: Annotated[
        Switch | None,
        typer.Option("--blkverify", help="End QEMU where two members differ.", show_default=False),
    ] = None,
    connect: ConnectHere = None,
    live: Live = False,
    config: Config = False,
    current: Current = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json_ = False,
) -> int:
    """Set a quorum's threshold and policies; 'default' takes a policy out of the XML.

    QEMU opens the quorum anew for it: the guest is paused for some
    milliseconds.

    \b
      virtquorum patch web set vda --threshold 3
      virtquorum patch web set vda --rewrite-corrupted on --live --config
      virtquorum patch web set vda/1 --read-pattern fifo

    Exit codes: 0 set, or so already, 1 refused or failed, 2 usage, 3 no such
    domain, or no connection to libvirt.
    """  # fmt: skip
    settings: Settings = {}
    if threshold is not None:
        settings["threshold"] = threshold
    if rewrite_corrupted is not None:
        settings["rewrite_corrupted"] = _SWITCHES[rewrite_corrupted]
    if read_pattern is not None:
        given = read_pattern is not Pattern.default
        settings["read_pattern"] = read_pattern.value if given else None
    if blkverify is not None:
        settings["blkverify"] = _SWITCHES[blkverify]
    if not settings:
        raise typer.BadParameter(
            "nothing to set; name --threshold, --rewrite-corrupted, --read-pattern or --blkverify"
        )
    said = Said(
        live=live, config=config, current=current, dry_run=dry_run, yes=yes,
        no_checks=False, as_json=as_json, connect=connect,
    )  # fmt: skip

    def plan(domain: HostDomain, options: Options) -> Patch:
        from virtquorum.host.patch import set_quorum

        return set_quorum(domain, quorum, settings, **options)

    from virtquorum.host.patch.given import Given

    return made(context.obj, said, plan, given=Given(_words(settings)))


_SWITCHES = {Switch.on: True, Switch.off: False, Switch.default: None}


def _words(settings: Settings) -> str:
    """The options that set this."""
    said = {True: "on", False: "off", None: "default"}
    return " ".join(
        f"--{name.replace('_', '-')} {value if type(value) in (int, str) else said[value]}"  # type: ignore[index]
        for name, value in settings.items()
    )
