"""``virtquorum create``: the missing image files of a domain's disks."""

from __future__ import annotations

import os
import shlex
import signal
from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from virtquorum.cli.inputs import MaxDepth, MaxSize, named_disks, one_domain
from virtquorum.cli.secrets import secret as secret_of
from virtquorum.cli.streams import Exit, Streams
from virtquorum.errors import ImageError, UsageError
from virtquorum.images.made import REPORT_VERSION, image_json, summary, told
from virtquorum.images.make import commands, make
from virtquorum.images.plan import NO_PLAN, Request, plan_images
from virtquorum.images.program import Interrupted, QemuImg, Signals, find_qemu_img
from virtquorum.images.secrets import KeyFile, Secrets
from virtquorum.images.size import parse_size
from virtquorum.printable import printable
from virtquorum.qemu.provided import SecretFile
from virtquorum.xml.document import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from virtquorum.images.plan import Plan, Planned
    from virtquorum.json_text import Json
    from virtquorum.model.disk import Disk
    from virtquorum.xml.domain import Domain

__all__ = ["command"]


class Preallocation(Enum):
    """How space is taken in advance."""

    OFF = "off"
    METADATA = "metadata"
    FALLOC = "falloc"
    FULL = "full"


def command(
    context: typer.Context,
    path: Annotated[
        str | None,
        typer.Argument(
            metavar="[PATH|-]", help="A file, or - for standard input.", show_default=False
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            "--size",
            metavar="SIZE",
            help="The images' virtual size: 10G, 1.5TiB, 10GB (of 1000). "
            "If left out, that of an image that is there.",
            show_default=False,
        ),
    ] = None,
    disk: Annotated[
        list[str] | None,
        typer.Option(
            "--disk",
            metavar="TARGET",
            help="Only this disk, also one without a quorum; may be repeated.",
            show_default=False,
        ),
    ] = None,
    copy_from: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="MEMBER",
            help="Copy this member into the missing ones: its nodename, path, or place from 0.",
            show_default=False,
        ),
    ] = None,
    blank: Annotated[
        bool,
        typer.Option(
            "--blank",
            help="Make missing members blank also where they would outvote those that are there.",
        ),
    ] = False,
    preallocation: Annotated[
        Preallocation, typer.Option("--preallocation", help="Take the space in advance.")
    ] = Preallocation.OFF,
    secret: Annotated[
        list[str] | None,
        typer.Option(
            "--secret",
            metavar="UUID=file:PATH",
            help="The file with an encrypted image's passphrase, or base64:PATH; may be repeated.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only print the commands, for a shell.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="For programs; see 'virtquorum schema'.")
    ] = False,
    max_depth: Annotated[int, MaxDepth] = DEFAULT_LIMITS.depth,
    max_size: Annotated[int, MaxSize] = DEFAULT_LIMITS.size,
) -> int:
    """Make the missing image files of a domain's quorum disks, with qemu-img.

    Formats and backing files are those that the XML names, the backing images
    first. A file that is there is never touched, and if anything fails, or
    you interrupt it, what was made is removed again. Block devices, volumes,
    and what is on the network are never made.

    \b
      virtquorum create --size 10G domain.xml
      virtquorum create --size 10G --dry-run domain.xml
      virtquorum create --size 10G --json --disk vda domain.xml

    Exit codes: 0 clean, 1 something could not be made, 2 usage, 3 input that
    cannot be read or is no domain XML, or an output that cannot be written.
    """
    streams: Streams = context.obj
    _check_open(streams)
    request = Request(
        size=parse_size(size) if size is not None else None,
        preallocation=preallocation.value,
        copy_from=copy_from,
        secrets=_secrets(secret or []),
        blank=blank,
    )
    domain = one_domain(path, streams, Limits(depth=max_depth, size=max_size), "images", named=True)
    run = _Run(domain, streams, as_json=as_json)
    disks = _chosen(domain, disk or [])
    if copy_from is not None:
        _check_members(domain, disks)
    try:
        with Signals() as signals:
            return run.create(disks, request, signals, dry_run=dry_run)
    except Interrupted as interrupted:
        if interrupted.number == signal.SIGINT and not interrupted.left:
            raise KeyboardInterrupt from None
        streams.say(_ended(interrupted))
        return 128 + interrupted.number


def _check_open(streams: Streams) -> None:
    """Whether there is an output at all; raises UsageError."""
    out: object = streams.out  # None, as sys.stdout is then
    if out is None:
        raise UsageError(
            "standard output is closed, so that nobody would learn what was made; nothing was; "
            "who wants to see nothing of it writes > /dev/null"
        )


def _ended(interrupted: Interrupted) -> str:
    name = signal.Signals(interrupted.number).name
    if interrupted.left:
        return f"ended by {name}; what could not be removed: {', '.join(interrupted.left)}"
    return f"ended by {name}; nothing that was made is left"


def _secrets(words: Sequence[str]) -> Secrets:
    """The files that --secret names; raises UsageError."""
    files = {}
    for word in words:
        key, value = secret_of(word)
        if not isinstance(value, SecretFile):
            raise UsageError(
                "--secret: qemu-img has no objects of yours; name a file, UUID=file:PATH"
            )
        files[key] = KeyFile(value.path, value.base64)
    return Secrets(files)


