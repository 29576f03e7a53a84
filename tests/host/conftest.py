"""One libvirtd for the tests of this room, and an embedded libvirt for a file of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.libvirtd import libvirtd, missing_for_libvirtd
from tests.libvirts import embed
from tests.qemu.agreement.images import luks_image

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.libvirts import Embed


class Luks(NamedTuple):
    """An encrypted image of 1 MiB, to be copied, and the passphrase that opens it."""

    image: Path
    key: bytes


@pytest.fixture(scope="session")
def daemon() -> Iterator[str]:
    """The URI of a libvirtd that is there for these tests."""
    missing = missing_for_libvirtd()
    if missing is not None:
        pytest.skip(missing)
    with libvirtd() as uri:
        yield uri


@pytest.fixture(scope="session")
def host(daemon: str) -> Iterator[Any]:
    """A connection to that libvirtd, to define things with."""
    import libvirt

    connection = libvirt.open(daemon)
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def embedded() -> Iterator[Embed]:
    """A libvirt in a process of its own."""
    with embed() as bench:
        yield bench


@pytest.fixture
def bench(embedded: Embed) -> Iterator[Embed]:
    """The same, without domains in the end, and without placeholders."""
    yield embedded
    embedded.destroy_guests()
    for one in (embedded.root / "virtquorum").glob("*"):
        one.unlink()


@pytest.fixture(scope="session")
def luks(tmp_path_factory: pytest.TempPathFactory) -> Luks:
    """Made once: QEMU takes two seconds for it."""
    folder = tmp_path_factory.mktemp("luks")
    key = b"not, a password=of anybody\xc3\xa9"
    (folder / "key").write_bytes(key)
    luks_image(folder / "image", "luks", folder / "key")
    return Luks(folder / "image", key)
