"""A protocol's default port is libvirt's: it fills it in where a host has none."""

from __future__ import annotations

import pytest

from virtquorum.model.sources import SOURCES, source_class
from virtquorum.model.sources.network import NetworkSource
from virtquorum.xml.domain import Domain

PROTOCOLS = [protocol for type, protocol in SOURCES if type == "network" and protocol]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_default_port(protocol: str) -> None:
    libvirt = pytest.importorskip("libvirt")
    cls = source_class("network", protocol)
    assert cls is not None
    assert issubclass(cls, NetworkSource)
    xml = (
        "<domain type='test'><name>ports</name><memory>1024</memory><os><type>hvm</type></os>"
        "<devices><disk type='network'><driver name='qemu' type='raw'/>"
        f"<source protocol='{protocol}' name='a/b'><host name='h'/></source>"
        "<target dev='vda' bus='virtio'/></disk></devices></domain>"
    )
    connection = libvirt.open("test:///default")
    try:
        defined = connection.defineXML(xml)
        dumped = defined.XMLDesc(0)
        defined.undefine()
    finally:
        connection.close()
    source = Domain.from_text(dumped).disks[0].image.source
    assert isinstance(source, NetworkSource)
    assert source.hosts[0].port == cls.default_port
