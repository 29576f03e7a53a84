"""Disks for the grammars: rich ones that are valid, and damaged ones made of them by a seed."""

from __future__ import annotations

import copy
import random
import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from lxml import etree

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]
SCHEMAS = ROOT / "schemas"
LIBVIRT = Path("/usr/share/libvirt/schemas")

TARGET = "<target dev='vda' bus='virtio'/>"
MEMBER = "<backingStore type='file'><format type='raw'/><source file='/a.raw'/></backingStore>"

_COMMON = """
  <target dev='sda' bus='scsi' tray='open' removable='on' rotation_rate='7200'/>
  <boot order='1' loadparm='LINUX.1'/><geometry cyls='16383' heads='16' secs='63' trans='lba'/>
  <blockio logical_block_size='512' physical_block_size='4096'/>
  <iotune><total_bytes_sec>1</total_bytes_sec><read_iops_sec>2</read_iops_sec>
    <write_iops_sec>3</write_iops_sec><size_iops_sec>4</size_iops_sec>
    <group_name>g</group_name><read_bytes_sec_max>5</read_bytes_sec_max></iotune>
  <readonly/><shareable/><transient shareBacking='yes'/><serial>WD-1</serial>
  <wwn>0x5000c50015ea71ac</wwn><vendor>SEAGATE</vendor><product>ST3600</product>
  <alias name='ua-x.1'/><acpi index='3'/><backenddomain name='dom 0/x'/>"""

