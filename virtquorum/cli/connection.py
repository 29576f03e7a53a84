"""What the commands for domains of a libvirt share: the connection, plans, what was refused.

An error before the domain is found (no connection, no such domain) ends with
exit code 3; what is refused of it afterwards ends with 1.
"""

from __future__ import annotations

import signal
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from virtquorum.cli.secrets import provided
from virtquorum.cli.streams import Exit, Streams
from virtquorum.errors import HostError, UsageError, VirtquorumError
from virtquorum.host import connect
from virtquorum.qemu.provided import SecretObject

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from virtquorum.check.finding import Finding
    from virtquorum.host.change import Observer, Plan, Step
    from virtquorum.host.checks.result import CheckResult
    from virtquorum.host.domain import HostDomain
    from virtquorum.host.session import Host
    from virtquorum.qemu.provided import Provided
    from virtquorum.xml.domain import Domain

__all__ = [
    "Connect",
    "DomainName",
    "DryRun",
    "NoChecks",
    "agreed",
    "carried_out",
    "domain_names",
    "given_secrets",
    "looking",
    "observer",
    "refusing",
    "show_findings",
    "show_results",
    "tell_kept",
    "tell_unfinished",
]

_USUAL = 80


def domain_names(incomplete: str) -> list[str]:
    """The names of the domains of libvirt's default connection, for a shell's completion."""
    with suppress(VirtquorumError), connect() as host:
        return [one for one in host.names() if one.startswith(incomplete)]
    return []


Connect: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--connect",
        "-c",
        metavar="URI",
        help="The libvirt to talk to; without it, the one that virsh talks to.",
        show_default=False,
    ),
]
DomainName: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="DOMAIN",
        help="Its name, UUID or id.",
        show_default=False,
        autocompletion=domain_names,
    ),
]
DryRun: TypeAlias = Annotated[
    bool, typer.Option("--dry-run", help="Only print what would be done.")
]
NoChecks: TypeAlias = Annotated[
    bool, typer.Option("--no-checks", help="Do not look whether QEMU can use the images.")
]


@contextmanager
def refusing(host: Host, streams: Streams) -> Iterator[None]:
    """What a host refuses inside the block is said, and ends the command with exit code 1.

    With 3 if libvirt is not there any more; a signal's end has its number.
    """
    from virtquorum.images.program import Interrupted

    try:
        yield
    except HostError as error:
        streams.progress("")
        if not host.is_alive():
            streams.say(f"{error}; libvirt has gone away: start its daemon again")
            raise typer.Exit(Exit.UNREADABLE) from None
        streams.say(str(error))
        raise typer.Exit(Exit.FINDINGS) from None
    except Interrupted as interrupted:
        streams.progress("")
        if interrupted.number == signal.SIGINT:
            raise KeyboardInterrupt from None
        name = signal.Signals(interrupted.number).name
        streams.say(f"ended by {name}; all is as it was before")
        raise typer.Exit(128 + interrupted.number) from None


def tell_unfinished(
    domain: HostDomain, streams: Streams, text: Domain | None = None, *, ends: bool = False
) -> None:
    """Say of a change of a domain that it was cut short, or goes on, if it has a note of one.

    ``text`` is libvirt's XML of what runs, where that is at hand already; it
    is asked for otherwise.  With ``ends`` the guest is ended now.  Raises
    LibvirtError.
    """
    found = domain.noted_in(text) if text is not None else domain.unfinished
    if found is not None and not found.is_ours:
        streams.note(f"{domain.where}: {found.ended if ends else found}")


def tell_kept(domain: HostDomain, streams: Streams) -> None:
    """Take the note of a start out of a definition whose guest ends; say if it stays there."""
    from virtquorum.errors import LibvirtError
    from virtquorum.host.start_note import clear_note

    if domain.host.driver != "QEMU":
        return
    try:
        stayed = clear_note(domain, live=False)
    except LibvirtError as error:
        stayed = f"the note of a start may be in its definition still: {error}"
    if stayed is not None:
        streams.note(stayed)


