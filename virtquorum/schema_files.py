"""Where the files of ``schemas/`` are: in the package when installed, above it in a checkout."""

from __future__ import annotations

import os

__all__ = ["schema_directory", "schema_names"]


def schema_directory() -> str:
    """The directory of the schemas; raises FileNotFoundError if the installation lacks it."""
    package = os.path.dirname(os.path.realpath(__file__))
    for folder in (package, os.path.dirname(package)):
        found = os.path.join(folder, "schemas")
        if os.path.isdir(found):
            return found
    raise FileNotFoundError(f"no schemas beside {package}: the installation is incomplete")


def schema_names() -> list[str]:
    """The file names of the schemas."""
    return sorted(one for one in os.listdir(schema_directory()) if not one.startswith("."))