#: Stock disks with what libvirt 9.0 lets stand in a disk.
STOCK = [
    f"""<disk type='file' device='disk' model='virtio' snapshot='external'>
  <driver name='qemu' type='qcow2' cache='none' error_policy='stop' io='native'>
    <metadata_cache><max_size unit='KiB'>64</max_size></metadata_cache></driver>
  <source file='/x.qcow2' fdgroup='f' startupPolicy='optional' index='1'>
    <slices><slice type='storage' offset='0' size='512'/></slices>
    <encryption format='luks' engine='qemu'>
      <secret type='passphrase' uuid='0a81f5b2-8403-7b23-c8d6-21ccc2f80d6f'/></encryption>
    <seclabel model='dac' relabel='no'/><seclabel relabel='yes'><label>a:b</label></seclabel>
    <seclabel labelskip='yes'/></source>{_COMMON}
  <address type='pci' domain='0x0000' bus='0x03' slot='0x01' function='0x0' multifunction='on'>
    <zpci uid='0x0001' fid='7'/></address>
  <encryption format='luks'><secret type='passphrase' usage='u'/>
    <cipher name='aes' size='256' mode='cbc' hash='sha256'/><ivgen name='plain64' hash='x'/>
  </encryption></disk>""",
    f"""<disk type='block' device='lun' rawio='yes' sgio='unfiltered'>
  <driver type='aio' rerror_policy='report' ioeventfd='on' event_idx='off' discard='unmap'
    detect_zeroes='unmap' iothread='1' queues='4' queue_size='16'/>
  <source dev='/dev/sda'><reservations managed='no'>
    <source type='unix' path='/run/pr.sock' mode='client'><reconnect enabled='yes' timeout='3'/>
    </source></reservations></source>{TARGET}
  <address type='drive' controller='0' bus='0' target='1' unit='12'/></disk>""",
    f"""<disk type='dir' device='floppy'><driver type='fat' copy_on_read='off' iommu='on' ats='off'
   packed='on' page_per_vq='off'/><source dir='/d'/>{TARGET}<address type='isa' iobase='0x1f0'
   irq='0x5'/></disk>""",
    f"""<disk type='volume' device='cdrom'><source pool='p' volume='v' mode='direct'/>{TARGET}
  <address type='usb' bus='0' port='1.2'/><auth username='u'><secret type='iscsi' usage='s'/></auth>
  </disk>""",
    f"""<disk type='nvme'><source type='pci' namespace='1' managed='yes'>
  <address domain='0x0000' bus='0x01' slot='0x00' function='0x0'/></source>{TARGET}
  <address type='ccw' cssid='0xfe' ssid='0' devno='0x0001'/></disk>""",
    f"""<disk type='vhostuser'><source type='unix' path='/s'><reconnect enabled='no'/></source>
  {TARGET}<address type='spapr-vio' reg='0x2000'/></disk>""",
    f"""<disk type='network'><source protocol='nbd' name='e' tls='yes' tlsHostname='h'>
  <host transport='unix' socket='/s'/></source>{TARGET}
  <address type='virtio-mmio'> </address></disk>""",
    f"""<disk type='network'><source protocol='rbd' name='p/i'><host name='a' port='1'/>
  <host name='::1'/><snapshot name='s'/><config file='/c'/>
  <auth username='u'><secret type='ceph' uuid='0a81f5b284037b23c8d621ccc2f80d6f'/></auth>
  <encryption format='luks2' engine='librbd'><secret type='passphrase' usage='u'/></encryption>
  </source>{TARGET}<address type='dimm' slot='1' base='0x1'/></disk>""",
    f"""<disk type='network'><source protocol='iscsi' name='iqn.2013-07.com.example:x/1'>
  <host name='10.0.0.1' port='3260'/><initiator><iqn name='iqn.y'/></initiator></source>{TARGET}
  <address type='ccid' controller='0' slot='1'/></disk>""",
    f"""<disk type='network'><source protocol='https' name='f' query='a=b'>
  <host name='h' transport='tcp'/><ssl verify='no'/><cookies><cookie name='c'>v</cookie></cookies>
  <readahead size='1'/><timeout seconds='2'/></source>{TARGET}
  <address type='virtio-serial' controller='0' bus='1' port='2'/></disk>""",
    f"""<disk type='network'><source protocol='gluster' name='v/i'><host name='a'/>
  <host transport='rdma' name='b'/></source>{TARGET}<address type='unassigned'/></disk>""",
    f"""<disk type='network'><source protocol='nfs' name='/n'><host name='h'/>
  <identity user='u' group='g'/></source>{TARGET}</disk>""",
    f"""<disk type='network'><source protocol='vxhs' name='n' tls='no'><host name='h'/></source>
  {TARGET}</disk>""",
    f"""<disk type='network'><source protocol='ftps' name='n'><host name='h'/><ssl verify='yes'/>
  </source>{TARGET}</disk>""",
    f"""<disk type='network'><source protocol='tftp' name='n'><host name='h'/></source>{TARGET}
  </disk>""",
    f"""<disk><source file='[datastore] a.vmdk'/><backingStore type='block' index='2'>
  <format type='qcow2'><metadata_cache/></format><source dev='/dev/x'/>
  <backingStore><format type='raw'/><source file='/b'/><backingStore/></backingStore></backingStore>
  <mirror type='file' job='copy' ready='yes'><format type='raw'/><source file='/m'/>
  <backingStore/></mirror>{TARGET}</disk>""",
    f"""<disk type='file'><mirror file='/m' format='raw' job='copy'/>{TARGET}</disk>""",
]

