"""What the commands of ``virtquorum patch`` share: their options, and how a change is made."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from virtquorum.cli.connection import (
    agreed,
    carried_out,
    looking,
    refusing,
    show_findings,
    show_results,
    tell_unfinished,
)
from virtquorum.cli.secrets import provided
from virtquorum.cli.streams import Exit
from virtquorum.errors import VirtquorumError
from virtquorum.host import connect as connected
from virtquorum.images.program import Interrupted
from virtquorum.model.node import Node, node
from virtquorum.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Unpack

    from virtquorum.check.finding import Finding
    from virtquorum.cli.streams import Streams
    from virtquorum.host.checks.result import CheckResult
    from virtquorum.host.domain import HostDomain
    from virtquorum.host.patch import Options, Patch
    from virtquorum.host.session import Host
    from virtquorum.json_text import Json

__all__ = [
    "VERSION",
    "Asked",
    "Config",
    "ConnectHere",
    "Current",
    "Json_",
    "Live",
    "NoCopy",
    "Said",
    "Yes",
    "made",
]

#: The version of the schema of --json; it changes when a program that reads it must.
VERSION = 1

#: Words of the questions that say the same as a rule.
_ASKED: Final = {"VQ106": "which is no majority: "}

#: Behind the command, where people write it as well as before the domain.
ConnectHere: TypeAlias = Annotated[
    str | None,
    typer.Option("--connect", "-c", metavar="URI", hidden=True, show_default=False),
]
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
    connect: str | None = None
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
    if asked.connect is not None and said.connect not in (None, asked.connect):
        raise typer.BadParameter(
            f"--connect is given twice, '{asked.connect}' and '{said.connect}'; give it once"
        )
    with connected(said.connect if said.connect is not None else asked.connect) as host:
        domain = host.domain(asked.name)
        with refusing(host, asked.streams):
            tell_unfinished(domain, asked.streams)
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
    from virtquorum.host.checks.result import hopeless
    from virtquorum.host.patch import ImagesError, InvalidPatchError, NothingToChangeError

    try:
        with looking(streams):
            patch = plan()
    except InvalidPatchError as error:
        show_findings(error.findings, streams)
        streams.say(f"cannot {error.title}, so nothing was changed")
        _write_refused(said, streams, error, findings=error.findings)
        return Exit.FINDINGS
    except ImagesError as error:
        show_results(error.results, streams)
        out = "" if hopeless(error.results) else "; --no-checks goes on all the same"
        streams.say(f"nothing was changed{out}")
        _write_refused(said, streams, error, images=error.results)
        return Exit.FINDINGS
    except NothingToChangeError as error:
        streams.note(str(error))
        if said.as_json:
            _write(streams, None, changed=False)
        return Exit.CLEAN
    except (VirtquorumError, Interrupted) as error:
        _write_refused(said, streams, error)
        raise
    show_findings([one for one in patch.findings if not _is_asked(one, patch)], streams)
    show_results(patch.results, streams)
    for note in patch.notes:
        streams.note(note)
    if not agreed(patch.lost, streams, yes=said.yes, dry_run=said.dry_run):
        _write_refused(said, streams, "nobody agreed to what it asks; --yes does", patch)
        return Exit.FINDINGS
    try:
        return _carried_out(patch, said, streams)
    except (VirtquorumError, Interrupted) as error:
        _write_refused(said, streams, error, patch)
        raise


def _is_asked(finding: Finding, patch: Patch) -> bool:
    """Whether what a finding says is asked as well: it is said once."""
    words = _ASKED.get(finding.rule)
    return words is not None and any(words in one for one in patch.lost)


def _carried_out(patch: Patch, said: Said, streams: Streams) -> int:
    from virtquorum.host.definition import RemovePlaceholder

    if said.dry_run and said.as_json:
        _write(streams, patch, changed=False)
        return Exit.CLEAN
    code = carried_out(patch, streams, dry_run=said.dry_run)
    if said.dry_run:
        return code
    for step in patch.steps:
        if isinstance(step, RemovePlaceholder) and step.stayed is not None:
            streams.note(step.stayed)
    if said.as_json:
        _write(streams, patch, changed=True)
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


def _write_refused(
    said: Said,
    streams: Streams,
    why: VirtquorumError | Interrupted | str,
    patch: Patch | None = None,
    *,
    findings: Sequence[Finding] = (),
    images: Sequence[CheckResult] = (),
) -> None:
    """With --json, say what a change was refused for, or that it failed, or was ended."""
    if not said.as_json:
        return
    state = getattr(why, "state", "old")  # a ChangeError's
    if isinstance(why, Interrupted):
        why = f"ended by {signal.Signals(why.number).name}; all is as it was before"
    refused: Json = {
        "message": printable(str(why)),
        "state": state,
        "findings": [_finding(one) for one in findings],
        "images": [one.to_json() for one in images],
    }
    _write(streams, patch, changed=state == "new", refused=refused)


def _write(streams: Streams, patch: Patch | None, *, changed: bool, refused: Json = None) -> None:
    plan: Json = None
    if patch is not None:
        plan = {
            **patch.to_json(),
            "target": patch.target,
            "live": patch.live,
            "config": patch.config,
            "asks": list(patch.lost),
            "notes": list(patch.notes),
            "findings": [_finding(one) for one in patch.findings],
            "images": [one.to_json() for one in patch.results],
        }
    said: Json = {"version": VERSION, "changed": changed, "plan": plan, "refused": refused}
    streams.write_json(said, indent=2)


def _finding(one: Finding) -> dict[str, Json]:
    return {
        "rule": one.rule,
        "severity": one.severity.value,
        "message": one.message,
        "file": one.file,
        "line": one.line or None,
        "column": one.column or None,
    }
