"""The second half of ``virtquorum validate``: the checks are run, and what they find is told."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from virtquorum.check.finding import Severity
from virtquorum.check.grammar import grammar_for
from virtquorum.check.workers import check_items
from virtquorum.cli.keeper import Keeper
from virtquorum.cli.shown import Shown
from virtquorum.cli.streams import Exit, Streams
from virtquorum.report.report import FileResult, Run

if TYPE_CHECKING:
    from virtquorum.check.libxml2 import Verdicts
    from virtquorum.check.options import Options
    from virtquorum.cli.chosen import Chosen
    from virtquorum.cli.config import Config
    from virtquorum.cli.mending import Mending
    from virtquorum.cli.validation import Settings

__all__ = ["report"]

#: After so many files the progress is shown again.
_STEP: Final = 50


def report(
    chosen: Chosen,
    options: Options,
    settings: Settings,
    config: Config,
    verdicts: Verdicts | None,
    streams: Streams,
    began: float,
) -> int:
    """Check the documents, report, and say by the exit code what came of it.

    ``began`` is when the run began, by the monotonic clock.
    """
    baseline = settings.baseline
    keeper = Keeper(config, None if settings.update_baseline else baseline)
    shown = Shown(settings.format, settings.outputs, streams)
    mending = _mending(options, settings, streams)
    remarks = [] if options.libvirt_schemas or not _by_libvirt(options) else [_no_grammar()]
    results: list[FileResult] = []
    checked = check_items(chosen.items, options, verdicts=verdicts)
    for number, (item, one) in enumerate(zip(chosen.items, checked, strict=True)):
        if number and number % _STEP == 0:
            streams.progress(f"{number} of {len(chosen.items)} files")
        remarks += [remark for remark in one.remarks if remark not in remarks]
        if chosen.passes_over(item, one, streams):
            continue
        if mending is not None:
            one = mending.mend(item, one, keeper.left)  # noqa: PLW2901 - as it is now
        result = keeper.result(item.name, one)
        results.append(result)
        shown.file(result)
    streams.progress("")
    for result in chosen.failed(results):
        results.append(result)
        shown.file(result)
    fixed = mending.fixed if mending is not None else 0
    remarks += chosen.remarks
    remarks += _about_fixes(fixed, settings) + _about_configuration(config)
    if chosen.passed_over:
        files = "1 file" if chosen.passed_over == 1 else f"{chosen.passed_over} files"
        remarks.append(f"{files} passed over, whose root element is none of libvirt's")
    remarks += keeper.remarks([one.path for one in results])
    run = Run(
        files=tuple(results),
        remarks=tuple(remarks),
        hidden=keeper.hidden,
        seconds=time.monotonic() - began,
    )
    shown.end(run)
    if settings.update_baseline:
        assert baseline is not None
        keeper.write(baseline, streams)
        return Exit.UNREADABLE if any(not one.checked for one in results) else Exit.CLEAN
    if mending is not None and mending.failed:
        return Exit.UNREADABLE
    return max(_exit_code(run), Exit.FINDINGS if settings.diff and fixed else Exit.CLEAN)


def _mending(options: Options, settings: Settings, streams: Streams) -> Mending | None:
    if not settings.fix and not settings.diff:
        return None
    from virtquorum.cli.mending import Mending

    return Mending(options, settings.diff, streams)


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


def _exit_code(run: Run) -> Exit:
    if any(not one.checked for one in run.files):
        return Exit.UNREADABLE
    findings = (finding for one in run.files for finding in one.findings)
    if any(one.severity is not Severity.NOTE for one in findings):
        return Exit.FINDINGS
    return Exit.CLEAN