def carried_out(plan: Plan, streams: Streams, *, dry_run: bool = False) -> int:
    """Make a change, or print its plan; 0, or the exit code for a signal that came too late.

    Raises ChangeError and Interrupted, as ``apply`` does.
    """
    if dry_run:
        streams.out.write("".join(f"{_shown(line, streams)}\n" for line in plan.lines()))
        return Exit.CLEAN
    from virtquorum.host.change import apply

    late = apply(plan, observer(streams))
    streams.progress("")
    if late is not None:
        name = signal.Signals(late).name
        streams.note(f"{name} came when there was no way back; the change is made")
        return Exit.INTERRUPTED if late == signal.SIGINT else 128 + late
    return Exit.CLEAN


def observer(streams: Streams) -> Observer:
    """Says on the terminal how far a change is."""
    from virtquorum.host.change import Observer

    class Shown(Observer):
        """Says it, but nothing while the guest is paused: a terminal that is stopped would hold it.

        What may be said is so from one step to the next.
        """

        is_silent = False

        def began(self, step: Step) -> None:
            if not self.is_silent:
                streams.progress(step.title)
            self.is_silent = step.pauses or (self.is_silent and not step.resumes)

        def progress(self, step: Step, done: int, total: int) -> None:
            if self.is_silent:
                return
            percent = 100 * done // total if total else 100
            streams.progress(f"{step.title}: {percent} %")

        def undoing(self, step: Step) -> None:
            self.is_silent = self.is_silent or step.resumes
            if not self.is_silent:
                streams.progress(f"undoing: {step.title}")
            self.is_silent = self.is_silent and not step.pauses

    return Shown()


def _shown(line: str, streams: Streams) -> str:
    from virtquorum.printable import printable

    line = printable(line, keep="\t")
    return line if streams.can_write(line) else line.encode("ascii", "backslashreplace").decode()


def agreed(lost: Sequence[str], streams: Streams, *, yes: bool, dry_run: bool) -> bool:
    """Whether a change that loses something may be made: --yes, or a person says so."""
    if not lost or yes or dry_run:
        for one in lost:
            streams.note(one)
        return True
    for one in lost:
        streams.say(one)
    if streams.input.isatty() and streams.err.isatty():
        streams.err.write("virtquorum: go on? [y/N] ")
        streams.err.flush()
        if streams.input.readline().strip().lower() in (b"y", b"yes"):
            return True
        streams.say("nothing was changed")
        return False
    streams.say("nothing was changed; --yes goes on")
    return False


def show_findings(findings: Sequence[Finding], streams: Streams) -> None:
    """Write findings to standard error as ``validate`` shows them."""
    from virtquorum.report.human import human_finding

    terminal = streams.err.isatty()
    for one in findings:
        text = human_finding(one, width=_USUAL, wrap=terminal, ascii_only=not _is_wide(streams))
        streams.err.write(text + "\n")


def _is_wide(streams: Streams) -> bool:
    """Whether standard error has more than ASCII."""
    try:
        "…".encode(streams.err.encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


@contextmanager
def looking(streams: Streams) -> Iterator[None]:
    """Say on a terminal what takes some seconds where libvirt has not asked its QEMUs yet."""
    streams.progress("looking whether QEMU can use the images")
    try:
        yield
    finally:
        streams.progress("")


def show_results(
    results: Sequence[CheckResult], streams: Streams, *, refusing: bool = True
) -> None:
    """Say what the checks of images found; what refuses nothing is a note, all of it."""
    from virtquorum.check.finding import Severity
    from virtquorum.host.checks.result import told

    for severity, text in told(results):
        if refusing and severity is Severity.ERROR:
            streams.say(text)
        else:
            streams.note(text)


def given_secrets(
    host: Host,
    secrets: Sequence[str] | None,
    secrets_dir: str | None,
    tls_dir: str | None,
    tls_secret: str | None,
) -> Provided:
    """What SecretOptions provide, for a QEMU that libvirt starts; raises UsageError."""
    given = provided(secrets or [], tls_dir, tls_secret, secrets_dir, host.lookup)
    for key, value in given.secrets.items():
        if isinstance(value, SecretObject):
            raise UsageError(
                f"--secret: a QEMU that libvirt starts has no object '{value.id}' of yours; name "
                f"a file that holds the secret, '{key}=file:PATH'"
            )
    return given