#: Disks with a quorum in them.
QUORUM = [
    f"""<disk type='quorum' threshold='2' device='disk' model='virtio' snapshot='no'>
  <driver name='qemu' type='quorum' cache='none' io='native' read_pattern='quorum'
    rewrite_corrupted='on' blkverify='off' iothread='1'/>{MEMBER}
  <backingStore type='block' index='3' nodename='b'><format type='qcow2'/><source dev='/dev/b'/>
    <backingStore type='file'><format type='raw'/><source file='/base'/></backingStore>
  </backingStore>
  <backingStore type='network'><format type='raw'/><source protocol='nbd'>
    <host name='h'/></source></backingStore>{_COMMON}
  <address type='pci' domain='0x0000' bus='0x03' slot='0x01' function='0x0'/></disk>""",
    f"""<disk type='quorum' threshold='2'><driver blkverify='on' rewrite_corrupted='off'/>{MEMBER}
  {MEMBER}{TARGET}</disk>""",
    f"""<disk type='quorum' threshold='1'><driver name='qemu' type='qcow2' read_pattern='fifo'>
  <metadata_cache><max_size unit='bytes'>1</max_size></metadata_cache></driver>{MEMBER}{MEMBER}
  <auth username='u'><secret type='ceph' usage='s'/></auth>
  <encryption format='luks'><secret type='passphrase' usage='u'/></encryption>{TARGET}</disk>""",
    f"<disk type='quorum'><threshold value='2'/>{MEMBER}{MEMBER}{TARGET}</disk>",
    f"<disk type='quorum' threshold='1'><threshold value='2'/>{MEMBER}{MEMBER}{TARGET}</disk>",
    f"""<disk type='quorum' threshold='2'>{MEMBER}
  <backingStore type='quorum' threshold='1' nodename='inner' index='5'>
    <format type='quorum' read_pattern='fifo' rewrite_corrupted='off'/>{MEMBER}{MEMBER}
  </backingStore>
  <backingStore type='quorum' threshold='2'>
    <format type='qcow2' blkverify='on'><metadata_cache><max_size unit='KiB'>1</max_size>
    </metadata_cache></format>{MEMBER}
    <backingStore type='quorum'><threshold value='1'/>{MEMBER}</backingStore></backingStore>
  {TARGET}</disk>""",
    f"""<disk type='file' device='disk'><driver type='qcow2'/><source file='/o.qcow2'/>
  <backingStore type='quorum' threshold='2'><format type='quorum' rewrite_corrupted='on'/>{MEMBER}
    <backingStore type='file'><format type='qcow2'/><source file='/b.qcow2'/>
      <backingStore type='quorum' threshold='1'>{MEMBER}</backingStore></backingStore>
  </backingStore>{TARGET}</disk>""",
    f"""<disk type='file'><mirror job='copy' type='file'><format type='qcow2'/>
  <source file='/m'/><backingStore type='quorum' threshold='1'>{MEMBER}</backingStore></mirror>
  <source file='/x'/>{TARGET}</disk>""",
]

#: What libvirt's grammar took in after 9.0; quorum-disk.* have it.
NEWER = [
    f"""<disk type='network'><source protocol='ssh' name='n'><host name='h'/>
  <knownHosts path='/k'/><identity username='u' keyfile='/f'/></source>{TARGET}</disk>""",
    """<disk type='vhostvdpa' model='usb-bot'><driver type='raw' discard_no_unref='on'>
  <iothreads><iothread id='1'><queue id='0'/></iothread></iothreads>
  <statistics><statistic interval='1'/></statistics></driver><source dev='/dev/v'/>
  <target dev='nvme0n1' bus='nvme' dpofua='on'/><blockio discard_granularity='1'/>
  <throttlefilters><throttlefilter group='a'/></throttlefilters>
  <product>longer than sixteen characters</product></disk>""",
    f"""<disk type='network'><source protocol='nbd'><host name='h'/>
  <reconnect enabled='yes' timeout='1'/></source>{TARGET}</disk>""",
    f"""<disk type='file'><source file='/q'><dataStore type='block'><format type='raw'/>
  <source dev='/d'/></dataStore></source>{TARGET}</disk>""",
    f"""<disk type='network'><source protocol='nfs' name='n'><host name='h'/></source>{TARGET}
  </disk>""",
]

#: How a document shows that it uses such a thing.
_NEWER_WORDS = re.compile(
    r"""["'](ssh|vhostvdpa|ctl|usb-storage|usb-bot)["']|bus=["']nvme|dev=["']nvme|dpofua|iothreads"""
    r"|discard_no_unref|statistic|throttlefilter|discard_granularity|dataStore|<product>[^<]{17}"
)


def uses_newer(text: str) -> bool:
    """Whether a disk may hold what libvirt's grammar took in after 9.0."""
    if _NEWER_WORDS.search(text):
        return True
    for source in etree.fromstring(text).iter("source"):
        protocol = source.get("protocol", "").strip()
        if protocol == "nfs" and source.find("identity") is None:
            return True
        if protocol == "nbd" and source.find("reconnect") is not None:
            return True
    return False


