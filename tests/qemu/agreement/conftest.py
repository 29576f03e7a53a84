"""What the tests of agreement share: the schema of the QEMU that is installed, and images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.qemu.agreement.images import Store, store
from tests.qemu.agreement.monitor import NO_QEMU, started
from tests.qemu.agreement.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Schema:
    """The types of the installed QEMU's QMP."""
    if NO_QEMU:
        pytest.skip(f"not installed: {NO_QEMU}")
    with started([], tmp_path_factory.mktemp("schema")) as running:
        return Schema(running.command("query-qmp-schema"))


@pytest.fixture(scope="session")
def version(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, int]:
    """The version of the installed QEMU."""
    if NO_QEMU:
        pytest.skip(f"not installed: {NO_QEMU}")
    with started([], tmp_path_factory.mktemp("version")) as running:
        found = running.command("query-version")["qemu"]
    return found["major"], found["minor"]


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Images for generated trees; that nobody has written to them is seen in the end."""
    if NO_QEMU:
        pytest.skip(f"not installed: {NO_QEMU}")
    with store(tmp_path_factory.mktemp("store")) as made:
        yield made
        made.check_unchanged()
