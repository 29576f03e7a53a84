"""Secrets are those that libvirt has; and what it gives to nobody."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest

from tests.host.definitions import secret
from virtquorum.errors import HostError, LibvirtError
from virtquorum.host.lookup import connect
from virtquorum.model.parts import Secret

pytestmark = pytest.mark.skipif(
    find_spec("libvirt") is None, reason="libvirt-python is not installed"
)

UUID = "5f0c64ff-1f0b-4d3e-9a67-0d6f9d0c0f9a"

USAGES = {
    "ceph": "<usage type='ceph'><name>x</name></usage>",
    "iscsi": "<usage type='iscsi'><target>x</target></usage>",
    "volume": "<usage type='volume'><volume>x</volume></usage>",
    "tls": "<usage type='tls'><name>x</name></usage>",
    "vtpm": "<usage type='vtpm'><name>x</name></usage>",
}


@pytest.mark.parametrize("type", USAGES)
def test_a_secrets_value(type: str, daemon: str, host: Any) -> None:
    value = bytes(range(256))
    made = {
        one: secret(host, inner, value if one == type else b"another")
        for one, inner in USAGES.items()
    }
    uuid = made[type].UUIDString()
    try:
        with connect(daemon) as lookup:
            assert lookup.secret(Secret(type=type, usage="x")) == value
            assert lookup.secret(Secret(type=type, uuid=uuid)) == value
            assert lookup.secret(Secret(type=type, uuid=uuid.upper().replace("-", ""))) == value
            assert lookup.secret(Secret(uuid=uuid)) == value
            other = "ceph" if type != "ceph" else "iscsi"
            with pytest.raises(HostError, match=f"is of type '{type}', and .* of type '{other}'"):
                lookup.secret(Secret(type=other, uuid=uuid))
    finally:
        for one in made.values():
            one.undefine()


def test_a_secret_of_no_usage_is_for_any(daemon: str, host: Any) -> None:
    made = secret(host, "", b"value")
    try:
        with connect(daemon) as lookup:
            for type in ("ceph", "iscsi", "volume", None):
                assert lookup.secret(Secret(type=type, uuid=made.UUIDString())) == b"value"
    finally:
        made.undefine()


def test_secrets_that_libvirt_does_not_give(daemon: str, host: Any) -> None:
    private = secret(host, "", b"value", private=True)
    empty = secret(host, "", None)
    try:
        with connect(daemon) as lookup:
            with pytest.raises(LibvirtError) as caught:
                lookup.secret(Secret(type="ceph", uuid=private.UUIDString()))
            assert caught.value.code == 65  # VIR_ERR_INVALID_SECRET
            assert str(caught.value) == (
                "libvirt says: Invalid secret: secret is private; libvirt gives a private secret "
                "to nobody: name a file that holds it, or define the secret again with private='no'"
            )
            with pytest.raises(LibvirtError) as caught:
                lookup.secret(Secret(type="ceph", uuid=empty.UUIDString()))
            assert caught.value.code == 66  # VIR_ERR_NO_SECRET
            assert "does not have a value; " in str(caught.value)
            assert "'virsh secret-set-value UUID --file PATH'" in str(caught.value)
    finally:
        private.undefine()
        empty.undefine()
    with connect(daemon) as lookup:
        for one in (Secret(type="ceph", uuid=UUID), Secret(type="volume", usage="x")):
            with pytest.raises(LibvirtError, match=r"Secret not found: .*; 'virsh secret-list'"):
                lookup.secret(one)


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (Secret(type="ceph"), "by its UUID or by its usage"),
        (Secret(type="ceph", uuid="x"), "'x' is no UUID"),
        (Secret(usage="x"), "no secrets of type ''; types are: volume, ceph, iscsi, tls"),
        (Secret(type="nfs", uuid=UUID), "no secrets of type 'nfs'"),
        (Secret(type="ceph", usage="x\0"), "no name in libvirt holds such"),
        (Secret(type="ceph", uuid=UUID), "not supported by the connection driver"),
    ],
)
def test_what_is_no_secret(one: Secret, words: str) -> None:
    with connect("test:///default") as lookup, pytest.raises(HostError, match=words):
        lookup.secret(one)
