"""A running libvirt, asked for what a domain's XML only names."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from virtquorum.errors import HostError
from virtquorum.host.connection import asking, connected
from virtquorum.host.pool import Pool, check, resolved

if TYPE_CHECKING:
    from collections.abc import Iterator

    from virtquorum.model.image import AnySource
    from virtquorum.model.parts import Secret
    from virtquorum.model.sources.volume import VolumeSource

__all__ = ["HostLookup", "connect"]

#: virSecretUsageType, by its words.
_USAGES: Final = {"volume": 1, "ceph": 2, "iscsi": 3, "tls": 4, "vtpm": 5}
_USAGE_WORDS: Final = {number: word for word, number in _USAGES.items()}

# virErrorNumber
_NO_POOL: Final = 49
_NO_VOLUME: Final = 50
_INVALID_SECRET: Final = 65
_NO_SECRET: Final = 66

_SECRET_REMEDIES: Final = {
    _NO_SECRET: "'virsh secret-list' has those that there are, "
    "and 'virsh secret-set-value UUID --file PATH' gives one its value",
    _INVALID_SECRET: "libvirt gives a private secret to nobody: name a file that holds it, or "
    "define the secret again with private='no'",
}
_POOL_REMEDIES: Final = {_NO_POOL: "'virsh pool-list --all' has those that there are"}


@contextmanager
def connect(uri: str | None) -> Iterator[HostLookup]:
    """The libvirt at a URI, to be asked; None is the one that virsh would ask.

    Raises HostError if there is none, it lets nobody in, or libvirt-python is
    not installed.
    """
    if re.match("[^:]*:///embed([?#]|$)", uri or ""):
        raise HostError(
            f"the connection '{uri}': an embedded driver has no volumes and no secrets; name a "
            "libvirt that has: 'qemu:///system', 'qemu:///session'"
        )
    with connected(uri) as connection:
        yield HostLookup(connection)


class HostLookup:
    """A running libvirt's pools and secrets, by an open connection (virConnect)."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def volume(self, source: VolumeSource) -> AnySource:
        """The file, device, directory or unit that a volume is, as libvirt would open it.

        It keeps what the volume's source carries.  Raises HostError for a
        pool or volume that is not there, for a pool that is not active, and
        for what libvirt makes no disk of.
        """
        name, volume = source.pool, source.volume
        if not name or not volume:
            raise HostError("a volume is named by pool and volume: pool='…' volume='…'")
        with asking(f"the pool '{name}'", _POOL_REMEDIES):
            pool = self._connection.storagePoolLookupByName(name)
            described = Pool.of(name, pool.XMLDesc())
            check(source, described)
            active = pool.isActive() == 1
        if not active:
            raise HostError(f"the pool '{name}' is not active; 'virsh pool-start' starts it")
        remedy = "'virsh pool-refresh' looks again, 'virsh vol-list' has those that there are"
        with asking(f"the volume '{volume}' of the pool '{name}'", {_NO_VOLUME: remedy}):
            found = pool.storageVolLookupByName(volume)
            type = found.info()[0]
            return resolved(source, described, type, found.path)

    def secret(self, secret: Secret) -> bytes:
        """A secret's value, by its UUID or else its usage.

        Raises HostError for a secret that is not there or of another type,
        has no value, or is private.
        """
        usage = self._usage(secret)
        with asking(None, _SECRET_REMEDIES):
            found = self._found(secret, usage)
            has = found.usageType()
        # A secret without usage is for any.
        if usage is not None and has not in (0, usage):
            raise HostError(
                f"libvirt's secret is of type '{_USAGE_WORDS.get(has, has)}', and what it is for "
                f"takes one of type '{secret.type}'; define one with such a <usage>"
            )
        with asking(None, _SECRET_REMEDIES):
            value: bytes = found.value()
        return value

    def _usage(self, secret: Secret) -> int | None:
        if secret.type is None and secret.uuid is not None:
            return None
        if secret.type not in _USAGES:
            raise HostError(
                f"libvirt has no secrets of type '{secret.type or ''}'; "
                f"types are: {', '.join(_USAGES)}"
            )
        return _USAGES[secret.type]

    def _found(self, secret: Secret, usage: int | None) -> Any:
        if secret.uuid is not None:
            try:
                return self._connection.secretLookupByUUIDString(str(UUID(secret.uuid)))
            except ValueError:
                raise HostError(f"'{secret.uuid}' is no UUID") from None
        if not secret.usage:
            raise HostError("a secret is named by its UUID or by its usage")
        return self._connection.secretLookupByUsage(usage, secret.usage)
