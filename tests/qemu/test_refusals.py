"""What has no translation is refused in words that say where and what to do; so does QEMU."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.programs import missing, refusal
from virtquorum.errors import TranslationError
from virtquorum.qemu.build import build
from virtquorum.qemu.names import domain_names
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from pathlib import Path


def member(file: str = "a.raw", format: str = "raw", attributes: str = "") -> str:
    return (
        f"<backingStore type='file'{attributes}><format type='{format}'/>"
        f"<source file='{file}'/></backingStore>"
    )


TWO = member() + member("b.raw")


def quorum(members: str = TWO, driver: str = "", attributes: str = " threshold='1'") -> str:
    return (
        f"<disk type='quorum'{attributes}><driver type='quorum' {driver}/>{members}"
        "<target dev='vda'/></disk>"
    )


def stock(inside: str = "", driver: str = "type='raw'", attributes: str = "file='a.raw'") -> str:
    return (
        f"<disk type='file'><driver {driver}/><source {attributes}>{inside}</source>"
        "<target dev='vda'/></disk>"
    )


def network(source: str, more: str = "") -> str:
    return (
        f"<disk type='network'><driver type='raw'/><source {source}>{more}</source>"
        "<target dev='vda'/></disk>"
    )


class Case(NamedTuple):
    """A disk, what is said of it behind its name, and what QEMU says if it gets it anyway."""

    disk: str
    message: str
    at: str = "<disk"
    drive: str | None = None
    qemu: str | None = None


NULLS = "children.0.driver=null-co,children.1.driver=null-co"
Q = "driver=quorum,if=none,id=d,"

CASES = {
    "no threshold": Case(
        quorum(attributes=""),
        "the quorum has no threshold; say how many members must agree: threshold='2'",
        drive=f"{Q}{NULLS}",
        qemu="Parameter 'vote-threshold' expects a value >= 1",
    ),
    "threshold 0": Case(
        quorum(attributes=" threshold='0'"),
        "the threshold '0' is no number from 1 to 2147483647; it says how many members must agree",
        drive=f"{Q}vote-threshold=0,{NULLS}",
        qemu="Parameter 'vote-threshold' expects a value >= 1",
    ),
    "threshold -1": Case(
        quorum(attributes=" threshold='-1'"),
        "the threshold '-1' is no number from 1 to 2147483647; it says how many members must agree",
    ),
    "threshold no number": Case(
        quorum(attributes=" threshold='two'"),
        "the threshold 'two' is no number from 1 to 2147483647; "
        "it says how many members must agree",
    ),
    # QEMU cuts this off to 1 and takes it.
    "threshold beyond 32 bits": Case(
        quorum(attributes=" threshold='4294967297'"),
        "the threshold '4294967297' is no number from 1 to 2147483647; "
        "it says how many members must agree",
    ),
    "threshold above the members": Case(
        quorum(attributes=" threshold='3'"),
        "the threshold is 3, but there are 2 members; "
        "lower it, or add members: each is a <backingStore type='…'>",
        drive=f"{Q}vote-threshold=3,{NULLS}",
        qemu="threshold may not exceed children count",
    ),
    "no members": Case(
        quorum(""),
        "the quorum has no members; each is a <backingStore type='…'>",
        drive=f"{Q}vote-threshold=1",
        qemu="Number of provided children must be 1 or more",
    ),
    "empty member": Case(
        quorum(TWO + "<backingStore/>"),
        "an empty <backingStore/> is no member; remove it",
        "<backingStore/>",
    ),
    "blkverify with three": Case(
        quorum(TWO + member("c.raw"), "blkverify='on'", " threshold='2'"),
        "blkverify needs exactly two members and a threshold of 2; "
        "here are 3 and 2; without it, members are voted on",
        "<driver",
        drive=f"{Q}vote-threshold=2,blkverify=on,{NULLS},children.2.driver=null-co",
        qemu="blkverify=on can only be set if there are exactly two files and vote-threshold is 2",
    ),
    "blkverify with threshold 1": Case(
        quorum(driver="blkverify='on'"),
        "blkverify needs exactly two members and a threshold of 2; "
        "here are 2 and 1; without it, members are voted on",
        "<driver",
        drive=f"{Q}vote-threshold=1,blkverify=on,{NULLS}",
        qemu="blkverify=on can only be set if there are exactly two files and vote-threshold is 2",
    ),
    "blkverify and rewrite": Case(
        quorum(driver="blkverify='on' rewrite_corrupted='on'", attributes=" threshold='2'"),
        "rewrite_corrupted cannot go with blkverify; leave one of them out",
        "<driver",
        drive=f"{Q}vote-threshold=2,blkverify=on,rewrite-corrupted=on,{NULLS}",
        qemu="rewrite-corrupted=on cannot be used with blkverify=on",
    ),
    "rewrite read-only": Case(
        quorum(driver="rewrite_corrupted='on'").replace("</disk>", "<readonly/></disk>"),
        "rewrite_corrupted needs a quorum that is written to; "
        "leave it out, or <readonly/>; a backing image is never written to",
        "<driver",
        drive=f"{Q}vote-threshold=1,rewrite-corrupted=on,read-only=on,{NULLS}",
        qemu="Block node is read-only",
    ),
    "switch": Case(
        quorum(driver="blkverify='yes'"), "blkverify='yes' is neither 'on' nor 'off'", "<driver"
    ),
    "read pattern": Case(
        quorum(driver="read_pattern='lifo'"),
        "the read pattern 'lifo' is unknown; it is 'quorum' or 'fifo'",
        "<driver",
        drive=f"{Q}vote-threshold=1,read-pattern=lifo,{NULLS}",
        qemu="Please set read-pattern as fifo or quorum",
    ),
    "no format": Case(
        quorum("<backingStore type='file'><source file='a'/></backingStore>"),
        "the format is not given, and QEMU would guess it from what the guest wrote; "
        "name it: <format type='raw'/>, or what 'qemu-img info' says of an image you trust",
        "<backingStore",
    ),
    "unknown format": Case(
        quorum(member(format="qcow9")),
        "QEMU has no driver for the format 'qcow9'; formats are: bochs, cloop, dmg, ploop, "
        "qcow, qcow2, qed, raw, vdi, vhd, vmdk, vpc",
        "<backingStore",
        drive="driver=qcow9,if=none,id=d,file.driver=null-co",
        qemu="Unknown driver 'qcow9'",
    ),
    "backing of raw": Case(
        stock().replace("<target", member("b.raw") + "<target"),
        "the format 'raw' has no backing images; qcow, qcow2, qed and vmdk have",
        "<backingStore",
        drive="driver=raw,if=none,id=d,file.driver=null-co,backing.driver=null-co",
        qemu="Driver doesn't support backing files",
    ),
    "cache": Case(
        stock(driver="type='raw' cache='nonee'"),
        "the cache mode 'nonee' is unknown; modes are: default, directsync, none, unsafe, "
        "writeback, writethrough",
        "<driver",
    ),
    "io": Case(
        stock(driver="type='raw' io='posix'"),
        "the I/O mode 'posix' is unknown; modes are: io_uring, native, threads",
        "<driver",
    ),
    "io native": Case(
        stock(driver="type='raw' io='native' cache='writeback'"),
        "io='native' needs cache='none' or 'directsync'; "
        "QEMU opens no image with aio=native through the page cache",
        "<driver",
        drive="driver=raw,if=none,id=d,file.driver=file,file.filename=a.raw,file.aio=native",
        qemu="aio=native was specified, but it requires cache.direct=on",
    ),
    "discard": Case(
        stock(driver="type='raw' discard='on'"),
        "the discard mode 'on' is unknown; modes are: ignore, unmap",
        "<driver",
    ),
    "detect zeroes": Case(
        stock(driver="type='raw' detect_zeroes='maybe'"),
        "the mode of detect_zeroes 'maybe' is unknown; modes are: off, on, unmap",
        "<driver",
    ),
    "copy on read": Case(
        stock(driver="type='raw' copy_on_read='on'").replace("</disk>", "<readonly/></disk>"),
        "copy_on_read needs a disk that is written to; leave it out",
        "<driver",
    ),
    "copy on read, no switch": Case(
        stock(driver="type='raw' copy_on_read='1'"),
        "copy_on_read='1' is neither 'on' nor 'off'",
        "<driver",
    ),
    "disk auth": Case(
        stock().replace(
            "<target",
            "<auth username='x'><secret type='ceph' usage='y'/></auth><target",
        ),
        "QEMU logs in to no storage of the kind 'file'; remove <auth>; it is for ftp, ftps, http, "
        "https, iscsi, rbd, ssh",
        "<auth",
    ),
    "auth": Case(
        stock("<auth username='x'><secret type='iscsi' usage='y'/></auth>"),
        "QEMU logs in to no storage of the kind 'file'; remove <auth>; it is for ftp, ftps, http, "
        "https, iscsi, rbd, ssh",
        "<auth",
    ),
    "encryption": Case(
        stock("<encryption format='luks'><secret type='passphrase' usage='y'/></encryption>"),
        "<encryption> needs the secret 'y', whose value is not known here; name a file that holds "
        "it, --secret y=file:PATH, or have libvirt asked, --connect URI --secrets-dir DIR",
        "<secret",
    ),
    "reservations": Case(
        stock("<reservations managed='yes'/>"),
        "libvirt starts the helper of managed reservations itself, at a place of its own; start "
        "qemu-pr-helper, and name its socket: managed='no' and "
        "<source type='unix' path='…' mode='client'/>",
        "<reservations",
    ),
    "fdgroup": Case(
        stock(attributes="file='a.raw' fdgroup='g'"),
        "an fdgroup is not translated: its descriptors are libvirt's; name the file alone",
        "<source",
    ),
    "fdgroup alone": Case(
        stock(attributes="fdgroup='g'"),
        "an fdgroup is not translated: its descriptors are libvirt's; name the file alone",
        "<source",
    ),
    "member without source": Case(
        quorum("<backingStore type='block'><format type='raw'/></backingStore>"),
        "the image has no source; "
        "type='file' takes <source file='…'/>, type='block' <source dev='…'/>",
        "<backingStore",
    ),
    "slices": Case(
        stock("<slices><slice type='storage' offset='a' size='1'/></slices>"),
        "this is no slice that QEMU could take; "
        "it is one <slice type='storage' offset='…' size='…'/>, in bytes",
        "<slice ",
    ),
    "metadata cache": Case(
        stock(driver="type='raw'").replace(
            "<driver type='raw'/>",
            "<driver type='raw'><metadata_cache><max_size unit='KiB'>9</max_size></metadata_cache>"
            "</driver>",
        ),
        "this is no metadata cache that QEMU could take; "
        "it is <max_size unit='KiB'>…</max_size>, for a qcow2 image",
        "<metadata_cache",
    ),
    "rbd": Case(
        network("protocol='rbd' name='p'"),
        "an rbd source is named by pool and image; name='POOL/IMAGE'",
        "<source",
    ),
    "foreign": Case(
        network("protocol='carrier-pigeon' name='p'"),
        "the protocol 'carrier-pigeon' is unknown; protocols are: ftp, ftps, gluster, http, "
        "https, iscsi, nbd, nfs, rbd, ssh",
        "<source",
    ),
    "nbd tls": Case(
        network("protocol='nbd' tlsHostname='x'", "<host name='h'/>"),
        "tlsHostname says nothing without TLS; add tls='yes'",
        "<source",
    ),
    "nbd tls, no switch": Case(
        network("protocol='nbd' tls='on'", "<host name='h'/>"),
        "tls='on' is neither 'yes' nor 'no'",
        "<source",
    ),
    "nbd hosts": Case(
        network("protocol='nbd'", "<host name='h'/><host name='i'/>"),
        "nbd takes one <host>, here are 2; it is <host name='…'/>, and no more",
        "<source",
    ),
    "nbd without host": Case(
        network("protocol='nbd'"),
        "nbd takes one <host>, here are 0; it is <host name='…'/>, and no more",
        "<source",
    ),
    "sheepdog": Case(
        network("protocol='sheepdog' name='p'"),
        "QEMU has dropped the protocol 'sheepdog'",
        "<source",
    ),
    "iscsi without a name": Case(
        network("protocol='iscsi'", "<host name='h'/>"),
        "'' names no unit; it is name='IQN' or name='IQN/LUN'",
        "<source",
    ),
    "iscsi, no unit": Case(
        network("protocol='iscsi' name='iqn.x/one'", "<host name='h'/>"),
        "'iqn.x/one' names no unit; it is name='IQN' or name='IQN/LUN'",
        "<source",
    ),
    "iscsi, two hosts": Case(
        network("protocol='iscsi' name='iqn.x'", "<host name='h'/><host name='i'/>"),
        "iscsi takes one <host>, here are 2; it is <host name='…'/>, and no more",
        "<source",
    ),
    "gluster": Case(
        network("protocol='gluster' name='v'", "<host name='h'/>"),
        "a gluster source is named by volume and path; name='VOLUME/PATH'",
        "<source",
    ),
    "gluster without host": Case(
        network("protocol='gluster' name='v/i'"),
        "gluster needs a <host>; it is <host name='…'/>",
        "<source",
    ),
    "http over a socket": Case(
        network("protocol='http' name='/i'", "<host transport='unix' socket='/s'/>"),
        "QEMU reaches no http server over 'unix'; transport is 'tcp'",
        "<host",
    ),
    "a host that is an URL": Case(
        network("protocol='http' name='/i'", "<host name='h/path?x'/>"),
        "'h/path?x' is no name of a host",
        "<host",
    ),
    "a host with a login": Case(
        network("protocol='http' name='/i'", "<host name='bob:hunter2@h'/>"),
        "'…@h' is no name of a host; a login is said by <auth>",
        "<host",
    ),
    "a cookie in a cookie's name": Case(
        network(
            "protocol='http' name='/i'",
            "<host name='h'/><cookies><cookie name='a;b=hunter2'>x</cookie></cookies>",
        ),
        "the cookie 'a' is none that a server would take for one; a name holds no white space, "
        "';' or '=', and a value no ';'",
        "<cookie ",
    ),
    "an image in a quorum and in one inside it": Case(
        "<disk type='quorum' threshold='2'>"
        "<backingStore type='file'><format type='raw'/><source file='/a'/></backingStore>"
        "<backingStore type='quorum' threshold='1'>"
        "<backingStore type='file' nodename='again'><format type='raw'/><source file='/a'/>"
        "</backingStore></backingStore><target dev='vda'/></disk>",
        "this image is a member already, and would vote twice; give each member an image of its "
        "own",
        "<backingStore type='file' nodename='again'",
    ),
    "http without a path": Case(
        network("protocol='http'", "<host name='h'/>"),
        "a source of http is named by its path; name='/PATH'",
        "<source",
    ),
    "a query that ends": Case(
        network("protocol='http' name='/i' query='a#b'", "<host name='h'/>"),
        "the query holds white space or '#', which would end it; write them as '%20' and '%23'",
        "<source",
    ),
    "readahead": Case(
        network("protocol='ftp' name='/i'", "<host name='h'/><readahead size='-1'/>"),
        "readahead is '-1', which is no number from 0",
        "<source",
    ),
    "verify": Case(
        network("protocol='https' name='/i'", "<host name='h'/><ssl verify='maybe'/>"),
        "verify='maybe' is neither 'yes' nor 'no'",
        "<source",
    ),
    "cookies": Case(
        network(
            "protocol='http' name='/i'",
            "<host name='h'/><cookies><cookie name='a'>b</cookie></cookies>",
        ),
        "cookies let anybody in who sees them, so they stand in no argument; say where a file with "
        "them may be written: --secrets-dir DIR",
        "<source",
    ),
    "cookies with a line end": Case(
        network(
            "protocol='http' name='/i'",
            "<host name='h'/><cookies><cookie name='a'>b&#10;c</cookie></cookies>",
        ),
        "a cookie holds a line end or another control character",
        "<cookie ",
    ),
    "a cookie whose value was left out of a dump": Case(
        network(
            "protocol='http' name='/i'",
            "<host name='h'/><cookies><cookie name='a'/></cookies>",
        ),
        "the cookie 'a' has no value; write what 'virsh dumpxml --security-info' shows",
        "<cookie ",
    ),
    "a cookie that would be two": Case(
        network(
            "protocol='http' name='/i'",
            "<host name='h'/><cookies><cookie name='a'>b; c=d</cookie></cookies>",
        ),
        "the cookie 'a' is none that a server would take for one; a name holds no white space, "
        "';' or '=', and a value no ';'",
        "<cookie ",
    ),
    "a secret of another type": Case(
        network(
            "protocol='rbd' name='p/i'",
            "<auth username='u'><secret type='iscsi' usage='y'/></auth>",
        ),
        "the secret of <auth> is of type 'iscsi'; it is type='ceph'",
        "<secret",
    ),
    "a secret by UUID and usage": Case(
        network(
            "protocol='rbd' name='p/i'",
            "<auth username='u'><secret type='ceph' usage='y' uuid='x'/></auth>",
        ),
        "the secret of <auth> is named by UUID and by usage; remove one of them",
        "<secret",
    ),
    "a user without a name": Case(
        network("protocol='rbd' name='p/i'", "<auth><secret type='ceph' usage='y'/></auth>"),
        "<auth> names no user; it is <auth username='…'>",
        "<auth",
    ),
    "a user without a secret": Case(
        network("protocol='rbd' name='p/i'", "<auth username='u'/>"),
        "<auth> names no secret; it is <secret type='…' uuid='…'/>",
        "<auth",
    ),
    "a secret of no name": Case(
        network("protocol='rbd' name='p/i'", "<auth username='u'><secret type='ceph'/></auth>"),
        "the secret of <auth> has no UUID that is one, and no usage; "
        "it is <secret type='…' uuid='…'/>",
        "<secret",
    ),
    "a secret's UUID that is none": Case(
        network(
            "protocol='rbd' name='p/i'",
            "<auth username='u'><secret type='ceph' uuid='x,file=/etc/passwd'/></auth>",
        ),
        "the secret of <auth> has no UUID that is one, and no usage; "
        "it is <secret type='…' uuid='…'/>",
        "<secret",
    ),
    "two secrets": Case(
        stock(
            "<encryption format='luks'><secret type='passphrase' usage='x'/>"
            "<secret type='passphrase' usage='y'/></encryption>"
        ),
        "encryption takes one <secret>, here are 2; it is <secret type='passphrase' uuid='…'/>",
        "<encryption",
    ),
    "luks2": Case(
        stock("<encryption format='luks2'><secret type='passphrase' usage='y'/></encryption>"),
        "QEMU opens no encryption 'luks2' for a guest; it is 'luks'; 'luks2' needs "
        "engine='librbd', and qcow's own must be converted",
        "<encryption",
    ),
    "librbd of a file": Case(
        stock("<encryption format='luks' engine='librbd'/>"),
        "librbd decrypts images of rbd and no others; the engine is 'qemu'",
        "<encryption",
    ),
    "reservations over a network": Case(
        network("protocol='rbd' name='p/i'", "<reservations managed='no'/>"),
        "persistent reservations are for block devices of this host; remove them",
        "<reservations",
    ),
    "nfs port": Case(
        network("protocol='nfs' name='/i'", "<host name='h' port='2049'/>"),
        "an nfs host has no port; leave it out",
        "<host",
    ),
    "nfs user": Case(
        network("protocol='nfs' name='/i'", "<host name='h'/><identity user='no such one'/>"),
        "there is no user 'no such one' on this machine; write its number: user='+0'",
        "<source",
    ),
    "ssh": Case(
        network("protocol='ssh'", "<host name='h'/>"),
        "an ssh source is named by its path; name='/PATH'",
        "<source",
    ),
    "dir, written to": Case(
        "<disk type='dir'><driver type='fat'/><source dir='/d'/><target dev='vda'/></disk>",
        "a directory is no disk that a guest could write to; add <readonly/>",
        "<source",
    ),
    "dir, raw": Case(
        "<disk type='dir'><driver type='raw'/><source dir='/d'/><target dev='vda'/></disk>",
        "a directory is shown as a FAT file system, and not as 'raw'; its format is 'fat'",
        "<disk",
    ),
    "nvme": Case(
        "<disk type='nvme'><driver type='raw'/><source type='pci' namespace='0'/>"
        "<target dev='vda'/></disk>",
        "this is no NVMe namespace that QEMU could take; it is <source type='pci' namespace='1' "
        "…><address domain='0x0000' bus='0x01' slot='0x00' function='0x0'/></source>",
        "<source",
    ),
    "nvme address": Case(
        "<disk type='nvme'><driver type='raw'/><source type='pci' namespace='1'>"
        "<address domain='0' bus='0x100' slot='0' function='0'/></source>"
        "<target dev='vda'/></disk>",
        "'0x100' is no part of a PCI address",
        "<address",
    ),
    "volume without a name": Case(
        "<disk type='volume'><driver type='raw'/><source pool='p'/><target dev='vda'/></disk>",
        "the volume is not named; write <source pool='…' volume='…'/>",
        "<source",
    ),
    "no protocol": Case(
        "<disk type='network'><driver type='raw'/><target dev='vda'/></disk>",
        "the source has no protocol; protocols are: ftp, ftps, gluster, http, https, iscsi, nbd, "
        "nfs, rbd, ssh",
    ),
    "volume": Case(
        "<disk type='volume'><driver type='raw'/><source pool='p' volume='v'/>"
        "<target dev='vda'/></disk>",
        "only libvirt knows where the volume 'v' of the pool 'p' is; have it asked, "
        "--connect URI, or name the file or device that it is",
        "<source",
    ),
    "auth of a quorum": Case(
        quorum().replace("<target", "<auth username='u'/><target"),
        "<auth> says nothing to a quorum, which has no storage of its own; put it into the "
        "<source> of the member that needs it",
        "<auth",
    ),
    "auth twice": Case(
        network("protocol='rbd' name='p/i'", "<auth username='u'/>").replace(
            "<target", "<auth username='v'/><target"
        ),
        "<auth> stands in <disk> and in <source>; remove one of them",
        "<auth username='v'",
    ),
    "nbd transport": Case(
        network("protocol='nbd'", "<host name='h' transport='rdma'/>"),
        "QEMU reaches no nbd server over 'rdma'; transport is 'tcp' or 'unix'",
        "<host",
    ),
    "nbd socket": Case(
        network("protocol='nbd'", "<host transport='unix'/>"),
        "a host with transport='unix' needs a socket; name its path: socket='…'",
        "<host",
    ),
    "nbd host name": Case(
        network("protocol='nbd'", "<host port='1'/>"),
        "the host has no name; say where the server is: name='…'",
        "<host",
    ),
    "nbd port": Case(
        network("protocol='nbd'", "<host name='h' port='70000'/>"),
        "the port '70000' is no number from 1 to 65535",
        "<host",
    ),
    "node name": Case(
        quorum(member(attributes=" nodename='1a'")),
        "the node name '1a' is none that QEMU takes; "
        "1 to 31 characters: a letter, then letters, digits, '.', '_' or '-'",
        "<backingStore",
        drive=f"{Q}vote-threshold=1,children.0.driver=null-co,children.0.node-name=1a",
        qemu="Invalid node-name: '1a'",
    ),
    "long node name": Case(
        quorum(member(attributes=f" nodename='{'n' * 32}'")),
        f"the node name '{'n' * 32}' is none that QEMU takes; "
        "1 to 31 characters: a letter, then letters, digits, '.', '_' or '-'",
        "<backingStore",
        drive=f"{Q}vote-threshold=1,children.0.driver=null-co,children.0.node-name={'n' * 32}",
        qemu="Node name too long",
    ),
    "node name twice": Case(
        quorum(member(attributes=" nodename='n'") + member("b.raw", attributes=" nodename='n'")),
        "the node name 'n' is taken by another image, or is a drive's id; "
        "give each image a name of its own",
        "<backingStore",
        drive=f"{Q}vote-threshold=1,children.0.driver=null-co,children.0.node-name=n,"
        "children.1.driver=null-co,children.1.node-name=n",
        qemu="Duplicate nodes with node-name='n'",
    ),
    "node name of a drive": Case(
        quorum(member(attributes=" nodename='drive-vda'")),
        "the node name 'drive-vda' is taken by another image, or is a drive's id; "
        "give each image a name of its own",
        "<backingStore",
        drive="driver=null-co,if=none,id=drive-vda,node-name=drive-vda",
        qemu="Device name 'drive-vda' conflicts with an existing node name",
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_disk_without_translation(case: Case) -> None:
    domain = Domain.from_text(case.disk, "d.xml")
    (names,) = domain_names(domain.disks)
    with pytest.raises(TranslationError) as caught:
        build(domain.disks[0], names)
    column = case.disk.index(case.at) + 1
    assert str(caught.value) == f"d.xml:1:{column}: disk 'vda': {case.message}"


@pytest.mark.skipif(bool(missing()), reason=f"not installed: {missing()}")
@pytest.mark.parametrize(
    ("drive", "words"),
    [
        pytest.param(case.drive, case.qemu, id=name)
        for name, case in CASES.items()
        if case.drive is not None
    ],
)
def test_qemu_would_refuse_it_too(tmp_path: Path, drive: str, words: str) -> None:
    (tmp_path / "a.raw").write_bytes(bytes(1024 * 1024))
    assert words in refusal(["-drive", drive], tmp_path)
