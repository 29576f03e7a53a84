"""Where the files of ``schemas/`` are: in the package when installed, above it in a checkout."""

from __future__ import annotations

import os

__all__ = ["schema_directory", "schema_names"]


def schema_directory() -> str:
    """The directory of the schemas; raises FileNotFoundError if the installation lacks it."""
    package = os.path.dirname(os.path.realpath(__file__))
    for one in (os.path.join(package, "schemas"), os.path.join(os.path.dirname(package), "schemas")):
        if os.path.isdir(one):
            return one
    raise FileNotFoundError(f"no schemas beside {package}: the installation is incomplete")


def schema_names() -> list[str]:
    """The file names of the schemas."""
    return sorted(one for one in os.listdir(schema_directory()) if not one.startswith("."))
