"""For stock disks, our block graph is the one that the installed libvirt writes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.qemu.embedded import NEEDED, native
from virtquorum.qemu.build import Built, build
from virtquorum.qemu.graph import options
from virtquorum.qemu.names import domain_names
from virtquorum.qemu.objects import object_options
from virtquorum.xml.domain import Domain

pytestmark = NEEDED


def disk(
    driver: str = "", source: str = "file='/i/a.img'", *, type: str = "file", format: str = "qcow2",
    inside: str = "", below: str = "", more: str = "", device: str = "disk",
    in_driver: str = "",
) -> str:  # fmt: skip
    target = "dev='sda' bus='sata'" if device == "cdrom" else "dev='vda' bus='virtio'"
    return (
        f"<disk type='{type}' device='{device}'>"
        f"<driver name='qemu' type='{format}' {driver}>{in_driver}</driver>"
        f"<source {source}>{inside}</source>{below}<target {target}/>{more}</disk>"
    )


def network(protocol: str, name: str = "", inside: str = "<host name='h'/>", **more: str) -> str:
    """A disk on a network; ``name`` is the attributes beside the protocol."""
    said = {"format": "raw", **more}
    return disk(source=f"protocol='{protocol}' {name}", type="network", inside=inside, **said)


def http(more: str = "", inside: str = "", *, protocol: str = "http") -> str:
    return network(protocol, f"name='/a' {more}", f"<host name='h'/>{inside}")


BASE = "<backingStore type='file'><format type='raw'/><source file='/i/base.raw'/></backingStore>"
MID = (
    "<backingStore type='block'><format type='qcow2'/><source dev='/dev/mid'/>"
    f"{BASE}</backingStore>"
)
END = "<backingStore/>"
SLICE = "<slices><slice type='storage' offset='4096' size='1048576'/></slices>"

DISKS = {
    "file": disk(below=END),
    "raw": disk(format="raw"),
    "block": disk(source="dev='/dev/a'", type="block", below=END),
    "chain": disk(below=MID),
    "chain to its end": disk(below=MID.replace("</backingStore>", f"{END}</backingStore>", 1)),
    "nbd": disk(
        source="protocol='nbd' name='e'", type="network", format="raw",
        inside="<host name='h.example.org' port='10810'/>",
    ),
    "nbd, default port": disk(
        source="protocol='nbd'", type="network", format="raw", inside="<host name='h'/>"
    ),
    "nbd by socket": disk(
        source="protocol='nbd' name='a/b'", type="network", below=END,
        inside="<host transport='unix' socket='/run/s'/>",
    ),
    **{
        f"cache {mode}": disk(f"cache='{mode}'", below=MID)
        for mode in ("none", "directsync", "writeback", "writethrough", "unsafe", "default")
    },
    **{f"io {mode}": disk(f"io='{mode}'", below=END) for mode in ("threads", "io_uring")},
    "io native": disk("io='native' cache='none'", below=MID),
    "discard": disk("discard='unmap'", below=MID),
    "discard ignored": disk("discard='ignore'", below=END),
    "detect zeroes": disk("detect_zeroes='on'", below=MID),
    "detect and unmap": disk("detect_zeroes='unmap' discard='unmap'", below=END),
    "detect and unmap without discard": disk("detect_zeroes='unmap'", below=END),
    "copy on read": disk("copy_on_read='on' detect_zeroes='on'", below=MID),
    "read-only": disk(below=MID, more="<readonly/>"),
    "shareable": disk(format="raw", more="<shareable/>"),
    "shareable cdrom": disk(format="raw", device="cdrom", more="<shareable/>"),
    "shareable, read-only": disk(format="raw", more="<shareable/><readonly/>"),
    "cdrom": disk(format="raw", device="cdrom"),
    "slice": disk(inside=SLICE, below=END),
    "slice of raw": disk(inside=SLICE, format="raw"),
    "metadata cache": disk(
        in_driver="<metadata_cache><max_size unit='KiB'>64</max_size></metadata_cache>", below=END
    ),
    **{
        f"format {format}": disk(format=format, below=END if format in ("qed", "vmdk") else "")
        for format in ("vmdk", "qed", "vdi", "vpc", "vhd", "ploop", "bochs", "dmg", "cloop")
    },
    # chains, slices, caches
    "terminated below": disk(below=MID.replace("</backingStore>", f"{END}</backingStore>", 1),
                             more="<readonly/>"),
    "a slice in a chain": disk(
        below="<backingStore type='file'><format type='qcow2'/><source file='/i/b'>"
        f"{SLICE}</source>{END}</backingStore>"
    ),
    "a raw slice in a chain": disk(
        below="<backingStore type='file'><format type='raw'/><source file='/i/b'>"
        f"{SLICE}</source></backingStore>"
    ),
    "a chain over the network": disk(
        below="<backingStore type='network'><format type='qcow2'/>"
        "<source protocol='nbd' name='e'><host name='h'/></source>"
        "<backingStore type='network'><format type='raw'/>"
        "<source protocol='https' name='/a'><host name='h'/></source></backingStore>"
        "</backingStore>"
    ),
    **{
        f"metadata cache in {unit}": disk(
            in_driver=f"<metadata_cache><max_size unit='{unit}'>2</max_size></metadata_cache>",
            below=END,
        )
        for unit in ("B", "bytes", "KB", "KiB", "k", "MB", "MiB", "M", "GiB", "G")
    },
    "no metadata cache": disk(
        in_driver="<metadata_cache><max_size unit='KiB'>0</max_size></metadata_cache>", below=END
    ),
    # the words of <driver>, together
    **{
        f"cache {cache}, io {io}, discard {discard}, zeroes {zeroes}": disk(
            f"cache='{cache}' io='{io}' discard='{discard}' detect_zeroes='{zeroes}'", below=MID
        )
        for cache in ("none", "writethrough", "unsafe")
        for io in ("threads", "io_uring", "native")
        if io != "native" or cache == "none"
        for discard in ("unmap", "ignore")
        for zeroes in ("off", "on", "unmap")
    },
    **{
        f"copy on read, {words or 'alone'}": disk(f"copy_on_read='on' {words}", below=MID)
        for words in ("", "cache='none' io='native'", "discard='unmap'", "detect_zeroes='unmap'")
    },
    "no copy on read": disk("copy_on_read='off'", below=MID),
    "shareable, written through": disk("cache='writethrough'", format="raw", more="<shareable/>"),
    "shareable, by default": disk("cache='default'", format="raw", more="<shareable/>"),
    "throttled": disk(format="raw", more="<iotune><total_bytes_sec>5</total_bytes_sec></iotune>"),
    "a cdrom of the host": disk(source="dev='/dev/sr0'", type="block", format="raw",
                                device="cdrom"),
    "a cdrom over http": http().replace("device='disk'", "device='cdrom'").replace(
        "dev='vda' bus='virtio'", "dev='sda' bus='sata'"),
    # this host
    "a directory": disk(source="dir='/d'", type="dir", format="fat", more="<readonly/>"),
    "a directory on a floppy": disk(
        source="dir='/d'", type="dir", format="fat", more="<readonly/>", device="floppy"
    ).replace("dev='vda' bus='virtio'", "dev='fda' bus='fdc'"),
    "block with words": disk("cache='none' io='native' discard='unmap'", "dev='/dev/a'",
                             type="block", format="raw"),
    "nvme": disk(
        source="type='pci' managed='yes' namespace='2'", type="nvme", format="raw",
        inside="<address domain='0x0001' bus='0xab' slot='0x1f' function='0x7'/>",
    ),
    "nvme, at an octal address": disk(
        source="type='pci' managed='no' namespace='1'", type="nvme", format="raw",
        inside="<address domain='0x0' bus='010' slot='012' function='01'/>",
    ),
    "nvme, qcow2": disk(
        "cache='none'", source="type='pci' managed='no' namespace='1'", type="nvme",
        inside="<address domain='0x0000' bus='0x01' slot='0x00' function='0x0'/>", below=END,
    ),
    "names of files": disk(source="file=\"/i/a b,c=d&amp;e%20'é\""),
    "relative names": disk(source="file='/i/../i/./a'"),
    # networks
    **{
        f"nbd {what}": network("nbd", name, inside)
        for what, name, inside in (
            ("by IPv6", "", "<host name='::1' port='1'/>"),
            ("over tcp", "name='e'", "<host name='h' port='2' transport='tcp'/>"),
            ("with an export of its own", "name='a b,c/d'", "<host name='h'/>"),
            ("with TLS", "tls='yes'", "<host name='h'/>"),
            ("with TLS for a name", "tls='yes' tlsHostname='x.example'", "<host name='10.0.0.1'/>"),
            ("without TLS", "tls='no'", "<host name='h'/>"),
            ("by socket, with TLS", "tls='yes' tlsHostname='x'",
             "<host transport='unix' socket='/s,1'/>"),
        )
    },
    "nbd in a slice": network("nbd", "", "<host name='h'/>" + SLICE),
    "nbd in a slice, qcow2": network("nbd", "", "<host name='h'/>" + SLICE, format="qcow2"),
    **{
        f"rbd {what}": network("rbd", "name='pool/image'", inside)
        for what, inside in (
            ("alone", ""),
            ("with a host", "<host name='h'/>"),
            ("with hosts", "<host name='h' port='6789'/><host name='::1' port='3'/>"
             "<host name='10.0.0.1'/>"),
            ("with a configuration", "<config file='/etc/ceph/a,b.conf'/>"),
            ("with a snapshot", "<snapshot name='s@1'/>"),
            ("with all", "<host name='h'/><snapshot name='s'/><config file='/c'/>"),
        )
    },
    "rbd in a namespace": network("rbd", "name='pool/space/image'", ""),
    "rbd, qcow2": network("rbd", "name='pool/image'", "", format="qcow2", below=END),
    **{
        f"iscsi {what}": network("iscsi", f"name='{name}'", inside)
        for what, name, inside in (
            ("target", "iqn.2013-07.com.example:a", "<host name='h'/>"),
            ("unit", "iqn.2013-07.com.example:a/7", "<host name='h' port='3261'/>"),
            ("by IPv6", "iqn.a/0", "<host name='fe80::1' port='3260'/>"),
            ("by IPv4", "iqn.a/0", "<host name='10.1.2.3'/>"),
            ("with an initiator", "iqn.a/1",
             "<host name='h'/><initiator><iqn name='iqn.b:c'/></initiator>"),
        )
    },
    **{
        f"gluster {what}": network("gluster", f"name='{name}'", inside)
        for what, name, inside in (
            ("over tcp", "volume/a", "<host name='h'/>"),
            ("in a folder", "volume/a/b,c.img", "<host name='h' port='24008'/>"),
            ("over unix", "volume/a", "<host transport='unix' socket='/s'/>"),
            ("with hosts", "volume/a", "<host name='h'/><host name='::1' port='5'/>"
             "<host transport='unix' socket='/s'/>"),
            ("with slashes", "volume//a//b", "<host name='h'/>"),
        )
    },
    **{
        f"{protocol} {what}": http(more, inside, protocol=protocol)
        for protocol in ("http", "https")
        for what, more, inside in (
            ("alone", "", ""),
            ("with a query", "query='x=1&amp;y=%20'", ""),
            ("with an empty query", "query=''", ""),
            ("read ahead", "", "<readahead size='65536'/>"),
            ("with a time-out", "", "<timeout seconds='6'/>"),
            ("with both", "query='q'", "<readahead size='1'/><timeout seconds='1'/>"),
        )
    },
    "https, verified": http(inside="<ssl verify='yes'/>", protocol="https"),
    "https, not verified": http(inside="<ssl verify='no'/>", protocol="https"),
    "https by IPv6": network("https", "name='/a'", "<host name='::1' port='8443'/>"),
    "http, escaped": network(
        "http", "name='a b/%20:é;@&amp;=+$,!~*()&quot;&lt;|?#[]^`{}'"),
    "http, no slash": network("http", "name='a'"),
    "http, qcow2": http().replace("type='raw'", "type='qcow2'"),
    "http in a slice": http(inside=SLICE),
    "ftp": network("ftp", "name='/a'"),
    "ftp with a port": network("ftp", "name='a'", "<host name='h' port='2121'/>"),
    "ftp read ahead": network("ftp", "name='/a'", "<host name='h'/><readahead size='7'/>"
                              "<timeout seconds='8'/>"),
    "ftps": network("ftps", "name='/a'"),
    "ftps, not verified": network("ftps", "name='/a'", "<host name='h'/><ssl verify='no'/>"),
    "ssh": network("ssh", "name='/a b'"),
    "ssh with a port": network("ssh", "name='/a'", "<host name='h' port='2222'/>"),
    "nfs": network("nfs", "name='/export/a,b'", "<host name='h'/>"),
    "nfs as a user": network(
        "nfs", "name='/a'", "<host name='h'/><identity user='nobody' group='+4'/>"),
    "nfs as numbers": network(
        "nfs", "name='/a'", "<host name='h'/><identity user='+1000' group='0'/>"),
    "reservations": disk(
        source="dev='/dev/sdx'", type="block", format="raw", device="lun",
        inside="<reservations managed='no'><source type='unix' path='/s,1' mode='client'/>"
        "</reservations>",
    ).replace("dev='vda' bus='virtio'", "dev='sda' bus='scsi'"),
}  # fmt: skip


def domain(disk: str) -> str:
    return (
        "<domain type='qemu'><name>d</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>"
        "<os><type arch='x86_64' machine='q35'>hvm</type></os><devices>"
        f"<emulator>/usr/bin/qemu-system-x86_64</emulator>{disk}</devices></domain>"
    )


@pytest.fixture(scope="session")
def stock() -> dict[str, Any]:
    """For each disk the block nodes and the objects that libvirt writes."""
    domains = [domain(one) for one in DISKS.values()]
    return dict(zip(DISKS, native(domains, "-blockdev", "-object"), strict=True))


#: Properties of nodes that name others, and what becomes of them here: what they name.
_NODES = frozenset({"file", "backing"})
_OBJECTS = frozenset({"tls-creds", "pr-manager"})


def merged(value: dict[str, Any], named: dict[str, Any]) -> dict[str, Any]:
    """A node of libvirt's, with the nodes and objects that it names inside, and no names."""
    return {
        key: merged(named[one], named) if key in _NODES | _OBJECTS and one in named else one
        for key, one in value.items()
        if key not in ("node-name", "id")
    }


def bare(value: Any, objects: dict[str, Any]) -> Any:
    """A tree of ours, likewise."""
    if not isinstance(value, dict):
        return value
    return {
        key: bare(objects[one] if key in _OBJECTS else one, objects)
        for key, one in value.items()
        if key not in ("node-name", "id")
    }


def ours(built: Built) -> Any:
    objects = {one.id: object_options(one) for one in built.objects}
    return bare(options(built.top), objects)


@pytest.mark.parametrize("name", DISKS)
def test_the_graph_is_libvirts(name: str, stock: dict[str, Any]) -> None:
    (model,) = Domain.from_text(domain(DISKS[name])).disks
    (names,) = domain_names([model])
    theirs = stock[name]
    assert not isinstance(theirs, str), theirs
    nodes = [json.loads(one) for one in theirs["-blockdev"]]
    objects = [json.loads(one) for one in theirs["-object"] if one.startswith("{")]
    named = {one.get("node-name", one.get("id")): one for one in [*nodes, *objects]}
    assert ours(build(model, names)) == merged(nodes[-1], named)
