"""Generated disks over local storage: QEMU opens them and reports our graph, in each spelling."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, assume, example, given, note, settings

from tests.nightly import NIGHTLY
from tests.qemu.agreement.expected import agreement
from tests.qemu.agreement.monitor import NO_QEMU
from tests.qemu.agreement.opening import STYLES, Disks, Resident, Style, opened, spelled
from tests.qemu.agreement.trees import SOURCES, domains

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.qemu.agreement.images import Store
    from tests.qemu.agreement.monitor import Running

pytestmark = pytest.mark.skipif(bool(NO_QEMU), reason=f"not installed: {NO_QEMU}")

#: How many domains are tried.
EXAMPLES = 2000 if NIGHTLY else 70


@pytest.fixture(scope="module")
def resident(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Resident]:
    one = Resident(tmp_path_factory.mktemp("resident"))
    yield one
    one.close()


#: The sources that QEMU has opened here, by the spelling.
OPENED: dict[Style, set[str]] = {style: set() for style in STYLES}


def sources(disks: Disks) -> set[str]:
    """The types and protocols of all images."""
    every = [image.source for one in disks.every for image in one.disk.image.walk()]
    return {getattr(one, "protocol", None) or one.type for one in every}


def judge(disks: Disks, running: Running) -> None:
    """Hold QEMU's report against our graphs, and read from every disk that this does not change."""
    assert list(agreement(disks, running)) == [], disks.style
    for one in disks.every:
        if one.disk.driver.copy_on_read is True:
            continue
        said = running.io(one.drive, "read -P 0 0 64k")
        assert "read 65536/65536" in said, (disks.style, said)
        zeroes = "verification failed" not in said
        assert zeroes == (one.disk.image.source.type != "dir"), (disks.style, said)


def member(type: str, source: str) -> str:
    """A raw member."""
    return f"<backingStore type='{type}'><format type='raw'/>{source}</backingStore>"


#: What is met whatever is drawn: a source of each kind.
EVERY_SOURCE = (
    "<domain><devices><disk type='quorum' threshold='2'>"
    + member("file", "<source file='DIR/raw-0'/>")
    + member("block", "<source dev='LOOP0'/>")
    + member(
        "network",
        "<source protocol='nbd' name='nbd-0'><host transport='unix' socket='DIR/nbd.sock'/>"
        "</source>",
    )
    + "<target dev='vda'/></disk><disk type='dir'><driver type='fat'/><source dir='DIR/vvfat'/>"
    "<target dev='vdb'/><readonly/></disk></devices></domain>"
)


@example(xml=EVERY_SOURCE)
@example(xml=EVERY_SOURCE.replace(member("block", "<source dev='LOOP0'/>"), ""))
@settings(
    max_examples=EXAMPLES, deadline=None, derandomize=not NIGHTLY,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(xml=domains())
def test_qemu_reports_our_graph(images: Store, resident: Resident, xml: str) -> None:
    assume(images.devices or "LOOP" not in xml)
    filled = images.filled_in(xml)
    note(filled)
    for style in STYLES:
        disks = spelled(filled, style, images.provided)
        if style == "qmp":
            with resident.holding(disks) as running:
                judge(disks, running)
        else:
            with opened(disks, images.folder) as running:
                judge(disks, running)
        OPENED[style] |= sources(disks)


def test_every_source_was_opened_in_every_style(images: Store) -> None:
    """The tree test, before, has met all that docs/agreement.md says of it."""
    wanted = SOURCES if images.devices else SOURCES - {"block"}
    assert dict.fromkeys(STYLES, wanted) == OPENED
