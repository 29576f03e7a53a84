"""Goldens: a text beside its input, which one flag rewrites."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-goldens", action="store_true", help="write the goldens instead of comparing"
    )


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """Compare a text with the golden of that path, byte for byte; or write it."""

    def check(path: Path, text: str) -> None:
        if request.config.getoption("--update-goldens"):
            path.write_bytes(text.encode())
            return
        assert path.exists(), f"{path} is missing: run pytest --update-goldens"
        assert text == path.read_bytes().decode(), (
            f"see {path}; pytest --update-goldens rewrites it"
        )

    return check
