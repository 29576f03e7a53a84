"""Pools, secrets and domains that a libvirt is given for a test."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["described", "domain", "pool", "secret", "secrets"]


def described(type: str, target: str | Path, source: str = "", *, name: str = "p") -> str:
    """A pool's XML."""
    return (
        f"<pool type='{type}'><name>{name}</name><source>{source}</source>"
        f"<target><path>{target}</path></target></pool>"
    )


@contextmanager
def pool(connection: Any, xml: str, *volumes: str) -> Iterator[Any]:
    """A pool that is gone when libvirt forgets it, with volumes of these names."""
    made = connection.storagePoolCreateXML(xml)
    try:
        for name in volumes:
            made.createXML(f"<volume><name>{name}</name><capacity>1048576</capacity></volume>")
        yield made
    finally:
        made.destroy()


def secret(connection: Any, inner: str, value: bytes | None, *, private: bool = False) -> Any:
    """Define a secret that is gone when the daemon ends."""
    made = connection.secretDefineXML(
        f"<secret ephemeral='yes' private='{'yes' if private else 'no'}'>{inner}</secret>"
    )
    if value is not None:
        made.setValue(value)
    return made


@contextmanager
def secrets(connection: Any, *wanted: tuple[str, bytes]) -> Iterator[list[str]]:
    """Secrets for as long as the block: what stands in each and its value; their UUIDs."""
    made = [secret(connection, inner, value) for inner, value in wanted]
    try:
        yield [one.UUIDString() for one in made]
    finally:
        for one in made:
            one.undefine()


def domain(*disks: str) -> str:
    """A domain's XML; nothing but its disks makes a difference to QEMU."""
    return (
        "<domain type='qemu'><name>d</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>"
        "<os><type arch='x86_64' machine='pc'>hvm</type></os><devices>"
        "<emulator>/usr/bin/qemu-system-x86_64</emulator>"
        "<controller type='usb' model='none'/><controller type='scsi' model='virtio-scsi'/>"
        f"{''.join(disks)}<memballoon model='none'/></devices></domain>"
    )
