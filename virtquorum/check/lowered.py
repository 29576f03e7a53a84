"""Lowered domains: what several rules share about them, and the examples of their pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.check.rule import Problem
from virtquorum.xml.document import Element
from virtquorum.xml.record import NAMESPACE, Record, namespace
from virtquorum.xml.troubles import troubles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.xml.troubles import TroubleKind

__all__ = ["EXAMPLE", "HINT", "PLUGGED", "domains", "is_recorded", "problems"]

#: What every lowered domain has.
HINT: Final = NAMESPACE.encode()
_DOMAINS: Final = ("domain", "inactiveDomain")


def domains(root: Element) -> Iterator[Element]:
    """The domains of a document: it, or those that a snapshot or a status file holds."""
    if root.name == "domain":
        yield root
    else:
        yield from (one for one in root.elements() if one.name in _DOMAINS)


def is_recorded(element: Element) -> bool:
    """Whether an element is of a quorum disk that was lowered: in the record, or its placeholder.

    What is to be said of such a disk is said where the domain is not lowered.
    """
    chain: list[Element] = []
    one: object = element
    while isinstance(one, Element):
        chain.append(one)
        one = one.parent
    if any(namespace(other) == (NAMESPACE, "virtquorum") for other in chain):
        return True
    record = next(
        (found for other in chain if other.name in _DOMAINS and (found := Record.of(other))), None
    )
    if record is None:
        return False
    above = {id(other) for other in chain}
    return any(id(record.placeholder(lowered)) in above for lowered in record.disks)


def problems(root: Element, *kinds: TroubleKind) -> Iterator[Problem]:
    """The troubles of some kinds with the lowered domains of a document."""
    for domain in domains(root):
        for one in troubles(domain):
            if one.kind in kinds:
                yield Problem(
                    one.element, one.message, attribute=one.attribute, expected=one.expected
                )


#: A running domain with a quorum disk that was plugged in: without arguments, for brevity.
PLUGGED: Final = """\
<domain type='kvm' id='3'>
  <name>ledger</name>
  <metadata>
    <virtquorum xmlns='urn:virtquorum:domain:1.0' version='1'>
      <lowered target='vdb' alias='ua-vq-vdb' drive='vq-vdb' file='/srv/p/ledger-vdb.placeholder'
               arguments='' plugged='yes'>
        <disk type='quorum' threshold='2' device='disk'>
          <driver name='qemu' type='quorum'/>
          <backingStore type='file'><format type='raw'/><source file='/srv/a/log'/></backingStore>
          <backingStore type='file'><format type='raw'/><source file='/srv/b/log'/></backingStore>
          <backingStore type='file'><format type='raw'/><source file='/srv/c/log'/></backingStore>
          <target dev='vdb' bus='virtio'/>
        </disk>
      </lowered>
    </virtquorum>
  </metadata>
  <memory unit='MiB'>512</memory>
  <os><type arch='x86_64'>hvm</type></os>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw' cache='writeback'/>
      <source file='/srv/p/ledger-vdb.placeholder'/>
      <target dev='vdb' bus='virtio'/>
      <shareable/>
      <alias name='ua-vq-vdb'/>
    </disk>
  </devices>
</domain>
"""

#: What ``virtquorum lower`` writes.
EXAMPLE: Final = """\
<domain type='kvm'>
  <name>ledger</name>
  <metadata>
    <virtquorum xmlns='urn:virtquorum:domain:1.0' version='1' adds='metadata xmlns:qemu commandline override'>
      <lowered target='vda' alias='ua-vq-vda' drive='vq-vda' file='/srv/p/ledger-vda.placeholder' arguments='d02d2ccc32aea007 0951619afb191eb1 7097d707b86f27b7 ce70e78a3be6a045 add5eb661969ce43 1625afa855856cb9 312b9fd15cbe2d4a 5e9e9f2674df4327 6fc2ccfdaf33ce42'>
        <disk type='quorum' threshold='2' device='disk'>
      <driver name='qemu' type='quorum'/>
      <backingStore type='file'><format type='raw'/><source file='/srv/a/log'/></backingStore>
      <backingStore type='file'><format type='raw'/><source file='/srv/b/log'/></backingStore>
      <backingStore type='file'><format type='raw'/><source file='/srv/c/log'/></backingStore>
      <target dev='vda' bus='virtio'/>
    </disk>
      </lowered>
    </virtquorum>
  </metadata>
  <memory unit='MiB'>512</memory>
  <os><type arch='x86_64'>hvm</type></os>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw' cache='writeback'/>
      <source file='/srv/p/ledger-vda.placeholder'/>
      <target dev='vda' bus='virtio'/>
      <shareable/>
      <alias name='ua-vq-vda'/>
    </disk>
  </devices>
  <qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
    <qemu:arg value='-blockdev'/>
    <qemu:arg value='{"driver":"file","node-name":"vq-vda-67839699-s","auto-read-only":true,"discard":"unmap","filename":"/srv/a/log"}'/>
    <qemu:arg value='-blockdev'/>
    <qemu:arg value='{"driver":"raw","node-name":"vq-vda-67839699","read-only":false,"file":"vq-vda-67839699-s"}'/>
    <qemu:arg value='-blockdev'/>
    <qemu:arg value='{"driver":"file","node-name":"vq-vda-b58dd2a6-s","auto-read-only":true,"discard":"unmap","filename":"/srv/b/log"}'/>
    <qemu:arg value='-blockdev'/>
    <qemu:arg value='{"driver":"raw","node-name":"vq-vda-b58dd2a6","read-only":false,"file":"vq-vda-b58dd2a6-s"}'/>
    <qemu:arg value='-blockdev'/>
    <qemu:arg value='{"driver":"file","node-name":"vq-vda-a6cf2f2f-s","auto-read-only":true,"discard":"unmap","filename":"/srv/c/log"}'/>
    <qemu:arg value='-blockdev'/>
    <qemu:arg value='{"driver":"raw","node-name":"vq-vda-a6cf2f2f","read-only":false,"file":"vq-vda-a6cf2f2f-s"}'/>
    <qemu:arg value='-blockdev'/>
    <qemu:arg value='{"driver":"quorum","node-name":"vq-vda","read-only":false,"vote-threshold":2,"children":["vq-vda-67839699","vq-vda-b58dd2a6","vq-vda-a6cf2f2f"]}'/>
    <qemu:arg value='-blockdev'/>
    <qemu:arg value='{"driver":"file","node-name":"vq-vda-guard-s","read-only":true,"filename":"/srv/p/ledger-vda.placeholder"}'/>
    <qemu:arg value='-blockdev'/>
    <qemu:arg value='{"driver":"blkdebug","node-name":"vq-vda-guard","read-only":true,"image":"vq-vda-guard-s","take-child-perms":["resize"],"unshare-child-perms":["consistent-read","write","write-unchanged","resize"]}'/>
  </qemu:commandline>
  <qemu:override xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
    <qemu:device alias='ua-vq-vda'>
      <qemu:frontend>
        <qemu:property name='drive' type='string' value='vq-vda'/>
        <qemu:property name='share-rw' type='bool' value='false'/>
      </qemu:frontend>
    </qemu:device>
  </qemu:override>
</domain>
"""  # noqa: E501 - as it is written