def _chosen(domain: Domain, targets: Sequence[str]) -> list[Disk]:
    """The disks of these targets, or all with a quorum."""
    named = named_disks(domain, targets)
    found = [
        one
        for one in domain.disks
        if (any(one is other for other in named) if targets else one.quorums)
    ]
    if not found:
        raise typer.BadParameter(
            f"{domain.name} has no disk with a quorum; choose other disks with --disk TARGET"
        )
    return found


def _check_members(domain: Domain, disks: Sequence[Disk]) -> None:
    """Whether there is a quorum whose member --from could mean."""
    if any(one.quorums for one in disks):
        return
    chosen = ", ".join(f"'{one.name}'" for one in disks)
    others = ", ".join(f"'{one.name}'" for one in domain.disks if one.quorums)
    several = len(disks) > 1
    raise UsageError(
        f"--from copies members of a quorum, and the {'disks' if several else 'disk'} {chosen} "
        f"{'have' if several else 'has'} none; disks with a quorum: {others or 'none'}"
    )


class _Run:
    """One run of the command, and what it says."""

    def __init__(self, domain: Domain, streams: Streams, *, as_json: bool) -> None:
        self.domain = domain
        self.streams = streams
        self.as_json = as_json

    def create(
        self, disks: Sequence[Disk], request: Request, signals: Signals, *, dry_run: bool
    ) -> int:
        plan = NO_PLAN
        errors: list[ImageError] = []
        try:
            qemu_img = QemuImg(find_qemu_img(), signals)
            plan = plan_images(disks, request, qemu_img, self.domain.disks)
            for note in plan.notes:
                self.streams.note(note)
            errors += plan.problems
            if not errors and not dry_run:
                self._make(plan, qemu_img, signals)
        except ImageError as error:
            errors.append(error)
        made = len(plan.images) if not errors and not dry_run else 0
        with _reporting(made):
            self._say(plan, errors, dry_run=dry_run)
            self.streams.out.flush()
        return Exit.FINDINGS if errors else Exit.CLEAN

    def _make(self, plan: Plan, qemu_img: QemuImg, signals: Signals) -> None:
        try:
            left = make(plan, qemu_img, signals, self._progress)
        finally:
            self.streams.progress("")
        if left:
            self.streams.note(f"remove by hand what could not be removed: {', '.join(left)}")

    def _say(self, plan: Plan, errors: Sequence[ImageError], *, dry_run: bool) -> None:
        for error in errors:
            self.streams.say(str(error))
        done = "failed" if errors else "planned" if dry_run else "made"
        if self.as_json:
            self.streams.write_json(self._json(plan, errors, done), indent=2)
        elif dry_run and not errors:
            lines = "".join(" ".join(map(_word, one)) + "\n" for one in commands(plan))
            # What is made here has the mode 0600: an image may hold anybody's secrets.
            lines = f"umask 077\n{lines}" if lines else ""
            # File names are bytes: the output's encoding has no say in them.
            self.streams.write_bytes(lines.encode("utf-8", "surrogateescape"))
            if not lines:
                self.streams.note("nothing is missing")
        elif not errors:
            self._tell(plan)

    def _json(self, plan: Plan, errors: Sequence[ImageError], done: str) -> Json:
        return {
            "version": REPORT_VERSION,
            "path": self.domain.name,
            "images": [image_json(one, plan, done) for one in plan.every],
            "commands": [list(one) for one in commands(plan)] if not errors else [],
            "notes": list(plan.notes),
            "errors": [
                {
                    "line": one.location.line if one.location is not None else None,
                    "column": one.location.column if one.location is not None else None,
                    "disk": one.disk,
                    "image": one.path,
                    "message": one.message,
                    "remedy": one.remedy,
                }
                for one in errors
            ],
        }

    def _progress(self, planned: Planned, percent: int | None) -> None:
        done = f" {percent} %" if percent is not None else ""
        self.streams.progress(printable(f"{os.path.basename(planned.path)}{done}"))

    def _tell(self, plan: Plan) -> None:
        lines = told(plan)
        for one in lines:
            done = printable(one.done)
            if self.streams.colour:
                done = typer.style(done, fg="green") if one.new else typer.style(done, dim=True)
            self._write(f"{printable(f'{one.path}: {one.about}')}, {done}\n")
        self._write(f"{summary(lines)}\n")

    def _write(self, text: str) -> None:
        if not self.streams.can_write(text):
            text = text.encode("ascii", "backslashreplace").decode()
        self.streams.out.write(text)


@contextmanager
def _reporting(made: int) -> Iterator[None]:
    """What an output that cannot be written means for the images, of which so many are new."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        if not made:
            raise
        images = "image that was made is whole, and stays"
        if made > 1:
            images = "images that were made are whole, and stay"
        said = error.strerror or str(error)
        raise OSError(error.errno, f"{said}; the {made} {images}") from None


def _word(word: str) -> str:
    """A word for a shell, without what would steer a terminal: $'…' is bash's, and POSIX's."""
    if word.isprintable():
        return shlex.quote(word)
    spelled = "".join(
        one if one.isprintable() and one not in "\\'"
        else "".join(f"\\x{byte:02x}" for byte in one.encode("utf-8", "surrogateescape"))
        for one in word
    )  # fmt: skip
    return f"$'{spelled}'"
