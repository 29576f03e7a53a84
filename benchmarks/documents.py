"""The documents that are measured."""

from __future__ import annotations

from pathlib import Path

__all__ = ["SAMPLE", "domain_of"]

#: A whole small domain with a quorum of three members.
SAMPLE = Path(__file__).parent.parent / "samples" / "three-qcow2.xml"


def domain_of(disks: int) -> bytes:
    """A domain of so many disks, as libvirt writes it: stock and quorum disks in turn."""
    drawn = "".join((_stock if number % 2 else _quorum)(number) for number in range(disks))
    return (
        "<domain type='kvm'>\n  <name>measured</name>\n  <memory unit='KiB'>1048576</memory>\n"
        f"  <devices>\n{drawn}  </devices>\n</domain>\n"
    ).encode()


def _stock(number: int) -> str:
    return f"""    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='none' discard='unmap'/>
      <source file='/var/lib/libvirt/images/disk-{number}.qcow2'/>
      <target dev='vd{number}' bus='virtio'/>
      <serial>SN-{number}</serial>
      <address type='pci' domain='0x0000' bus='0x{number % 256:02x}' slot='0x00' function='0x0'/>
    </disk>
"""


def _quorum(number: int) -> str:
    return f"""    <disk type='quorum' threshold='2' device='disk'>
      <driver name='qemu' type='quorum' cache='none' rewrite_corrupted='on'/>
      <backingStore type='file'>
        <format type='qcow2'/>
        <source file='/srv/rack-a/disk-{number}.qcow2'/>
      </backingStore>
      <backingStore type='block'>
        <format type='raw'/>
        <source dev='/dev/vg_rack_b/disk-{number}'/>
      </backingStore>
      <backingStore type='network'>
        <format type='raw'/>
        <source protocol='nbd' name='disk-{number}'>
          <host name='rack-c.example.org' port='10809'/>
        </source>
      </backingStore>
      <target dev='vd{number}' bus='virtio'/>
      <address type='pci' domain='0x0000' bus='0x{number % 256:02x}' slot='0x00' function='0x0'/>
    </disk>
"""
