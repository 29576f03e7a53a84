"""What libvirt refuses of a stock disk we refuse as well, and what only we refuse is known."""

from __future__ import annotations

from typing import Any

import pytest

from tests.qemu.embedded import NEEDED, native
from tests.qemu.test_stock import BASE, disk, domain, http, network
from virtquorum.errors import TranslationError
from virtquorum.qemu.translate import translate
from virtquorum.xml.domain import Domain

pytestmark = NEEDED

AUTH = "<host name='h'/><auth username='u'><secret type='iscsi' usage='u'/></auth>"
PCI = "<address domain='0x0000' bus='0x01' slot='0x00' function='0x0'/>"
CACHE = "<metadata_cache><max_size unit='KiB'>64</max_size></metadata_cache>"


def on(bus: str, disk: str) -> str:
    """A disk on another bus than virtio."""
    return disk.replace("dev='vda' bus='virtio'", f"dev='sda' bus='{bus}'")


#: Disks that are refused, and what we say.
BY_BOTH = {
    "ftp without a name": (network("ftp"), "a source of ftp is named by its path"),
    "tftp": (network("tftp", "name='/a'"), "QEMU has dropped the protocol 'tftp'"),
    "vxhs": (network("vxhs", "name='a'"), "QEMU has dropped the protocol 'vxhs'"),
    "a login to nbd": (network("nbd", "", AUTH), "QEMU logs in to no storage of the kind 'nbd'"),
    "a socket over tcp": (
        network("nbd", "", "<host name='h' socket='/s'/>"),
        "the host has a socket, and is reached over TCP",
    ),
    "rdma": (
        network("gluster", "name='v/a'", "<host name='h' transport='rdma'/>"),
        "QEMU reaches no gluster server over 'rdma'",
    ),
    "no unit": (network("iscsi", "name='a/b'"), "'a/b' names no unit"),
    "two hosts": (
        network("nbd", "", "<host name='h'/><host name='i'/>"),
        "nbd takes one <host>, here are 2",
    ),
    "no host": (network("nbd", "", ""), "nbd takes one <host>, here are 0"),
    "a pool alone": (network("rbd", "name='a'"), "an rbd source is named by pool and image"),
    "a volume alone": (
        network("gluster", "name='a'"),
        "a gluster source is named by volume and path",
    ),
    "a port of nfs": (
        network("nfs", "name='/a'", "<host name='h' port='1'/>"),
        "an nfs host has no port",
    ),
    "copy on read, read-only": (
        disk("copy_on_read='on'", more="<readonly/>"),
        "copy_on_read needs a disk that is written to",
    ),
    "native through the cache": (
        disk("io='native' cache='writeback'"),
        "io='native' needs cache='none' or 'directsync'",
    ),
    "a directory that is written to": (
        disk(source="dir='/d'", type="dir", format="fat"),
        "a directory is no disk that a guest could write to",
    ),
    "a directory as raw": (
        disk(source="dir='/d'", type="dir", format="raw", more="<readonly/>"),
        "a directory is shown as a FAT file system, and not as 'raw'",
    ),
    "raw over a backing image": (
        disk(format="raw", below=BASE),
        "the format 'raw' has no backing images",
    ),
    "a metadata cache of raw": (
        disk(format="raw", in_driver=CACHE),
        "this is no metadata cache that QEMU could take",
    ),
    "a read-only SATA disk": (
        on("sata", disk(format="raw", more="<readonly/>")),
        "a disk on bus 'sata' cannot be read-only",
    ),
    "a file as lun": (
        on("scsi", disk(format="raw", device="lun")),
        "device='lun' needs a block device of the host, or an iSCSI unit",
    ),
    "another driver": (
        disk().replace("name='qemu'", "name='tap'"),
        "the driver is 'tap', which is not QEMU",
    ),
    "an unknown mode": (
        disk("detect_zeroes='x'"),
        "the mode of detect_zeroes 'x' is unknown",
    ),
    **{
        f"the format {format}": (
            disk(format=format),
            f"QEMU has no driver for the format '{format}'",
        )
        for format in ("foo", "cow", "iso", "fat", "auto")
    },
    "descriptors": (
        disk(source="file='/a' fdgroup='x'"),
        "an fdgroup is not translated: its descriptors are libvirt's",
    ),
    "namespace 0": (
        disk(source="type='pci' managed='no' namespace='0'", type="nvme", format="raw", inside=PCI),
        "this is no NVMe namespace that QEMU could take",
    ),
    "no source": (disk(source=""), "the image has no source"),
}
#: Disks that libvirt takes, and why we do not.
BY_US = {
    "sheepdog": (network("sheepdog", "name='a'"), "QEMU has dropped the protocol 'sheepdog'"),
    "managed reservations": (
        on(
            "scsi",
            disk(
                source="dev='/dev/x'",
                type="block",
                format="raw",
                device="lun",
                inside="<reservations managed='yes'/>",
            ),
        ),
        "libvirt starts the helper of managed reservations itself, at a place of its own",
    ),
    "a TLS name without TLS": (
        network("nbd", "tlsHostname='x'"),
        "tlsHostname says nothing without TLS",
    ),
    **{
        f"a query with '{one}'": (
            http(f"query='a{one}b'"),
            "the query holds white space or '#', which would end it",
        )
        for one in " #"
    },
    "cookies without a place": (
        http(inside="<cookies><cookie name='a'>b</cookie></cookies>"),
        "cookies let anybody in who sees them, so they stand in no argument",
    ),
    **{
        f"a host with '{one}'": (
            network("nbd", "", f"<host name='h{one}x'/>"),
            f"'{'…' if one == '@' else 'h'}{one}x' is no name of a host",  # not the login
        )
        for one in "/?#@,; "
    },
    "a socket with a name": (
        network("nbd", "", "<host name='h' transport='unix' socket='/s'/>"),
        "a host with transport='unix' has a socket, and no name or port",
    ),
    "transient": (
        disk(more="<transient/>"),
        "<transient/> is not translated: QEMU would keep what the guest writes",
    ),
    "two slices": (
        disk(
            inside="<slices><slice type='storage' offset='0' size='512'/>"
            "<slice type='storage' offset='0' size='512'/></slices>"
        ),
        "this is no slice that QEMU could take",
    ),
    "encryption without a secret": (
        disk(inside="<encryption format='luks'/>"),
        "encryption takes one <secret>, here are 0",
    ),
}
EVERY = {**BY_BOTH, **BY_US}


@pytest.fixture(scope="module")
def stock() -> dict[str, Any]:
    """For each disk what libvirt writes, or says."""
    answers = native([domain(xml) for xml, _ in EVERY.values()], "-blockdev")
    return dict(zip(EVERY, answers, strict=True))


@pytest.mark.parametrize("name", EVERY)
def test_it_is_refused_in_these_words(name: str) -> None:
    xml, message = EVERY[name]
    (found,) = translate(Domain.from_text(domain(xml)))
    assert isinstance(found, TranslationError)
    assert found.message == message
    assert found.remedy is not None or "QEMU" in message or "no name of a host" in message


@pytest.mark.parametrize("name", EVERY)
def test_libvirt_says_the_same_but_where_we_know_better(name: str, stock: dict[str, Any]) -> None:
    assert isinstance(stock[name], str) is (name in BY_BOTH), stock[name]
