"""Lowered domains in the hands of the real libvirt: defined, dumped, started, and lifted again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.libvirts import CallError, asked, embed, missing_for_embed
from tests.libvirts.domains import guest_xml
from virtquorum import validate
from virtquorum.model.disk import Disk, Target
from virtquorum.stock.lift import lift
from virtquorum.stock.lower import lower, lowerings
from virtquorum.xml.domain import Domain
from virtquorum.xml.troubles import troubles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.libvirts import Bench

pytestmark = pytest.mark.skipif(missing_for_embed() is not None, reason=str(missing_for_embed()))

SIZE = 1 << 20
LIMITS = "<iotune><total_iops_sec>77</total_iops_sec></iotune>"
#: By machine: the quorum disks, as (target, bus, what the driver says, what the disk says).
DISKS: dict[str, list[tuple[str, str, str, str]]] = {
    "q35": [
        ("vda", "virtio", "cache='none' iothread='1'", "<boot order='2'/><serial>ledger</serial>"),
        ("vdb", "virtio", "queues='2' error_policy='report'", "<alias name='ua-second'/>"),
        ("sda", "scsi", "cache='writethrough'", LIMITS),
        ("sdb", "scsi", "discard='unmap'", "<shareable/><wwn>5000c50015ea71ad</wwn>"),
        ("sdc", "sata", "rerror_policy='report' error_policy='stop'", "<boot order='1'/>"),
        ("sdd", "usb", "", ""),
        ("vdc", "virtio", "copy_on_read='on'", ""),
        ("vdd", "virtio", "", "<readonly/>"),
    ],
    "pc": [("hda", "ide", "cache='writeback'", "<boot order='1'/>"), ("vda", "virtio", "", "")],
}  # fmt: skip


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with embed() as found:
        yield found


def quorum(bench: Bench, disk: tuple[str, str, str, str]) -> str:
    """A quorum of three raw images, one of them behind another name."""
    target, bus, driver, more = disk
    images = [bench.image(f"{target}-{number}.raw", size=SIZE) for number in range(3)]
    members = "".join(
        f"<backingStore type='file'><format type='raw'/><source file='{image}'/></backingStore>"
        for image in images
    )
    return (
        "<disk type='quorum' threshold='2' device='disk'>"
        f"<driver name='qemu' type='quorum' {driver}/>{members}"
        f"<target dev='{target}' bus='{bus}'/>{more}</disk>"
    )


def written(bench: Bench, machine: str) -> Domain:
    """A domain with quorum disks, beside a stock disk, a cdrom, and metadata of somebody else's."""
    stock = bench.image(f"stock-{machine}.raw", size=SIZE)
    beside = (
        f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{stock}'/>"
        "<target dev='vdz' bus='virtio'/></disk>"
        f"<disk type='file' device='cdrom'><target dev='{'sdz' if machine == 'q35' else 'hdc'}' "
        f"bus='{'sata' if machine == 'q35' else 'ide'}'/><readonly/></disk>"
    )
    text = guest_xml(
        bench,
        f"g-{machine}",
        *(quorum(bench, one) for one in DISKS[machine]),
        beside,
        machine=machine,
        outer="<metadata><a:b xmlns:a='urn:a'>kept</a:b></metadata>",
    )
    return Domain.from_text(text.replace("<vcpu>", "<iothreads>1</iothreads><vcpu>"))


def filled_in(disk: Disk) -> Disk:
    """A disk without what libvirt fills in: address, the kind of alias that it makes."""
    target = disk.target
    assert isinstance(target, Target)
    ours = disk.alias is not None and disk.alias.startswith("ua-vq-")
    return replace(disk, address=None, alias=None if ours else disk.alias)


def quorums(domain: Domain) -> dict[str | None, Disk]:
    """The quorum disks; libvirt sorts disks by their buses."""
    return {one.name: filled_in(one) for one in domain.disks if one.quorums}


def lowered(bench: Bench, machine: str) -> tuple[Domain, Domain]:
    domain = written(bench, machine)
    found = lower(domain, directory=str(bench.folder))
    for one in lowerings(domain, directory=str(bench.folder)):
        bench.image(one.file.rpartition("/")[2], size=SIZE)
    return domain, found


