"""The parts that sources and disks are made of: hosts, secrets, labels, slices."""

from __future__ import annotations

from typing import ClassVar

from virtquorum.model.node import Described, node
from virtquorum.model.spelling import Integer, Text, YesNo, attribute, child, children, text

__all__ = [
    "Auth",
    "Cookie",
    "Encryption",
    "Host",
    "MetadataCache",
    "PciAddress",
    "Reservations",
    "Seclabel",
    "Secret",
    "Slice",
]


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Secret(Described):
    """A libvirt secret, by UUID or by usage: ``<secret type='ceph' uuid='…'/>``."""

    type: Text = attribute()
    uuid: Text = attribute()
    usage: Text = attribute()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Auth(Described):
    """Who logs in to the storage, and the secret to do it with."""

    always_open: ClassVar[bool] = True

    type: Text = attribute()
    username: Text = attribute()
    secret: Secret | None = child(Secret, "secret")


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Encryption(Described):
    """An encrypted image; libvirt writes cipher and ivgen for volumes of pools."""

    always_open: ClassVar[bool] = True

    format: Text = attribute(choices=("default", "qcow", "luks", "luks2"))
    engine: Text = attribute(choices=("qemu", "librbd"))
    secrets: tuple[Secret, ...] = children(Secret, "secret")
    cipher_name: Text = attribute("name", inside="cipher")
    cipher_size: Integer = attribute("size", of="integer", inside="cipher")
    cipher_mode: Text = attribute("mode", inside="cipher")
    cipher_hash: Text = attribute("hash", inside="cipher")
    ivgen_name: Text = attribute("name", inside="ivgen")
    ivgen_hash: Text = attribute("hash", inside="ivgen")


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Seclabel(Described):
    """A security label of one image: ``<seclabel model='dac' relabel='no'>``."""

    model: Text = attribute()
    labelskip: YesNo = attribute(of="yes-no")
    relabel: YesNo = attribute(of="yes-no")
    label: Text = text()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Slice(Described):
    """The part of a storage that holds the image; offset and size in bytes."""

    type: Text = attribute(choices=("storage",))
    offset: Integer = attribute(of="integer")
    size: Integer = attribute(of="integer")


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class MetadataCache(Described):
    """How much of a qcow2 image's metadata QEMU may cache; ``unit`` is 'bytes' or 'KiB', say."""

    max_size: Integer = text("", of="integer", inside="max_size")
    unit: Text = attribute(inside="max_size")


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Host(Described):
    """A server: ``name`` and ``port`` over tcp or rdma, ``socket`` over unix."""

    name: Text = attribute()
    port: Integer = attribute(of="integer")
    transport: Text = attribute(choices=("tcp", "unix", "rdma"))
    socket: Text = attribute()


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Cookie(Described):
    """An HTTP cookie; libvirt dumps it only with VIR_DOMAIN_XML_SECURE."""

    name: Text = attribute()
    value: Text = text("")


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class Reservations(Described):
    """SCSI persistent reservations, by libvirt's own helper (managed) or another."""

    managed: YesNo = attribute(of="yes-no")
    source_type: Text = attribute("type", inside="source", choices=("unix",))
    path: Text = attribute(inside="source")
    mode: Text = attribute(inside="source", choices=("client", "server"))
    reconnect_enabled: YesNo = attribute("enabled", of="yes-no", inside="source/reconnect")
    reconnect_timeout: Integer = attribute("timeout", of="integer", inside="source/reconnect")


@node(frozen=True, kw_only=True, slots=True, repr=False, eq=False)
class PciAddress(Described):
    """A PCI address, as libvirt writes it: ``domain='0x0000' bus='0x00' …``."""

    domain: Text = attribute()
    bus: Text = attribute()
    slot: Text = attribute()
    function: Text = attribute()
    multifunction: Text = attribute(choices=("on", "off"))
    zpci_uid: Text = attribute("uid", inside="zpci")
    zpci_fid: Text = attribute("fid", inside="zpci")
