"""The XML of a disk before and after: there and back it is the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtquorum.errors import HostError
from virtquorum.host.convert.disks import alone, quorum_of, stock_disk, stock_of
from virtquorum.model.disk import Disk
from virtquorum.model.image import Image, Quorum, Terminator
from virtquorum.model.sources.file import FileSource
from virtquorum.xml.domain import Domain

NEW = Image(source=FileSource(file="/new"), format="qcow2")
INNER = st.lists(
    st.sampled_from(
        [
            "<serial>s</serial>",
            "<boot order='1'/>",
            "<iotune><total_iops_sec>5</total_iops_sec></iotune>",
            "<address type='pci' domain='0x0000' bus='0x01' slot='0x00' function='0x0'/>",
            "<alias name='ua-mine'/>",
            "<shareable/>",
            "<readonly/>",
            "<blockio logical_block_size='512'/>",
        ]
    ),
    unique=True,
)
CHAIN = st.sampled_from(
    [
        "",
        "<backingStore/>",
        "<backingStore type='file' index='2'><format type='raw'/><source file='/b'/>"
        "<backingStore/></backingStore>",
    ]
)


def disk(inner: str, *, format: str = "qcow2", driver: str = "", device: str = "disk") -> Disk:
    text = (
        f"<domain><devices><disk type='file' device='{device}'>"
        f"<driver name='qemu' type='{format}'{driver}/><source file='/a' index='1'/>{inner}"
        "<target dev='vda' bus='virtio'/></disk></devices></domain>"
    )
    return Domain.from_text(text).machine_disks[0]


@given(INNER, CHAIN, st.sampled_from(["", " cache='none' io='native'", " discard='unmap'"]))
def test_there_and_back(inner: list[str], chain: str, driver: str) -> None:
    before = disk(chain + "".join(inner), driver=driver)
    quorum = quorum_of(before, [NEW], 2)
    assert quorum.quorum is not None
    members = quorum.quorum.members
    assert members[1] == NEW
    assert isinstance(members[0], Image)
    after = stock_of(quorum, members[0])
    # libvirt's numbers are those of one start.
    expected = Domain.from_text(
        f"<domain><devices>{_text(before)}</devices></domain>"
    ).machine_disks[0]
    assert after == expected


def _text(one: Disk) -> str:
    import re

    from virtquorum.xml.format import format_disk

    return re.sub(" index='[0-9]+'", "", format_disk(one))


def test_a_raw_image_has_nothing_below() -> None:
    quorum = quorum_of(disk("<backingStore/>", format="raw"), [NEW], 2).quorum
    assert quorum is not None
    first = quorum.members[0]
    assert isinstance(first, Image)
    assert (first.format, first.backing) == ("raw", None)


def test_what_belongs_to_the_image_goes_into_its_source() -> None:
    encryption = (
        "<encryption format='luks'><secret type='passphrase' "
        "uuid='0a81f5b2-8403-7b23-c8d6-21ccc2f80d6f'/></encryption>"
    )
    before = disk(encryption).image
    assert before is not None
    quorum = quorum_of(disk(encryption), [NEW], 2)
    assert quorum.encryption is None
    assert quorum.quorum is not None
    first = quorum.quorum.members[0]
    assert isinstance(first, Image)
    assert first.source.encryption is not None  # type: ignore[union-attr]


def test_a_quorum_of_one() -> None:
    quorum = quorum_of(disk(""), [NEW], 2)
    one = alone(quorum, NEW)
    assert one.quorum == Quorum(threshold=1, members=(NEW,))
    assert not isinstance(one.image.backing, Terminator)


@pytest.mark.parametrize(
    ("device", "inner", "said"),
    [
        ("cdrom", "", "is a cdrom, and only a device='disk' becomes a quorum"),
        ("lun", "", "is a lun"),
        ("disk", "<transient/>", "is <transient/>"),
    ],
)
def test_what_is_refused(device: str, inner: str, said: str) -> None:
    text = (
        f"<domain><devices><disk type='file' device='{device}'><driver name='qemu' type='raw'/>"
        f"<source file='/a'/><target dev='vda' bus='virtio'/>{inner}</disk></devices></domain>"
    )
    with pytest.raises(HostError, match=said):
        stock_disk(Domain.from_text(text), "vda", "web")
