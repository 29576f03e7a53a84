"""The work of ``virtquorum validate``, once its options are known.

Apart from the options so that a check of files starts without typer.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from virtquorum.check.finding import Severity
from virtquorum.check.grammar import find_libvirt_schemas
from virtquorum.check.libxml2 import Verdicts
from virtquorum.check.options import Options
from virtquorum.check.selection import Selection
from virtquorum.cli.chosen import Chosen
from virtquorum.cli.config import Config, excluded
from virtquorum.cli.streams import Streams
from virtquorum.errors import UsageError
from virtquorum.model.node import Node, node
from virtquorum.xml.document import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from virtquorum.check.options import GrammarChoice

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
    chosen = Chosen(
        paths,
        streams,
        skip=_skip(settings, config),
        stdin_name=settings.stdin_filename,
        size=settings.limits.size,
    )
    baseline = settings.baseline or config.baseline
    if settings.update_baseline and baseline is None:
        raise UsageError("--update-baseline needs --baseline FILE, the file to write")
    settings = replace(settings, baseline=baseline)
    chosen.spare(file for _, file in settings.outputs)
    verdicts = Verdicts(chosen.items, options) if Verdicts.wanted(chosen.items, options) else None
    try:
        # Loaded while libxml2 is at work: the two go on side by side.
        from virtquorum.cli.results import report

        return report(chosen, options, settings, config, verdicts, streams, began)
    finally:
        if verdicts is not None:
            verdicts.close()


def _config(settings: Settings) -> Config:
    if settings.no_config:
        return Config()
    return Config.read(settings.config) if settings.config is not None else Config.find()


def _skip(settings: Settings, config: Config) -> Callable[[str], bool] | None:
    """Whether a path below a named directory is left out."""
    if not settings.exclude and not config.exclude:
        return None
    return lambda path: (
        excluded(path, settings.exclude, os.curdir)
        or excluded(path, config.exclude, config.directory)
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
    if options.schema is not None or grammar == "xsd":  # libvirt's own grammar has no say
        return options
    directory = find_libvirt_schemas(settings.libvirt_schemas or config.libvirt_schemas)
    return replace(options, libvirt_schemas=directory)