@lru_cache(maxsize=1)
def corpus() -> tuple[str, ...]:
    """Every disk of the corpus and of the samples, each once."""
    found: dict[str, None] = {}
    for directory in ("tests/corpus", "samples"):
        for path in sorted((ROOT / directory).rglob("*.xml")):
            # libxml2 takes 17 s for the disk of this one; what is in it is in STOCK too.
            if path.name == "disk-driver-options.xml":
                continue
            try:
                tree = etree.parse(str(path))
            except etree.XMLSyntaxError:
                continue
            for disk in tree.iter("disk"):
                if disk.get("type") is not None:
                    disk.tail = None
                    found[etree.tostring(disk, encoding="unicode")] = None
    return tuple(found)


def has_quorum(text: str) -> bool:
    """Whether virtquorum's additions are in a disk, be they right or wrong."""
    return bool(
        re.search(r"quorum|threshold|nodename|read_pattern|rewrite_corrupted|blkverify", text)
    )


_WORDS = (
    "on", "off", "yes", "no", "0", "1", "2", "3", "-1", "+1", "007", "4294967295",
    "4294967296", "2147483648", "1e3", "", " ", "x y", "/", "/a", "a/b", ".", "..", "0x1f", "0x",
    "1f", "0xfff", "raw", "qcow2", "quorum", "fifo", "file", "block", "network", "volume", "lun",
    "disk", "rbd", "nbd", "https", "iscsi", "tcp", "unix", "::1", "1:2:3:4:5:6:7:8", "fe80::1::2",
    ":1.2.3.4", "1.2.3.4.5", "h_h", "é", "a&#10;b", "copy", "luks", "ceph", "pci", "drive", "usb",
    "virtio", "sda", "zda", "native", "external", "65536", "256", "bytes", "\u00a0", "on\u00a0",
    "\uff11", "1_0", "1.0", "99999999999999999999999", "\u2003",
)  # fmt: skip
_NAMES = ("type", "threshold", "nodename", "read_pattern", "rewrite_corrupted", "blkverify",
          "index", "name", "file", "dev", "foo", "protocol", "startupPolicy")  # fmt: skip


def _change(disk: etree._Element, chance: random.Random) -> None:
    """Damage a disk in one place, or make another valid one of it."""
    elements = [one for one in disk.iter() if isinstance(one.tag, str)]
    one = chance.choice(elements)
    match chance.randrange(9):
        case 0 | 1 if one.attrib:
            one.set(chance.choice(one.keys()), _word(chance))
        case 2 if one.attrib:
            del one.attrib[chance.choice(one.keys())]
        case 3:
            one.set(chance.choice(_NAMES), _word(chance))
        case 4 if one is not disk:
            one.tail = None
            one.getparent().remove(one)  # type: ignore[union-attr]
        case 5 if one is not disk:
            one.addnext(copy.deepcopy(one))
        case 6:
            other = copy.deepcopy(chance.choice(elements))
            one.insert(chance.randint(0, len(one)), other)
        case 7 if not len(one):
            one.text = _word(chance)
        case _ if len(one) > 1:
            one.insert(chance.randrange(len(one)), chance.choice(list(one)))


def _word(chance: random.Random) -> str:
    return chance.choice(_WORDS).replace("&#10;", "\n")


def mutants(texts: list[str] | tuple[str, ...], count: int, seed: int) -> Iterator[str]:
    """So many disks, each one of the texts with one or two changes."""
    chance = random.Random(seed)  # noqa: S311
    for _ in range(count):
        disk = etree.fromstring(chance.choice(texts))
        for _ in range(chance.choice((1, 1, 1, 2))):
            _change(disk, chance)
        yield etree.tostring(disk, encoding="unicode")


def shuffled(texts: list[str] | tuple[str, ...], count: int, seed: int) -> Iterator[str]:
    """So many disks, each one of the texts with all that is in it in another order."""
    chance = random.Random(seed)  # noqa: S311
    for _ in range(count):
        disk = etree.fromstring(chance.choice(texts))
        for one in list(disk.iter()):
            # Only here does order matter to libvirt's grammar.
            if one.tag != "encryption":
                children = list(one)
                chance.shuffle(children)
                one[:] = children
        yield etree.tostring(disk, encoding="unicode")
