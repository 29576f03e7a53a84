"""The report formats by name; a format's module is imported when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from virtquorum.report.human import Role
    from virtquorum.report.report import Run

__all__ = ["FORMATS", "report"]

#: The names of the formats.
FORMATS: Final = ("human", "json", "junit", "sarif", "github", "gitlab")

#: The modules of those that programs read; each has ``report(run, ascii_only=…)``.
_MODULES: Final = {
    "json": "json_report",
    "junit": "junit",
    "sarif": "sarif",
    "github": "github",
    "gitlab": "gitlab",
}


def report(
    name: str,
    run: Run,
    *,
    paint: Callable[[str, Role], str] | None = None,
    width: int = 80,
    ascii_only: bool = False,
) -> str:
    """A run in the format of a name, as one text that ends with a line end.

    ``paint`` and ``width`` are for 'human'.  ``ascii_only`` is for an output
    whose encoding lacks a character of the report.  Raises KeyError for a
    name that is not in FORMATS.
    """
    if name == "human":
        from virtquorum.report.human import human, plain

        return human(run, paint=paint or plain, width=width, ascii_only=ascii_only)
    module = import_module(f"virtquorum.report.{_MODULES[name]}")
    text: str = module.report(run, ascii_only=ascii_only)
    return text
