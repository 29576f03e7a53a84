"""What the commands of ``virtquorum patch`` share: their options, and how a change is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from virtquorum.cli.connection import (
    agreed,
    carried_out,
    refusing,
    show_findings,
    show_results,
)
from virtquorum.cli.secrets import provided
from virtquorum.cli.streams import Exit
from virtquorum.host import connect as connected
from virtquorum.model.node import Node, node
from virtquorum.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Unpack

    from virtquorum.check.finding import Finding
    from virtquorum.cli.streams import Streams
    from virtquorum.host.domain import HostDomain
    from virtquorum.host.patch import Options, Patch
    from virtquorum.host.session import Host
    from virtquorum.json_text import Json

__all__ = [
    "VERSION",
    "Asked",
    "Config",
    "Json_",
    "Live",
    "NoCopy",
    "Said",
    "Yes",
    "made",
]

#: The version of the schema of --json; it changes when a program that reads it must.
VERSION = 1

Live: TypeAlias = Annotated[bool, typer.Option("--live", help="Change the running domain.")]
Config: TypeAlias = Annotated[
    bool, typer.Option("--config", help="Change its definition: what the next start takes.")
]
Current: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--current", help="Change the running domain, or the definition of one that is off."
    ),
]
Yes: TypeAlias = Annotated[
    bool, typer.Option("--yes", "-y", help="Do not ask where something is lost or unwise.")
]
Json_: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Say it for programs; see 'virtquorum schema'.")
]
NoCopy: TypeAlias = Annotated[
    bool,
    typer.Option("--no-copy", help="Do not copy to new members: they hold the disk's data."),
]


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Asked(Node):
    """The domain that is to be changed, by the words before the command."""

    name: str
    connect: str | None
    streams: Streams


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Said(Node):
    """The options that every command has."""

    live: bool
    config: bool
    current: bool
    dry_run: bool
    yes: bool
    no_checks: bool
    as_json: bool
    secret: Sequence[str] = ()
    secrets_dir: str | None = None
    tls_dir: str | None = None
    tls_secret: str | None = None


def made(
    asked: Asked, said: Said, plan: Callable[[HostDomain, Options], Patch], **more: Unpack[Options]
) -> int:
    """Plan a change and make it, or only print the plan; the exit code.

    ``more`` are options for the plan.
    """
    if said.current and (said.live or said.config):
        raise typer.BadParameter("--current excludes --live and --config")
    with connected(asked.connect) as host:
        domain = host.domain(asked.name)
        with refusing(host, asked.streams):
            options: Options = {
                "live": said.live,
                "config": said.config,
                "checks": not said.no_checks,
                "provided": provided(
                    said.secret, said.tls_dir, said.tls_secret, said.secrets_dir, host.lookup
                ),
                **more,
            }
            return _changed(host, domain, said, asked.streams, lambda: plan(domain, options))


def _changed(
    host: Host, domain: HostDomain, said: Said, streams: Streams, plan: Callable[[], Patch]
) -> int:
    from virtquorum.host.patch import ImagesError, InvalidPatchError, NothingToChangeError

    try:
        patch = plan()
    except InvalidPatchError as error:
        show_findings(error.findings, streams)
        streams.say(str(error))
        return Exit.FINDINGS
    except ImagesError as error:
        show_results(error.results, streams)
        streams.say("nothing was changed; --no-checks goes on all the same")
        return Exit.FINDINGS
    except NothingToChangeError as error:
        streams.note(str(error))
        if said.as_json:
            streams.write_json({"version": VERSION, "changed": False, "plan": None}, indent=2)
        return Exit.CLEAN
    show_findings(patch.findings, streams)
    show_results(patch.results, streams)
    for note in patch.notes:
        streams.note(note)
    if not agreed(patch.lost, streams, yes=said.yes, dry_run=said.dry_run):
        return Exit.FINDINGS
    return _carried_out(patch, said, streams)


def _carried_out(patch: Patch, said: Said, streams: Streams) -> int:
    from virtquorum.host.definition import RemovePlaceholder

    if said.dry_run and said.as_json:
        _write(patch, streams, changed=False)
        return Exit.CLEAN
    code = carried_out(patch, streams, dry_run=said.dry_run)
    if said.dry_run:
        return code
    for step in patch.steps:
        if isinstance(step, RemovePlaceholder) and step.stayed is not None:
            streams.note(step.stayed)
    if said.as_json:
        _write(patch, streams, changed=True)
    else:
        streams.out.write(printable(_told(patch)) + "\n")
    return code


def _told(patch: Patch) -> str:
    match patch.live, patch.config:
        case True, True:
            where = "in the running domain and in its definition"
        case True, False:
            where = "in the running domain, until it ends"
        case _:
            where = "in its definition"
    return f"{patch.title}: done, {where}"


def _write(patch: Patch, streams: Streams, *, changed: bool) -> None:
    plan: dict[str, Json] = {
        **patch.to_json(),
        "target": patch.target,
        "live": patch.live,
        "config": patch.config,
        "asks": list(patch.lost),
        "notes": list(patch.notes),
        "findings": [_finding(one) for one in patch.findings],
        "images": [one.to_json() for one in patch.results],
    }
    streams.write_json({"version": VERSION, "changed": changed, "plan": plan}, indent=2)


def _finding(one: Finding) -> dict[str, Json]:
    return {"rule": one.rule, "severity": one.severity.value, "message": one.message}
