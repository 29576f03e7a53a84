"""The record of a disk that became a quorum while the guest ran: libvirt has no placeholder."""

from __future__ import annotations

import pytest

from virtquorum.errors import LoweredError
from virtquorum.stock.lift import lift
from virtquorum.stock.lower import kept_files, lower
from virtquorum.xml.domain import Domain
from virtquorum.xml.troubles import troubles

KEPT = '[{"driver":"raw","node-name":"libvirt-1-format","file":"libvirt-1-storage"}]'
QUORUM = """\
<disk type='quorum' threshold='2' device='disk'>
          <driver name='qemu' type='quorum'/>
          <backingStore type='file'><format type='raw'/><source file='/a'/></backingStore>
          <backingStore type='file'><format type='raw'/><source file='/b'/></backingStore>
          <target dev='vda' bus='virtio'/>
          <alias name='virtio-disk0'/>
        </disk>"""


def domain(*, id: str = " id='3'", kept: bool = True, file: str = "/a") -> Domain:
    said = f' kept="{KEPT.replace(chr(34), "&quot;")}"' if kept else ""
    return Domain.from_text(
        f"""\
<domain type='qemu'{id}>
  <name>web</name>
  <metadata>
    <virtquorum xmlns='urn:virtquorum:domain:1.0' version='1' adds='metadata'>
      <lowered target='vda' alias='virtio-disk0' drive='vq-vda' file='/p' plugged='yes'{said}>
        {QUORUM}
      </lowered>
    </virtquorum>
  </metadata>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file='{file}' index='1'/>
      <backingStore/>
      <target dev='vda' bus='virtio'/>
      <boot order='1'/>
      <alias name='virtio-disk0'/>
      <address type='pci' domain='0x0000' bus='0x01' slot='0x00' function='0x0'/>
    </disk>
  </devices>
</domain>
"""
    )


def test_the_running_domain_is_lifted() -> None:
    live = domain()
    assert list(troubles(live.document.root)) == []
    disk = lift(live).disk("vda")
    assert disk.quorum is not None
    assert [one.source.file for one in disk.quorum.members] == ["/a", "/b"]  # type: ignore[union-attr]
    # What stands beside the source is the guest's device, and comes along.
    assert disk.boot is not None
    assert disk.address is not None
    assert disk.alias == "virtio-disk0"
    assert kept_files(live) == {}


def test_what_is_kept_is_for_a_running_domain_alone() -> None:
    """Defined, it would start with one image, and the others would fall behind."""
    kinds = [one.kind for one in troubles(domain(id="").document.root)]
    assert kinds == ["source", "override"]
    with pytest.raises(LoweredError, match="has another source"):
        lift(domain(id=""))


def test_without_it_a_placeholder_is_expected() -> None:
    assert [one.kind for one in troubles(domain(kept=False).document.root)] == ["source"]
    assert kept_files(domain(kept=False)) == {"vda": "/p"}


def test_lowered_anew_it_has_a_placeholder() -> None:
    text = lower(domain(), directory="/d").text
    assert "kept=" not in text
    assert "<source file='/d/web-vda.placeholder'/>" in text