@pytest.mark.parametrize("machine", DISKS)
def test_a_defined_domain_lifts_to_the_same_disks_and_is_stable(bench: Bench, machine: str) -> None:
    domain, low = lowered(bench, machine)
    bench.call(asked.define, low.text)
    name = f"g-{machine}"
    dumped = Domain.from_text(bench.call(asked.xml, name, True))
    assert [*troubles(dumped.document.root)] == []
    lifted = lift(dumped)
    assert quorums(lifted) == quorums(domain)
    assert all(one.address is not None for one in lifted.disks)
    assert "xmlns:qemu" not in lifted.text
    assert "virtquorum" not in lifted.text.replace(str(bench.folder), "")
    assert '<a:b xmlns:a="urn:a">kept</a:b>' in lifted.text
    # The record has the addresses from now on, libvirt sorts what it added; then nothing changes.
    texts = []
    for _ in range(3):
        bench.call(asked.define, lower(lifted, directory=str(bench.folder)).text)
        texts.append(bench.call(asked.xml, name, True))
        lifted = lift(Domain.from_text(texts[-1]))
        assert quorums(lifted) == quorums(domain)
    assert texts[1] == texts[2]
    bench.call(asked.forget, name)


@pytest.mark.parametrize("machine", DISKS)
def test_the_devices_of_a_started_domain_are_at_the_quorums(bench: Bench, machine: str) -> None:
    domain, low = lowered(bench, machine)
    found = lowerings(domain, directory=str(bench.folder))
    bench.call(asked.create, low.text, True)
    name = f"g-{machine}"
    try:
        seen = bench.looked_up(name)
        assert {one.alias: seen["drives"][one.alias] for one in found} == {
            one.alias: one.drive for one in found
        }
        assert all(one.guard[-1]["node-name"] in seen["nodes"] for one in found)
        live = Domain.from_text(bench.call(asked.xml, name))
        assert [*troubles(live.document.root)] == []
        lifted = lift(live)
        assert quorums(lifted) == quorums(domain)
        aliases = {one.disk.name: one.alias for one in found}
        assert {one.name: one.alias for one in lifted.disks if one.quorums} == aliases
        check_throttling(bench, name, domain)
    finally:
        bench.call(asked.destroy, name)
    again = lower(lifted, directory=str(bench.folder))
    known = {one.disk.name: one.device_id for one in found}
    assert {one.disk.name: one.device_id for one in lowerings(lifted)} == known
    assert known.get("sda") in (None, "drive-scsi0-0-0-0")
    bench.call(asked.create, again.text, True)
    bench.call(asked.destroy, name)


def check_throttling(bench: Bench, name: str, domain: Domain) -> None:
    """That the limits of a disk are those of the backend whose root is the quorum."""
    shown: dict[str, Any] = {
        one["qdev"]: one["inserted"]
        for one in bench.call(asked.monitor, name, "query-block", {})
        if "inserted" in one
    }
    for disk in domain.disks:
        if disk.quorums and disk.iotune is not None:
            (inserted,) = (one for path, one in shown.items() if f"ua-vq-{disk.name}" in path)
            assert inserted["node-name"] == f"vq-{disk.name}"
            assert inserted["iops"] == disk.iotune.total_iops_sec


@pytest.mark.parametrize(
    ("old", "new", "code", "said"),
    [
        (
            "value='vq-vda'/>",
            "value='vq-nowhere'/>",
            "VQ605",
            "Property 'virtio-blk-device.drive' can't find value 'vq-nowhere'",
        ),
        ("</devices>", "STOCK</devices>", "VQ608", 'Failed to get "write" lock'),
        ("<qemu:arg value='-blockdev'/>", "", "VQ606", ""),
    ],
)
def test_what_the_rules_say_of_qemu_is_so(
    bench: Bench, old: str, new: str, code: str, said: str
) -> None:
    _, low = lowered(bench, "pc")
    member = bench.folder / "vda-1.raw"
    stock = (
        f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{member}'/>"
        "<target dev='vdy' bus='virtio'/></disk>"
    )
    text = low.text.replace(old, new.replace("STOCK", stock), 1)
    assert code in {one.rule for one in validate(text)}
    with pytest.raises(CallError) as caught:
        bench.call(asked.create, text, True)
    assert said in str(caught.value)


def test_a_placeholder_without_its_override_is_guarded_or_the_guests(bench: Bench) -> None:
    """Which is what makes VQ603 and VQ605 errors."""
    _, low = lowered(bench, "pc")
    text = low.text.replace("<alias name='ua-vq-vda'/>", "")
    assert {one.rule for one in validate(text)} == {"VQ603"}
    with pytest.raises(CallError) as caught:
        bench.call(asked.create, text, True)
    assert 'Failed to get "consistent read" lock' in str(caught.value)
    # Without the arguments as well there is no guard.
    start = text.index("<qemu:commandline")
    text = text[:start] + text[text.index("<qemu:override") :]
    text = text.replace("value='vq-hda'", "value='libvirt-4-format'")
    bench.call(asked.create, text, True)
    try:
        seen = bench.looked_up("g-pc")["drives"]
        assert seen["virtio-disk0"].startswith("libvirt-")
    finally:
        bench.call(asked.destroy, "g-pc")
