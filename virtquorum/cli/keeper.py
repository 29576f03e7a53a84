"""What is kept back of what was found: by per-file-ignores, and by a baseline."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from virtquorum.check.finding import Severity
from virtquorum.report.report import FileResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from virtquorum.check.baseline import Baseline
    from virtquorum.check.engine import Checked
    from virtquorum.check.finding import Finding
    from virtquorum.cli.config import Config
    from virtquorum.cli.streams import Streams

__all__ = ["Keeper"]


class Keeper:
    """Sorts findings into those that are reported and those that are kept back, and counts these.

    Without a ``baseline`` (a path) none is asked.  Raises ConfigurationError
    for one that makes no sense.
    """

    def __init__(self, config: Config, baseline: str | None) -> None:
        self.hidden = 0
        self._config = config
        self._findings: list[Finding] = []
        self._baseline = None
        if baseline is not None:
            from virtquorum.check.baseline import Baseline

            self._baseline = Baseline.read(baseline)

    def result(self, name: str, checked: Checked) -> FileResult:
        """What is reported of a document."""
        kept = checked.findings
        if kept and checked.readable:
            kept = self._left(name, kept, self._baseline)
            self._findings += kept
        self.hidden += checked.hidden + len(checked.findings) - len(kept)
        return FileResult(
            path=name,
            valid=not any(finding.severity is Severity.ERROR for finding in kept),
            findings=tuple(kept),
            checked=checked.readable,
        )

    def left(self, name: str, findings: Sequence[Finding]) -> list[Finding]:
        """What would be reported of these findings, which are not counted as reported."""
        baseline = self._baseline
        if baseline is not None:
            baseline = type(baseline)(baseline.counts, baseline.directory)
        return self._left(name, findings, baseline)

    def _left(
        self, name: str, findings: Sequence[Finding], baseline: Baseline | None
    ) -> list[Finding]:
        words = self._config.ignores_for(name)
        if words:
            from virtquorum.check.selection import Selection

            takes = Selection.from_words(ignore=words).takes
            findings = [one for one in findings if takes(one.rule, one.severity)]
        return [one for one in findings if baseline is None or not baseline.keeps(one)]

    def remarks(self, files: Sequence[str]) -> list[str]:
        """That the baseline knows findings which are there no more."""
        stale = self._baseline.stale(files) if self._baseline is not None else []
        if not stale:
            return []
        count = "1 entry" if len(stale) == 1 else f"{len(stale)} entries"
        return [f"{count} of the baseline no longer found; --update-baseline takes them out"]

    def write(self, path: str, streams: Streams) -> None:
        """Write all that was found as the new baseline."""
        from virtquorum.check.baseline import Baseline
        from virtquorum.cli.replace import replace

        text = Baseline.of(self._findings, os.path.dirname(path) or ".").text
        replace(path, text.encode("utf-8"), path)
        count = len(self._findings)
        streams.say(f"{path}: {count} finding{'s' if count != 1 else ''} written")
