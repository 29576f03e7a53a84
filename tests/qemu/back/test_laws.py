"""Arguments and back: the same disks, in each spelling, over every source."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, assume, given, note, settings
from hypothesis import strategies as st

from tests.nightly import NIGHTLY, nightly
from tests.qemu.back.models import document, domains
from tests.qemu.back.normal import normal
from tests.qemu.back.sources import PROVIDED, SOURCE_KEYS
from virtquorum.errors import TranslationError
from virtquorum.json_text import json_text
from virtquorum.model.image import Image, Quorum, Terminator
from virtquorum.qemu.back.reading import Read, read
from virtquorum.qemu.back.words import given_text
from virtquorum.qemu.devices.boot import boot_indexes
from virtquorum.qemu.devices.disks import DISKS
from virtquorum.qemu.devices.machine import Machine
from virtquorum.qemu.devices.reading import Reading
from virtquorum.qemu.drive import shell_lines
from virtquorum.qemu.translate import STYLES, Style, Translated, arguments, commands, translate

if TYPE_CHECKING:
    from virtquorum.model.disk import Disk
    from virtquorum.xml.domain import Domain

HERE = settings(
    max_examples=1000 if NIGHTLY else 60, deadline=None, derandomize=not NIGHTLY,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip

#: What has a boot order elsewhere, so that no disk gets one that it does not say.
NO_ORDER = "<interface type='user'><boot order='99'/></interface>"


def spelled(found: list[Translated], style: Style, machine: str) -> str:
    """What ``virtquorum args`` prints, with the machine before it."""
    if style == "qmp":
        return f"[{','.join(json_text(dict(one)) for one in commands(found))}]"
    program = "s390x" if machine.startswith("s390") else "x86_64"
    return f"qemu-system-{program} -machine {machine} " + shell_lines(arguments(found, style))


def translated(domain: Domain, style: Style, *, frontends: bool) -> list[Translated]:
    found = list(translate(domain, style=style, frontends=frontends, provided=PROVIDED))
    for one in found:
        if isinstance(one, TranslationError):
            # Not every bus takes a device in a running QEMU, and there no card is a device.
            assert style == "qmp" or "SD card" in str(one), one
    return [one for one in found if isinstance(one, Translated)]


def back(text: str) -> Read:
    found = read(given_text(text))
    assert not found.refused
    assert all(left.path.endswith("cookie-secret") for left in found.notes.left), found.notes.left
    return found


def expected(
    one: Translated, domain: Domain, style: Style, machine: str, *, frontends: bool
) -> Disk:
    order = boot_indexes(Machine.of(domain), domain.disks).index(Reading(one.disk))
    return normal(one.disk, style, order, machine, frontends=frontends)


def law(domain: Domain, machine: str, style: Style, *, frontends: bool) -> None:
    found = translated(domain, style, frontends=frontends)
    if not frontends:
        found = [one for one in found if one.built is not None]
    assume(found)
    text = spelled(found, style, machine)
    note(text)
    disks = back(text).disks
    wanted = [expected(one, domain, style, machine, frontends=frontends) for one in found]
    for one, other in zip(disks, wanted, strict=True):
        assert difference(one, other) == []
    if frontends:
        again_and_again(list(disks), machine, style)


def again_and_again(disks: list[Disk], machine: str, style: Style) -> None:
    """What came back is translated to arguments that come back to the very same."""
    domain = document(disks, machine, NO_ORDER)
    found = translated(domain, style, frontends=True)
    assert [one.disk for one in found] == disks
    text = spelled(found, style, machine)
    twice = back(text).disks
    assert [difference(*pair) for pair in zip(twice, disks, strict=True)] == [[]] * len(disks)
    domain = document(list(twice), machine, NO_ORDER)
    assert spelled(translated(domain, style, frontends=True), style, machine) == text


def difference(one: object, other: object, path: str = "") -> list[str]:
    """Where two models differ, for people."""
    if one == other:
        return []
    if type(one) is type(other) and hasattr(one, "compared"):
        return [
            line
            for name in type(one).compared()
            for line in difference(getattr(one, name), getattr(other, name), f"{path}.{name}")
        ]
    if isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
        return [
            line
            for at, (mine, theirs) in enumerate(zip(one, other, strict=True))
            for line in difference(mine, theirs, f"{path}[{at}]")
        ]
    return [f"{path}: {one!r} is not {other!r}"]


@pytest.mark.parametrize("style", STYLES)
@HERE
@given(drawn=domains())
def test_a_domain_comes_back(style: Style, drawn: tuple[Domain, str]) -> None:
    law(*drawn, style, frontends=True)


@pytest.mark.parametrize("style", STYLES)
@HERE
@given(drawn=domains())
def test_a_domain_without_its_devices_comes_back(style: Style, drawn: tuple[Domain, str]) -> None:
    law(*drawn, style, frontends=False)


@pytest.mark.parametrize("key", SOURCE_KEYS, ids=str)
@settings(HERE, max_examples=200 if NIGHTLY else 6)
@given(data=st.data())
def test_every_source_comes_back(key: tuple[str, str | None], data: st.DataObject) -> None:
    domain, machine = data.draw(domains(key))
    for style in STYLES:
        law(domain, machine, style, frontends=False)


def features(one: Translated) -> set[str]:
    """What a drawn disk has that the laws must not miss."""
    found = set()
    for image in one.disk.image.walk():
        source = image.source
        found.add(source.protocol or source.type)
        if getattr(source, "slices", ()):
            found.add("slice")
        if (encryption := getattr(source, "encryption", None)) is not None:
            found.add(f"encrypted by {encryption.engine or 'qemu'}")
        if isinstance(image.backing, Terminator):
            found.add("end of a chain")
        if isinstance(source, Quorum):
            found |= {f"{name} {value}" for name in POLICIES if (value := getattr(source, name))}
            found.add("format above" if image.format not in (None, "quorum") else "quorum alone")
            if image is not one.disk.image:
                found.add("quorum below")
        elif isinstance(image.backing, Image) and isinstance(image.backing.source, Quorum):
            found.add("quorum as backing")
    if one.frontend is not None:
        found |= {device.driver for device in one.frontend.devices}
    if one.disk.address is not None:
        found.add(type(one.disk.address).__name__)
    return found


POLICIES = ("read_pattern", "rewrite_corrupted", "blkverify")
REACHED = {
    *(protocol or type for type, protocol in SOURCE_KEYS), "vhostuser", "slice",
    "encrypted by qemu", "encrypted by librbd", "end of a chain", "quorum alone", "format above",
    "quorum below", "quorum as backing", "read_pattern quorum", "read_pattern fifo",
    "rewrite_corrupted True", "blkverify True", "PciAddress", "DriveAddress", "UsbAddress",
    "CcwAddress", "BareAddress",
    *DISKS,
}  # fmt: skip


class _EverythingReached(Exception):  # noqa: N818 - no error
    pass


@nightly
def test_the_laws_reach_everything() -> None:
    seen: set[str] = set()

    @settings(HERE, max_examples=3000, database=None, phases=[Phase.generate])
    @given(drawn=domains())
    def look(drawn: tuple[Domain, str]) -> None:
        for one in translated(drawn[0], "drive", frontends=True):
            seen.update(features(one))
        if seen >= REACHED:
            raise _EverythingReached

    with suppress(_EverythingReached):
        look()
    assert REACHED - seen == set()
