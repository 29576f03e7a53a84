"""Where the files of ``schemas/`` are: in the package when installed, above it in a checkout."""

from __future__ import annotations

from pathlib import Path

__all__ = ["schema_directory", "schema_names"]


def schema_directory() -> Path:
    """The directory of the schemas; raises FileNotFoundError if the installation lacks it."""
    package = Path(__file__).resolve().parent
    for one in (package / "schemas", package.parent / "schemas"):
        if one.is_dir():
            return one
    raise FileNotFoundError(f"no schemas beside {package}: the installation is incomplete")


def schema_names() -> list[str]:
    """The file names of the schemas."""
    return sorted(one.name for one in schema_directory().iterdir() if not one.name.startswith("."))
