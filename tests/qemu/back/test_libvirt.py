"""What the installed libvirt writes for stock disks of every type comes back as those disks."""

from __future__ import annotations

from typing import Any

import pytest

from tests.qemu.back.models import changed
from tests.qemu.back.normal import normal
from tests.qemu.back.test_laws import difference
from tests.qemu.embedded import NEEDED, native
from tests.qemu.test_stock import DISKS, domain
from virtquorum.model.disk import Boot
from virtquorum.qemu.back.reading import read
from virtquorum.qemu.back.words import given_words
from virtquorum.xml.domain import Domain

pytestmark = NEEDED


@pytest.fixture(scope="module")
def stock() -> dict[str, Any]:
    """For each disk libvirt's options."""
    domains = [domain(one) for one in DISKS.values()]
    options = native(domains, "-object", "-blockdev", "-device")
    return dict(zip(DISKS, options, strict=True))


@pytest.mark.parametrize("name", DISKS)
def test_libvirts_own_arguments_come_back(name: str, stock: dict[str, Any]) -> None:
    (model,) = Domain.from_text(domain(DISKS[name])).disks
    theirs = stock[name]
    assert not isinstance(theirs, str), theirs
    words = ["qemu-system-x86_64", "-machine", "pc-q35-7.2"]
    for option, values in theirs.items():
        for value in values:
            words += [option, value]
    found = read(given_words(words))
    assert not found.refused
    assert not found.notes.left
    (disk,) = found.disks
    # libvirt gives places on PCI, and the first disk is booted from.
    wanted = normal(model, "blockdev", 1, "q35", frontends=True)
    # Limits libvirt gives to a QEMU that runs, by block_set_io_throttle.
    same = changed(wanted, address=disk.address, boot=disk.boot, iotune=None)
    assert disk.boot in (None, Boot(order=1))
    assert difference(disk, same) == []
