"""What a disk says and no argument does is named, or refused; nothing goes silently."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import pytest

from tests.programs import qemu, qemu_img
from virtquorum.errors import TranslationError
from virtquorum.model.disk import IoTune
from virtquorum.qemu.build import build
from virtquorum.qemu.drive import drive_arguments
from virtquorum.qemu.leftover import left_to_libvirt, not_understood, without_effect
from virtquorum.qemu.names import domain_names
from virtquorum.qemu.translate import translate
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from pathlib import Path

    from virtquorum.model.disk import Disk

MEMBER = "<backingStore type='file'><format type='raw'/><source file='/{}'/></backingStore>"
MEMBERS = MEMBER.format("a") + MEMBER.format("b") + MEMBER.format("c")


def quorum(
    *, disk: str = "", driver: str = "type='quorum'", inside: str = "", members: str = MEMBERS
) -> Disk:
    (found,) = Domain.from_text(
        f"<disk type='quorum' threshold='2'{disk}><driver {driver}/>{members}{inside}"
        "<target dev='vda'/></disk>"
    ).disks
    return found


def refused(disk: Disk) -> str:
    (names,) = domain_names([disk])
    with pytest.raises(TranslationError) as caught:
        drive_arguments(disk, build(disk, names), names.drive)
    return f"{caught.value.message}; {caught.value.remedy}"


@pytest.mark.parametrize(
    ("disk", "said"),
    [
        (quorum(driver="rewrite-corrupted='on'"), "'rewrite-corrupted' on <driver>"),
        (quorum(driver="read-pattern='fifo'"), "'read-pattern' on <driver>"),
        (quorum(driver="readPattern='fifo'"), "'readPattern' on <driver>"),
        (quorum(driver="threshold='2'"), "'threshold' on <driver>"),
        (quorum(driver="vote-threshold='2'"), "'vote-threshold' on <driver>"),
        (quorum(disk=" rewrite_corrupted='on'"), "'rewrite_corrupted' on <disk>"),
        (quorum(driver="rewrite_corupted='on'"), "'rewrite_corupted' on <driver>"),
        (quorum(driver="name='qemu' read_patern='fifo'"), "'read_patern' on <driver>"),
        (quorum(disk=" treshold='2'"), "'treshold' on <disk>"),
        (quorum(disk=" blkverify='on'"), "'blkverify' on <disk>"),
        (
            quorum(members=MEMBERS.replace("type='file'>", "type='file' node-name='x'>", 1)),
            "'node-name' on <backingStore>",
        ),
        (
            quorum(members=MEMBERS.replace("type='raw'", "type='raw' blkverify='on'", 1)),
            "'blkverify' on <backingStore.format>",
        ),
    ],
)  # fmt: skip
def test_a_misspelled_or_misplaced_word_of_a_quorum_is_refused(disk: Disk, said: str) -> None:
    assert refused(disk).startswith(f"{said} says nothing there; ")


def test_two_thresholds_that_differ_are_refused() -> None:
    disk = quorum(inside="<threshold value='1'/>")
    assert refused(disk) == (
        "the threshold is '2' by the attribute and '1' by the element; "
        "remove the <threshold> element"
    )
    same = quorum(inside="<threshold value='2'/>")
    (names,) = domain_names([same])
    assert build(same, names)


@pytest.mark.parametrize(
    ("a", "b"),
    [("/x", "/x"), ("/x/../y", "/y"), ("//x", "//x")],
)
def test_one_image_as_two_members_is_refused(a: str, b: str) -> None:
    two = "".join(
        f"<backingStore type='file'><format type='raw'/><source file='{one}'/></backingStore>"
        for one in (a, b)
    )
    assert refused(quorum(members=two)).startswith("this image is a member already")


def test_two_slices_of_one_file_are_two_images() -> None:
    two = "".join(
        "<backingStore type='file'><format type='raw'/><source file='/x'><slices><slice "
        f"type='storage' offset='{offset}' size='512'/></slices></source></backingStore>"
        for offset in (0, 512)
    )
    disk = quorum(members=two)
    (names,) = domain_names([disk])
    assert build(disk, names)


def test_transient_is_refused() -> None:
    assert refused(quorum(inside="<transient/>")).startswith("<transient/> is not translated")


def test_what_nobody_understood_is_named_with_its_place() -> None:
    disk = quorum(
        disk=" new='1'",
        inside="<source file='/x'/><!-- no --><snapshot/>text<privateData/>",
        members=MEMBERS.replace("<source file='/a'/>", "<source file='/a' odd='&quot;'/>"),
    )
    assert not_understood(disk) == [
        "new='1' of <disk> (line 1)",
        "<source> in <disk> (line 1)",
        "<snapshot> in <disk> (line 1)",
        "text in <disk> (line 1)",
        "odd='\"' of <source> (line 1)",
    ]
    assert not_understood(quorum()) == []


def test_what_is_libvirts_to_do_is_named() -> None:
    (disk,) = Domain.from_text(
        "<disk type='nvme' snapshot='no'><driver name='qemu' type='qcow2'/>"
        "<source type='pci' managed='yes' namespace='1' startupPolicy='optional'>"
        "<address domain='0' bus='1' slot='0' function='0'/></source>"
        "<backingStore type='file'><format type='raw'/><source file='/b'>"
        "<seclabel model='dac' relabel='yes'><label>0:0</label></seclabel></source>"
        "</backingStore><backenddomain name='x'/><target dev='vda'/></disk>"
    ).disks
    assert left_to_libvirt(disk) == [
        "snapshot='no'",
        "<backenddomain name='x'>, which is Xen's",
        "startupPolicy='optional'",
        "managed='yes', which binds the controller to vfio-pci",
        "<seclabel model='dac' label='0:0' relabel='yes'>",
    ]
    assert left_to_libvirt(quorum()) == []


def test_reconnect_says_nothing_of_reservations() -> None:
    (disk,) = Domain.from_text(
        "<disk type='block' device='lun'><driver name='qemu' type='raw'/><source dev='/d'>"
        "<reservations managed='no'><source type='unix' path='/s' mode='client'>"
        "<reconnect enabled='yes' timeout='5'/></source></reservations></source>"
        "<target dev='sda' bus='scsi'/></disk>"
    ).disks
    assert without_effect(disk) == [
        "<reconnect> says nothing: QEMU has its own way to reach a qemu-pr-helper again"
    ]


def test_a_driver_that_is_not_qemu_is_refused() -> None:
    domain = Domain.from_text(
        "<disk type='file'><driver name='tap' type='raw'/><source file='/a'/>"
        "<target dev='vda' bus='virtio'/></disk>"
    )
    (found,) = translate(domain)
    assert isinstance(found, TranslationError)
    assert found.message == "the driver is 'tap', which is not QEMU"


LIMITS = {
    one.name: number
    for number, one in enumerate(fields(IoTune), start=7)
    if one.name not in ("location", "unmodelled", "group_name") and not one.name.startswith("total")
}


def test_throttling_and_error_policies_reach_qemu(tmp_path: Path) -> None:
    image = tmp_path / "a.raw"
    qemu_img("create", "-f", "raw", image, "1M")
    # A burst is more than what may go on, and its length is in seconds.
    values = {
        name: 3 if name.endswith("_length") else value * (1000 if name.endswith("_max") else 10)
        for name, value in LIMITS.items()
    }
    tune = "".join(f"<{name}>{value}</{name}>" for name, value in values.items())
    (disk,) = Domain.from_text(
        f"<disk type='file'><driver type='raw' error_policy='enospace' rerror_policy='report'/>"
        f"<source file='{image}'/><target dev='vda'/>"
        f"<iotune>{tune}<group_name>g,1</group_name></iotune></disk>"
    ).disks
    (names,) = domain_names([disk])
    arguments = drive_arguments(disk, build(disk, names), names.drive)
    assert "werror=enospc,rerror=report" in arguments[1]
    with qemu(arguments, tmp_path) as running:
        (drive,) = running.command("query-block")
        found = drive["inserted"]
    qemus = {"read_bytes_sec": "bps_rd", "write_bytes_sec": "bps_wr",
             "read_iops_sec": "iops_rd", "write_iops_sec": "iops_wr"}  # fmt: skip
    for name, value in values.items():
        for ours, theirs in qemus.items():
            if name.startswith(ours):
                assert found[theirs + name.removeprefix(ours)] == value, name
    assert found["iops_size"] == values["size_iops_sec"]
    assert found["group"] == "g,1"


@pytest.mark.parametrize(
    ("policies", "spelled"),
    [
        ("error_policy='stop'", "werror=stop,rerror=stop"),
        ("error_policy='enospace'", "werror=enospc"),
        ("rerror_policy='ignore'", "rerror=ignore"),
        ("error_policy='report' rerror_policy='stop'", "werror=report,rerror=stop"),
    ],
)
def test_error_policies_are_spelled_as_libvirt_does(policies: str, spelled: str) -> None:
    disk = quorum(driver=policies)
    (names,) = domain_names([disk])
    value = drive_arguments(disk, build(disk, names), names.drive)[1]
    assert [pair for pair in value.split(",") if "error=" in pair] == spelled.split(",")


def test_a_limit_that_is_no_number_is_refused() -> None:
    disk = quorum(inside="<iotune><read_iops_sec>10k</read_iops_sec></iotune>")
    assert refused(disk).startswith("read_iops_sec is '10k', which is no number")


@pytest.mark.parametrize(
    ("cache", "writeback"),
    [
        ("none", True), ("writeback", True), ("unsafe", True),
        ("writethrough", False), ("directsync", False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("end", ["", "<backingStore/>"])
def test_a_cache_mode_that_writes_through_does_so(
    tmp_path: Path, cache: str, writeback: bool, end: str
) -> None:
    """In both spellings; QEMU's own word for the mode is the judge."""
    image = tmp_path / "a.qcow2"
    qemu_img("create", "-f", "qcow2", image, "1M")
    (disk,) = Domain.from_text(
        f"<disk type='file'><driver type='qcow2' cache='{cache}'/><source file='{image}'/>{end}"
        "<target dev='vda'/></disk>"
    ).disks
    (names,) = domain_names([disk])
    ours = drive_arguments(disk, build(disk, names), names.drive)
    qemus = ["-drive", f"if=none,id=x,format=qcow2,file={image},cache={cache}"]
    found = []
    for arguments in (ours, qemus):
        with qemu(arguments, tmp_path) as running:
            (drive,) = running.command("query-block")
            found.append(drive["inserted"]["cache"])
    assert found[0] == found[1]
    assert found[0]["writeback"] is writeback


