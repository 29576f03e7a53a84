"""The work of ``virtquorum validate``, once its options are known.

Apart from the options so that a check of files starts without typer.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from virtquorum.check.engine import Options
from virtquorum.check.finding import Severity
from virtquorum.check.grammar import find_libvirt_schemas, grammar_for
from virtquorum.check.selection import Selection
from virtquorum.check.workers import check_items
from virtquorum.cli.chosen import Chosen
from virtquorum.cli.config import Config, excluded
from virtquorum.cli.keeper import Keeper
from virtquorum.cli.shown import Shown
from virtquorum.cli.streams import Exit, Streams
from virtquorum.errors import UsageError
from virtquorum.model.node import Node, node
from virtquorum.report.report import FileResult, Run
from virtquorum.xml.document import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from virtquorum.check.engine import GrammarChoice

__all__ = ["Settings", "validate"]

#: After so many files the progress is shown again.
_STEP: Final = 50


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Settings(Node):
    """What the command line says; None where it says nothing and a configuration may.

    ``outputs`` are pairs of a format and a file.
    """

    format: str = "human"
    outputs: tuple[tuple[str, str], ...] = ()
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    severity: Severity | None = None
    exclude: tuple[str, ...] = ()
    grammar: GrammarChoice | None = None
    schema: str | None = None
    libvirt_schemas: str | None = None
    images: bool | None = None
    fix: bool = False
    diff: bool = False
    baseline: str | None = None
    update_baseline: bool = False
    stdin_filename: str | None = None
    config: str | None = None
    no_config: bool = False
    limits: Limits = DEFAULT_LIMITS


def validate(paths: Sequence[str], settings: Settings, streams: Streams) -> int:
    """Check what the paths name, report it, and say by the exit code what came of it."""
    began = time.monotonic()
    config = _config(settings)
    options = _options(settings, config)
    path = settings.baseline or config.baseline
    keeper = Keeper(config, path if not settings.update_baseline else None)
    if settings.update_baseline and path is None:
        raise UsageError("--update-baseline needs --baseline FILE, the file to write")
    chosen = Chosen(
        paths,
        streams,
        skip=_skip(settings, config),
        stdin_name=settings.stdin_filename,
        size=settings.limits.size,
    )
    shown = Shown(settings.format, settings.outputs, streams)
    mending = None
    if settings.fix or settings.diff:
        from virtquorum.cli.mending import Mending

        mending = Mending(options, settings.diff, streams)
    remarks = [] if options.libvirt_schemas or not _by_libvirt(options) else [_no_grammar()]
    results: list[FileResult] = []
    fixed = 0
    checked = check_items(chosen.items, options, progress=_progress(len(chosen.items), streams))
    for item, one in zip(chosen.items, checked, strict=True):
        remarks += [remark for remark in one.remarks if remark not in remarks]
        if chosen.passes_over(item, one, streams):
            continue
        if mending is not None:
            one, count = mending.mend(item, one, keeper.left)  # noqa: PLW2901 - as it is now
            fixed += count
        result = keeper.result(item.name, one)
        results.append(result)
        shown.file(result)
    streams.progress("")
    failed = chosen.failed(results)
    for result in failed:
        shown.file(result)
    results += failed
    remarks += _about_fixes(fixed, settings)
    remarks += _about_configuration(config)
    remarks += keeper.remarks([one.path for one in results])
    run = Run(
        files=tuple(results),
        remarks=tuple(remarks),
        hidden=keeper.hidden,
        seconds=time.monotonic() - began,
    )
    shown.end(run)
    if settings.update_baseline:
        assert path is not None
        keeper.write(path, streams)
        return Exit.UNREADABLE if any(not one.checked for one in results) else Exit.CLEAN
    code = Exit.UNREADABLE if mending is not None and mending.failed else _exit_code(run)
    return max(code, Exit.FINDINGS) if settings.diff and fixed else code


def _config(settings: Settings) -> Config:
    if settings.no_config:
        return Config()
    return Config.read(settings.config) if settings.config is not None else Config.find()


def _skip(settings: Settings, config: Config) -> Callable[[str, str], bool] | None:
    """Whether a path below a named directory is left out."""
    if not settings.exclude and not config.exclude:
        return None
    return lambda path, base: (
        excluded(path, settings.exclude, base, os.curdir)
        or excluded(path, config.exclude, base, config.directory)
    )


def _options(settings: Settings, config: Config) -> Options:
    grammar = settings.grammar or config.grammar or "rng"
    images = settings.images if settings.images is not None else config.check_images
    selection = Selection.from_words(config.select, config.ignore, config.severity or Severity.NOTE)
    if settings.select or settings.ignore:
        selection = selection.changed(settings.select, settings.ignore)
    if settings.severity is not None:
        selection = replace(selection, severity=settings.severity)
    options = Options(
        schema=os.path.abspath(settings.schema) if settings.schema is not None else None,
        grammar=grammar,  # type: ignore[arg-type]
        images=bool(images),
        limits=settings.limits,
        takes=selection.takes,
    )
    if not _by_libvirt(options):
        return options
    directory = find_libvirt_schemas(settings.libvirt_schemas or config.libvirt_schemas)
    return replace(options, libvirt_schemas=directory)


def _by_libvirt(options: Options) -> bool:
    """Whether libvirt's own grammar has a say."""
    return options.schema is None and options.grammar != "xsd"


def _about_configuration(config: Config) -> list[str]:
    """Which configuration counts, where it is not the one that lies here."""
    if config.path is None or config.directory == os.getcwd():
        return []
    return [f"the configuration is {os.path.relpath(config.path)}"]


def _about_fixes(fixed: int, settings: Settings) -> list[str]:
    if not fixed:
        return []
    findings = "1 finding" if fixed == 1 else f"{fixed} findings"
    return [f"{findings} would be fixed" if settings.diff else f"{findings} fixed"]


def _no_grammar() -> str:
    text = grammar_for("domain", None)
    assert text is not None
    assert text.remark is not None
    return text.remark


def _progress(total: int, streams: Streams) -> Callable[[int], None]:
    def show(count: int) -> None:
        if count % _STEP == 0:
            streams.progress(f"{count} of {total} files")

    return show


def _exit_code(run: Run) -> Exit:
    if any(not one.checked for one in run.files):
        return Exit.UNREADABLE
    findings = (finding for one in run.files for finding in one.findings)
    if any(one.severity is not Severity.NOTE for one in findings):
        return Exit.FINDINGS
    return Exit.CLEAN
