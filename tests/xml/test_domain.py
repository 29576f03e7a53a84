"""What holds disks, and which of its elements are disks."""

from __future__ import annotations

import pytest

from virtquorum.errors import (
    EditError,
    InputError,
    LimitError,
    NotWellFormedError,
    UnreadableError,
    VirtquorumError,
    WrongRootError,
)
from virtquorum.model.disk import Disk
from virtquorum.xml.domain import ROOTS, Domain

_INNER = "<name>guest</name><devices><disk type='file'><target dev='vda'/></disk></devices>"


@pytest.mark.parametrize("root", ["domainsnapshot", "domaincheckpoint", "domstatus"])
def test_a_domain_inside_of_something(root: str) -> None:
    domain = Domain.from_text(f"<{root}><name>own</name><domain>{_INNER}</domain></{root}>")
    assert domain.domain_name == "guest"
    assert [disk.name for disk in domain.disks] == ["vda"]


def test_a_snapshot_holds_an_inactive_domain_too() -> None:
    domains = f"<domain>{_INNER}</domain><inactiveDomain>{_INNER}</inactiveDomain>"
    domain = Domain.from_text(f"<domainsnapshot>{domains}</domainsnapshot>")
    assert [disk.name for disk in domain.disks] == ["vda", "vda"]


def test_a_bare_disk() -> None:
    domain = Domain.from_text("<disk type='file'><target dev='vda'/></disk>")
    assert domain.domain_name is None
    assert [disk.name for disk in domain.disks] == ["vda"]


@pytest.mark.parametrize(
    "text",
    [
        "<domain><disk type='file'/></domain>",
        "<domain><metadata><devices><disk type='file'/></devices></metadata></domain>",
        "<domain><devices><hostdev><disk type='file'/></hostdev></devices></domain>",
        "<domain><devices><!--<disk type='file'/>--></devices></domain>",
        "<domain><devices><f:disk xmlns:f='urn:f' type='file'/></devices></domain>",
        "<domainsnapshot><disks><disk name='vda'/></disks></domainsnapshot>",
    ],
)
def test_what_is_no_disk_of_a_domain(text: str) -> None:
    assert Domain.from_text(text).disks == ()


def test_disks_of_several_devices_are_in_document_order() -> None:
    devices = "<devices><disk><target dev='{}'/></disk></devices>"
    domain = Domain.from_text(f"<domain>{devices.format('b')}<x/>{devices.format('a')}</domain>")
    assert [disk.name for disk in domain.disks] == ["b", "a"]
    assert domain.disks is domain.disks


@pytest.mark.parametrize("name", ["", " ", "\n"])
def test_a_name_of_nothing_is_none(name: str) -> None:
    assert Domain.from_text(f"<domain><name>{name}</name></domain>").domain_name is None


def test_the_wrong_root_says_which_and_names_the_right_ones() -> None:
    with pytest.raises(WrongRootError) as caught:
        Domain.from_text("<!-- c -->\n <network/>", "net.xml")
    assert (caught.value.root, caught.value.line, caught.value.column) == ("network", 2, 2)
    for root in ROOTS:
        assert f"<{root}>" in str(caught.value)


def test_every_error_is_virtquorum_s_own() -> None:
    for error in (UnreadableError, NotWellFormedError, LimitError, WrongRootError):
        assert issubclass(error, InputError)
    assert issubclass(InputError, VirtquorumError)
    assert issubclass(EditError, VirtquorumError)
    assert not issubclass(EditError, InputError)
    assert str(UnreadableError("gone", file="f")) == "f: gone"
    assert str(UnreadableError("gone", file="f", line=2, column=3, remedy="look")) == (
        "f:2:3: gone; look"
    )


def test_disks_only_leaves_the_rest_as_it_was() -> None:
    text = (
        "<domain   type='kvm'>\r\n<name  >x</name><devices>\r\n"
        "\t<disk\ttype='file' ><target dev='vda'\r\n"
        "/></disk> <!-- c --><disk type='dir'></disk></devices></domain >"
    )
    assert Domain.from_text(text).formatted(disks_only=True).text == (
        "<domain   type='kvm'>\r\n<name  >x</name><devices>\r\n\t<disk type='file'>\r\n"
        "\t  <target dev='vda'/>\r\n\t</disk> <!-- c --><disk type='dir'/></devices></domain >"
    )


def test_a_disk_without_a_type_is_a_file_as_libvirt_has_it() -> None:
    (disk,) = Domain.from_text("<disk/>").disks
    assert isinstance(disk, Disk)
    assert disk.image.source.type == "file"
    assert Domain.from_text("<disk/>").formatted().text == "<disk type='file'/>\n"