@pytest.mark.parametrize("name", ["threshold", "rewrite_corrupted", "blkverify"])
def test_a_quorums_word_on_another_disk_is_refused(name: str) -> None:
    (disk,) = Domain.from_text(
        f"<disk type='file' {name}='2'><source file='/a'/><target dev='vda'/></disk>"
    ).disks
    assert refused(disk).startswith(f"'{name}' on <disk> says nothing there")


def test_a_second_backing_store_of_a_stock_disk_is_named() -> None:
    store = "<backingStore type='file'><format type='raw'/><source file='/{}'/></backingStore>"
    (disk,) = Domain.from_text(
        "<disk type='file'><driver type='qcow2'/><source file='/a'/>"
        f"{store.format('b')}{store.format('c')}<target dev='vda'/></disk>"
    ).disks
    assert not_understood(disk) == ["another <backingStore> in <disk> (line 1)"]


def test_a_policy_that_fifo_makes_void_is_named() -> None:
    disk = quorum(driver="read_pattern='fifo' rewrite_corrupted='on'")
    assert without_effect(disk) == [
        "rewrite_corrupted does nothing with read_pattern='fifo', which votes on nothing"
    ]
    assert without_effect(quorum(driver="rewrite_corrupted='on'")) == []


def test_an_error_is_one_line_whatever_the_document_says() -> None:
    (disk,) = Domain.from_text(
        "<disk type='x&#10;y'><source/><target dev='vd&#10;&#x9b;a'/></disk>", "a\nb"
    ).disks
    (names,) = domain_names([disk])
    with pytest.raises(TranslationError) as caught:
        build(disk, names)
    assert str(caught.value).isprintable()
    assert "disk 'vd\\n\\x9ba'" in str(caught.value)
